"""The call to the AI service: what goes there unchanged, and what each of its failures becomes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from ai import FINDINGS, RISKS, Ai
from aiohttp import web
from conftest import MakeSettings, Person, assert_error, form, serving, signed_in

ROW = RISKS[0]


async def failed(alice: Person, status: int, code: str) -> str:
    """Send a scan that fails; check that nothing was kept and that the next one succeeds."""
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
async def test_a_file_arrives_as_it_was_sent(
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


async def test_the_call_carries_the_request_id(alice: Person, ai: Ai) -> None:
    await alice.post("/api/scan", data=form(text="tight budget"), headers={"X-Request-ID": "my-id"})
    assert ai.calls[0].headers["X-Request-ID"] == "my-id"


@pytest.mark.parametrize("status", [400, 413, 415, 422, 429])
async def test_refusals_that_the_client_can_mend_keep_their_status(
    alice: Person, ai: Ai, status: int
) -> None:
    ai.answers(status, {"error": "x", "detail": "This PDF is encrypted."}, headers={"Retry-After": "7"})
    reply = await alice.post("/api/scan", data=form(text="tight budget"))
    assert assert_error(reply, status, "ai_service_error") == "This PDF is encrypted."
    assert reply.headers["Retry-After"] == "7"


@pytest.mark.parametrize(
    ("status", "ours"), [(401, 502), (404, 502), (418, 502), (500, 502), (502, 502), (503, 503)]
)
async def test_other_failures_are_a_bad_gateway(alice: Person, ai: Ai, status: int, ours: int) -> None:
    ai.answers(status, {"detail": "The model is broken."})
    assert await failed(alice, ours, "ai_service_error") == "The model is broken."


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
async def test_messages_of_the_usual_shapes_are_understood(
    alice: Person, ai: Ai, body: Any, detail: str
) -> None:
    ai.answers(422, body)
    assert await failed(alice, 422, "ai_service_error") == detail


async def test_a_page_of_html_is_no_message(alice: Person, ai: Ai) -> None:
    ai.answers(502, b"<html><h1>Bad gateway</h1>", kind="text/html")
    assert await failed(alice, 502, "ai_service_error") == "The analysis service failed (status 502)."


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
async def test_what_is_not_the_contract_is_an_invalid_response(
    alice: Person, ai: Ai, status: int, body: bytes, headers: dict[str, str]
) -> None:
    ai.answers(status, body, headers=headers)
    await failed(alice, 502, "ai_service_invalid_response")
    ai.answer = ai.found
    await alice.scan(text="tight budget")


@pytest.mark.parametrize("more", ["1e999", "9" * 6000, '"\\u0000"', '["\\ud800", ' + "9" * 6000 + "]"])
async def test_fields_beyond_the_three_may_hold_what_they_like(alice: Person, ai: Ai, more: str) -> None:
    body = f'{{"data": [{json.dumps({**ROW, "score": 1})}], "more": {more}, "source": "model"}}'
    ai.answers(200, body.encode())
    assert (await alice.scan(text="tight budget"))["data"] == [ROW]


async def test_findings_are_made_fit_to_be_kept(alice: Person, ai: Ai) -> None:
    odd = {"risk": "nul\x00", "category": "lone \ud800", "context": "pair \U0001f600", "score": 0.9}
    ai.answers(200, {"data": [odd], "source": "llm", "model": "x"})
    scan = await alice.scan(text="tight budget")
    assert scan["data"] == [{"risk": "nul\ufffd", "category": "lone \ufffd", "context": "pair \U0001f600"}]
    assert (await alice.get(f"/api/scans/{scan['scan_id']}")).json == scan


async def cut_after(writer: asyncio.StreamWriter, sent: bytes) -> None:
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
async def test_a_connection_that_is_cut(alice: Person, ai: Ai, sent: bytes, status: int, code: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"--\r\n")
        await cut_after(writer, sent)

    ai.raw = answer
    await failed(alice, status, code)
    ai.raw = None
    await alice.scan(text="tight budget")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://no-such-host.invalid"])
async def test_a_service_that_is_not_there(make_settings: MakeSettings, url: str) -> None:
    async with serving(make_settings(ai_service_url=url)) as server, signed_in(server) as ana:
        await failed(ana, 503, "ai_service_unavailable")


class TestTime:
    @pytest.fixture
    def make_settings(self, make_settings):  # type: ignore[no-untyped-def]
        return lambda: make_settings(ai_timeout_seconds=0.3)

    async def test_a_service_that_never_answers(self, alice: Person, ai: Ai) -> None:
        ai.holds()
        await failed(alice, 503, "ai_service_unavailable")

    async def test_an_answer_that_drips(self, alice: Person, ai: Ai) -> None:
        async def answer(request: web.Request) -> web.StreamResponse:
            response = web.StreamResponse()
            await response.prepare(request)
            while True:
                await response.write(b" ")
                await asyncio.sleep(0.02)  # slower than the deadline, faster than any pause

        ai.answer = answer
        await failed(alice, 503, "ai_service_unavailable")
