"""Calls to the AI service: forwarded unchanged, and every failure mapped to an error response."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from riskscan.ai_client import InvalidResponse, read_findings
from riskscan.schemas import Detail
from tests.support.ai import FINDINGS, RISKS, Ai
from tests.support.application import MakeSettings, serve
from tests.support.client import Person, assert_error, form, registered_person

ROW = RISKS[0]


async def assert_scan_fails(alice: Person, status: int, code: str) -> str:
    """Submit a scan; check that it fails with this error and that nothing is stored; return the detail."""
    reply = await alice.post("/api/scan", data=form(text="tight budget"))
    detail = assert_error(reply, status, code)
    assert (await alice.get("/api/scans")).json["total"] == 0
    return detail


@pytest.mark.parametrize(
    ("filename", "content", "kind"),
    [
        ("charter.txt", b"tight budget", "text/plain"),
        ("របាយការណ៍ គម្រោង.pdf", b"%PDF-1.7\n" + bytes(range(256)) * 20, "application/pdf"),
        ("table.csv", b"\xff\xfea\x00", "text/csv; charset=utf-16"),
        ('he said "tight".md', b"--x\r\n\r\n--x--\r\n", "text/markdown"),
        ("big.txt", b"0123456789abcdef" * 65536, "application/x-of-its-own"),
    ],
)
async def test_file_and_text_are_forwarded_unchanged(
    alice: Person, ai: Ai, filename: str, content: bytes, kind: str
) -> None:
    scan = await alice.scan(file=(filename, content, kind), text="and a text — ខ្មែរ\r\n")
    part = ai.calls[0].parts["file"]
    assert part.body == content
    quoted = filename.replace('"', "%22")
    assert part.headers == {
        "Content-Disposition": f'form-data; name="file"; filename="{quoted}"',
        "Content-Type": kind,
    }
    assert ai.calls[0].parts["text"].body.decode() == "and a text — ខ្មែរ\r\n"
    assert scan["filename"] == filename


async def test_request_id_is_forwarded(alice: Person, ai: Ai) -> None:
    await alice.post("/api/scan", data=form(text="tight budget"), headers={"X-Request-ID": "my-id"})
    assert ai.calls[0].headers["X-Request-ID"] == "my-id"


async def test_another_service_is_told_nothing_about_the_user(alice: Person, ai: Ai) -> None:
    await alice.scan(text="tight budget")
    names = {
        "Accept",
        "Accept-Encoding",
        "Content-Length",
        "Content-Type",
        "Host",
        "User-Agent",
        "X-Request-ID",
    }
    assert ai.calls[0].headers.keys() == names


@pytest.mark.parametrize("status", [400, 413, 415, 422, 429])
async def test_client_errors_keep_status_detail_and_retry_after(alice: Person, ai: Ai, status: int) -> None:
    ai.respond_with(status, {"error": "x", "detail": "This PDF is encrypted."}, headers={"Retry-After": "7"})
    reply = await alice.post("/api/scan", data=form(text="tight budget"))
    assert assert_error(reply, status, "ai_service_error") == "This PDF is encrypted."
    assert reply.headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("status", "ours"), [(401, 502), (404, 502), (418, 502), (500, 502), (502, 502), (503, 503)]
)
async def test_other_errors_become_502_or_503(alice: Person, ai: Ai, status: int, ours: int) -> None:
    ai.respond_with(status, {"detail": "The model is broken."})
    assert await assert_scan_fails(alice, ours, "ai_service_error") == "The model is broken."


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"detail": "one"}, "one"),
        ({"detail": [{"msg": "one", "loc": ["body"]}, {"msg": "two"}]}, "one two"),
        ({"error": "one"}, "one"),
        ({"error": {"message": "one"}}, "one"),
        ({"message": "one"}, "one"),
        ({"detail": "x" * 600}, "x" * 499 + "…"),
        ({"detail": "nul\x00, lone \ud800 and\nlines"}, "nul\ufffd, lone \ufffd and lines"),
        ({"detail": {}}, "The analysis service failed (status 422)."),
        ([], "The analysis service failed (status 422)."),
        ({"detail": "x" * 100_000}, "The analysis service failed (status 422)."),
    ],
)
async def test_error_message_is_read_from_common_shapes(
    alice: Person, ai: Ai, body: Any, detail: str
) -> None:
    ai.respond_with(422, body)
    assert await assert_scan_fails(alice, 422, "ai_service_error") == detail


async def test_html_error_body_is_not_used_as_the_message(alice: Person, ai: Ai) -> None:
    ai.respond_with(502, b"<html><h1>Bad gateway</h1>", kind="text/html")
    assert (
        await assert_scan_fails(alice, 502, "ai_service_error") == "The analysis service failed (status 502)."
    )


NESTED = b'{"data": ' + b"[" * 100_000 + b"]" * 100_000 + b', "source": "llm"}'


@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (200, b"", {}),
        (200, b"<html>", {"Content-Type": "text/html"}),
        (200, b'{"data": [', {}),
        (200, b"null", {}),
        (200, b"[]", {}),
        (200, b'{"data": [], "source": "model"}'.decode().encode("utf-16"), {}),
        (200, '{"data": [], "source": "é"}'.encode("latin-1"), {}),
        (200, b'{"data": [], "source": "model", "score": NaN}', {}),
        (200, NESTED, {}),
        (200, json.dumps({"source": "model"}).encode(), {}),
        (200, json.dumps({"data": []}).encode(), {}),
        (200, json.dumps({"data": None, "source": "model"}).encode(), {}),
        (200, json.dumps({"data": {}, "source": "model"}).encode(), {}),
        (200, json.dumps({"data": ["x"], "source": "model"}).encode(), {}),
        (200, json.dumps({"data": [{**ROW, "risk": 1}], "source": "model"}).encode(), {}),
        (200, json.dumps({"data": [{**ROW, "risk": None}], "source": "model"}).encode(), {}),
        (200, json.dumps({"data": [{"risk": "x", "category": "y"}], "source": "model"}).encode(), {}),
        (200, json.dumps({"data": [], "source": "gpt"}).encode(), {}),
        (200, b" " * (11 * 1024 * 1024) + b"{}", {}),
        (201, json.dumps(FINDINGS).encode(), {}),
        (204, b"", {}),
        (302, b"", {"Location": "/elsewhere"}),
        (304, b"", {}),
    ],
    ids=lambda value: repr(value)[:40],
)
async def test_response_that_violates_the_contract_is_refused(
    alice: Person, ai: Ai, status: int, body: bytes, headers: dict[str, str]
) -> None:
    ai.respond_with(status, body, headers=headers)
    await assert_scan_fails(alice, 502, "ai_service_invalid_response")
    ai.handler = ai.return_findings
    await alice.scan(text="tight budget")


@pytest.mark.parametrize("more", ["1e999", "9" * 6000, '"\\u0000"', '["\\ud800", ' + "9" * 6000 + "]"])
async def test_unknown_response_fields_are_ignored(alice: Person, ai: Ai, more: str) -> None:
    body = f'{{"data": [{json.dumps({**ROW, "score": 1})}], "more": {more}, "source": "model"}}'
    ai.respond_with(200, body.encode())
    assert (await alice.scan(text="tight budget"))["data"] == [ROW]


async def test_unstorable_characters_in_findings_are_replaced(alice: Person, ai: Ai) -> None:
    odd = {"risk": "nul\x00", "category": "lone \ud800", "context": "pair \U0001f600", "score": 0.9}
    ai.respond_with(200, {"data": [odd], "source": "llm", "model": "x"})
    scan = await alice.scan(text="tight budget")
    assert scan["data"] == [{"risk": "nul\ufffd", "category": "lone \ufffd", "context": "pair \U0001f600"}]
    assert (await alice.get(f"/api/scans/{scan['scan_id']}")).json == scan


@pytest.mark.parametrize(
    "notes",
    [None, True, 7, 1e300, "a sentence", {"a": "sentence"}, [], [7, None, ["a"], {"a": "b"}], [" \n", ""]],
)
async def test_notes_that_are_no_text_are_dropped(alice: Person, ai: Ai, notes: Any) -> None:
    ai.findings = {**FINDINGS, "notes": notes}
    scan = await alice.scan(text="tight budget")
    assert (scan["data"], scan["notes"]) == (RISKS, [])


async def find_first(alice: Person, scan: dict[str, Any]) -> Any:
    return (await alice.get(f"/api/scans/{scan['scan_id']}/findings")).json["findings"][0]


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("p. 7 · 4.2 Payment", "p. 7 · 4.2 Payment"), (" two\n lines\x07", "two lines"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 199 + "…"), ("nul\x00, lone \ud800", "nul\ufffd, lone \ufffd"),
        ("", None), (" \n", None), (7, None), (["p. 7"], None), ({"page": 7}, None), (None, None),
        (True, None),
    ],
    ids=ascii,
)  # fmt: skip
async def test_place_of_a_finding_is_one_short_line(
    alice: Person, ai: Ai, sent: Any, kept: str | None
) -> None:
    ai.respond_with(200, {"data": [{**ROW, "place": sent}], "source": "model"})
    scan = await alice.scan(text="tight budget")
    assert scan["data"] == [ROW]
    assert await find_first(alice, scan) == {"number": 1, **ROW, "place": kept, "why": None, "review": None}


CUE = {"text": "budget", "weight": 0.5, "start": 4}  # in "The budget is tight."
ANY_BUT_REASONS: list[Any] = [None, [], {}, "budget", 7, True, [None], [7], ["budget"], [[CUE]]]
ANY_BUT_NUMBERS: list[Any] = [None, "0.5", True, [1], {}]
NO_PIECE = {**CUE, "start": None}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ([CUE], [CUE]),
        ([{"text": "in a risk section", "weight": -2, "start": None}],
         [{"text": "in a risk section", "weight": -2.0, "start": None}]),
        ([{"text": "budget", "weight": 0.5}], [NO_PIECE]),
        # it does not stand there
        *[([{**CUE, "start": start}], [NO_PIECE])
          for start in (5, -1, 20, 21, 10**30, 4.5, "4", True, [4], 1e300)],
        ([{**CUE, "text": "BUDGET"}], [{**NO_PIECE, "text": "BUDGET"}]),
        ([{**CUE, "text": "budget\nis"}], [{**NO_PIECE, "text": "budget is"}]),
        ([{**CUE, "text": "nul\x00 \ud800"}], [{**NO_PIECE, "text": "nul\ufffd \ufffd"}]),
        ([{**CUE, "text": "x" * 81}], [{**NO_PIECE, "text": "x" * 79 + "…"}]),
        # no reasons
        *[(why, None) for why in ANY_BUT_REASONS],
        *[([{**CUE, "text": text}], None) for text in ("", " \n", None, 7, ["budget"])],
        *[([{**CUE, "weight": weight}], None) for weight in ANY_BUT_NUMBERS],
        ([{"text": "budget"}, CUE], [CUE]),
        ([CUE] * 60, [CUE] * 60),
        ([CUE] * 61, [CUE] * 60),
    ],
    ids=lambda value: ascii(value)[:50],
)  # fmt: skip
async def test_reasons_of_a_finding_are_cleaned(alice: Person, ai: Ai, sent: Any, kept: Any) -> None:
    ai.respond_with(200, {"data": [{**ROW, "why": sent}], "source": "model"})
    assert (await find_first(alice, await alice.scan(text="tight budget")))["why"] == kept


async def test_reason_may_be_a_piece_of_a_sentence_with_unstorable_characters(alice: Person, ai: Ai) -> None:
    row = {**ROW, "context": "A lone \ud800 budget\x00 and 😀 tight."}
    why = [
        {"text": text, "weight": 1.5, "start": row["context"].index(text)} for text in ("budget\x00", "tight")
    ]
    ai.respond_with(200, {"data": [{**row, "why": why}], "source": "model"})
    found = await find_first(alice, await alice.scan(text="tight budget"))
    assert [cue["text"] for cue in found["why"]] == ["budget\ufffd", "tight"]
    for cue in found["why"]:
        assert found["context"][cue["start"] :].startswith(cue["text"])


async def test_long_piece_of_a_sentence_is_cut(alice: Person, ai: Ai) -> None:
    row = {**ROW, "context": "x" * 200}
    ai.respond_with(
        200, {"data": [{**row, "why": [{"text": "x" * 150, "weight": 1, "start": 3}]}], "source": "model"}
    )
    found = await find_first(alice, await alice.scan(text="tight budget"))
    assert found["why"] == [{"text": "x" * 80, "weight": 1.0, "start": 3}]


@pytest.mark.parametrize(
    "score", ["0", "1", "0.25", "1.01", "-0.1", "1e999", "9" * 6000, '"0.5"', "true", "[]", "null"]
)
def test_score_of_a_finding_is_from_0_to_1(score: str) -> None:
    body = (
        f'{{"data": [{{"risk": "r", "category": "c", "context": "s", "score": {score}}}], "source": "model"}}'
    )
    details = read_findings(body.encode()).details
    valid = {"0": 0.0, "1": 1.0, "0.25": 0.25}
    assert details == ([Detail(score=valid[score])] if score in valid else [])


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
def test_score_that_is_no_json_breaks_the_contract(constant: str) -> None:
    row = f'{{"risk": "r", "category": "c", "context": "s", "score": {constant}}}'
    with pytest.raises(InvalidResponse):
        read_findings(f'{{"data": [{row}], "source": "model"}}'.encode())


@pytest.mark.parametrize("number", ["1e999", "9" * 6000])
async def test_numbers_of_any_size_may_stand_among_the_notes(alice: Person, ai: Ai, number: str) -> None:
    for notes, kept in ((number, []), (f'[{number}, "Page 3 was not read."]', ["Page 3 was not read."])):
        ai.respond_with(200, f'{{"data": [], "source": "model", "notes": {notes}}}'.encode())
        assert (await alice.scan(text="tight budget"))["notes"] == kept


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 299 + "…"),
        ("ខ" * 10_000, "ខ" * 299 + "…"),
        ("two\r\nlines,\ta tab,\x1b\x07 bells\u2028and\x85more ", "two lines, a tab, bells and more"),
        ("nul\x00, lone \ud800", "nul\ufffd, lone \ufffd"),
        ('<b>bold</b> & "quoted"', '<b>bold</b> & "quoted"'),
        ("\u200fالصفحة 3\u202e", "\u200fالصفحة 3\u202e"),
    ],
    ids=ascii,
)
async def test_notes_are_single_lines_of_at_most_300_characters(
    alice: Person, ai: Ai, sent: str, kept: str
) -> None:
    ai.respond_with(200, {**FINDINGS, "notes": [sent, 3, "A second note."]})
    scan = await alice.scan(text="tight budget")
    assert scan["notes"] == [kept, "A second note."]
    assert (await alice.get(f"/api/scans/{scan['scan_id']}")).json == scan


async def test_the_first_20_notes_are_kept(alice: Person, ai: Ai) -> None:
    ai.findings = {
        **FINDINGS,
        "notes": [None, "", *(f"Page {number} was not read." for number in range(1000))],
    }
    scan = await alice.scan(text="tight budget")
    assert scan["notes"] == [f"Page {number} was not read." for number in range(20)]


async def send_then_abort(writer: asyncio.StreamWriter, sent: bytes) -> None:
    writer.write(sent)
    await writer.drain()
    writer.transport.abort()


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"", 503, "ai_service_unavailable"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{", 502, "ai_service_invalid_response"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
            502,
            "ai_service_invalid_response",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 502, "ai_service_invalid_response"),
        (b"220 smtp.example.com ESMTP\r\n", 502, "ai_service_invalid_response"),
        (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 502, "ai_service_invalid_response"),
    ],
)
async def test_cut_connection_is_a_502_or_503(
    alice: Person, ai: Ai, sent: bytes, status: int, code: str
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"--\r\n")
        await send_then_abort(writer, sent)

    ai.raw_handler = answer
    await assert_scan_fails(alice, status, code)
    ai.raw_handler = None
    await alice.scan(text="tight budget")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://no-such-host.invalid"])
async def test_unreachable_service_is_a_503(make_settings: MakeSettings, url: str) -> None:
    async with serve(make_settings(ai_service_url=url)) as server, registered_person(server) as ana:
        await assert_scan_fails(ana, 503, "ai_service_unavailable")


@pytest.mark.settings(ai_timeout_seconds=0.3)
class TestTimeout:
    async def test_service_that_never_responds_is_a_503(self, alice: Person, ai: Ai) -> None:
        ai.hold_responses()
        await assert_scan_fails(alice, 503, "ai_service_unavailable")

    async def test_response_that_never_ends_is_a_503(self, alice: Person, ai: Ai) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(b" ")
                await asyncio.sleep(0)  # each chunk comes in time, the whole response does not

        ai.handler = answer
        await assert_scan_fails(alice, 503, "ai_service_unavailable")
