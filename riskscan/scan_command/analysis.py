"""The analysis of documents on this machine, by the same processes as in the embedded AI service."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import os
import re
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from ..ai_service.app import score_units, to_answer
from ..ai_service.errors import ServiceError
from ..ai_service.notes import limit_notes
from ..ai_service.processes import MAX_READERS, DocumentReaders, ScoringPool, scoring_pool
from ..schemas import Finding, Risk, Scan
from .documents import Document, describe_os_error, describe_unexpected

HELP_WITH_LANGUAGES = "A RiskScan server with a language model can read it."
WORD = re.compile(r"[^\W_]+")
# what may stand between two words of a sentence in its file: blanks, line breaks, marks of Markdown
GAP = r"[\W_]{1,40}"
MAX_WORDS_SEARCHED = 30


class Result(NamedTuple):
    """A document with its findings and the line of each, None where it is not known.

    `error` is the sentence that says why the document was not read; there is no scan then. `server` is the
    address of the server that keeps the scan.
    """

    document: Document
    scan: Scan | None = None
    findings: Sequence[Finding] = ()
    lines: Sequence[int | None] = ()
    error: str = ""
    server: str = ""


Handle = Callable[[Result | None], None]  # takes None for a document that was left out


async def scan_documents(documents: Sequence[Document], handle: Handle) -> None:
    """Scan the documents on this machine and pass their results to `handle` in the same order."""
    at_once, readers = min(MAX_READERS, os.cpu_count() or 1), DocumentReaders()
    async with scoring_pool(at_once) as pool:
        await scan_in_order(
            documents, at_once, lambda document: scan_document(document, readers, pool), handle
        )


async def scan_in_order(
    documents: Sequence[Document],
    at_once: int,
    scan: Callable[[Document], Awaitable[Result | None]],
    handle: Handle,
) -> None:
    """Scan the documents, a few at a time, and pass their results to `handle` in the same order.

    After an exception no other scan begins. It is raised once the results of those under way are handled.
    """
    slots = asyncio.Semaphore(at_once)
    failures: list[Exception] = []

    async def scan_in_turn(document: Document) -> Result | None:
        async with slots:
            if failures:
                raise failures[0]
            try:
                return await scan(document)
            except Exception as error:
                failures.append(error)
                raise

    tasks = [asyncio.create_task(scan_in_turn(document)) for document in documents]
    try:
        for task in tasks:
            await asyncio.wait([task])
            if task.exception() is None:
                handle(task.result())
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if failures:
        raise failures[0]


async def scan_document(document: Document, readers: DocumentReaders, pool: ScoringPool) -> Result:
    """Read and score a document."""
    # to the processes each document is a user: they take turns
    user = document.name
    try:
        data = document.read()
        reading = await readers.read(user, document.path.name if document.path else "-", data)
        analysis = await score_units(pool, user, reading.units, HELP_WITH_LANGUAGES)
    except ServiceError as error:
        return Result(document, error=error.detail)
    except TimeoutError:
        return Result(document, error="Searching the document for risks took too long.")
    except EOFError:
        return Result(document, error="The process that searches for risks was killed.")
    except OSError as error:
        return Result(document, error=describe_os_error(error))
    except Exception as error:  # the other documents are scanned all the same
        return Result(document, error=describe_unexpected(error))
    answers = [to_answer(finding, reading.units) for finding in analysis.findings]
    findings = [to_finding(number, answer) for number, answer in enumerate(answers, 1)]
    scan = make_scan(document, data, findings, limit_notes([*analysis.notes, *reading.notes]))
    # in a thread: a sentence that is not in the file as it was read is searched for through all of it
    lines = await asyncio.to_thread(list, find_lines(data, [one.context for one in findings]))
    return Result(document, scan, findings, lines)


def to_finding(number: int, answer: dict[str, Any]) -> Finding:
    """Return a finding of the analyser, in characters that every output can hold."""
    risk, category, context, place = (
        answer.get(name, "").encode("utf-8", "replace").decode()
        for name in ("risk", "category", "context", "place")
    )
    return Finding(number, risk, category, context, place or None, None, None)


def make_scan(document: Document, data: bytes, findings: Sequence[Finding], notes: list[str]) -> Scan:
    """Return the scan that exports read; its ID is made of the bytes, so that references stay the same."""
    now = datetime.datetime.now(datetime.UTC)
    return Scan(
        scan_id=str(uuid.UUID(bytes=hashlib.sha256(data).digest()[:16], version=4)),
        filename=document.name if document.path else None,
        data=msgspec.Raw(
            msgspec.json.encode([Risk(one.risk, one.category, one.context) for one in findings])
        ),
        source="model",
        risk_count=len(findings),
        created_at=now,
        timestamp=now,
        notes=notes,
        title=None,
        open_count=len(findings),
    )


def find_lines(data: bytes, sentences: Iterable[str]) -> Iterator[int | None]:
    """Yield the number of the line in which each sentence begins, None where the file is no such text."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = ""
    position = 0
    for sentence in sentences:
        words = WORD.findall(sentence)[:MAX_WORDS_SEARCHED]
        pattern = re.compile(GAP.join(map(re.escape, words)))
        # sentences are in the order of the document, but for those that are quoted from elsewhere
        found = (pattern.search(text, position) or pattern.search(text)) if words else None
        if found:
            position = found.start()
        yield text.count("\n", 0, found.start()) + 1 if found else None
