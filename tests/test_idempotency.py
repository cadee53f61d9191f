"""Idempotency-Key: what is sent twice is scanned once, by several processes and through failures alike."""

from __future__ import annotations

import asyncio
import datetime
import html
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from ai import RISKS, Ai
from aiohttp import web
from conftest import PASSWORD, MakeSettings, Person, Reply, Server, assert_error, form, serving
from test_pages import sign_up

from riskscan.database import DATABASE
from riskscan.database.attempts import delete_expired
from riskscan.database.rows import to_utc, utc_now
from riskscan.idempotency import MAX_KEY_LENGTH

KEY = "8e03978e-40d5-43dd-bc93-6894a57f9324"


async def send(person: Person, key: str = KEY, **fields: Any) -> Reply:
    data = form(**(fields or {"text": "tight budget"}))
    return await person.post("/api/scan", data=data, headers={"Idempotency-Key": key})


def assert_replayed(reply: Reply, first: Reply) -> None:
    assert (first.status, reply.status) == (200, 200), reply.body
    assert "Idempotency-Replayed" not in first.headers
    assert reply.headers["Idempotency-Replayed"] == "true"
    assert reply.json == first.json


async def total(person: Person) -> int:
    found: int = (await person.get("/api/scans")).json["total"]
    return found


async def keys(server: Server) -> list[Any]:
    found: list[Any] = list(await server.app[DATABASE].fetch_all("SELECT * FROM idempotency_keys", {}))
    return found


async def end_leases(server: Server) -> None:
    """Let the claims be over, as if their time had passed."""
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
async def test_the_same_key_and_input_get_the_first_answer_again(
    alice: Person, ai: Ai, fields: dict[str, Any]
) -> None:
    first = await send(alice, **fields)
    ai.findings = {"data": [], "source": "llm"}
    for _ in range(2):
        assert_replayed(await send(alice, **fields), first)
    assert (len(ai.calls), await total(alice)) == (1, 1)
    if "file" in fields:  # its digest was taken before it was sent on
        assert ai.calls[0].parts["file"].body == fields["file"][1]


async def test_what_was_scanned_before_is_said_again(alice: Person) -> None:
    await alice.scan(file=("plan.txt", b"tight budget"))
    await alice.scan(file=("plan.txt", b"tighter budget"))
    fields: dict[str, Any] = {"file": ("plan.txt", b"tight budget")}
    first = await send(alice, **fields)
    again = await send(alice, **fields)
    assert_replayed(again, first)
    assert len(first.headers.getall("Link")) == 2
    assert sorted(again.headers.getall("Link")) == sorted(first.headers.getall("Link"))


async def test_without_a_key_nothing_is_noted(alice: Person, server: Server, ai: Ai) -> None:
    assert await alice.scan(text="tight budget") != await alice.scan(text="tight budget")
    assert (len(ai.calls), await keys(server)) == (2, [])


async def test_another_key_or_another_user_is_another_scan(alice: Person, bob: Person, ai: Ai) -> None:
    first = await send(alice)
    for other in (await send(alice, "another"), await send(bob)):
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
async def test_another_input_under_the_same_key_is_refused(
    alice: Person, ai: Ai, fields: dict[str, Any]
) -> None:
    first = await send(alice)
    assert_error(await send(alice, **fields), 422, "idempotency_key_reused")
    assert len(ai.calls) == 1
    assert_replayed(await send(alice), first)


async def test_another_name_of_a_file_is_another_input(alice: Person) -> None:
    assert (await send(alice, file=("a.txt", b"tight budget"))).status == 200
    assert_error(await send(alice, file=("b.txt", b"tight budget")), 422, "idempotency_key_reused")


async def test_what_is_still_running_is_said_to_be(alice: Person, ai: Ai) -> None:
    go = ai.holds()
    asked = asyncio.create_task(send(alice))
    await ai.arrived.wait()
    again = await send(alice)
    assert_error(again, 409, "idempotency_in_progress")
    assert int(again.headers["Retry-After"]) >= 1
    assert_error(await send(alice, text="something else"), 422, "idempotency_key_reused")
    go.set()
    assert_replayed(await send_until_done(alice), await asked)
    assert len(ai.calls) == 1


async def send_until_done(person: Person) -> Reply:
    while (reply := await send(person)).status == 409:
        pass
    return reply


@pytest.fixture
async def other(make_settings: MakeSettings, server: Server) -> AsyncIterator[Server]:
    """A second application on the same database."""
    async with serving(make_settings()) as started:
        yield started


async def test_of_fifty_at_once_over_two_applications_one_is_made(
    alice: Person, other: Server, ai: Ai
) -> None:
    there = Person(other)
    there.session.headers.update(alice.session.headers)
    try:
        replies = await asyncio.gather(*(send(person) for person in (alice, there) for _ in range(25)))
        made = [reply for reply in replies if reply.status == 200]
        first = [reply for reply in made if "Idempotency-Replayed" not in reply.headers]
        assert len(first) == 1
        for reply in replies:
            if reply.status != 200:
                assert_error(reply, 409, "idempotency_in_progress")
        assert {reply.json["scan_id"] for reply in made} == {first[0].json["scan_id"]}
        assert_replayed(await send(there), first[0])
        assert (len(ai.calls), await total(alice)) == (1, 1)
    finally:
        await there.session.close()


