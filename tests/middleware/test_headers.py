"""Response headers, the shape of errors, logs and health (API.md, Ground rules)."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any

import pytest

from riskscan.handlers import scans
from riskscan.logs import JsonFormatter
from riskscan.middleware.request_log import RequestEvent
from riskscan.routes import OPERATIONS
from tests.support.ai import Ai
from tests.support.application import MakeSettings, Server, serve
from tests.support.client import (
    PASSWORD,
    Person,
    assert_error,
    create_token,
    form,
    registered_person,
    text_of,
)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/api", 404, "not_found"),
        ("GET", "/api/", 404, "not_found"),
        ("GET", "/api/nope", 404, "not_found"),
        ("GET", "/api/%00", 404, "not_found"),
        ("GET", "/api/%ED%A0%80", 404, "not_found"),
        ("GET", "/api/scan", 405, "method_not_allowed"),
        ("PUT", "/api/scans", 405, "method_not_allowed"),
        ("PATCH", "/api/auth/me", 405, "method_not_allowed"),
        ("GET", "/api/auth/me", 401, "not_authenticated"),
        ("POST", "/api/scan", 401, "not_authenticated"),
    ],
)
async def test_every_error_has_one_shape(
    guest: Person, method: str, path: str, status: int, code: str
) -> None:
    reply = await guest.request(method, path)
    assert_error(reply, status, code)
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert reply.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert reply.headers["Cache-Control"] == "no-store"
    assert reply.headers["Server"] == "RiskScan"
    if status == 405:
        assert reply.headers["Allow"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/scan", 303),
        ("GET", "/login", 200),
        ("HEAD", "/login", 200),
        ("POST", "/login", 400),
        ("PUT", "/login", 405),
        ("TRACE", "/", 405),
        ("GET", "/nope", 404),
        ("GET", "/static/app.js", 200),
        ("HEAD", "/static/style.css", 200),
        ("GET", "/static/nope", 404),
        ("GET", "/api/docs", 200),
        ("GET", "/api/openapi.json", 200),
        ("GET", "/api/health/live", 200),
        ("OPTIONS", "/api/scan", 204),
        ("GET", "/api/nope", 404),
        ("GET", "/api/auth/me", 401),
        ("POST", "/api/auth/login", 400),
    ],
)
async def test_every_response_carries_the_security_headers(
    guest: Person, method: str, path: str, status: int
) -> None:
    reply = await guest.request(method, path, headers={"X-Forwarded-Proto": "https"})
    assert reply.status == status
    found = reply.headers
    assert found["X-Content-Type-Options"] == "nosniff"
    assert found["X-Frame-Options"] == "DENY"
    assert found["Referrer-Policy"] == "same-origin"
    assert found["Cross-Origin-Opener-Policy"] == "same-origin"
    assert found["Strict-Transport-Security"] == "max-age=31536000"
    assert found["Server"] == "RiskScan"
    policy = found["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert policy.endswith("; base-uri 'none'; frame-ancestors 'none'")
    assert "unsafe" not in policy
    cached = path.startswith("/static/") and status == 200
    assert found["Cache-Control"] == ("no-cache" if cached else "no-store")
    if reply.body:
        kind = found["Content-Type"]
        assert kind == "application/json" or kind.endswith("; charset=utf-8")


@pytest.mark.parametrize(
    ("given", "kept"), [("abc-123", True), ("x" * 129, False), ("a b", False), ("<script>", False)]
)
@pytest.mark.parametrize("path", ["/api/health/live", "/api/nope", "/nope"])
async def test_valid_request_id_is_preserved(guest: Person, path: str, given: str, kept: bool) -> None:
    found = (await guest.get(path, headers={"X-Request-ID": given})).headers["X-Request-ID"]
    assert (found == given) is kept
    assert found


async def test_unhandled_exception_is_a_500_without_details(
    alice: Person, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(scans, "write_cursor", broken)
    await alice.scan(text="one")
    await alice.scan(text="two")
    reply = await alice.get("/api/scans?limit=1", headers={"X-Request-ID": "find-me"})
    assert_error(reply, 500, "internal_error")
    assert b"secret" not in reply.body
    record = next(record for record in caplog.records if record.levelno == logging.ERROR)
    assert "find-me" in record.getMessage()
    assert record.exc_info is not None


async def test_access_log_contains_the_route_and_no_secrets(
    alice: Person, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    scan = await alice.scan(text="a confidential sentence")
    await alice.get(f"/api/scans/{scan['scan_id']}?token=hidden")
    lines = [record.getMessage() for record in caplog.records if record.name == "riskscan.access"]
    assert any("GET /api/scans/{scan_id} 200" in line and alice.id in line for line in lines)
    assert not [line for line in lines if "hidden" in line or alice.email in line or "confidential" in line]


async def test_request_data_cannot_inject_log_lines(guest: Person, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    forged = "%0d%0aforged%20line"
    await guest.get(f"/api/scans/{forged}?{forged}", headers={"X-Request-ID": "forged\tline"})
    await guest.get(f"/{forged}")
    await guest.post("/api/auth/login", json={"email": "forged\nline", "password": "forged\nline"})
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("riskscan")]
    assert len(lines) == 3
    assert not [line for line in lines if "\n" in line or "forged" in line]


def test_json_log_line_contains_all_fields() -> None:
    event = RequestEvent("GET", "/scans", 200, 1.5, "an-id", "a-user")
    record = logging.LogRecord("riskscan.access", logging.INFO, "", 0, event, None, None)
    line = json.loads(JsonFormatter().format(record))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {
        "level": "INFO", "logger": "riskscan.access", "method": "GET", "route": "/scans", "status": 200,
        "milliseconds": 1.5, "request_id": "an-id", "user_id": "a-user",
    }  # fmt: skip


def test_handlers_that_change_data_have_only_unsafe_methods(server: Server) -> None:
    changing = {operation.handler for operation in OPERATIONS if operation.method != "GET"}
    methods = {route.method for route in server.app.router.routes() if route.handler in changing}
    assert methods == {"POST", "PUT", "PATCH", "DELETE"}


async def test_get_requests_change_nothing(alice: Person, server: Server) -> None:
    scan, token = await alice.scan(text="tight budget"), await create_token(alice)
    own = f"/api/scans/{scan['scan_id']}"
    await alice.request("PUT", f"{own}/findings/1/review", json={"state": "confirmed"})
    share = (await alice.post(f"{own}/shares", json={})).json
    ids = {"scan_id": scan["scan_id"], "token_id": token["id"], "name": "app.js", "number": 1}
    ids |= {"share_id": share["id"], "token": share["url"].rpartition("/")[2]}
    pages = ("/api/auth/me", "/api/tokens", "/api/scans", f"{own}/findings", f"{own}/shares")

    async def state() -> list[Any]:
        return [(await alice.get(page)).json for page in pages]

    before = await state()
    paths = {route.resource.canonical for route in server.app.router.routes() if route.resource}
    for path in paths:
        reply = await alice.get(path.format(**ids))
        is_off = path.startswith("/login/oidc") and reply.status == 404
        assert is_off or reply.status in (200, 303, 400, 405), path
    assert await state() == before


async def test_incomplete_request_head_times_out(make_settings: MakeSettings) -> None:
    async with serve(make_settings(), keepalive_timeout=0.2) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /login HTTP/1.1\r\nX-Slow: ")
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()


async def test_forwarded_proto_is_used_only_from_a_trusted_proxy(make_settings: MakeSettings) -> None:
    account = {"email": "ana@example.com", "password": "correct horse"}
    https = {"X-Forwarded-Proto": "https"}
    async with serve(make_settings()) as server:
        person = Person(server)
        reply = await person.post("/api/auth/register", json=account, headers=https)
        assert reply.cookies["__Host-riskscan_session"]["secure"]
        assert reply.headers["Strict-Transport-Security"]
        await person.session.close()
    async with (
        serve(make_settings(trusted_proxies=())) as server,
        registered_person(server, "bob@example.com") as bob,
    ):
        assert "Strict-Transport-Security" not in (await bob.get("/api/auth/me", headers=https)).headers


async def test_health_is_ok_when_every_dependency_responds(guest: Person, ai: Ai) -> None:
    reply = await guest.get("/api/health")
    assert reply.status == 200
    assert {**reply.json, "version": ""} == {
        "status": "ok",
        "database": True,
        "ai_service_healthy": True,
        "version": "",
    }
    assert (await guest.get("/api/health/live")).json == {"status": "ok"}


async def test_health_caches_the_ai_service_probe(guest: Person, ai: Ai) -> None:
    replies = await asyncio.gather(*[guest.get("/api/health") for _ in range(10)])
    assert {reply.json["ai_service_healthy"] for reply in replies} == {True}
    assert ai.probes == 1


async def test_health_with_a_hanging_ai_service_is_degraded(guest: Person, ai: Ai) -> None:
    abandoned = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        abandoned.set()

    ai.raw_handler = hang
    assert (await guest.get("/api/health")).json["status"] == "degraded"
    await abandoned.wait()


async def test_health_without_the_ai_service_is_degraded(make_settings: MakeSettings) -> None:
    async with serve(make_settings(ai_service_url="http://127.0.0.1:1")) as server:
        person = Person(server)
        reply = await person.get("/api/health")
        assert (reply.status, reply.json["status"], reply.json["ai_service_healthy"]) == (
            200,
            "degraded",
            False,
        )
        await person.session.close()


async def test_page_post_redirects_to_the_scan(alice: Person) -> None:
    reply = await alice.post("/scan", data=form(text="x"), headers={"X-Request-ID": "page"})
    assert (reply.status, reply.headers["X-Request-ID"]) == (303, "page")
    assert reply.headers["Location"].startswith("/scans/")


@pytest.mark.settings(max_upload_bytes=1024 * 1024)
async def test_oversized_page_post_is_an_error_page(guest: Person, alice: Person, ai: Ai) -> None:
    await guest.post("/api/auth/login", json={"email": alice.email, "password": PASSWORD})
    document = ("big.txt", b"x" * (1024 * 1024 + 1))
    reply = await guest.post("/scan", data=form(file=document), headers={"X-Request-ID": "page"})
    assert (reply.status, reply.headers["X-Request-ID"]) == (413, "page")
    assert "the limit is 1 MB" in text_of(reply)
    assert ai.calls == []
