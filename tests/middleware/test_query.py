"""A query parameter that is given twice."""

from __future__ import annotations

import pytest

from riskscan.routes import OPERATIONS
from tests.support.client import Person, assert_error, sign_up, text_of

NOWHERE = "00000000-0000-4000-8000-000000000000"
# `scan` alone may be given more than once
QUERIES = [(one, name) for one in OPERATIONS for name in one.query if name != "scan"]


async def test_a_query_parameter_that_is_given_twice_is_refused(alice: Person) -> None:
    for operation, name in QUERIES:
        path = operation.path.replace("{scan_id}", NOWHERE)
        for query in (f"{name}=1&{name}=1", f"{name}=&a=b&%{ord(name[0]):x}{name[1:]}=2"):
            reply = await alice.get(f"{path}?{query}")
            detail = assert_error(reply, 400, "invalid_request", **{name: ...})
            assert detail == f"Invalid value for {name}."
            assert reply.json["fields"][name] == "Must be given once."


@pytest.mark.parametrize(
    "query",
    [
        "/scans?q=a&q=b",
        "/scans?done=scan&done=scan",
        "/scans/overview?from=2026-11-01&from=2026-11-02",
        "/scans/export?layout=&layout=register",
        f"/scans/{NOWHERE}?category=a&category=b",
        f"/scans/{NOWHERE}/compare?with={NOWHERE}&with={NOWHERE}",
        "/login?next=/scan&next=/account",
        "/register?next=/scan&next=/account",
    ],
)
async def test_pages_refuse_it_too(guest: Person, query: str) -> None:
    await sign_up(guest)
    reply = await guest.get(query)
    assert reply.status == 400
    assert "Invalid value for " in text_of(reply)


async def test_log_in_with_two_pages_to_return_to_is_refused(guest: Person) -> None:
    await sign_up(guest)
    form = {"username": guest.email, "password": "wrong"}
    reply = await guest.post("/login?next=/scan&next=/account", data=form)
    assert (reply.status, "Invalid value for next." in text_of(reply)) == (400, True)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/scans?a=1&a=2", 200),
        ("GET", "/api/scans?a=1&limit=5&a=2", 200),
        ("GET", "/api/scans?&&limit=5", 200),
        ("GET", "/api/stats?limit=1&limit=2", 200),
        ("GET", f"/api/scans/export?format=json&scan={NOWHERE}&scan={NOWHERE}", 200),
        ("GET", "/api/auth/me?q=1&q=2", 200),
        ("GET", "/api/nowhere?limit=1&limit=2", 404),
        ("PUT", "/api/scans?limit=1&limit=2", 405),
    ],
)
async def test_a_query_parameter_that_is_not_read_or_a_list_may_be_given_twice(
    alice: Person, method: str, path: str, status: int
) -> None:
    assert (await alice.request(method, path)).status == status
