"""Request bodies: JSON, URL-encoded forms and multipart forms, read alike."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import tempfile
from collections.abc import AsyncIterator, Mapping
from typing import IO, Any, NamedTuple
from urllib.parse import parse_qsl

import multipart
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ..concurrency import overloaded
from ..errors import ApiError, error_from_status, invalid_request, payload_too_large
from ..settings import SETTINGS
from .fields import optional_text, read_flag
from .uploads import SIGNATURE_BYTES, SPOOL_BYTES, Document, Upload, check_file_type, sanitize_filename

FORM_VALUES = web.RequestKey("FORM_VALUES", dict)  # to redisplay the form, without passwords
MAX_FORM_BYTES = 64 * 1024  # for a body without a document
MULTIPART_OVERHEAD = 64 * 1024  # for boundaries and part headers, on top of the limit
MAX_PARTS = 100
# the allowed encodings; some of Python's codecs take minutes per megabyte
CHARSETS = frozenset(
    ("utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "windows-1252", "utf-16")
)
MEDIA_TYPE = re.compile(r"[\x20-\x7e]+")


class Form(NamedTuple):
    """The fields of a body by name, and the uploaded file."""

    fields: Mapping[str, Any]
    upload: Upload | None = None


class Part:
    """A part of a multipart body as it arrives; `filename` is None unless it is an uploaded file."""

    def __init__(self, segment: multipart.MultipartSegment) -> None:
        self.name = segment.name or ""
        # browsers send an empty filename for an empty file input
        self.filename = (segment.filename or None) if self.name == "file" else None
        self.content_type = media_type(segment)
        self.charset = segment.charset or "utf-8"
        self.content = tempfile.SpooledTemporaryFile(SPOOL_BYTES)  # noqa: SIM115  # closed by read_multipart
        self.size = 0
        self.checked = self.filename is None
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > SPOOL_BYTES:
            self.content.rollover()  # before the write, which would roll over after it and copy this too
        self.content.write(data)
        if self.filename is not None:
            self.sha256.update(data)
        if not self.checked and self.size >= SIGNATURE_BYTES:
            self.check()

    def check(self) -> None:
        """Raise 400 `unsupported_file_type` unless the file can be scanned."""
        self.content.seek(0)
        check_file_type(sanitize_filename(self.filename or ""), self.content.read(SIGNATURE_BYTES))
        self.content.seek(self.size)
        self.checked = True

    def rewind(self) -> None:
        """Prepare the complete content for reading. Raises as `check` does."""
        if not self.checked and self.size:
            self.check()
        self.content.seek(0)


async def read_fields(request: web.Request, max_bytes: int = MAX_FORM_BYTES) -> Mapping[str, Any]:
    """Return the fields of a body without a document. Raises as `read_form` does."""
    return (await read_form(request, max_bytes)).fields


@contextlib.asynccontextmanager
async def read_document(request: web.Request) -> AsyncIterator[Document]:
    """Read the document to scan, a file, a text or both; its file is closed at the end of the block.

    Raises 400 `unsupported_file_type`, and as `read_form` does; 413 as soon as it is over MAX_UPLOAD_MB.
    """
    form = await read_form(request, request.app[SETTINGS].max_upload_bytes)
    try:
        yield to_document(form)
    finally:
        if form.upload:
            form.upload.content.close()


def to_document(form: Form) -> Document:
    """Return the document in a form. Raises 400 `invalid_request` without a file or text."""
    text = optional_text(form.fields, "text")
    force_llm = read_flag(form.fields, "force_llm")
    if form.fields.get("file") not in (None, ""):
        raise invalid_request("Invalid value for file.", file="Must be an uploaded file with a filename.")
    upload = form.upload if form.upload and form.upload.size else None
    if not text.strip() and upload is None:
        raise invalid_request("Provide a file or text to scan.", text="Paste some text or add a file first.")
    form_key = form.fields.get("idempotency_key")
    return Document(
        text if text.strip() else None, upload, force_llm, form_key if isinstance(form_key, str) else ""
    )


async def read_form(request: web.Request, max_bytes: int) -> Form:
    """Read a JSON, URL-encoded or multipart body of at most `max_bytes`, multipart overhead not counted.

    Raises 400 `invalid_request`, 408 `request_timeout`, 413 `payload_too_large`, 415
    `unsupported_media_type`, and 503 `overloaded` if the disk of temporary files is full.
    """
    if request.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
        raise ApiError(415, "unsupported_media_type", "Compressed request bodies are not supported.")
    if (request.content_length or 0) > max_bytes + MULTIPART_OVERHEAD:
        raise payload_too_large(max_bytes)
    try:
        async with asyncio.timeout(request.app[SETTINGS].body_timeout_seconds):
            if request.content_type == "multipart/form-data":
                return await read_multipart(request, max_bytes)
            body = b"".join([chunk async for chunk in read_chunks(request, max_bytes)])
    except TimeoutError:
        raise error_from_status(408) from None
    except (HttpProcessingError, web.RequestPayloadError, ConnectionError) as exc:
        raise invalid_request("The request body is incomplete or badly encoded.") from exc
    except OSError as exc:  # the disk of the temporary file is full
        raise overloaded() from exc
    if not body:
        return Form({})
    if request.content_type == "application/json" or request.content_type.endswith("+json"):
        return Form(read_json(body))
    if request.content_type == "application/x-www-form-urlencoded":
        fields = read_urlencoded(body)
        store_form_values(request, fields)
        return Form(fields)
    raise invalid_request("Unsupported content type; use multipart/form-data, a URL-encoded form or JSON.")


def store_form_values(request: web.Request, fields: Mapping[str, Any]) -> None:
    """Store the text fields for redisplaying the form, but no passwords."""
    request[FORM_VALUES] = {
        name: value for name, value in fields.items() if isinstance(value, str) and "password" not in name
    }


async def read_chunks(request: web.Request, max_bytes: int) -> AsyncIterator[bytes]:
    """Yield the body as it arrives. Raises 413 as soon as it is over `max_bytes`."""
    size = 0
    while chunk := await request.content.readany():
        size += len(chunk)
        if size > max_bytes:
            raise payload_too_large(max_bytes)
        yield chunk


def read_json(body: bytes) -> dict[str, Any]:
    """Return a JSON object; NaN and Infinity are not JSON (RFC 8259, section 6)."""
    try:
        value = json.loads(body.decode(), parse_constant=reject_constant)
    except (ValueError, RecursionError):
        raise invalid_request("The body is not valid JSON.") from None
    if not isinstance(value, dict):
        raise invalid_request("The body must be a JSON object.")
    return value


def reject_constant(constant: str) -> Any:
    raise ValueError(constant)


def read_urlencoded(body: bytes) -> dict[str, Any]:
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_PARTS,
            strict_parsing=False,
        )
    except ValueError:
        raise invalid_request("The form is not valid UTF-8 or has too many fields.") from None
    return group_by_name(pairs)


def group_by_name(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Return the fields by name; a repeated one is a list, which is refused if the field is read.

    Unknown fields may be repeated (RFC 6749, section 3.2).
    """
    fields: dict[str, Any] = {}
    for name, value in pairs:
        fields[name] = [fields[name], value] if name in fields else value
    return fields


