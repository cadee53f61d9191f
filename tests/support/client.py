"""A client of the application: requests, responses, forms and the shape of errors."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
from yarl import URL

from tests.support.application import Server


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def create_token(person: Person, **fields: Any) -> Any:
    """Create an API token; return the response, which contains the secret."""
    reply = await person.post("/api/tokens", json={"name": "nightly import", **fields})
    assert reply.status == 201, reply.body
    return reply.json


async def wait_until_recovered(person: Person, **options: Any) -> None:
    """Poll until the database is available again; until then every response must be a 503."""
    while (reply := await person.get("/api/auth/me", **options)).status != 200:
        assert_error(reply, 503, "database_unavailable")


PASSWORD = "correct horse"


class Person:
    """An HTTP client with its own cookie jar; sends an access token once it is registered."""

    def __init__(self, server: Server) -> None:
        jar = aiohttp.CookieJar(unsafe=True)
        self.url = server.url
        self.session = aiohttp.ClientSession(cookie_jar=jar, connector=aiohttp.TCPConnector(limit=0))
        self.token = ""
        self.email = ""
        self.id = ""

    async def request(self, method: str, path: str, **options: Any) -> Reply:
        """Send a request; the path is sent as given, already percent-encoded."""
        url = URL(self.url + path, encoded=True)
        async with self.session.request(method, url, allow_redirects=False, **options) as response:
            return Reply(response.status, response.headers.copy(), await response.read(), response.cookies)

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.request("GET", path, **options)

    async def post(self, path: str, **options: Any) -> Reply:
        return await self.request("POST", path, **options)

    async def delete(self, path: str, **options: Any) -> Reply:
        return await self.request("DELETE", path, **options)

    async def register(self, email: str, password: str = PASSWORD) -> None:
        """Register through the API, and send the access token from now on."""
        reply = await self.post("/api/auth/register", json={"email": email, "password": password})
        assert reply.status == 201, reply.body
        self.email, self.id, self.token = email, reply.json["user_id"], reply.json["access_token"]
        self.session.headers["Authorization"] = f"Bearer {self.token}"
        self.session.cookie_jar.clear()

    async def scan(self, **fields: Any) -> dict[str, Any]:
        """Scan a text, or a file given as (name, bytes); return the scan."""
        reply = await self.post("/api/scan", data=form(**fields))
        assert reply.status == 200, reply.body
        scan: dict[str, Any] = reply.json
        return scan


class Reply:
    """A response with its whole body."""

    def __init__(self, status: int, headers: Any, body: bytes, cookies: Any) -> None:
        self.status, self.headers, self.body, self.cookies = status, headers, body, cookies

    @property
    def json(self) -> Any:
        assert self.headers["Content-Type"] == "application/json; charset=utf-8", self.body
        return json.loads(self.body)


def form(**fields: Any) -> aiohttp.FormData:
    """Return a multipart form of text fields and files; a file is (name, bytes) or (name, bytes, type)."""
    data = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    for name, value in fields.items():
        if isinstance(value, tuple):
            filename, content, *media_type = value
            data.add_field(
                name,
                io.BytesIO(content),
                filename=filename,
                content_type=media_type[0] if media_type else None,
            )
        else:
            data.add_field(name, value)
    return data


def assert_error(reply: Reply, status: int, code: str, **fields: Any) -> str:
    """Check the full shape of an error response; return its detail."""
    assert (reply.status, reply.json.get("error")) == (status, code), reply.body
    body = dict(reply.json)
    detail = body.pop("detail")
    assert isinstance(detail, str)
    assert detail
    assert body.pop("error") == code
    field_errors = body.pop("fields", {})
    if fields:
        assert set(field_errors) == set(fields)
    assert all(isinstance(text, str) and text for text in field_errors.values())
    assert body.pop("error_description", detail) == detail
    assert body == {}
    assert reply.headers["X-Request-ID"]
    if status == 401:
        assert reply.headers["WWW-Authenticate"] in ("Bearer", 'Bearer error="invalid_token"')
    if status in (429, 503):
        assert int(reply.headers["Retry-After"]) >= 1
    return detail


async def assert_health(person: Person, status: int, word: str) -> None:
    """Check the health that the server reports, the database's included."""
    reply = await person.get("/api/health")
    assert (reply.status, reply.json["status"], reply.json["database"]) == (status, word, status == 200)


async def sign_up(person: Person, email: str = "ana@example.com", **options: Any) -> Reply:
    """Register with the HTML form; the client then has a session cookie."""
    person.email = email
    reply = await person.post("/register", data={"email": email, "password": PASSWORD}, **options)
    assert reply.status == 303, reply.body
    return reply


def text_of(reply: Reply) -> str:
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    return reply.body.decode()


@contextlib.asynccontextmanager
async def registered_person(server: Server, email: str = "ana@example.com") -> AsyncIterator[Person]:
    """Register a client on a server that the test started itself."""
    person = Person(server)
    try:
        await person.register(email)
        yield person
    finally:
        await person.session.close()
