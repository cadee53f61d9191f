"""Search and filters on the list of scans: q, category, source, from, to."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from ai import Ai
from conftest import Person


async def keep(person: Person, ai: Ai, name: str, *risks: tuple[str, str], source: str = "model") -> str:
    """Scan a file of this name, in which the risks are found, given as (risk, category); return its id."""
    data = [{"risk": risk, "category": category, "context": "so it says"} for risk, category in risks]
    ai.findings = {"data": data, "source": source}
    scan = await person.scan(file=(name, b"x"))
    return str(scan["scan_id"])


async def found(person: Person, **chosen: Any) -> list[str]:
    """Return the names of the scans that a filter finds, the total checked, whichever way they are walked."""
    whole = (await person.get(f"/api/scans?{urlencode(chosen)}")).json
    names = [scan["filename"] for scan in whole["scans"]]
    assert whole["total"] == len(names)
    assert await by_offset(person, chosen) == await by_cursor(person, chosen) == names
    return names


async def by_offset(person: Person, chosen: dict[str, Any]) -> list[str]:
    names: list[str] = []
    while True:
        page = (await person.get(f"/api/scans?{urlencode(chosen)}&limit=1&offset={len(names)}")).json
        names += [scan["filename"] for scan in page["scans"]]
        if page["next_cursor"] is None:
            return names


async def by_cursor(person: Person, chosen: dict[str, Any]) -> list[str]:
    names: list[str] = []
    more: dict[str, Any] = {}
    while True:
        page = (await person.get(f"/api/scans?{urlencode({**chosen, 'limit': 1, **more})}")).json
        names += [scan["filename"] for scan in page["scans"]]
        more = {"cursor": page["next_cursor"]}
        if page["next_cursor"] is None:
            return names


@pytest.fixture
async def three(alice: Person, bob: Person, ai: Ai) -> Person:
    """Alice, who has three scans; bob has one that every filter would find."""
    await keep(bob, ai, "plan.txt", ("The Budget may run out", "Financial"), source="llm")
    await keep(alice, ai, "plan_v2.txt", ("The budget may run out", "Financial"), ("Late", "Schedule"))
    await keep(alice, ai, "Supply contract.txt", ("Budgetary limits", "LEGAL "), source="llm")
    await keep(alice, ai, "empty.txt")
    return alice


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ({"q": "budget"}, ["Supply contract.txt", "plan_v2.txt"]),
        ({"q": "BUDGETA"}, ["Supply contract.txt"]),
        ({"q": "udget"}, []),
        ({"q": "out budget"}, ["plan_v2.txt"]),
        ({"q": "budget empty"}, []),
        ({"q": "plan v2"}, ["plan_v2.txt"]),
        ({"q": "contract.txt"}, ["Supply contract.txt"]),
        ({"q": "financial"}, []),
        ({"q": "=legal"}, []),
        ({"q": "says"}, []),
        ({"q": "b' | 'late' & \\ \" % _ :*"}, ["plan_v2.txt"]),
        ({"category": "financial"}, ["plan_v2.txt"]),
        ({"category": "Legal"}, ["Supply contract.txt"]),
        ({"category": "Leg"}, []),
        ({"category": "%"}, []),
        ({"source": "llm"}, ["Supply contract.txt"]),
        ({"source": "model"}, ["empty.txt", "plan_v2.txt"]),
        ({"q": "budget", "source": "model", "category": "schedule"}, ["plan_v2.txt"]),
        ({"q": "budget", "source": "model", "category": "legal"}, []),
        ({"q": "", "category": " ", "source": "", "from": "", "to": ""},
         ["empty.txt", "Supply contract.txt", "plan_v2.txt"]),
    ],
)  # fmt: skip
async def test_a_filter_finds_what_it_says(three: Person, chosen: dict[str, str], names: list[str]) -> None:
    assert await found(three, **chosen) == names
