"""The overview's register: what is to be reviewed, the risk matrix and the confirmed risks."""

from __future__ import annotations

import re
from typing import Any

import pytest

from riskscan.charts import build_matrix
from tests.support.ai import Ai
from tests.support.client import Person, text_of


def rows_of(page: str, section: str) -> list[list[str]]:
    """Return the texts of the cells of the table in a section."""
    (table,) = re.findall(rf'aria-labelledby="{section}">.*?<tbody>(.*?)</tbody>', page, re.DOTALL)
    return [
        [
            re.sub(r"<[^>]+>", "", cell).strip()
            for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)
        ]
        for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
    ]


async def review(person: Person, scan: dict[str, Any], number: int, **fields: object) -> None:
    path = f"/api/scans/{scan['scan_id']}/findings/{number}/review"
    assert (await person.request("PUT", path, json=fields)).status == 200


async def open_overview(person: Person, query: str = "") -> str:
    reply = await person.get(f"/scans/overview{query}")
    assert reply.status == 200
    return text_of(reply)


@pytest.fixture
async def reviewed(alice: Person, ai: Ai) -> dict[str, Any]:
    """Return a scan with four findings: one confirmed with a rating, one without, one dismissed, one open."""
    contexts = ("The pier may sink.", "The bakery has no permit.", "The clinic is late.", "The crane is old.")
    risks = [{"risk": f"Title {n}", "category": "Legal", "context": text} for n, text in enumerate(contexts)]
    ai.findings = {"data": risks, "source": "model"}
    scan = await alice.scan(text="x")
    await review(alice, scan, 1, state="confirmed")
    await review(
        alice,
        scan,
        2,
        state="confirmed",
        likelihood=4,
        impact=5,
        owner="Sok <b>",
        due="2026-12-31",
        response="reduce",
    )
    await review(alice, scan, 3, state="dismissed", reason="accepted")
    return scan


async def test_confirmed_risks_stand_with_the_gravest_first(alice: Person, reviewed: dict[str, Any]) -> None:
    page = await open_overview(alice)
    assert rows_of(page, "register") == [
        ["Title 1", "Critical", "Sok &lt;b&gt;", "31 Dec 2026", "x"],
        ["Title 0", "–", "–", "–", "x"],
    ]
    assert f'href="/scans/{reviewed["scan_id"]}#finding-2"' in page
    assert "2 risks confirmed, 1 of them without a likelihood and an impact" in page


async def test_matrix_counts_the_confirmed_risks(alice: Person, reviewed: dict[str, Any]) -> None:
    page = await open_overview(alice)
    rows = rows_of(page, "matrix")
    assert rows[0] == ["Severe", "0", "0", "0", "1", "0"]
    assert [row[1:] for row in rows[1:]] == [["0"] * 5] * 4
    (drawn,) = re.findall(r'class="severity-4"><rect[^>]*/><text[^>]*>(\d+)</text>', page)
    assert drawn == "1"


async def test_scans_with_open_findings_are_to_be_reviewed(alice: Person, reviewed: dict[str, Any]) -> None:
    assert "1 open" in await open_overview(alice)
    await review(alice, reviewed, 4, state="dismissed", reason="duplicate")
    page = await open_overview(alice)
    assert "All findings of your scans have been reviewed." in page


async def test_open_risks_of_all_scans_are_listed_newest_scan_first(
    alice: Person, ai: Ai, reviewed: dict[str, Any]
) -> None:
    ai.findings = {"data": [{"risk": f"New {n}", "category": " ", "context": f"New {n}."} for n in range(60)]}
    ai.findings["source"] = "model"
    newer = await alice.scan(file=("plan.txt", b"x"))
    await review(alice, newer, 1, state="dismissed", reason="duplicate")
    page = await open_overview(alice)
    rows = rows_of(page, "open-risks")
    assert rows[0] == ["New 1", "Uncategorised", "plan.txt"]
    assert [row[0] for row in rows] == [f"New {n}" for n in range(1, 11)]
    assert f'href="/scans/{newer["scan_id"]}#finding-2"' in page
    assert 'And 50 more: see the <a href="/scans?sort=open">' in page
    order = [
        page.index(f'id="{name}"') for name in ("to-review", "open-risks", "over-time", "matrix", "register")
    ]
    assert order == sorted(order)
    for number in range(2, 60):
        await review(alice, newer, number, state="dismissed", reason="duplicate")
    page = await open_overview(alice)
    assert [row[0] for row in rows_of(page, "open-risks")] == ["New 59", "Title 3"]
    assert f'href="/scans/{reviewed["scan_id"]}#finding-4"' in page
    assert " more: see the" not in page


@pytest.mark.usefixtures("reviewed")
async def test_confirmed_risks_are_filtered_by_owner(alice: Person, bob: Person) -> None:
    page = await open_overview(alice, "?owner=Sok+%3Cb%3E")
    assert [row[0] for row in rows_of(page, "register")] == ["Title 1"]
    assert '<option value="Sok &lt;b&gt;" lang="" selected>Sok &lt;b&gt; (1)</option>' in page
    page = await open_overview(alice, "?owner=Nobody")
    assert rows_of(page, "register") == []
    assert "No confirmed risk has this owner." in page
    page = await open_overview(bob, "?owner=Sok+%3Cb%3E")
    assert "Sok" not in page.partition("<footer")[0]  # which returns to this very address
    assert (await alice.get(f"/scans/overview?owner={'x' * 201}")).status == 400


async def test_the_history_says_how_many_findings_are_open(alice: Person, reviewed: dict[str, Any]) -> None:
    assert "4 risks, 1 open</p>" in text_of(await alice.get("/scans"))
    await review(alice, reviewed, 4, state="confirmed")
    assert "4 risks, none open</p>" in text_of(await alice.get("/scans"))


async def test_confirmed_risks_of_a_deleted_scan_are_counted(alice: Person, reviewed: dict[str, Any]) -> None:
    await alice.delete(f"/api/scans/{reviewed['scan_id']}")
    page = await open_overview(alice)
    assert rows_of(page, "register") == []
    assert "2 more risks were confirmed in scans that have been deleted." in page


@pytest.mark.usefixtures("reviewed")
async def test_reviews_of_others_and_filtered_statistics_show_no_register(alice: Person, bob: Person) -> None:
    assert 'id="register"' not in await open_overview(bob)
    assert 'id="register"' not in await open_overview(alice, "?category=Legal")


def test_severity_rises_with_likelihood_times_impact() -> None:
    rows = build_matrix({})
    assert [[cell.severity for cell in row] for row in rows] == [
        [2, 3, 4, 4, 4],
        [1, 2, 3, 4, 4],
        [1, 2, 2, 3, 4],
        [1, 1, 2, 2, 3],
        [1, 1, 1, 1, 2],
    ]
