"""CORS: origins in CORS_ORIGINS get credentials, all methods and all headers; other origins get nothing."""

from __future__ import annotations

import uuid

import pytest

from tests.support.client import Person

SPA = "http://localhost:5173"
PATHS = ["/api/auth/me", "/api/scans", "/api/scans/x", "/api/nope", "/api/health"]


def cors_headers(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("Access-Control")}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_a_preflight_passes_for_any_method_and_header(guest: Person, path: str, method: str) -> None:
    asked = {
        "Origin": SPA,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,x-anything",
    }
    reply = await guest.request("OPTIONS", path, headers=asked)
    assert reply.status == 200
    assert reply.headers["Access-Control-Allow-Origin"] == SPA
    assert reply.headers["Access-Control-Allow-Credentials"] == "true"
    assert reply.headers["Access-Control-Allow-Methods"] == method
    allowed = reply.headers["Access-Control-Allow-Headers"].lower().split(",")
    assert sorted(allowed) == ["authorization", "x-anything"]
    assert "Origin" in reply.headers.getall("Vary")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:5173.evil.example"])
@pytest.mark.parametrize("path", PATHS)
async def test_other_origins_get_no_cors_headers(guest: Person, path: str, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    preflight = await guest.request("OPTIONS", path, headers=asked)
    assert preflight.status >= 400
    assert preflight.json["error"]
    reply = await guest.get(path, headers={"Origin": origin})
    for headers in (preflight.headers, reply.headers):
        assert cors_headers(headers) == {}
        assert "Origin" in headers.getall("Vary")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/health", 200),
        ("GET", "/api/auth/me", 401),
        ("GET", "/api/nope", 404),
        ("PUT", "/api/scan", 405),
        ("POST", "/api/auth/register", 400),
    ],
)
async def test_responses_and_errors_carry_the_cors_headers(
    guest: Person, method: str, path: str, status: int
) -> None:
    reply = await guest.request(method, path, headers={"Origin": SPA})
    assert reply.status == status
    assert reply.headers.getall("Access-Control-Allow-Origin") == [SPA]
    assert reply.headers["Access-Control-Allow-Credentials"] == "true"
    assert "X-Request-ID" in reply.headers["Access-Control-Expose-Headers"]
    assert "Origin" in reply.headers.getall("Vary")


async def test_request_without_an_origin_gets_only_vary(guest: Person) -> None:
    reply = await guest.get("/api/health")
    assert cors_headers(reply.headers) == {}
    assert reply.headers.getall("Vary") == ["Origin"]


@pytest.mark.parametrize("headers", [{}, {"Origin": SPA}, {"Origin": "https://evil.example"}])
async def test_plain_options_request_lists_the_allowed_methods(
    guest: Person, headers: dict[str, str]
) -> None:
    reply = await guest.request("OPTIONS", "/api/scans", headers=headers)
    assert (reply.status, reply.headers["Allow"]) == (204, "GET,HEAD,OPTIONS")
    one = await guest.request("OPTIONS", f"/api/scans/{uuid.uuid4()}", headers=headers)
    assert one.headers["Allow"] == "DELETE,GET,HEAD,OPTIONS,PATCH"
    assert (await guest.request("OPTIONS", "/api/nope", headers=headers)).status == 404


async def test_pages_have_no_cors_headers(guest: Person) -> None:
    reply = await guest.get("/scans", headers={"Origin": SPA})
    assert cors_headers(reply.headers) == {}
