"""A document of any type into blocks, by the module of this package that reads its type."""

import io
import time
import zlib
from collections.abc import Iterator
from importlib import import_module

from ...file_types import FILE_TYPES, NEVER_TEXT, PDF, TEXT, WORD, FileType
from ..errors import UnreadableDocument
from .blocks import Block, limit_size

# some programs write a line or two before the header of a PDF
PDF_HEADER_BYTES = 1024
# what parsers raise for damaged files
PARSER_ERRORS = (
    ValueError, LookupError, OSError, EOFError, AttributeError, TypeError, SyntaxError, zlib.error,
)  # fmt: skip
# those that may need OCR have the time for it in common
OCR_READERS = ("pdf", "image", "mail")
ZIP = (b"PK\3\4", b"PK\5\6")
# the container of .doc, .xls and .ppt, and of encrypted .docx
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def read_blocks(
    filename: str, data: bytes, notes: list[str], started: float | None = None
) -> Iterator[Block]:
    """Read a document by its content and name, or without a name as UTF-8; raises UnreadableDocument.

    Sentences for people about what was not read, and why, are appended to `notes`. `started`, by
    time.monotonic(), is when the reading of the email began to which the document is attached.
    """
    try:
        yield from limit_size(_read(filename, data, notes, time.monotonic() if started is None else started))
    except MemoryError:
        raise UnreadableDocument("The document needs too much memory to be read.") from None
    except RecursionError:
        raise UnreadableDocument("The document is nested too deeply to be read.") from None
    except PARSER_ERRORS:
        raise UnreadableDocument("The document is damaged and could not be read.") from None


def _read(filename: str, data: bytes, notes: list[str], started: float) -> Iterator[Block]:
    if not filename:
        from . import text

        return text.parse(data.decode("utf-8", "replace"))
    if not data:
        raise UnreadableDocument("The file is empty.")
    # imported when it is needed: the modules for all types would take longer than to read a page
    name = detect_type(filename, data).reader
    reader = import_module(f".{name}", __package__)
    blocks: Iterator[Block] = (
        reader.read_blocks(data, notes, started) if name in OCR_READERS else reader.read_blocks(data, notes)
    )
    return blocks


def detect_type(filename: str, data: bytes) -> FileType:
    """Return the type by the signature of the content, else by the name; raises UnreadableDocument."""
    name = filename.lower()
    named = next((known for known in FILE_TYPES if name.endswith(known.extensions)), TEXT)
    head = data[:PDF_HEADER_BYTES]
    if head.lstrip().startswith(PDF.signatures) or (named is PDF and PDF.signatures[0] in head):
        return PDF
    if data.startswith(ZIP):
        return _detect_package(data, named)
    if data.startswith(OLE):
        raise _refuse_ole(data)
    # content of another type than the name's counts unless it may be text
    for known in (named, *FILE_TYPES):
        is_certain = known.reader == named.reader or data.startswith(NEVER_TEXT)
        if is_certain and data.startswith(known.signatures):
            return known
    if named.signatures:
        raise UnreadableDocument(f"The file is damaged, or is no {named.name} file.")
    return named


def _detect_package(data: bytes, named: FileType) -> FileType:
    """Return the type of a ZIP archive by what is inside."""
    import zipfile  # 5 ms

    from .package import Package

    if not zipfile.is_zipfile(io.BytesIO(data)):
        # cut off: its reader says so
        return named if named.content_types else WORD
    package = Package(data)
    media_type = package.media_type()
    for known in FILE_TYPES:
        if media_type in known.content_types:
            return known
    if any(part.endswith((".iwa", "index.apxl")) for part in package):
        raise UnreadableDocument(
            "Pages, Numbers and Keynote files aren't supported; export the document as Word or PDF."
        )
    names = " or ".join(known.name for known in FILE_TYPES if known.content_types)
    raise UnreadableDocument(
        f"The file is a ZIP archive, but not a document of {names}; unpack it and send the documents in it, "
        "or save the document as PDF."
    )


def _refuse_ole(data: bytes) -> UnreadableDocument:
    if "EncryptedPackage".encode("utf-16-le") in data:
        return UnreadableDocument(
            "The document is protected by a password; save it without one and try again."
        )
    return UnreadableDocument(
        "Files of old Office versions (.doc, .xls, .ppt) and Outlook messages (.msg) aren't supported; "
        "save the document as .docx, .xlsx, .pptx or PDF, a message as .eml."
    )
