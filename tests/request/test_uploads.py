"""The digest of a document."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from riskscan.database import DATABASE
from riskscan.idempotency import fingerprint_document
from riskscan.request.uploads import Document
from tests.support.application import Server
from tests.support.client import Person


@pytest.mark.parametrize("size", [1, 3 * 64 * 1024 + 1])
async def test_file_digest_is_the_sha_256_of_its_bytes(alice: Person, server: Server, size: int) -> None:
    data = b"x" * size
    await alice.scan(file=("plan.txt", data), text="and a text")
    rows = await server.app[DATABASE].fetch_all("SELECT digest FROM scans", {})
    assert [row["digest"] for row in rows] == [hashlib.sha256(data).hexdigest()]


@pytest.mark.parametrize("text", ["ថវិកា is tight", 'a "quoted"\n\\ 😀' * 100_000])
async def test_text_digest_is_the_sha_256_of_its_utf_8_bytes(text: str) -> None:
    document = Document(text, None, force_llm=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    assert await document.compute_digest() == digest
    values = msgspec.json.encode((digest, None, text, True))
    assert await fingerprint_document(document) == hashlib.sha256(values).hexdigest()
    values = msgspec.json.encode((hashlib.sha256().hexdigest(), None, None, None))
    assert await fingerprint_document(Document(None, None, None)) == hashlib.sha256(values).hexdigest()