def printable_name(name: str) -> str:
    return sanitize_filename(name)[:40] or "field"


async def read_multipart(request: web.Request, max_bytes: int) -> Form:
    boundary = multipart.parse_options_header(request.headers["Content-Type"])[1].get("boundary", "")
    texts: list[tuple[str, str]] = []
    upload: Upload | None = None
    opened: list[IO[bytes]] = []
    try:
        async for part in read_parts(request, boundary, max_bytes, opened):
            part.rewind()
            if part.filename is None:
                texts.append((part.name, decode_text(part)))
                store_form_values(request, dict(texts))
            elif upload is None:
                digest = part.sha256.hexdigest()
                upload = Upload(
                    sanitize_filename(part.filename), part.content_type, part.content, part.size, digest
                )
            else:
                raise invalid_request("Send one file at a time.", file="Send one file at a time.")
        form = Form(group_by_name(texts), upload)
    except BaseException as exc:
        for content in opened:
            with contextlib.suppress(OSError):  # close() writes the buffer, and the disk may be full
                content.close()
        if isinstance(exc, multipart.MultipartError):
            raise invalid_request("The multipart body is malformed, or a name in it is not UTF-8.") from None
        raise
    for content in opened:
        if upload is None or content is not upload.content:
            content.close()
    return form


async def read_parts(
    request: web.Request, boundary: str, max_bytes: int, opened: list[IO[bytes]]
) -> AsyncIterator[Part]:
    """Yield each part when it is complete, and add the file that holds its content to `opened`."""
    parser = multipart.PushMultipartParser(boundary, max_segment_count=MAX_PARTS)
    part: Part | None = None
    size = 0
    async for chunk in read_chunks(request, max_bytes + MULTIPART_OVERHEAD):
        for event in parser.parse(chunk):
            if isinstance(event, multipart.MultipartSegment):
                part = Part(event)
                opened.append(part.content)
                continue
            assert part is not None  # the parser starts with a segment
            if event is None:
                yield part
                continue
            size += len(event)
            if size > max_bytes:
                raise payload_too_large(max_bytes)
            part.write(event)
    parser.close()


def media_type(segment: multipart.MultipartSegment) -> str:
    value: str = segment.header("Content-Type", "")
    return value if MEDIA_TYPE.fullmatch(value) else "application/octet-stream"


def decode_text(part: Part) -> str:
    try:
        if part.charset.lower() not in CHARSETS:
            raise LookupError
        return part.content.read().decode(part.charset)
    except (UnicodeDecodeError, LookupError):
        name = printable_name(part.name)
        raise invalid_request(
            f"Invalid value for {name}.", **{name: "Must be text in its stated encoding."}
        ) from None
