"""Idempotency-Key: a repeated request is scanned once, across processes and failures."""

from __future__ import annotations

import asyncio
import datetime
import html
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from riskscan.database import DATABASE
from riskscan.database.idempotency_keys import delete_expired_keys
from riskscan.database.rows import to_utc, utc_now
from riskscan.idempotency import MAX_KEY_LENGTH
from tests.support.ai import FINDINGS, NOTES, RISKS, Ai
from tests.support.application import MakeSettings, Server, serve
from tests.support.client import PASSWORD, Person, Reply, assert_error, form, sign_up

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


async def send_scan(person: Person, key: str = KEY, **fields: Any) -> Reply:
    data = form(**(fields or {"text": "tight budget"}))
    return await person.post("/api/scan", data=data, headers={"Idempotency-Key": key})


def assert_replayed(reply: Reply, first: Reply) -> None:
    assert (first.status, reply.status) == (200, 200), reply.body
    assert "Idempotency-Replayed" not in first.headers
    assert reply.headers["Idempotency-Replayed"] == "true"
    assert reply.json == first.json


async def count_scans(person: Person) -> int:
    found: int = (await person.get("/api/scans")).json["total"]
    return found


async def stored_keys(server: Server) -> list[Any]:
    found: list[Any] = list(await server.app[DATABASE].fetch_all("SELECT * FROM idempotency_keys", {}))
    return found


async def expire_locks(server: Server) -> None:
    """Expire all locks, as if their time had passed."""
    past = utc_now() - datetime.timedelta(seconds=1)
    await server.app[DATABASE].fetch_all("UPDATE idempotency_keys SET held_until = :past", {"past": past})


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "tight budget"},
        {"file": ("plan.txt", b"tight budget")},
        {"file": ("plan.txt", b"x" * 1_000_000), "text": "and a text", "force_llm": "true"},
    ],
    ids=["text", "file", "all"],
)
async def test_same_key_and_input_replay_the_first_response(
    alice: Person, ai: Ai, fields: dict[str, Any]
) -> None:
    first = await send_scan(alice, **fields)
    ai.findings = {"data": [], "source": "llm"}
    for _ in range(2):
        assert_replayed(await send_scan(alice, **fields), first)
    assert (len(ai.calls), await count_scans(alice)) == (1, 1)
    if "file" in fields:  # the digest was computed before the file was forwarded
        assert ai.calls[0].parts["file"].body == fields["file"][1]


async def test_replay_repeats_the_notes(alice: Person, ai: Ai) -> None:
    ai.findings = {**FINDINGS, "notes": NOTES}
    first = await send_scan(alice)
    assert_replayed(await send_scan(alice), first)
    assert first.json["notes"] == NOTES


async def test_replay_repeats_the_links_to_earlier_scans(alice: Person) -> None:
    await alice.scan(file=("plan.txt", b"tight budget"))
    await alice.scan(file=("plan.txt", b"tighter budget"))
    fields: dict[str, Any] = {"file": ("plan.txt", b"tight budget")}
    first = await send_scan(alice, **fields)
    again = await send_scan(alice, **fields)
    assert_replayed(again, first)
    assert len(first.headers.getall("Link")) == 2
    assert sorted(again.headers.getall("Link")) == sorted(first.headers.getall("Link"))


async def test_scan_without_a_key_stores_no_key(alice: Person, server: Server, ai: Ai) -> None:
    assert await alice.scan(text="tight budget") != await alice.scan(text="tight budget")
    assert (len(ai.calls), await stored_keys(server)) == (2, [])


async def test_other_key_or_user_creates_another_scan(alice: Person, bob: Person, ai: Ai) -> None:
    first = await send_scan(alice)
    for other in (await send_scan(alice, "another"), await send_scan(bob)):
        assert other.status == 200
        assert other.json["scan_id"] != first.json["scan_id"]
    assert len(ai.calls) == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "Tight budget"},
        {"text": "tight budget", "force_llm": "true"},
        {"file": ("plan.txt", b"tight budget")},
        {"file": ("plan.txt", b"tight budget"), "text": "tight budget"},
    ],
    ids=str,
)
async def test_same_key_with_different_input_is_refused(
    alice: Person, ai: Ai, fields: dict[str, Any]
) -> None:
    first = await send_scan(alice)
    assert_error(await send_scan(alice, **fields), 422, "idempotency_key_reused")
    assert len(ai.calls) == 1
    assert_replayed(await send_scan(alice), first)


