"""CORS: the origins of CORS_ORIGINS get credentials, all methods and all headers; others get nothing."""

from __future__ import annotations

import pytest
from conftest import Person

SPA = "http://localhost:5173"
PATHS = ["/api/auth/me", "/api/scans", "/api/scans/x", "/api/nope", "/api/health"]


def of_cors(headers: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.startswith("Access-Control")}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_a_preflight_passes_for_any_method_and_header(anyone: Person, path: str, method: str) -> None:
    asked = {
        "Origin": SPA,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": "authorization,x-anything",
    }
    reply = await anyone.request("OPTIONS", path, headers=asked)
    assert reply.status == 200
    assert reply.headers["Access-Control-Allow-Origin"] == SPA
    assert reply.headers["Access-Control-Allow-Credentials"] == "true"
    assert reply.headers["Access-Control-Allow-Methods"] == method
    allowed = reply.headers["Access-Control-Allow-Headers"].lower().split(",")
    assert sorted(allowed) == ["authorization", "x-anything"]
    assert "Origin" in reply.headers.getall("Vary")


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:5173.evil.example"])
@pytest.mark.parametrize("path", PATHS)
async def test_other_origins_get_no_cors_headers(anyone: Person, path: str, origin: str) -> None:
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    preflight = await anyone.request("OPTIONS", path, headers=asked)
    assert preflight.status >= 400
    assert preflight.json["error"]
    reply = await anyone.get(path, headers={"Origin": origin})
    for headers in (preflight.headers, reply.headers):
        assert of_cors(headers) == {}
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
async def test_answers_and_errors_carry_the_headers(
    anyone: Person, method: str, path: str, status: int
) -> None:
    reply = await anyone.request(method, path, headers={"Origin": SPA})
    assert reply.status == status
    assert reply.headers.getall("Access-Control-Allow-Origin") == [SPA]
    assert reply.headers["Access-Control-Allow-Credentials"] == "true"
    assert "X-Request-ID" in reply.headers["Access-Control-Expose-Headers"]
    assert "Origin" in reply.headers.getall("Vary")


async def test_without_an_origin_only_vary_is_there(anyone: Person) -> None:
    reply = await anyone.get("/api/health")
    assert of_cors(reply.headers) == {}
    assert reply.headers.getall("Vary") == ["Origin"]


@pytest.mark.parametrize("headers", [{}, {"Origin": SPA}, {"Origin": "https://evil.example"}])
async def test_options_that_are_no_preflight_name_the_methods(
    anyone: Person, headers: dict[str, str]
) -> None:
    reply = await anyone.request("OPTIONS", "/api/scans", headers=headers)
    assert (reply.status, reply.headers["Allow"]) == (204, "GET,HEAD,OPTIONS")
    one = await anyone.request("OPTIONS", "/api/scans/x", headers=headers)
    assert one.headers["Allow"] == "DELETE,GET,HEAD,OPTIONS"
    assert (await anyone.request("OPTIONS", "/api/nope", headers=headers)).status == 404


async def test_pages_have_no_cors_headers(anyone: Person) -> None:
    reply = await anyone.get("/scans", headers={"Origin": SPA})
    assert of_cors(reply.headers) == {}
