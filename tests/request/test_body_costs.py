"""What a request body may cost: memory while it is read and afterwards, and time on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import re
import time
import tracemalloc
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import example, given
from hypothesis import strategies as st

from riskscan.errors import ApiError
from riskscan.request import percent_encoding
from riskscan.request.body import read_json
from riskscan.request.percent_encoding import SLICE, unquote_plus
from tests.support.ai import Ai
from tests.support.application import Server
from tests.support.client import registered_person
from tests.support.program import ROOT, Program

MB = 1024 * 1024
MAX_TEXT, MAX_UPLOAD = 2 * MB, 10 * MB  # the defaults
MAX_STALL_MS = 100
JSON, URLENCODED = "application/json", "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=frontier"
KHMER = "គម្រោង"


def fill(head: bytes, piece: bytes, tail: bytes = b"", size: int = MAX_TEXT) -> bytes:
    """Return a body of `size` bytes or a little less."""
    return head + piece * ((size - len(head) - len(tail)) // len(piece)) + tail


def part(head: bytes, piece: bytes, size: int = MAX_UPLOAD) -> bytes:
    head = b"--frontier\r\nContent-Disposition: form-data; " + head + b"\r\n\r\n"
    return fill(head, piece, b"\r\n", size + len(head) + 2)


JSON_BODIES = {
    "nested unknown value": fill(b'{"text":"a","z":[', b"[],", b"0]}"),
    "nested known value": fill(b'{"text":[', b"[],", b"0]}"),
    "objects": fill(b'{"text":"a","z":[', b'{"a":1},', b"0]}"),
    "list of texts in a known field": fill(b'{"text":"a","scopes":[', b'"",', b'""]}'),
    "long number": fill(b'{"text":', b"9", b"}"),
    "many keys": b'{"text":"a"' + b"".join(b',"%d":0' % number for number in range(180_000)) + b"}",
    "unknown escapes": fill(b'{"text":"a","z":"', b"\\u1780", b'"}'),
}
TEXTS_IN_JSON = {
    "JSON": fill(b'{"text":"', b"tight ", b'"}'),
    "JSON in Khmer": fill(b'{"text":"', KHMER.encode(), b'"}'),
    "JSON escapes": fill(b'{"text":"', b"\\u1780", b'"}'),
    "JSON, short escapes": fill(b'{"text":"', b"\\n", b'"}'),
    "JSON with an emoji": fill('{"text":"😀'.encode(), b"a", b'"}'),
}
FORMS = {
    "letters": fill(b"text=", b"%41"),
    "Khmer": fill(b"text=", urllib.parse.quote("ក").encode()),
    "lower case": fill(b"text=", b"%c3%a9"),
    "escaped field name": fill(b"text=a&", b"%41"),
    "percent signs": fill(b"text=", b"%"),
    "half escapes": fill(b"text=", b"%4x"),
    "escapes and percent signs": fill(b"text=", b"%%41"),
    "equals signs": fill(b"text=%41", b"="),
    "plus signs": fill(b"text=", b"+"),
    "empty fields": fill(b"text=a", b"&"),
    "a hundred fields": b"&" * 99 + fill(b"text=", b"%41", size=MAX_TEXT - 99),
    "not UTF-8": fill(b"text=", b"%ff"),
}
MULTIPARTS = {
    "ASCII": part(b'name="text"', b"tight "),
    "Khmer": part(b'name="text"', KHMER.encode()),
    "windows-1252": part(b'name="text"\r\nContent-Type: text/plain; charset=windows-1252', b"\x80"),
    "utf-16": part(b'name="text"\r\nContent-Type: text/plain; charset=utf-16', "ក".encode("utf-16-le")),
    "emoji": part(b'name="text"', "😀".encode()),
    "unknown field": part(b'name="other"', b"tight ", 9 * MB) + part(b'name="text"', b"a", 1),
    "almost a boundary": part(b'name="text"', b"\r\n--frontie"),
    "file": part(b'name="file"; filename="a.txt"', b"tight "),
    "a hundred texts": part(b'name="text"', b"tight ", 100 * 1024) * 100,
}
BODIES = [
    *((JSON, name, body) for name, body in {**JSON_BODIES, **TEXTS_IN_JSON}.items()),
    *((URLENCODED, name, body) for name, body in FORMS.items()),
    *((MULTIPART, name, body + b"--frontier--\r\n") for name, body in MULTIPARTS.items()),
]


@pytest.fixture
def program(tmp_path: Path, ai: Ai) -> Iterator[Program]:
    """The program; it records the longest steps on the event loop of its worker."""
    environ = {"AI_SERVICE_URL": ai.url, "SCAN_LIMIT": "off", "LOOP_MONITOR_FOLDER": str(tmp_path / "stalls")}
    (tmp_path / "stalls").mkdir()
    started = Program(tmp_path, environ, ROOT / "tests" / "support" / "loop_monitor.py")
    yield started
    started.close()


@pytest.mark.slow
async def test_no_body_holds_up_the_event_loop(program: Program, tmp_path: Path, ai: Ai) -> None:
    stalls = {}
    async with registered_person(Server(web.Application(), program.url, 0)) as ana:
        await ana.scan(text="x")  # what a worker loads once is no cost of a body
        (path,) = (tmp_path / "stalls").iterdir()
        with path.open() as record:
            record.read()
            for kind, name, body in BODIES:
                headers = {"Content-Type": kind, "Idempotency-Key": f"{kind} {name}"}
                reply = await ana.post("/api/scan", data=io.BytesIO(body), headers=headers)
                assert reply.status in (200, 400), (kind, name, reply.body)
                stalls[kind, name] = max((float(line.split()[0]) for line in record), default=0.0)
    assert {key: stall for key, stall in stalls.items() if stall > MAX_STALL_MS} == {}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("nested unknown value", 2.5),
        ("JSON", 2.5),
        ("JSON in Khmer", 2.5),
        ("JSON escapes", 2.5),
        ("JSON with an emoji", 5.5),  # Python takes four bytes for each character of such a text
    ],
)
async def test_json_bodies_leave_nothing_but_their_texts_in_memory(
    program: Program, ai: Ai, name: str, factor: float
) -> None:
    body = (JSON_BODIES | TEXTS_IN_JSON)[name]
    release = ai.hold_responses()
    async with registered_person(Server(web.Application(), program.url, 0)) as ana:
        worker = program.worker()
        before = worker.memory_info().rss
        headers = {"Content-Type": JSON}
        bodies = [io.BytesIO(body) for _ in range(10)]
        scans = [asyncio.create_task(ana.post("/api/scan", data=sent, headers=headers)) for sent in bodies]
        while len(ai.calls) < len(scans):
            ai.arrived.clear()
            await ai.arrived.wait()
        peak = peak_memory(worker.pid)
        release.set()
        assert {reply.status for reply in await asyncio.gather(*scans)} == {200}
    assert peak - before < factor * len(body) * len(scans)


def peak_memory(pid: int) -> int:
    """Return the largest memory that a process has had, in bytes (proc(5))."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


