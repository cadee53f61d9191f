"""Uploaded documents: checks of their type, by name and content, and sanitizing of file names."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import PurePosixPath
from typing import IO, NamedTuple

from ..errors import ApiError, Sentence
from ..file_types import NEVER_TEXT, SIGNATURES, TYPES_BESIDE_IMAGES
from ..schemas import CONTROL

MAX_FILENAME = 255
SIGNATURE_BYTES = 1024
SPOOL_BYTES = 64 * 1024  # larger files go to a temporary file
SLICE = 256 * 1024  # bytes or characters of a text that one step on the loop handles, in 1 ms

CONTROL_CHARACTERS = re.compile(f"[{CONTROL}]")
SURROGATE = re.compile(r"[\ud800-\udfff]")
# shown to users; images are summed up as “an image”
SUPPORTED = ", ".join(extension[1:].upper() for kind in TYPES_BESIDE_IMAGES for extension in kind.extensions)
UNSUPPORTED = Sentence("This file type isn't supported. Use %(types)s or an image.", types=SUPPORTED)


class Upload(NamedTuple):
    """An uploaded file: its sanitized name, its media type, its content with the size and SHA-256."""

    filename: str
    content_type: str
    content: IO[bytes]
    size: int
    digest: str


class Document(NamedTuple):
    """A text, a file or both to scan; `force_llm` is None if it was not sent.

    `form_key` is the Idempotency-Key in the form of the Scan page.
    """

    text: str | None
    upload: Upload | None
    force_llm: bool | None
    form_key: str = ""

    async def compute_digest(self) -> str:
        """Return the SHA-256 in hex of the file or, without one, of the text in UTF-8."""
        if self.upload:
            return self.upload.digest
        digest = hashlib.sha256()
        async for piece in slices(self.text or ""):
            digest.update(piece.encode())
        return digest.hexdigest()

    async def compute_size(self) -> int:
        """Return the bytes of the file and of the text in UTF-8."""
        size = self.upload.size if self.upload else 0
        async for piece in slices(self.text or ""):
            size += len(piece.encode())
        return size


async def slices(text: str) -> AsyncIterator[str]:
    """Yield a text in slices; between two of them, others have their turn on the event loop."""
    for begin in range(0, len(text), SLICE):
        if begin:
            await asyncio.sleep(0)
        yield text[begin : begin + SLICE]


def unsupported_file_type(detail: str) -> ApiError:
    return ApiError(400, "unsupported_file_type", detail, fields={"file": detail})


def sanitize_filename(name: str) -> str:
    """Return the last part of a path, without control characters, with at most 255 characters."""
    last = re.split(r"[/\\]", SURROGATE.sub("\ufffd", name))[-1]
    clean = CONTROL_CHARACTERS.sub("", last).strip()
    if len(clean) > MAX_FILENAME:
        suffix = extension_of(clean)
        clean = clean[: MAX_FILENAME - len(suffix)].rstrip() + suffix
    return clean


def extension_of(name: str) -> str:
    """Return the extension in lower case, empty if such files can't be scanned."""
    # the underscore makes ".txt" a name with an extension
    suffix = PurePosixPath("_" + name.lower()).suffix
    return suffix if suffix in SIGNATURES else ""


def check_file_type(name: str, head: bytes) -> None:
    """Raise 400 `unsupported_file_type` unless the extension is supported and the content fits it.

    `head` is the first 1,024 bytes of the file, or all of it.
    """
    extension = extension_of(name)
    if not extension:
        raise unsupported_file_type(UNSUPPORTED)
    signatures = SIGNATURES[extension]
    if extension == ".pdf":
        valid = signatures[0] in head  # as PDF readers do, which accept other bytes before the header
    elif signatures:
        valid = head.startswith(signatures)
    else:
        valid = not head.startswith(NEVER_TEXT)
    if not valid:
        raise unsupported_file_type(Sentence("This isn't a valid %(type)s file.", type=extension[1:].upper()))
