"""Documents: which files may be scanned, by name and by content, and the name that is kept."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath
from typing import IO, NamedTuple

from ..errors import ApiError
from ..file_types import EXTENSIONS, NEVER_TEXT, SIGNATURES

MAX_FILENAME = 255
SIGNATURE_BYTES = 1024
SPOOL_BYTES = 64 * 1024  # larger files go to a temporary file

# and what turns the direction of text, and so could make one name look like another
CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
SURROGATE = re.compile(r"[\ud800-\udfff]")


class Upload(NamedTuple):
    """A file that was sent: its kept name, its media type, and its bytes, with their number and SHA-256."""

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

    @property
    def digest(self) -> str:
        """Return the SHA-256 of what was sent, in hex: of the file's bytes, of a text alone in UTF-8."""
        return self.upload.digest if self.upload else hashlib.sha256((self.text or "").encode()).hexdigest()


def unsupported_file_type(detail: str) -> ApiError:
    return ApiError(400, "unsupported_file_type", detail, fields={"file": detail})


def sanitize_filename(name: str) -> str:
    """Return the last part of a client's path, without control characters, at most 255 characters.

    Where the name is longer, the stem is cut and the extension stays.
    """
    last = re.split(r"[/\\]", SURROGATE.sub("\ufffd", name))[-1]
    clean = CONTROL_CHARACTERS.sub("", last).strip()
    if len(clean) > MAX_FILENAME:
        suffix = extension_of(clean)
        clean = clean[: MAX_FILENAME - len(suffix)].rstrip() + suffix
    return clean


def extension_of(name: str) -> str:
    """Return the extension in lower case, where it is one that can be scanned; else an empty text."""
    # a name that is all extension (".txt") still says what it is
    suffix = PurePosixPath("_" + name.lower()).suffix
    return suffix if suffix in SIGNATURES else ""


def check_file_type(name: str, head: bytes) -> None:
    """Raise 400 `unsupported_file_type` unless the name is of a type that can be scanned and `head` fits it.

    `head` is the first 1,024 bytes of the file, or all of them.
    """
    extension = extension_of(name)
    if not extension:
        known = " ".join(EXTENSIONS)
        raise unsupported_file_type(f"Files of this type cannot be scanned. Send one of: {known}.")
    marks = SIGNATURES[extension]
    if extension == ".pdf":
        fits = marks[0] in head  # readers take a PDF whose header comes within the first 1,024 bytes
    elif marks:
        fits = head.startswith(marks)
    else:
        fits = not head.startswith(NEVER_TEXT)
    if not fits:
        raise unsupported_file_type(f"The content of this file is not what its name says ({extension}).")