async def test_a_scan_that_failed_frees_its_key(alice: Person, ai: Ai) -> None:
    ai.answers(500, {"detail": "broken"})
    assert_error(await send(alice), 502, "ai_service_error")
    ai.answers(422, {"detail": "unreadable"})
    assert_error(await send(alice, text="another input"), 422, "ai_service_error")
    ai.answer = ai.found
    first = await send(alice)
    assert_replayed(await send(alice), first)
    assert (len(ai.calls), await total(alice)) == (3, 1)


async def test_a_refused_input_does_not_take_the_key(alice: Person, server: Server) -> None:
    assert_error(await send(alice, text=" "), 400, "invalid_request", text=...)
    assert await keys(server) == []
    assert (await send(alice)).status == 200


async def test_a_process_that_is_stopped_frees_its_keys(
    make_settings: MakeSettings, server: Server, alice: Person, ai: Ai
) -> None:
    go = ai.holds()
    async with serving(make_settings()) as stopped:
        person = Person(stopped)
        person.session.headers.update(alice.session.headers)
        asked = asyncio.create_task(send(person))
        await ai.arrived.wait()
        assert_error(await send(alice), 409, "idempotency_in_progress")
    with pytest.raises(Exception, match=r"."):
        await asked
    await person.session.close()
    go.set()
    assert (await send(alice)).status == 200
    assert (len(ai.calls), await total(alice)) == (2, 1)


async def test_a_client_that_left_gets_its_scan_when_it_comes_back(alice: Person, ai: Ai) -> None:
    go = ai.holds()
    asked = asyncio.create_task(send(alice))
    await ai.arrived.wait()
    asked.cancel()
    await asyncio.wait([asked])
    go.set()
    reply = await send_until_done(alice)
    assert (reply.status, reply.headers["Idempotency-Replayed"]) == (200, "true")
    assert (len(ai.calls), await total(alice)) == (1, 1)


async def test_another_takes_over_from_a_process_that_has_died(alice: Person, server: Server, ai: Ai) -> None:
    """The one that seemed dead comes back late: one scan is kept, and both are answered with it."""
    go = ai.holds()
    late = asyncio.create_task(send(alice))
    await ai.arrived.wait()
    await end_leases(server)
    ai.answer = ai.found
    ai.findings = {"data": RISKS[:1], "source": "model"}
    first = await send(alice)
    assert first.json["risk_count"] == 1
    ai.findings = {"data": [], "source": "llm"}
    go.set()
    assert (await late).json["scan_id"] == first.json["scan_id"]
    assert_replayed(await send(alice), first)
    assert (len(ai.calls), await total(alice)) == (2, 1)


async def test_a_late_failure_does_not_free_the_key_of_who_took_over(
    alice: Person, server: Server, ai: Ai
) -> None:
    go = asyncio.Event()

    async def broken(request: web.Request) -> web.StreamResponse:
        await go.wait()
        return web.Response(status=500)

    ai.answer = broken
    late = asyncio.create_task(send(alice))
    await ai.arrived.wait()
    await end_leases(server)
    ai.arrived.clear()
    release = ai.holds()
    second = asyncio.create_task(send(alice))
    await ai.arrived.wait()
    go.set()
    assert_error(await late, 502, "ai_service_error")
    assert_error(await send(alice), 409, "idempotency_in_progress")
    release.set()
    assert (await second).status == 200
    assert (len(ai.calls), await total(alice)) == (2, 1)


async def test_a_scan_that_was_kept_before_its_process_died_is_found(
    alice: Person, server: Server, ai: Ai
) -> None:
    first = await send(alice)
    # as it was before the key was told
    await server.app[DATABASE].fetch_all("UPDATE idempotency_keys SET kept = :no", {"no": False})
    await end_leases(server)
    for _ in range(2):
        assert_replayed(await send(alice), first)
    assert (len(ai.calls), await total(alice)) == (1, 1)


async def test_a_deleted_scan_frees_its_key(alice: Person, ai: Ai) -> None:
    first = (await send(alice)).json
    await alice.delete(f"/api/scans/{first['scan_id']}")
    second = await send(alice)
    assert second.status == 200
    assert second.json["scan_id"] != first["scan_id"]
    assert_replayed(await send(alice), second)
    assert len(ai.calls) == 2


async def test_a_key_is_forgotten_after_a_day(alice: Person, server: Server, ai: Ai) -> None:
    first = (await send(alice)).json
    (row,) = await keys(server)
    assert abs((to_utc(row["held_until"]) - utc_now()).total_seconds() - 86_400) < 60
    await end_leases(server)
    assert (await send(alice, text="another input")).json["scan_id"] != first["scan_id"]
    assert (len(ai.calls), await total(alice)) == (2, 2)
    pool = server.app[DATABASE]
    await delete_expired(pool)
    assert len(await keys(server)) == 1
    long_ago = utc_now() - datetime.timedelta(days=1, seconds=1)
    await pool.fetch_all("UPDATE idempotency_keys SET held_until = :then", {"then": long_ago})
    await delete_expired(pool)
    assert await keys(server) == []