@pytest.mark.parametrize("body", JSON_BODIES.values(), ids=JSON_BODIES)
def test_values_in_json_that_no_field_takes_are_not_built(body: bytes) -> None:
    tracemalloc.start()
    with contextlib.suppress(ApiError):
        read_json(body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.1 * len(body)


def cpu_seconds(work: Callable[[str], object], argument: str) -> float:
    """Return the CPU time of the fastest of five runs."""
    seconds = []
    for _ in range(5):
        begin = time.process_time()
        work(argument)
        seconds.append(time.process_time() - begin)
    return min(seconds)


@pytest.mark.parametrize("piece", ["%41", "%4x", "%%41", "%", "%="])
def test_unquoting_is_many_times_faster_than_one_step_per_escape(piece: str) -> None:
    quoted = piece * (MB // len(piece))
    seconds = cpu_seconds(lambda text: unquote_plus(text.encode()), quoted)
    assert seconds < cpu_seconds(urllib.parse.unquote_plus, quoted) / 3


PIECES = st.sampled_from(
    ["%", "=", "+", "4", "1", "f", "F", "g", "%E1%9E%80", "\n", "\r\n", "\0", "ក", "é", "😀"]
)


@given(st.lists(PIECES | st.text(max_size=3)).map("".join), st.sampled_from([3, 4, 5, SLICE]))
@example("%ff", SLICE)
@example("%e1=%9e%80", SLICE)
def test_unquoting_has_the_result_of_urllib(quoted: str, slice_bytes: int) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(percent_encoding, "SLICE", slice_bytes)
        try:
            expected = urllib.parse.unquote_plus(quoted, errors="strict")
        except UnicodeDecodeError:
            with pytest.raises(ValueError, match=r"UTF-8|utf-8"):
                unquote_plus(quoted.encode())
        else:
            assert unquote_plus(quoted.encode()) == expected


def test_unquoting_takes_little_more_memory_than_the_text() -> None:
    quoted = b"%41" * (MB // 3)
    tracemalloc.start()
    text = unquote_plus(quoted)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * len(text) + 10 * SLICE


def test_texts_in_json_are_read_whole() -> None:
    for name, body in TEXTS_IN_JSON.items():
        assert read_json(body) == json.loads(body), name
