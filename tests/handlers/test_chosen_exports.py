"""Exports of chosen scans."""

from __future__ import annotations

import uuid

import pytest

from tests.support.ai import RISKS, Ai
from tests.support.client import Person, assert_error

UNKNOWN = "0198a5b4-11d2-4f3e-9c55-7b0d4e2a6c31"


async def exported_files(person: Person, query: str) -> list[str]:
    reply = await person.get(f"/api/scans/export?format=json&{query}")
    assert reply.status == 200, reply.body
    return [row["file"] for row in reply.json]


async def test_chosen_scans_are_exported_in_their_order(alice: Person, bob: Person, ai: Ai) -> None:
    ids = [(await alice.scan(file=(f"{name}.txt", b"x")))["scan_id"] for name in "abc"]
    foreign = (await bob.scan(file=("secret.txt", b"x")))["scan_id"]
    query = "&".join(f"scan={each}" for each in (ids[2], ids[0], foreign, UNKNOWN, ids[2]))
    assert await exported_files(alice, query) == ["c.txt", "c.txt", "a.txt", "a.txt"]
    assert await exported_files(alice, f"{query}&category=financial") == ["c.txt", "a.txt"]
    assert await exported_files(alice, f"{query}&state=confirmed") == []
    assert await exported_files(alice, f"scan={foreign}") == []
    assert await exported_files(alice, "scan=&q=") == [f"{name}.txt" for name in "cba" for _ in RISKS]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("scan=1", "scan"),
        (f"scan={UNKNOWN.upper()}-", "scan"),
        ("&".join(f"scan={uuid.UUID(int=number)}" for number in range(101)), "scan"),
        (f"scan={UNKNOWN}&q=plan", "q"),
        (f"scan={UNKNOWN}&from=2026-01-01", "from"),
    ],
)
async def test_choice_that_cannot_be_exported_is_refused(alice: Person, query: str, field: str) -> None:
    reply = await alice.get(f"/api/scans/export?{query}")
    assert_error(reply, 400, "invalid_request", **{field: True})


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_up_to_100_scans_are_exported_to_their_owner_alone(alice: Person, guest: Person) -> None:
    query = "&".join(f"scan={uuid.UUID(int=number)}" for number in range(100))
    assert await exported_files(alice, query) == []
    assert_error(await guest.get(f"/api/scans/export?{query}"), 401, "not_authenticated")
