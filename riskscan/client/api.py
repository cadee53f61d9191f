"""The API of a server, for the command line and for assistants."""

from __future__ import annotations

import asyncio
import io
import re
import urllib.request
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType
from typing import IO, Any, NamedTuple, Self, TypeVar

import aiohttp
import msgspec
from aiohttp import ClientResponse, hdrs
from yarl import URL

from .. import __version__
from ..schemas import ID_PATTERN, Comparison, Error, Finding, FindingList, Scan, ScanList

T = TypeVar("T")
Query = Mapping[str, str | Sequence[str]]
Form = Callable[[], aiohttp.FormData]

CONNECT_SECONDS, READ_SECONDS = 10, 180
RETRIES = 5
RETRY_SECONDS = 0.5  # before the first retry, twice as long before each following one
MAX_RETRY_AFTER_SECONDS = 120  # a longer wait that a server asks for is an error
RETRIED = {429, 502, 503, 504}
IN_PROGRESS = "idempotency_in_progress"  # the scan of a request whose answer was lost
CHUNK = 64 * 1024
SCAN_ID = re.compile(ID_PATTERN)
FOREIGN_ANSWER = "This is not the answer of a RiskScan server. Is its address right?"

# of no document: earlier servers ignore the filter, and count all scans
NO_DIGEST = "0" * 64


class ServerError(Exception):
    """The server refused a request, failed or cannot be reached; the message is a sentence for people.

    `status` is 0 without an answer, `code` empty if it is none of RiskScan, `retry_after` the seconds that
    the server names, 0 if it names none.
    """

    def __init__(self, sentence: str, status: int = 0, code: str = "", retry_after: int = 0) -> None:
        super().__init__(sentence)
        self.status, self.code, self.retry_after = status, code, retry_after

    @property
    def is_quota_used_up(self) -> bool:
        """Return whether the server takes no more for longer than a client waits."""
        return self.status == 429 and self.retry_after > MAX_RETRY_AFTER_SECONDS


class Outcome(NamedTuple):
    """The outcome of one attempt: a value, or an error with the seconds after which to retry, if it may."""

    value: Any = None
    error: ServerError | None = None
    retry_after: float | None = None


