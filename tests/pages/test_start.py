"""The start page and the sample over HTTP, and what the pages say of the language model."""

from __future__ import annotations

import html
import re

import pytest

from riskscan.handlers.start import load_sample
from tests.support.ai import Ai
from tests.support.client import Person

# for tests that do not depend on the database
SQLITE_ONLY = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


async def page(person: Person, path: str) -> str:
    reply = await person.get(path)
    assert reply.status == 200, reply.body
    return reply.body.decode()


async def log_in_with_cookie(person: Person) -> None:
    reply = await person.post("/register", data={"email": "ana@example.com", "password": "correct horse"})
    assert reply.status == 303


@SQLITE_ONLY
async def test_start_page_shows_a_result_and_the_ways_in(guest: Person) -> None:
    start = await page(guest, "/")
    for path in ("/sample", "/login", "/register"):
        assert f'href="{path}"' in start
    surest = load_sample().surest
    assert len({finding.category for finding in surest}) == 4
    assert start.count("<blockquote") == 4
    assert start.count(' lang="en">§ ') == 4  # places, all of numbered clauses
    await log_in_with_cookie(guest)
    reply = await guest.get("/")
    assert (reply.status, reply.headers["Location"]) == (303, "/scan")


@SQLITE_ONLY
async def test_sample_is_shown_without_an_account_and_cannot_be_reviewed(guest: Person) -> None:
    sample = load_sample()
    shown = await page(guest, "/sample")
    assert shown.count("<article") == len(sample.findings) > 20
    assert "/review" not in shown
    assert '<form method="post"' not in shown
    financial = await page(guest, "/sample?category=financial&sort=document")
    numbers = re.findall(r'<article id="finding-(\d+)"', financial)
    assert numbers == [str(each.number) for each in sample.findings if each.category == "Financial"]
    assert (await guest.get("/sample?sort=nothing")).status == 400


async def test_scan_page_offers_the_sample_until_the_first_scan(guest: Person, ai: Ai) -> None:
    await log_in_with_cookie(guest)
    text = load_sample().text
    assert "Scan the sample contract" in await page(guest, "/scan")
    scan_page = html.unescape(await page(guest, "/scan"))
    assert text in scan_page  # of the hidden field of the button's form
    reply = await guest.post("/scan", data={"text": text.replace("\n", "\r\n")})
    assert reply.status == 303
    assert f'<h1 dir="auto" lang="">{text[:20]}' in await page(guest, reply.headers["Location"])
    assert "Scan the sample contract" not in await page(guest, "/scan")