async def test_same_key_with_a_different_filename_is_refused(alice: Person) -> None:
    assert (await send_scan(alice, file=("a.txt", b"tight budget"))).status == 200
    assert_error(await send_scan(alice, file=("b.txt", b"tight budget")), 422, "idempotency_key_reused")


async def test_retry_while_the_first_request_runs_is_a_409(alice: Person, ai: Ai) -> None:
    go = ai.hold_responses()
    asked = asyncio.create_task(send_scan(alice))
    await ai.arrived.wait()
    again = await send_scan(alice)
    assert_error(again, 409, "idempotency_in_progress")
    assert int(again.headers["Retry-After"]) >= 1
    assert_error(await send_scan(alice, text="something else"), 422, "idempotency_key_reused")
    go.set()
    first = await asked
    assert_replayed(await send_scan(alice), first)
    assert len(ai.calls) == 1


async def send_until_done(person: Person) -> Reply:
    while (reply := await send_scan(person)).status == 409:
        assert_error(reply, 409, "idempotency_in_progress")
    return reply


@pytest.fixture
async def second_server(make_settings: MakeSettings, server: Server) -> AsyncIterator[Server]:
    """A second application on the same database."""
    async with serve(make_settings()) as started:
        yield started


async def test_fifty_concurrent_requests_on_two_servers_create_one_scan(
    alice: Person, second_server: Server, ai: Ai
) -> None:
    there = Person(second_server)
    there.session.headers.update(alice.session.headers)
    try:
        replies = await asyncio.gather(*(send_scan(person) for person in (alice, there) for _ in range(25)))
        made = [reply for reply in replies if reply.status == 200]
        first = [reply for reply in made if "Idempotency-Replayed" not in reply.headers]
        assert len(first) == 1
        for reply in replies:
            if reply.status != 200:
                assert_error(reply, 409, "idempotency_in_progress")
        assert {reply.json["scan_id"] for reply in made} == {first[0].json["scan_id"]}
        assert_replayed(await send_scan(there), first[0])
        assert (len(ai.calls), await count_scans(alice)) == (1, 1)
    finally:
        await there.session.close()


async def test_failed_scan_releases_its_key(alice: Person, ai: Ai) -> None:
    ai.respond_with(500, {"detail": "broken"})
    assert_error(await send_scan(alice), 502, "ai_service_error")
    ai.respond_with(422, {"detail": "unreadable"})
    assert_error(await send_scan(alice, text="another input"), 422, "ai_service_error")
    ai.handler = ai.return_findings
    first = await send_scan(alice)
    assert_replayed(await send_scan(alice), first)
    assert (len(ai.calls), await count_scans(alice)) == (3, 1)


async def test_refused_input_does_not_claim_the_key(alice: Person, server: Server) -> None:
    assert_error(await send_scan(alice, text=" "), 400, "invalid_request", text=...)
    assert await stored_keys(server) == []
    assert (await send_scan(alice)).status == 200


async def test_server_shutdown_releases_its_keys(
    make_settings: MakeSettings, server: Server, alice: Person, ai: Ai
) -> None:
    go = ai.hold_responses()
    async with serve(make_settings()) as stopped:
        person = Person(stopped)
        person.session.headers.update(alice.session.headers)
        asked = asyncio.create_task(send_scan(person))
        await ai.arrived.wait()
        assert_error(await send_scan(alice), 409, "idempotency_in_progress")
    with pytest.raises(Exception, match=r"."):
        await asked
    await person.session.close()
    go.set()
    assert (await send_scan(alice)).status == 200
    assert (len(ai.calls), await count_scans(alice)) == (2, 1)


async def test_retry_after_a_disconnect_returns_the_first_scan(alice: Person, ai: Ai) -> None:
    go = ai.hold_responses()
    asked = asyncio.create_task(send_scan(alice))
    await ai.arrived.wait()
    asked.cancel()
    await asyncio.wait([asked])
    go.set()
    reply = await send_until_done(alice)
    assert (reply.status, reply.headers["Idempotency-Replayed"]) == (200, "true")
    assert (len(ai.calls), await count_scans(alice)) == (1, 1)


