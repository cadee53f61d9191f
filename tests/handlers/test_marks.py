"""Marked documents over HTTP: what comes back, and who and what is refused."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import docx
import pypdfium2
import pytest

from riskscan.concurrency import FairSemaphore
from riskscan.handlers.marks import MARKING_SLOTS
from riskscan.marking.text import POLICY
from riskscan.settings import Rate
from tests.ai_service.documents import body, word
from tests.ai_service.pdfs import at, paged
from tests.support.ai import Ai
from tests.support.application import SAMPLES, Server
from tests.support.client import Person, Reply, assert_error, create_token, form, sign_up, text_of

SENTENCES = ["The budget is tight.", "The deadline is aggressive."]
TEXT = "Intro. " + " Then this. ".join(SENTENCES)
WORD_FILE = ("plan “1”.docx", word(body(f"<w:p><w:r><w:t>{TEXT}</w:t></w:r></w:p>")))
PDF_FILE = ("plan.pdf", paged([at(40, 700, TEXT)]))


async def mark(person: Person, scan: dict[str, Any], face: str = "/api", **fields: Any) -> Reply:
    return await person.post(f"{face}/scans/{scan['scan_id']}/mark", data=form(**fields))


async def review(person: Person, scan: dict[str, Any], number: int, **fields: Any) -> None:
    path = f"/api/scans/{scan['scan_id']}/findings/{number}/review"
    reply = await person.request("PUT", path, json=fields)
    assert reply.status == 200, reply.body


def comments_of(reply: Reply) -> list[str]:
    return [comment.text for comment in docx.Document(io.BytesIO(reply.body)).comments]


@pytest.mark.parametrize("face", ["/api", ""])
async def test_word_document_comes_back_with_its_comments(alice: Person, face: str) -> None:
    scan = await alice.scan(file=WORD_FILE)
    await review(
        alice, scan, 2, state="confirmed", owner="Ana", likelihood=4, impact=3, comment="Ask <Bo>.",
        response="reduce", due="2026-12-31",
    )  # fmt: skip
    reply = await mark(alice, scan, face, file=WORD_FILE)
    assert reply.status == 200, reply.body
    assert reply.headers["Content-Type"].endswith("wordprocessingml.document")
    assert reply.headers["Content-Disposition"] == (
        'attachment; filename="plan _1_-marked.docx"; '
        "filename*=UTF-8''plan%20%E2%80%9C1%E2%80%9D-marked.docx"
    )
    assert reply.headers["Cache-Control"] == "no-store"
    assert "X-Findings-Not-Placed" not in reply.headers
    assert comments_of(reply) == [
        "RiskScan · Financial · Budget may run out\nOpen",
        "RiskScan · Schedule\nConfirmed · Owner: Ana · Likelihood: Likely · Impact: Moderate · "
        "Response: Reduce · Due: 31 Dec 2026\nAsk <Bo>.",
    ]


async def test_a_title_that_is_cut_from_its_sentence_is_in_no_comment(alice: Person, ai: Ai) -> None:
    sentence = "The budget is tight."
    ai.findings = {
        "data": [{"risk": "…budget is…", "category": "Financial", "context": sentence}],
        "source": "model",
    }
    scan = await alice.scan(file=WORD_FILE)
    assert comments_of(await mark(alice, scan, file=WORD_FILE)) == ["RiskScan · Financial\nOpen"]


async def test_pdf_comes_back_with_its_highlights(alice: Person) -> None:
    scan = await alice.scan(file=PDF_FILE)
    reply = await mark(alice, scan, file=PDF_FILE)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/pdf")
    assert reply.body.startswith(PDF_FILE[1])
    assert reply.body.count(b"/Subtype/Highlight") == 2
    assert len(pypdfium2.PdfDocument(reply.body)) == 1


@pytest.mark.parametrize("face", ["/api", ""])
async def test_text_comes_back_as_a_page_that_loads_nothing(alice: Person, face: str) -> None:
    scan = await alice.scan(text=f"{TEXT}\n<script>")
    # as browsers send the lines of a form
    reply = await mark(alice, scan, face, text=f"{TEXT}\r\n<script>")
    page = text_of(reply)
    assert page.count("<mark") == 2
    assert "<script" not in page
    assert reply.headers["Content-Security-Policy"] == f"{POLICY}; frame-ancestors 'none'"
    assert reply.headers["Content-Disposition"].startswith("inline; ")


async def test_dismissed_findings_are_not_marked(alice: Person) -> None:
    scan = await alice.scan(file=WORD_FILE)
    await review(alice, scan, 1, state="dismissed", reason="not_a_risk")
    assert len(comments_of(await mark(alice, scan, file=WORD_FILE))) == 1
    await review(alice, scan, 2, state="dismissed", reason="accepted")
    assert_error(await mark(alice, scan, file=WORD_FILE), 409, "nothing_to_mark")


async def test_findings_that_are_not_found_are_counted_in_a_header(alice: Person) -> None:
    file = ("plan.docx", word(body("<w:p><w:r><w:t>The deadline is aggressive.</w:t></w:r></w:p>")))
    reply = await mark(alice, await alice.scan(file=file), file=file)
    assert reply.headers["X-Findings-Not-Placed"] == "1"
    assert comments_of(reply)[0].startswith("RiskScan · findings that were not found in the text: 1")


async def test_another_file_is_refused(alice: Person) -> None:
    scan = await alice.scan(file=WORD_FILE)
    other = (WORD_FILE[0], WORD_FILE[1] + b" ")
    detail = assert_error(await mark(alice, scan, file=other), 409, "different_document", file="")
    assert detail == "This is not the file that was scanned."
    pasted = await alice.scan(text=TEXT)
    assert_error(await mark(alice, pasted, text=TEXT + "."), 409, "different_document", text="")
    assert_error(await mark(alice, pasted, text=" "), 400, "invalid_request", text="")


async def test_damaged_file_is_refused(alice: Person) -> None:
    file = ("plan.docx", WORD_FILE[1][:-40])
    detail = assert_error(await mark(alice, await alice.scan(file=file), file=file), 400, "invalid_request")
    assert detail == "The document is damaged and could not be read."


async def test_document_of_another_user_is_not_found(alice: Person, bob: Person) -> None:
    scan = await bob.scan(file=WORD_FILE)
    assert_error(await mark(alice, scan, file=WORD_FILE), 404, "not_found")
    assert (await alice.get(f"/scans/{scan['scan_id']}/mark")).status in (303, 404)


async def test_api_token_needs_the_scope_read(alice: Person, guest: Person) -> None:
    scan = await alice.scan(file=PDF_FILE)
    for scope, status in (("read", 200), ("scan", 403)):
        token = await create_token(alice, scopes=[scope])
        guest.session.headers["Authorization"] = f"Bearer {token['token']}"
        assert (await mark(guest, scan, file=PDF_FILE)).status == status


@pytest.mark.settings(scan_limit=Rate(2, 60))
async def test_marking_has_a_limit_of_its_own(alice: Person) -> None:
    scan = await alice.scan(text=TEXT)
    assert [(await mark(alice, scan, text=TEXT)).status for _ in range(3)] == [200, 200, 429]
    await alice.scan(text=TEXT)


async def test_one_document_of_a_user_is_marked_at_a_time(alice: Person, server: Server) -> None:
    scan = await alice.scan(text=TEXT)
    slots: FairSemaphore = server.app[MARKING_SLOTS]
    async with slots.slot(alice.id, None):
        waiting = asyncio.create_task(mark(alice, scan, text=TEXT))
        while not slots.waiting:  # noqa: ASYNC110  # nothing says so but the count
            await asyncio.sleep(0.01)
        async with slots.slot("another", None):
            assert (slots.active, slots.waiting) == (2, 1)
    assert (await waiting).status == 200
    assert slots.active == 0


async def test_page_of_a_scan_leads_to_the_form(guest: Person) -> None:
    await sign_up(guest)
    reply = await guest.post("/scan", data=form(file=PDF_FILE))
    path = reply.headers["Location"]
    assert f'href="{path}/mark"' in text_of(await guest.get(path))
    page = text_of(await guest.get(f"{path}/mark"))
    assert 'name="file"' in page
    assert 'name="text"' not in page
    reply = await guest.post(f"{path}/mark", data=form(file=("plan.pdf", PDF_FILE[1] + b" ")))
    assert reply.status == 409
    page = text_of(reply)
    assert "Must be the file that was scanned, without any change." in page
    assert f'action="{path}/mark"' in page
    reply = await guest.post(f"{path}/mark", data=form(file=PDF_FILE))
    assert reply.headers["Content-Disposition"].startswith("attachment; ")


async def test_nothing_is_left_on_disk(
    alice: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    scan = await alice.scan(file=WORD_FILE)
    assert (await mark(alice, scan, file=WORD_FILE)).status == 200
    assert list((tmp_path / "scratch").iterdir()) == []


@pytest.mark.parametrize("name", ["charter.docx", "charter.pdf", "charter.txt"])
async def test_findings_of_the_sample_are_all_marked(alice: Person, ai: Ai, name: str) -> None:
    file = (name, (SAMPLES / name).read_bytes())
    text = (SAMPLES / "charter.txt").read_text()
    contexts = [line for line in text.splitlines() if line.endswith(".")]
    ai.findings = {
        "data": [{"risk": "r", "category": "Financial", "context": context} for context in contexts],
        "source": "model",
    }
    scan = await alice.scan(file=file)
    reply = await mark(alice, scan, file=file)
    assert reply.status == 200
    assert "X-Findings-Not-Placed" not in reply.headers


async def test_document_that_needs_too_much_memory_is_refused(alice: Person) -> None:
    """It holds 1 MB, and in memory far more than a process may have."""
    file = ("plan.docx", word(body("<w:p/>" * 20_000_000)))
    assert_error(await mark(alice, await alice.scan(file=file), file=file), 400, "invalid_request")
