"""SCANS_PER_DAY and MEGABYTES_PER_DAY: what is charged, what is refused, and what the user is told."""

from __future__ import annotations

import asyncio
import datetime

import pytest

from riskscan import quotas, rate_limits
from riskscan.database import DATABASE, daily_usage
from riskscan.database.daily_usage import DailyUsage, delete_expired_usage, find_usage
from riskscan.quotas import end_of_day, quota_exceeded
from tests.support.ai import Ai
from tests.support.application import Server
from tests.support.client import Person, assert_error, form

# in the future, so that the server does not delete what is counted
NOON = datetime.datetime(2100, 1, 1, 12, tzinfo=datetime.UTC)
MIDNIGHT = datetime.datetime(2100, 1, 2, tzinfo=datetime.UTC)
on_all = pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "distributed"], indirect=True)


@pytest.fixture(autouse=True)
def _noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let it be noon for the quotas."""
    for module in (quotas, rate_limits):
        monkeypatch.setattr(module, "utc_now", lambda: NOON)


def test_a_day_ends_at_midnight_utc() -> None:
    assert end_of_day(MIDNIGHT - datetime.timedelta(microseconds=1)) == MIDNIGHT
    assert end_of_day(MIDNIGHT) == MIDNIGHT + datetime.timedelta(days=1)


def test_a_refusal_names_a_quota_that_is_set_when_another_scan_has_failed_meanwhile() -> None:
    error = quota_exceeded(DailyUsage(2, 2), 1, DailyUsage(3, quotas.UNLIMITED.bytes), MIDNIGHT)
    assert error.limit == "scans per day"


@pytest.mark.settings(scans_per_day=3)
class TestScansPerDay:
    @on_all
    async def test_scans_at_once_do_not_exceed_the_quota_together(
        self, server: Server, alice: Person, bob: Person, ai: Ai
    ) -> None:
        replies = await asyncio.gather(*[alice.post("/api/scan", data=form(text="x")) for _ in range(10)])
        refused = [reply for reply in replies if reply.status == 429]
        assert [reply.status for reply in replies if reply.status != 429] == [200] * 3
        assert len(ai.calls) == (await alice.get("/api/scans")).json["total"] == 3
        detail = assert_error(refused[0], 429, "rate_limited")
        assert (
            detail == "You have reached the limit of scans a day (3). You can scan again after midnight UTC."
        )
        assert refused[0].headers["Retry-After"] == "43200"
        await bob.scan(text="x")

    @on_all
    async def test_another_day_counts_anew(
        self, server: Server, alice: Person, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for _ in range(3):
            await alice.scan(text="x")
        monkeypatch.setattr(quotas, "utc_now", lambda: MIDNIGHT)
        await alice.scan(text="x")
        monkeypatch.setattr(daily_usage, "utc_now", lambda: MIDNIGHT)
        db = server.app[DATABASE]
        await delete_expired_usage(db)
        assert await find_usage(db, alice.id, MIDNIGHT) == DailyUsage()
        assert await find_usage(db, alice.id, end_of_day(MIDNIGHT)) == DailyUsage(1, 1)

    @on_all
    async def test_only_scans_that_are_saved_are_charged(self, server: Server, alice: Person, ai: Ai) -> None:
        key = {"Idempotency-Key": "one"}
        for _ in range(5):
            assert (await alice.post("/api/scan", data=form(text="x"), headers=key)).status == 200
        assert_error(await alice.post("/api/scan", data=form(text=" ")), 400, "invalid_request", text=...)
        for status in (422, 500):
            ai.respond_with(status)
            for _ in range(2):
                assert (await alice.post("/api/scan", data=form(text="x"))).status in (422, 502)
        ai.handler = ai.return_findings
        assert await find_usage(server.app[DATABASE], alice.id, MIDNIGHT) == DailyUsage(1, 1)
        for _ in range(2):
            await alice.scan(text="x")
        for text in ("y", "z"):  # the quota refuses the first, and frees its key
            reply = await alice.post("/api/scan", data=form(text=text), headers={"Idempotency-Key": "two"})
            assert_error(reply, 429, "rate_limited")

    async def test_page_keeps_the_text_that_a_quota_refuses(self, alice: Person) -> None:
        assert "0 of 3" in (await alice.get("/account")).body.decode()
        for left in (2, 1, 0):
            reply = await alice.post("/api/scan", data=form(text="x"))
            assert reply.headers["RateLimit-Policy"] == '"scans per day";q=3;w=86400'
            assert reply.headers["RateLimit"] == f'"scans per day";r={left};t=43200'
        reply = await alice.post("/scan", data=form(text="a late supplier"))
        assert (reply.status, reply.headers["RateLimit"]) == (429, '"scans per day";r=0;t=43200')
        assert b"a late supplier" in reply.body
        assert b"the limit of scans a day (3)" in reply.body
        page = (await alice.get("/account")).body.decode()
        assert "3 of 3" in page
        assert "Counted from midnight to midnight UTC." in page
        assert "Data today" not in page


@on_all
@pytest.mark.settings(megabytes_per_day=1, max_upload_bytes=1024 * 1024)
async def test_megabytes_of_files_and_texts_are_charged(server: Server, alice: Person) -> None:
    file, text = b"x" * 400_000, "é" * 150_000
    await alice.post("/api/scan", data=form(file=("plan.txt", file), text=text))
    assert await find_usage(server.app[DATABASE], alice.id, MIDNIGHT) == DailyUsage(1, 700_000)
    reply = await alice.post("/api/scan", data=form(file=("plan.txt", file)))
    detail = assert_error(reply, 429, "rate_limited")
    assert detail == ("This exceeds the limit of megabytes a day (1): 0.3 MB are left until midnight UTC.")
    await alice.scan(text="x" * 300_000)
    assert b"1 of 1 MB" in (await alice.get("/account")).body


async def test_nothing_is_counted_without_quotas(server: Server, alice: Person) -> None:
    await alice.scan(text="x")
    assert await server.app[DATABASE].fetch_all("SELECT * FROM daily_usage") == []
    assert b"Counted from midnight" not in (await alice.get("/account")).body