async def test_retry_takes_over_an_expired_lock(alice: Person, server: Server, ai: Ai) -> None:
    """The first request finishes after its lock expired: one scan is stored, and both responses return it."""
    go = ai.hold_responses()
    late = asyncio.create_task(send_scan(alice))
    await ai.arrived.wait()
    await expire_locks(server)
    ai.handler = ai.return_findings
    ai.findings = {"data": RISKS[:1], "source": "model"}
    first = await send_scan(alice)
    assert first.json["risk_count"] == 1
    ai.findings = {"data": [], "source": "llm"}
    go.set()
    assert (await late).json["scan_id"] == first.json["scan_id"]
    assert_replayed(await send_scan(alice), first)
    assert (len(ai.calls), await count_scans(alice)) == (2, 1)


async def test_late_failure_does_not_release_a_key_taken_over(alice: Person, server: Server, ai: Ai) -> None:
    go = asyncio.Event()

    async def broken(request: web.Request) -> web.StreamResponse:
        await go.wait()
        return web.Response(status=500)

    ai.handler = broken
    late = asyncio.create_task(send_scan(alice))
    await ai.arrived.wait()
    await expire_locks(server)
    ai.arrived.clear()
    release = ai.hold_responses()
    second = asyncio.create_task(send_scan(alice))
    await ai.arrived.wait()
    go.set()
    assert_error(await late, 502, "ai_service_error")
    assert_error(await send_scan(alice), 409, "idempotency_in_progress")
    release.set()
    assert (await second).status == 200
    assert (len(ai.calls), await count_scans(alice)) == (2, 1)


async def test_scan_stored_before_a_crash_is_replayed(alice: Person, server: Server, ai: Ai) -> None:
    first = await send_scan(alice)
    # as if the process died before it completed the key
    await server.app[DATABASE].fetch_all("UPDATE idempotency_keys SET kept = :no", {"no": False})
    await expire_locks(server)
    for _ in range(2):
        assert_replayed(await send_scan(alice), first)
    assert (len(ai.calls), await count_scans(alice)) == (1, 1)


async def test_deleted_scan_releases_its_key(alice: Person, ai: Ai) -> None:
    first = (await send_scan(alice)).json
    await alice.delete(f"/api/scans/{first['scan_id']}")
    second = await send_scan(alice)
    assert second.status == 200
    assert second.json["scan_id"] != first["scan_id"]
    assert_replayed(await send_scan(alice), second)
    assert len(ai.calls) == 2


async def test_key_expires_after_a_day(alice: Person, server: Server, ai: Ai) -> None:
    before = utc_now()
    first = (await send_scan(alice)).json
    (row,) = await stored_keys(server)
    assert before <= to_utc(row["held_until"]) - datetime.timedelta(days=1) <= utc_now()
    await expire_locks(server)
    assert (await send_scan(alice, text="another input")).json["scan_id"] != first["scan_id"]
    assert (len(ai.calls), await count_scans(alice)) == (2, 2)
    pool = server.app[DATABASE]
    await delete_expired_keys(pool)
    assert len(await stored_keys(server)) == 1
    long_ago = utc_now() - datetime.timedelta(days=1, seconds=1)
    await pool.fetch_all("UPDATE idempotency_keys SET held_until = :then", {"then": long_ago})
    await delete_expired_keys(pool)
    assert await stored_keys(server) == []


async def test_account_deleted_during_a_scan_stores_no_key(alice: Person, server: Server, ai: Ai) -> None:
    go = ai.hold_responses()
    asked = asyncio.create_task(send_scan(alice))
    await ai.arrived.wait()
    assert (await alice.delete("/api/auth/me", json={"password": PASSWORD})).status == 200
    go.set()
    assert_error(await asked, 401, "not_authenticated")
    assert await stored_keys(server) == []


@pytest.mark.parametrize(
    "key", ["", " ", '""', '"', '"a', '"a"b', '"a\\b"', "a\tb", "é", "x" * (MAX_KEY_LENGTH + 1)]
)
async def test_invalid_key_is_refused(alice: Person, ai: Ai, key: str) -> None:
    assert_error(await send_scan(alice, key), 400, "invalid_request", **{"Idempotency-Key": ...})
    assert ai.calls == []


async def test_repeated_key_header_is_refused(alice: Person, ai: Ai) -> None:
    twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    reply = await alice.post("/api/scan", data=form(text="tight budget"), headers=twice)
    assert_error(reply, 400, "invalid_request", **{"Idempotency-Key": ...})


