"""Scans: create, list, get, delete; ownership, cursors, concurrency (API.md, Endpoints)."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from riskscan.concurrency import AI_CALLS, TEXT_MEMORY, UPLOAD_MEMORY
from riskscan.settings import Rate
from tests.support.ai import FINDINGS, NOTES, RISKS, Ai
from tests.support.application import Server
from tests.support.client import PASSWORD, Person, assert_error, form

SUMMARY = ("scan_id", "filename", "source", "risk_count", "created_at", "open_count")


async def test_scan_is_returned_stored_and_listed(alice: Person, ai: Ai) -> None:
    reply = await alice.post("/api/scan", data=form(text="The budget is tight. The deadline is aggressive."))
    assert reply.status == 200
    scan = reply.json
    assert scan == {
        "scan_id": str(uuid.UUID(scan["scan_id"])),
        "filename": None,
        "data": RISKS,
        "source": "model",
        "risk_count": 2,
        "created_at": scan["timestamp"],
        "timestamp": scan["timestamp"],
        "notes": [],
        "title": None,
        "open_count": 2,
    }
    assert scan["timestamp"].endswith("Z")
    assert reply.headers["Cache-Control"] == "no-store"
    again = await alice.get(f"/api/scans/{scan['scan_id']}")
    assert again.json == scan
    summary = {name: scan[name] for name in SUMMARY}
    listed = await alice.get("/api/scans")
    assert listed.json == {"scans": [summary], "total": 1, "limit": 20, "offset": 0, "next_cursor": None}


async def test_notes_are_returned_and_stored_with_the_scan_but_not_listed(alice: Person, ai: Ai) -> None:
    ai.findings = {**FINDINGS, "notes": NOTES}
    scan = await alice.scan(text="The budget is tight. The deadline is aggressive.")
    assert (scan["data"], scan["notes"]) == (RISKS, NOTES)
    assert (await alice.get(f"/api/scans/{scan['scan_id']}")).json == scan
    (listed,) = (await alice.get("/api/scans")).json["scans"]
    assert listed == {name: scan[name] for name in SUMMARY}


async def test_scan_is_also_shown_as_a_page(alice: Person) -> None:
    scan = await alice.scan(text="The budget is tight.")
    page = await alice.get(f"/scans/{scan['scan_id']}")
    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert b"Budget may run out" in page.body


async def test_scan_without_risks_succeeds(alice: Person, ai: Ai) -> None:
    ai.findings = {"data": [], "source": "llm"}
    scan = await alice.scan(text="All is well.")
    assert (scan["data"], scan["risk_count"], scan["source"]) == ([], 0, "llm")


@pytest.mark.parametrize("body", [{"json": {"text": "tight budget"}}, {"data": {"text": "tight budget"}}])
async def test_text_is_accepted_as_json_or_urlencoded_form(
    alice: Person, ai: Ai, body: dict[str, Any]
) -> None:
    assert (await alice.post("/api/scan", **body)).status == 200
    assert ai.calls[0].parts["text"].body == b"tight budget"
    assert set(ai.calls[0].parts) == {"text"}


@pytest.mark.parametrize("flag", ["true", "True", "1", "yes", "on"])
async def test_force_llm_is_passed_on(alice: Person, ai: Ai, flag: str) -> None:
    await alice.scan(text="tight budget", force_llm=flag)
    assert ai.calls[0].parts["force_llm"].body == b"true"


@pytest.mark.parametrize("flag", ["false", "0", "no", "off"])
async def test_force_llm_may_be_false(alice: Person, ai: Ai, flag: str) -> None:
    await alice.scan(text="tight budget", force_llm=flag)
    assert ai.calls[0].parts["force_llm"].body == b"false"


async def test_invalid_force_llm_is_refused(alice: Person, ai: Ai) -> None:
    reply = await alice.post("/api/scan", data=form(text="tight budget", force_llm="maybe"))
    assert_error(reply, 400, "invalid_request", force_llm=...)
    assert ai.calls == []


@pytest.mark.parametrize("fields", [{}, {"text": ""}, {"text": " \n\t"}])
async def test_empty_input_is_refused(alice: Person, ai: Ai, fields: dict[str, Any]) -> None:
    assert_error(await alice.post("/api/scan", data=form(**fields)), 400, "invalid_request", text=...)
    assert ai.calls == []


@pytest.mark.parametrize("text", ["", "tight budget"])
@pytest.mark.parametrize("operation", ["scan", "mark"])
async def test_an_empty_file_is_refused_at_its_field(
    alice: Person, ai: Ai, operation: str, text: str
) -> None:
    scan = await alice.scan(text="tight budget")
    path = "/api/scan" if operation == "scan" else f"/api/scans/{scan['scan_id']}/mark"
    reply = await alice.post(path, data=form(text=text, file=("empty.txt", b"")))
    assert_error(reply, 400, "invalid_request", file=...)
    assert reply.json["fields"] == {"file": "The file is empty."}
    assert len(ai.calls) == 1


async def test_all_errors_of_a_scan_are_named_at_once(alice: Person) -> None:
    reply = await alice.post("/api/scan", json={"text": 7, "force_llm": "maybe", "file": "x"})
    assert_error(reply, 400, "invalid_request", text=..., file=..., force_llm=...)


async def test_scan_of_another_user_is_not_found(alice: Person, bob: Person) -> None:
    scan = await alice.scan(text="tight budget")
    path = f"/api/scans/{scan['scan_id']}"
    assert_error(await bob.get(path), 404, "not_found")
    assert_error(await bob.delete(path), 404, "not_found")
    assert (await bob.get("/api/scans")).json["total"] == 0
    assert (await alice.get(path)).status == 200


async def test_a_deleted_scan_is_gone(alice: Person) -> None:
    kept, gone = await alice.scan(text="one"), await alice.scan(text="two")
    path = f"/api/scans/{gone['scan_id']}"
    reply = await alice.delete(path)
    assert (reply.status, reply.json) == (200, {"message": "Scan deleted"})
    assert_error(await alice.get(path), 404, "not_found")
    assert_error(await alice.delete(path), 404, "not_found")
    listed = (await alice.get("/api/scans")).json
    assert (listed["total"], [scan["scan_id"] for scan in listed["scans"]]) == (1, [kept["scan_id"]])


@pytest.mark.parametrize(
    "path_id",
    [
        "1", "nope", "{{{}}}", "%00", "%ED%A0%80", "%FF", "..%2F", "ffffffff",
        "00000000-0000-0000-0000-00000000000g",
        "00000000000000000000000000000000",
        "{00000000-0000-0000-0000-000000000000}",
        "urn:uuid:00000000-0000-0000-0000-000000000000",
        "%EF%BC%900000000-0000-0000-0000-000000000000",
        "00000000-0000-0000-0000-000000000000",
    ],
)  # fmt: skip
async def test_invalid_scan_id_is_not_found(alice: Person, path_id: str) -> None:
    assert_error(await alice.get(f"/api/scans/{path_id}"), 404, "not_found")


async def list_all_ids(person: Person, limit: int) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        page = (
            await person.get("/api/scans", params={"limit": limit, **({"cursor": cursor} if cursor else {})})
        ).json
        found += [scan["scan_id"] for scan in page["scans"]]
        cursor = page["next_cursor"]
        if cursor is None:
            return found


async def test_offset_and_cursor_paging_list_newest_first(alice: Person) -> None:
    made = [(await alice.scan(text=f"scan {number}"))["scan_id"] for number in range(7)]
    newest_first = made[::-1]
    for limit in (1, 2, 3, 6, 7, 8):
        assert await list_all_ids(alice, limit) == newest_first
    pages = [
        (await alice.get("/api/scans", params={"limit": 3, "offset": offset})).json for offset in (0, 3, 6, 9)
    ]
    assert [[scan["scan_id"] for scan in page["scans"]] for page in pages] == [
        newest_first[:3], newest_first[3:6], newest_first[6:], []
    ]  # fmt: skip
    assert [page["total"] for page in pages] == [7] * 4
    assert [page["next_cursor"] is None for page in pages] == [False, False, True, True]


async def test_cursor_paging_neither_skips_nor_repeats(alice: Person) -> None:
    made = [(await alice.scan(text=f"scan {number}"))["scan_id"] for number in range(6)]
    first = (await alice.get("/api/scans?limit=2")).json
    await alice.scan(text="arrives meanwhile")
    await alice.delete(f"/api/scans/{made[5]}")
    rest = (await alice.get("/api/scans", params={"limit": 10, "cursor": first["next_cursor"]})).json
    assert [scan["scan_id"] for scan in rest["scans"]] == made[3::-1]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=101", "limit=-1", "limit=ten", "limit=1e1", "limit=", "limit=%00",
        "limit=9" + "9" * 5000,
        "limit=%D9%A1", "offset=-1", "offset=x", "offset=99999999999999999999", "cursor=", "cursor=x",
        "cursor=%00", "cursor=%ED%A0%80", "cursor=bnVsbA", "cursor=1-2",
        "cursor=99999999999999999-00000000-0000-0000-0000-000000000000",
        "cursor=%D9%A1-00000000-0000-0000-0000-000000000000",
        "cursor=1-00000000-0000-0000-0000-00000000000A",
    ],
)  # fmt: skip
async def test_a_bad_query_is_refused(alice: Person, query: str) -> None:
    reply = await alice.get(f"/api/scans?{query}")
    assert_error(reply, 400, "invalid_request", **{query.partition("=")[0]: ...})


async def test_cursor_together_with_an_offset_is_refused(alice: Person) -> None:
    for _ in range(2):
        await alice.scan(text="tight budget")
    cursor = (await alice.get("/api/scans?limit=1")).json["next_cursor"]
    reply = await alice.get("/api/scans", params={"cursor": cursor, "offset": 1})
    assert_error(reply, 400, "invalid_request", cursor=...)


async def test_parallel_scans_are_each_stored_once(alice: Person, ai: Ai) -> None:
    replies = await asyncio.gather(*(alice.scan(text=f"scan {number}") for number in range(200)))
    made = {scan["scan_id"] for scan in replies}
    assert len(made) == len(ai.calls) == 200
    assert {call.parts["text"].body for call in ai.calls} == {b"scan %d" % number for number in range(200)}
    listed = await list_all_ids(alice, 100)
    assert len(listed) == 200
    assert set(listed) == made
    assert (await alice.get("/api/scans")).json["total"] == 200


async def test_scan_is_stored_after_its_client_disconnects(alice: Person, ai: Ai) -> None:
    go = ai.hold_responses()
    asked = asyncio.create_task(alice.scan(text="tight budget"))
    await ai.arrived.wait()
    asked.cancel()
    await asyncio.wait([asked])
    go.set()
    while not (listed := (await alice.get("/api/scans")).json["scans"]):
        pass
    stored = (await alice.get(f"/api/scans/{listed[0]['scan_id']}")).json
    assert (stored["data"], stored["source"], stored["risk_count"]) == (RISKS, "model", 2)
    assert len(ai.calls) == 1


async def test_account_deleted_during_a_scan_is_a_401(alice: Person, ai: Ai) -> None:
    go = ai.hold_responses()
    asked = asyncio.create_task(alice.post("/api/scan", data=form(text="tight budget")))
    await ai.arrived.wait()
    assert (await alice.delete("/api/auth/me", json={"password": PASSWORD})).status == 200
    go.set()
    assert_error(await asked, 401, "not_authenticated")


@pytest.mark.settings(max_scans_in_flight=4)
class TestOverload:
    async def test_too_many_scans_in_flight_are_refused(self, alice: Person, bob: Person, ai: Ai) -> None:
        go = ai.hold_responses()
        asked = []
        for person in (alice, alice, bob, bob):
            ai.arrived.clear()
            asked.append(asyncio.create_task(person.scan(text="tight budget")))
            await ai.arrived.wait()
            if person is alice and len(asked) == 2:  # one user gets at most half
                assert_error(await alice.post("/api/scan", data=form(text="more")), 503, "overloaded")
        assert_error(await bob.post("/api/scan", data=form(text="more")), 503, "overloaded")
        go.set()
        await asyncio.gather(*asked)
        assert (await alice.scan(text="tight budget"))["source"] == FINDINGS["source"]


@pytest.mark.parametrize("kind", ["multipart", "urlencoded", "json"])
async def test_texts_of_one_user_fill_at_most_half_of_the_memory_while_others_use_it(
    alice: Person, bob: Person, ai: Ai, server: Server, kind: str
) -> None:
    text = "x" * 40_000

    def body() -> dict[str, Any]:
        if kind == "multipart":
            return {"data": form(text=text)}
        return {"json" if kind == "json" else "data": {"text": text}}

    server.app[TEXT_MEMORY].MAX_BYTES = 150_000
    go = ai.hold_responses()
    asked = []
    for person in (alice, bob):
        ai.arrived.clear()
        asked.append(asyncio.create_task(person.post("/api/scan", **body())))
        await ai.arrived.wait()
    for person in (alice, bob):
        reply = await person.post("/api/scan", **body())
        assert_error(reply, 503, "overloaded")
        assert "Retry-After" in reply.headers
    ai.arrived.clear()
    asked.append(asyncio.create_task(alice.post("/api/scan", data=form(file=("a.txt", b"x" * 200_000)))))
    await ai.arrived.wait()  # a file is no text
    go.set()
    assert [reply.status for reply in await asyncio.gather(*asked)] == [200, 200, 200]
    assert (await alice.scan(text="x" * 90_000))["source"] == FINDINGS["source"]  # all is released


@pytest.mark.settings(upload_memory_bytes=500_000)
async def test_files_go_to_disk_when_no_memory_is_left_for_them(
    alice: Person, bob: Person, ai: Ai, server: Server
) -> None:
    content, before = b"x" * 400_000, count_temporary_files()

    async def chunks() -> AsyncIterator[bytes]:  # a body of unknown length
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + content
        yield b"\r\n--x--\r\n"

    in_chunks = {"data": chunks(), "headers": {"Content-Type": "multipart/form-data; boundary=x"}}
    go = ai.hold_responses()
    asked = []
    for person, body, on_disk in (
        (alice, {"data": form(file=("a.txt", content))}, 0),
        (bob, {"data": form(file=("a.txt", content))}, 1),  # alice's file has the memory
        (bob, in_chunks, 2),
    ):
        ai.arrived.clear()
        asked.append(asyncio.create_task(person.post("/api/scan", **body)))
        await ai.arrived.wait()
        assert count_temporary_files() - before == on_disk
    go.set()
    assert [reply.status for reply in await asyncio.gather(*asked)] == [200, 200, 200]
    assert [call.parts["file"].body == content for call in ai.calls] == [True, True, True]
    assert count_temporary_files() == before
    assert server.app[UPLOAD_MEMORY].free == 500_000
    refused = await alice.post("/api/scan", data=form(file=("a.zip", content)))
    assert_error(refused, 400, "unsupported_file_type", file="")
    assert server.app[UPLOAD_MEMORY].free == 500_000


def count_temporary_files() -> int:
    """Return the number of open files without a name."""
    names = []
    for descriptor in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            names.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return sum(name.endswith("(deleted)") for name in names)


@pytest.mark.settings(scan_limit=Rate(2, 3600))
class TestScanLimit:
    async def test_the_scans_of_one_user_are_limited(self, alice: Person, bob: Person, ai: Ai) -> None:
        for _ in range(2):
            await alice.scan(text="tight budget")
        reply = await alice.post("/api/scan", data=form(text="tight budget"))
        assert_error(reply, 429, "rate_limited")
        assert reply.headers["RateLimit-Policy"] == '"scan";q=2;w=3600'
        assert len(ai.calls) == 2
        assert (await alice.get("/api/scans")).json["total"] == 2
        await bob.scan(text="tight budget")

    async def test_page_keeps_the_text_of_a_rate_limited_scan(self, alice: Person) -> None:
        for _ in range(2):
            await alice.scan(text="tight budget")
        reply = await alice.post("/scan", data=form(text="a late supplier"))
        assert reply.status == 429
        assert int(reply.headers["Retry-After"]) > 1
        assert b"a late supplier" in reply.body


@pytest.mark.settings(ai_max_concurrency=8, workers=2)  # 4 for this process
class TestAiConcurrency:
    async def test_calls_to_the_ai_service_are_bounded(self, alice: Person, bob: Person, ai: Ai) -> None:
        at_once, four, numbers = 0, asyncio.Barrier(4), []

        async def answer(request: web.Request) -> web.StreamResponse:
            nonlocal at_once
            at_once += 1
            await four.wait()
            numbers.append(at_once)
            await four.wait()
            at_once -= 1
            return await ai.return_findings(request)

        ai.handler = answer
        people = (alice, bob) * 20
        await asyncio.gather(*[person.scan(text="tight budget") for person in people])
        assert numbers == [4] * 40


@pytest.mark.settings(ai_max_concurrency=4, ai_timeout_seconds=2.0)
class TestAiTimeout:
    async def test_waiting_for_a_slot_counts_towards_the_timeout(
        self, alice: Person, bob: Person, ai: Ai, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        loop = asyncio.get_running_loop()
        now, elapsed = loop.time(), 0.0
        monkeypatch.setattr(loop, "time", lambda: now + elapsed)
        first_calls = ai.hold_responses()
        scans = [asyncio.create_task(alice.post("/api/scan", data=form(text="x"))) for _ in range(3)]
        while (len(ai.calls), server.app[AI_CALLS].waiting) != (2, 1):
            await bob.get("/api/health/live")
        ai.hold_responses()
        ai.arrived.clear()
        elapsed = 1.2
        first_calls.set()
        for scan in itertools.islice(asyncio.as_completed(scans), 2):
            assert (await scan).status == 200
        await ai.arrived.wait()  # the third has its slot, with 0.8 s left
        elapsed = 2.1
        (late,) = [scan for scan in scans if not scan.done()]
        assert_error(await late, 503, "ai_service_unavailable")
        ai.handler = ai.return_findings
        assert (await alice.get("/api/scans")).json["total"] == 2
        await bob.scan(text="tight budget")


async def test_crowd_of_one_user_does_not_hold_up_another(alice: Person, bob: Person, ai: Ai) -> None:
    crowd = [asyncio.create_task(alice.scan(text=f"Risk number {number}.")) for number in range(100)]
    await ai.arrived.wait()
    await bob.scan(text="tight budget")
    assert sum(task.done() for task in crowd) < 50
    await asyncio.gather(*crowd)