async def test_an_account_deleted_meanwhile_keeps_nothing(alice: Person, server: Server, ai: Ai) -> None:
    go = ai.holds()
    asked = asyncio.create_task(send(alice))
    await ai.arrived.wait()
    assert (await alice.delete("/api/auth/me", json={"password": PASSWORD})).status == 200
    go.set()
    assert_error(await asked, 401, "not_authenticated")
    assert await keys(server) == []


@pytest.mark.parametrize(
    "key", ["", " ", '""', '"', '"a', '"a"b', '"a\\b"', "a\tb", "é", "x" * (MAX_KEY_LENGTH + 1)]
)
async def test_a_bad_key_is_refused_with_its_field(alice: Person, ai: Ai, key: str) -> None:
    assert_error(await send(alice, key), 400, "invalid_request", **{"Idempotency-Key": ...})
    assert ai.calls == []


async def test_two_keys_are_refused(alice: Person, ai: Ai) -> None:
    twice = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    reply = await alice.post("/api/scan", data=form(text="tight budget"), headers=twice)
    assert_error(reply, 400, "invalid_request", **{"Idempotency-Key": ...})


@pytest.mark.parametrize(
    ("written", "bare"), [(f'"{KEY}"', KEY), ('"a b"', "a b"), ('"a\\"\\\\b"', 'a"\\b'), ("x" * 255,) * 2]
)
async def test_a_key_may_be_quoted(alice: Person, written: str, bare: str) -> None:
    first = await send(alice, written)
    assert_replayed(await send(alice, bare), first)


async def test_a_page_of_another_origin_may_send_a_key_and_read_the_answer(alice: Person) -> None:
    spa = {"Origin": "http://localhost:5173"}
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "idempotency-key"}
    preflight = await alice.request("OPTIONS", "/api/scan", headers={**spa, **ask})
    assert preflight.headers["Access-Control-Allow-Headers"].lower() == "idempotency-key"
    for _ in range(2):
        reply = await alice.post("/api/scan", json={"text": "x"}, headers={**spa, "Idempotency-Key": KEY})
    assert "idempotency-replayed" in reply.headers["Access-Control-Expose-Headers"].lower()


class TestPage:
    @pytest.fixture
    async def ana(self, anyone: Person) -> Person:
        await sign_up(anyone)
        return anyone

    async def key_on(self, ana: Person) -> str:
        page = (await ana.get("/scan")).body.decode()
        found: str = re.findall(r'name="idempotency_key" value="([^"]{10,})"', page)[0]
        return found

    async def test_a_form_that_is_sent_twice_is_one_scan(self, ana: Person, ai: Ai) -> None:
        key = await self.key_on(ana)
        assert key != await self.key_on(ana)
        go = ai.holds()
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

    async def test_who_waits_for_a_scan_that_fails_makes_it(self, ana: Person, ai: Ai) -> None:
        key = await self.key_on(ana)
        go = asyncio.Event()

        async def broken(request: web.Request) -> web.StreamResponse:
            await go.wait()
            ai.answer = ai.found
            return web.Response(status=500)

        ai.answer = broken
        both = [
            asyncio.create_task(ana.post("/scan", data=form(text="tight budget", idempotency_key=key)))
            for _ in range(2)
        ]
        await ai.arrived.wait()
        go.set()
        assert sorted([reply.status for reply in await asyncio.gather(*both)]) == [303, 502]
        assert (len(ai.calls), await total(ana)) == (2, 1)

    async def test_a_form_that_is_changed_is_another_scan(self, ana: Person, ai: Ai) -> None:
        key = await self.key_on(ana)
        found = [
            (await ana.post("/scan", data=form(text=text, idempotency_key=key))).headers["Location"]
            for text in ("tight budget", "tight deadline", "tight budget")
        ]
        assert found[0] == found[2] != found[1]
        assert len(ai.calls) == 2

    async def test_a_refused_form_comes_back_with_its_key_and_works(self, ana: Person, ai: Ai) -> None:
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

    async def test_the_field_counts_on_the_page_alone(self, alice: Person, ai: Ai) -> None:
        for _ in range(2):
            await alice.scan(text="tight budget", idempotency_key="kept")
        assert len(ai.calls) == 2

    async def test_a_page_takes_the_header_too(self, ana: Person, ai: Ai) -> None:
        for _ in range(2):
            reply = await ana.post("/scan", data=form(text="tight budget"), headers={"Idempotency-Key": KEY})
            assert reply.status == 303
        assert len(ai.calls) == 1
        bad = await ana.post("/scan", data=form(text="tight budget"), headers={"Idempotency-Key": '"'})
        assert (bad.status, b"Idempotency-Key cannot be used" in bad.body) == (400, True)