@pytest.mark.parametrize(
    ("written", "bare"), [(f'"{KEY}"', KEY), ('"a b"', "a b"), ('"a\\"\\\\b"', 'a"\\b'), ("x" * 255,) * 2]
)
async def test_quoted_key_equals_the_bare_key(alice: Person, written: str, bare: str) -> None:
    first = await send_scan(alice, written)
    assert_replayed(await send_scan(alice, bare), first)


async def test_cors_allows_the_key_and_exposes_the_replay_header(alice: Person) -> None:
    spa = {"Origin": "http://localhost:5173"}
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "idempotency-key"}
    preflight = await alice.request("OPTIONS", "/api/scan", headers={**spa, **asked})
    assert preflight.headers["Access-Control-Allow-Headers"].lower() == "idempotency-key"
    for _ in range(2):
        reply = await alice.post("/api/scan", json={"text": "x"}, headers={**spa, "Idempotency-Key": KEY})
    assert "idempotency-replayed" in reply.headers["Access-Control-Expose-Headers"].lower()


class TestPage:
    @pytest.fixture
    async def ana(self, guest: Person) -> Person:
        await sign_up(guest)
        return guest

    async def read_key_field(self, ana: Person) -> str:
        page = (await ana.get("/scan")).body.decode()
        found: str = re.findall(r'name="idempotency_key" value="([^"]{10,})"', page)[0]
        return found

    async def test_double_submit_creates_one_scan(self, ana: Person, ai: Ai) -> None:
        key = await self.read_key_field(ana)
        assert key != await self.read_key_field(ana)
        go = ai.hold_responses()
        both = [
            asyncio.create_task(ana.post("/scan", data=form(text="tight budget", idempotency_key=key)))
            for _ in range(2)
        ]
        await ai.arrived.wait()
        go.set()
        first, second = await asyncio.gather(*both)
        assert (first.status, second.status) == (303, 303)
        assert first.headers["Location"] == second.headers["Location"]
        assert len(ai.calls) == 1

    async def test_concurrent_submit_retries_after_first_failure(self, ana: Person, ai: Ai) -> None:
        key = await self.read_key_field(ana)
        go = asyncio.Event()

        async def broken(request: web.Request) -> web.StreamResponse:
            await go.wait()
            ai.handler = ai.return_findings
            return web.Response(status=500)

        ai.handler = broken
        both = [
            asyncio.create_task(ana.post("/scan", data=form(text="tight budget", idempotency_key=key)))
            for _ in range(2)
        ]
        await ai.arrived.wait()
        go.set()
        assert sorted([reply.status for reply in await asyncio.gather(*both)]) == [303, 502]
        assert (len(ai.calls), await count_scans(ana)) == (2, 1)

    async def test_changed_form_with_the_same_key_creates_another_scan(self, ana: Person, ai: Ai) -> None:
        key = await self.read_key_field(ana)
        found = [
            (await ana.post("/scan", data=form(text=text, idempotency_key=key))).headers["Location"]
            for text in ("tight budget", "tight deadline", "tight budget")
        ]
        assert found[0] == found[2] != found[1]
        assert len(ai.calls) == 2

    async def test_refused_form_keeps_its_key_for_the_retry(self, ana: Person, ai: Ai) -> None:
        odd = "<\x00ថ" * 200
        refused = await ana.post("/scan", data=form(text="", idempotency_key="kept"))
        assert (refused.status, 'value="kept"' in refused.body.decode()) == (400, True)
        for key in ("kept", odd):
            for _ in range(2):
                reply = await ana.post("/scan", data=form(text="tight budget", idempotency_key=key))
                assert reply.status == 303
        refused = await ana.post("/scan", data=form(text="", idempotency_key=odd))
        assert f'value="{html.escape(odd)}"' in html.unescape(refused.body.decode()).replace("<", "&lt;")
        assert len(ai.calls) == 2

    async def test_key_field_is_ignored_by_the_api(self, alice: Person, ai: Ai) -> None:
        for _ in range(2):
            await alice.scan(text="tight budget", idempotency_key="kept")
        assert len(ai.calls) == 2

    async def test_page_accepts_the_key_header(self, ana: Person, ai: Ai) -> None:
        for _ in range(2):
            reply = await ana.post("/scan", data=form(text="tight budget"), headers={"Idempotency-Key": KEY})
            assert reply.status == 303
        assert len(ai.calls) == 1
        bad = await ana.post("/scan", data=form(text="tight budget"), headers={"Idempotency-Key": '"'})
        assert (bad.status, b"Invalid Idempotency-Key" in bad.body) == (400, True)