class Api:
    """A client of a server under a token; requests are retried, which none of them minds.

    Every method raises ServerError.
    """

    def __init__(self, server: str, token: str) -> None:
        self.server = server
        self._headers = {hdrs.AUTHORIZATION: f"Bearer {token}", hdrs.USER_AGENT: f"riskscan/{__version__}"}

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=READ_SECONDS)
        # not trust_env: with it aiohttp looks for another log-in in .netrc, and refuses to have two
        self._proxy = find_proxy(self.server)
        self._session = aiohttp.ClientSession(
            headers=self._headers, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar()
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, path: str, kind: type[T], query: Query | None = None) -> T:
        """Return the answer, decoded as this type."""
        return decode(await self._request(hdrs.METH_GET, path, query=query), kind)

    async def send(self, method: str, path: str, body: Any = None) -> None:
        """Send JSON, or a request without a body."""
        await self._request(method, path, body=body)

    async def create_scan(self, document: str | bytes, name: str = "") -> Scan:
        """Scan a text, or the bytes of a file with its name, once however often it is sent."""

        def make_form() -> aiohttp.FormData:
            form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
            if isinstance(document, str):
                form.add_field("text", document)
            else:
                form.add_field("file", io.BytesIO(document), filename=name)
            return form

        headers = {"Idempotency-Key": str(uuid.uuid4())}
        answer = await self._request(hdrs.METH_POST, "/api/scan", form=make_form, headers=headers)
        return decode(answer, Scan)

    async def has_scan_of(self, sha256: str) -> bool:
        """Return whether the account has a scan of the bytes with this digest."""
        if not await self._count_scans_of(sha256):
            return False
        if await self._count_scans_of(NO_DIGEST):
            raise ServerError(f"{self.server} is too old for --new: it does not know what it has by SHA-256.")
        return True

    async def _count_scans_of(self, sha256: str) -> int:
        return (await self.get("/api/scans", ScanList, {"sha256": sha256, "limit": "1"})).total

    async def read_scan(self, scan_id: str) -> Scan:
        return await self.get(scan_path(scan_id), Scan)

    async def read_findings(self, scan_id: str) -> list[Finding]:
        """Return the findings of a scan with their places and reviews."""
        return (await self.get(f"{scan_path(scan_id)}/findings", FindingList)).findings

    async def compare(self, earlier: str, later: str) -> Comparison:
        return await self.get(f"{scan_path(later)}/compare", Comparison, {"with": earlier})

    async def download(self, path: str, query: Query, file: IO[bytes]) -> None:
        """Write the answer to a file, which holds nothing else."""

        async def save(response: ClientResponse) -> None:
            file.seek(0)
            file.truncate()
            async for chunk in response.content.iter_chunked(CHUNK):
                file.write(chunk)

        await self._request(hdrs.METH_GET, path, query=query, read=save)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Any = None,
        form: Form | None = None,
        headers: Mapping[str, str] | None = None,
        read: Callable[[ClientResponse], Awaitable[Any]] = ClientResponse.read,
    ) -> Any:
        """Send a request until it is answered, and return what `read` makes of the answer."""
        attempt = 0
        while True:
            outcome = await self._attempt(
                method,
                self.server + path,
                read,
                params=query,
                json=body,
                data=form() if form else None,
                headers=headers,
            )
            if outcome.error is None:
                return outcome.value
            if outcome.retry_after is None or attempt == RETRIES:
                raise outcome.error
            await asyncio.sleep(outcome.retry_after or RETRY_SECONDS * 2**attempt)
            attempt += 1

    async def _attempt(
        self, method: str, url: str, read: Callable[[ClientResponse], Awaitable[Any]], **options: Any
    ) -> Outcome:
        """Send a request once."""
        try:
            async with self._session.request(
                method, url, allow_redirects=False, proxy=self._proxy, **options
            ) as response:
                if response.status < 300 and response.content_type == "text/html":
                    return Outcome(error=ServerError(FOREIGN_ANSWER))
                if response.status < 300:
                    return Outcome(await read(response))
                error = describe_error(response, await response.read())
                return Outcome(error=error, retry_after=find_wait(error))
        except aiohttp.ClientSSLError as exc:
            return Outcome(error=ServerError(f"No secure connection to {self.server}: {exc}."))
        except ValueError:  # also of a name that cannot be encoded
            return Outcome(error=ServerError(f"{self.server} is not the address of a server."))
        except aiohttp.ClientConnectorDNSError:
            return Outcome(error=ServerError(f"There is no server of the name {URL(self.server).host}."))
        except (aiohttp.ClientError, TimeoutError) as exc:
            reason = str(exc) or type(exc).__name__
            return Outcome(error=ServerError(f"{self.server} cannot be reached: {reason}."), retry_after=0)


def find_proxy(server: str) -> str | None:
    """Return the address of the proxy for a server, by HTTPS_PROXY, HTTP_PROXY and NO_PROXY."""
    url = URL(server)
    proxy = urllib.request.getproxies().get(url.scheme)
    if not proxy or urllib.request.proxy_bypass(url.host or ""):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def scan_path(scan_id: str) -> str:
    """Return the path of a scan. Raises ServerError for what is no ID."""
    if not SCAN_ID.fullmatch(scan_id):
        raise ServerError(f"{scan_id} is not the ID of a scan.")
    return f"/api/scans/{scan_id}"


def describe_error(response: ClientResponse, body: bytes) -> ServerError:
    """Return the error of an answer, in the sentence of the server."""
    if response.status < 400:
        target = response.headers.get(hdrs.LOCATION, "another address")
        return ServerError(f"The server redirects to {target}. Use that address.", response.status)
    retry_after = read_retry_after(response)
    try:
        error = msgspec.json.decode(body, type=Error)
    except msgspec.MsgspecError:
        sentence = f"The server answered with status {response.status}."
        return ServerError(sentence, response.status, retry_after=retry_after)
    fields = [f"{name}: {text}" for name, text in error.fields.items()]
    says_more = any(
        name not in error.detail and text.rstrip(".") not in error.detail
        for name, text in error.fields.items()
    )
    sentences = [error.detail, *fields] if says_more or not fields else fields
    return ServerError(" ".join(sentences), response.status, error.error, retry_after)


def read_retry_after(response: ClientResponse) -> int:
    value = response.headers.get(hdrs.RETRY_AFTER, "")
    return int(value) if value.isascii() and value.isdigit() else 0


def find_wait(error: ServerError) -> float | None:
    """Return the seconds after which to retry, 0 if the server names none, None if it is not worth it."""
    if error.status not in RETRIED and error.code != IN_PROGRESS:
        return None
    return error.retry_after if error.retry_after <= MAX_RETRY_AFTER_SECONDS else None


def decode(answer: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(answer, type=kind)
    except msgspec.MsgspecError:
        raise ServerError(FOREIGN_ANSWER) from None
