"""What is known of a document before it is sent on."""

from __future__ import annotations

import hashlib
import tempfile

import pytest

from riskscan.documents import HASHED_AT_ONCE, Document, Upload, digest


@pytest.mark.parametrize("size", [1, HASHED_AT_ONCE, 3 * HASHED_AT_ONCE + 1])
async def test_the_digest_of_a_file_is_that_of_its_bytes_and_leaves_it_at_its_start(size: int) -> None:
    data = b"x" * size
    with tempfile.SpooledTemporaryFile(64 * 1024) as content:
        content.write(data)
        content.seek(0)
        document = Document("and a text", Upload("a.txt", "text/plain", content, size), None)
        assert await digest(document) == hashlib.sha256(data).hexdigest()
        assert content.read() == data


async def test_the_digest_of_a_text_is_that_of_its_bytes_in_utf_8() -> None:
    text = "ថវិកា is tight"
    assert await digest(Document(text, None, None)) == hashlib.sha256(text.encode()).hexdigest()
