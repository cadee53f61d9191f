"""Request bodies: JSON, URL-encoded forms and multipart forms, read alike."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import hashlib
import itertools
import re
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import IO, Any, NamedTuple

import msgspec
import multipart
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from ..concurrency import DECODING, UPLOAD_MEMORY, overloaded
from ..errors import (
    ApiError,
    Sentence,
    error_from_status,
    invalid_request,
    invalid_value,
    payload_too_large,
    text_too_large,
)
from ..schemas import (
    CreateApiToken,
    Credentials,
    DeleteScans,
    PasswordChange,
    PasswordConfirmation,
    PasswordGrant,
    Rename,
    ReviewFields,
    ScanText,
)
from ..settings import SETTINGS
from .fields import FieldErrors, Fields, mention_unknown, optional_text, read_flag
from .percent_encoding import unquote_plus
from .uploads import SIGNATURE_BYTES, SLICE, SPOOL_BYTES, Document, Upload, check_file_type, sanitize_filename

FORM_VALUES = web.RequestKey("FORM_VALUES", dict)  # to redisplay the form, without passwords
MAX_FORM_BYTES = 64 * 1024  # for a body without a document
MULTIPART_OVERHEAD = 64 * 1024  # for boundaries and part headers, on top of the limit
MAX_FIELDS = 100
BODIES = (
    CreateApiToken, Credentials, DeleteScans, PasswordChange, PasswordConfirmation, PasswordGrant, Rename,
    ReviewFields, ScanText,
)  # fmt: skip
# all others are skipped; those in quotes are in forms alone: of Scan, the import, a phone and the footer
FIELD_NAMES = frozenset(
    (
        "idempotency_key",
        "apply",
        "lines",
        "url",
        "language",
        "next",
        *(name for body in BODIES for name in body.__struct_fields__),
    )
)
MAX_VALUE_BYTES = 8 * 1024  # of a value in JSON that is not a text: a number, a flag, a list of scopes or IDs
NOT_A_TEXT, NOT_UNICODE = object(), "\ud800"
HALF_PAIR = secrets.token_hex().encode()  # in the place of half a surrogate pair; nobody can send it
# in JSON: halves of surrogate pairs and, as group 1, what only looks like them
SURROGATES = re.compile(
    rb"(\\\\|\\u[Dd][89ABab]..\\u[Dd][C-Fc-f]..)|\\u[Dd][89A-Fa-f][0-9A-Fa-f]{2}", re.DOTALL
)
# the allowed encodings; some of Python's codecs take minutes per megabyte
CHARSETS = frozenset(
    ("utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin-1", "windows-1252", "utf-16")
)
EMPTY_FILE = "The file is empty."
BYTE_ORDER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
MEDIA_TYPE = re.compile(r"[\x20-\x7e]+")


class Limits(NamedTuple):
    """The maximum bytes of a multipart body, without its framing, and of a JSON or URL-encoded one.

    A part of more than `memory` bytes goes to a temporary file.
    """

    multipart: int
    other: int
    memory: int = SPOOL_BYTES

    def multipart_too_large(self) -> ApiError:
        return payload_too_large(self.multipart)

    def other_too_large(self) -> ApiError:
        return (text_too_large if self.other < self.multipart else payload_too_large)(self.other)


class Form(NamedTuple):
    """The fields of a body by name, and the uploaded file."""

    fields: Mapping[str, Any]
    upload: Upload | None = None


class Part:
    """A part of a multipart body as it arrives; `filename` is None unless it is an uploaded file."""

    def __init__(self, segment: multipart.MultipartSegment, memory: int) -> None:
        self.name = segment.name or ""
        # browsers send an empty filename for an empty file input
        self.filename = (segment.filename or None) if self.name == "file" else None
        self.is_text = self.filename is None and self.name in FIELD_NAMES
        self.content_type = media_type(segment)
        self.charset = segment.charset or "utf-8"
        self.content = tempfile.SpooledTemporaryFile(memory)  # noqa: SIM115  # closed by read_multipart
        self.memory = memory
        self.size = 0
        self.checked = self.filename is None
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes) -> None:
        self.size += len(data)
        if self.size > self.memory:
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
    """Return the fields of a body; a document in it is not kept. Raises as `read_form` does."""
    fields, upload = await read_form(request, Limits(max_bytes, max_bytes))
    if upload:
        upload.content.close()
    return fields


@contextlib.asynccontextmanager
async def read_document(
    request: web.Request, allocate: Callable[[int], None], *, shared: bool = False
) -> AsyncIterator[Document]:
    """Read the document to scan, a file, a text or both; its file is closed at the end of the block.

    The text that a phone shares is its title, text and address (`shared`).

    Calls `allocate` with the bytes that stay in memory: of texts, and of a JSON or URL-encoded body.
    Raises 400 `unsupported_file_type`, and as `read_form` does; 413 as soon as it is over MAX_UPLOAD_MB, or
    over MAX_TEXT_MB if it is JSON or URL-encoded.
    """
    settings = request.app[SETTINGS]
    with request.app[UPLOAD_MEMORY].reserve(request.content_length) as reserved:
        limits = Limits(settings.max_upload_bytes, settings.text_limit, max(reserved, SPOOL_BYTES))
        fields, upload = await read_form(request, limits, allocate)
        if shared and upload is None:
            fields = join_shared_text(request)
        try:
            document = to_document(fields, upload)
            del fields  # during the analysis, nothing but the document stays in memory
            yield document
        finally:
            if upload:
                upload.content.close()


def join_shared_text(request: web.Request) -> dict[str, str]:
    """Make one text of the title, the text and the address that a phone shares; it is redisplayed as well."""
    values = request.get(FORM_VALUES, {})
    parts = dict.fromkeys(values[name].strip() for name in ("title", "text", "url") if name in values)
    request[FORM_VALUES] = {"text": "\n".join(filter(None, parts))}
    return request[FORM_VALUES]


def to_document(fields: Mapping[str, Any], upload: Upload | None) -> Document:
    """Return the document in a form. Raises 400 `invalid_request` without a file or text."""
    with FieldErrors() as errors:
        text = errors.read(optional_text, fields, "text")
        errors.read(check_file, fields, upload)
        force_llm = errors.read(read_flag, fields, "force_llm")
    if not text.strip() and upload is None:
        detail = mention_unknown(Sentence("Provide a file or text to scan."), fields, "file")
        raise invalid_request(detail, text="Paste some text or add a file first.")
    form_key = fields.get("idempotency_key")
    return Document(
        text if text.strip() else None, upload, force_llm, form_key if isinstance(form_key, str) else ""
    )


def check_file(fields: Mapping[str, Any], upload: Upload | None) -> None:
    """Raise 400 `invalid_request` for an empty file, and for a field `file` that is no upload."""
    if fields.get("file") not in (None, ""):
        raise invalid_value("file", "Must be an uploaded file with a filename.")
    if upload and not upload.size:
        raise invalid_request(EMPTY_FILE, file=EMPTY_FILE)


async def read_form(
    request: web.Request, limits: Limits, allocate: Callable[[int], None] = lambda size: None
) -> Form:
    """Read a JSON, URL-encoded or multipart body; fields that no operation knows are skipped.

    Raises 400 `invalid_request`, 408 `request_timeout`, 413 `payload_too_large`, 415
    `unsupported_media_type`, and 503 `overloaded` if the disk of temporary files is full.
    """
    is_multipart = request.content_type == "multipart/form-data"
    max_bytes = limits.multipart + MULTIPART_OVERHEAD if is_multipart else limits.other
    too_large = limits.multipart_too_large if is_multipart else limits.other_too_large
    async with open_body(request, max_bytes, too_large) as chunks:
        if is_multipart:
            return await read_multipart(request, chunks, limits, allocate)
        body = await collect(chunks, allocate)
    if len(body) <= MAX_FORM_BYTES:
        return decode_form(request, body)
    async with request.app[DECODING]:
        return decode_form(request, body)


async def read_json_list(request: web.Request, max_bytes: int) -> list[dict[str, Any]]:
    """Read a JSON list of objects. Raises as `read_form` does."""
    async with open_body(request, max_bytes, lambda: payload_too_large(max_bytes)) as chunks:
        body = await collect(chunks, lambda size: None)
    if request.content_type != "application/json" and not request.content_type.endswith("+json"):
        raise invalid_request("Unsupported content type; use JSON.")
    try:
        return msgspec.json.decode(body.removeprefix(codecs.BOM_UTF8), type=list[dict[str, Any]])
    except msgspec.ValidationError:
        raise invalid_request("The body must be a JSON list of objects.") from None
    except (ValueError, RecursionError):  # msgspec's are ValueErrors
        raise invalid_request("The body is not valid JSON.") from None


@contextlib.asynccontextmanager
async def open_body(
    request: web.Request, max_bytes: int, too_large: Callable[[], ApiError]
) -> AsyncIterator[AsyncIterator[bytes]]:
    """Yield the chunks of a body, to be read within the time limit; raises as `read_form` does."""
    if request.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
        raise ApiError(415, "unsupported_media_type", "Compressed request bodies are not supported.")
    if (request.content_length or 0) > max_bytes:
        raise too_large()
    try:
        async with asyncio.timeout(request.app[SETTINGS].body_timeout_seconds):
            yield read_chunks(request, max_bytes, too_large)
    except TimeoutError:
        raise error_from_status(408) from None
    except (HttpProcessingError, web.RequestPayloadError, ConnectionError) as exc:
        raise invalid_request("The request body is incomplete or badly encoded.") from exc
    except OSError as exc:  # the disk of the temporary file is full
        raise overloaded() from exc


async def collect(chunks: AsyncIterator[bytes], allocate: Callable[[int], None]) -> bytearray:
    body = bytearray()
    async for chunk in chunks:
        allocate(len(chunk))
        body += chunk
    return body


def decode_form(request: web.Request, body: bytearray) -> Form:
    """Return the fields of a JSON or URL-encoded body. Raises 400 `invalid_request`."""
    if body.startswith(codecs.BOM_UTF8):  # which programs on Windows write
        del body[: len(codecs.BOM_UTF8)]
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


async def read_chunks(
    request: web.Request, max_bytes: int, too_large: Callable[[], ApiError]
) -> AsyncIterator[bytes]:
    """Yield the body as it arrives. Raises `too_large` as soon as it is over `max_bytes`."""
    size = 0
    while chunk := await request.content.readany():
        size += len(chunk)
        if size > max_bytes:
            raise too_large()
        yield chunk


class FieldName(str):
    """A key of a JSON object; a type that msgspec does not know, so that it asks for each."""

    __slots__ = ()


def read_json(body: bytes | bytearray) -> Fields:
    """Return the known fields of a JSON object (RFC 8259); the others are checked, but not built.

    Raises 400 `invalid_request`, also for a known key that is sent twice.
    """
    try:
        values = decode_object(body)
    except msgspec.ValidationError:
        raise invalid_request("The body must be a JSON object.") from None
    except (ValueError, RecursionError):  # msgspec's are ValueErrors
        raise invalid_request("The body is not valid JSON.") from None
    fields = Fields((str(name), decode_value(raw)) for name, raw in values.items() if name in FIELD_NAMES)
    fields.unknown = name_unknown(values.keys())
    return fields


def decode_object(body: bytes | bytearray) -> dict[FieldName, msgspec.Raw]:
    names: list[str] = []

    def add_name(_: type, name: str) -> FieldName:
        if name in FIELD_NAMES and name in names:
            raise invalid_value(name, "Must be given once.")
        if len(names) == MAX_FIELDS:
            raise invalid_request("The JSON object has too many fields.")
        names.append(name)
        return FieldName(name)

    try:
        return msgspec.json.decode(body, type=dict[FieldName, msgspec.Raw], dec_hook=add_name)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        # perhaps for half a surrogate pair, which only matters in a field that is read
        if len(body) > MAX_FORM_BYTES:
            raise
        marked = SURROGATES.sub(lambda match: match[1] or HALF_PAIR, body)
        if marked == body:
            raise
        return decode_object(marked)


def decode_value(raw: msgspec.Raw) -> Any:
    """Return a value; NOT_A_TEXT, which no field takes, instead of building anything long but a text."""
    if len(raw) <= MAX_FORM_BYTES and HALF_PAIR in bytes(raw):
        return NOT_UNICODE
    try:
        return msgspec.json.decode(raw, type=Any if len(raw) <= MAX_VALUE_BYTES else str)
    except msgspec.ValidationError:
        return NOT_A_TEXT
    except ValueError:
        return NOT_UNICODE


def read_urlencoded(body: bytes | bytearray) -> Fields:
    """Return the known fields of a URL-encoded form. Raises 400 `invalid_request`."""
    if body.count(b"&") >= MAX_FIELDS:
        raise invalid_request("The form has too many fields.")
    pairs, unknown = [], []
    try:
        for begin, end in find_pairs(body):
            equals = body.find(b"=", begin, end)
            name_end = end if equals < 0 else equals
            if (name := unquote_plus(body, begin, name_end)) in FIELD_NAMES:
                pairs.append((name, unquote_plus(body, name_end + 1, end)))
            else:
                unknown.append(name)
    except ValueError:
        raise invalid_request("The form is not valid UTF-8.") from None
    fields = group_by_name(pairs)
    fields.unknown = name_unknown(unknown)
    return fields


def find_pairs(body: bytes | bytearray) -> Iterator[tuple[int, int]]:
    """Yield where each pair of a URL-encoded form begins and ends; a copy of it may take megabytes."""
    begin = 0
    while begin <= len(body):
        end = body.find(b"&", begin)
        end = len(body) if end < 0 else end
        yield begin, end
        begin = end + 1


def group_by_name(pairs: list[tuple[str, str]]) -> Fields:
    """Return the fields by name; a repeated one is a list, which is refused if the field is read.

    Unknown fields may be repeated (RFC 6749, section 3.2).
    """
    fields = Fields()
    for name, value in pairs:
        fields[name] = [fields[name], value] if name in fields else value
    return fields


def name_unknown(names: Iterable[str]) -> tuple[str, ...]:
    """Return the first three names that no operation knows."""
    unknown = (printable_name(name) for name in names if name not in FIELD_NAMES)
    return tuple(itertools.islice(unknown, 3))


def printable_name(name: str) -> str:
    return sanitize_filename(name)[:40] or "field"


async def read_multipart(
    request: web.Request, chunks: AsyncIterator[bytes], limits: Limits, allocate: Callable[[int], None]
) -> Form:
    boundary = multipart.parse_options_header(request.headers["Content-Type"])[1].get("boundary", "")
    texts: list[tuple[str, str]] = []
    unknown: list[str] = []
    upload: Upload | None = None
    files: list[IO[bytes]] = []
    try:
        async for part in read_parts(chunks, boundary, limits, files, allocate):
            part.rewind()
            if part.is_text:
                texts.append((part.name, await decode_text(part)))
                store_form_values(request, dict(texts))
            elif part.filename is None:
                unknown.append(part.name)
            elif upload is None:
                digest = part.sha256.hexdigest()
                upload = Upload(
                    sanitize_filename(part.filename), part.content_type, part.content, part.size, digest
                )
            else:
                raise invalid_request("Send one file at a time.", file="Send one file at a time.")
    except BaseException as exc:
        for content in files:
            with contextlib.suppress(OSError):  # close() writes the buffer, and the disk may be full
                content.close()
        if isinstance(exc, multipart.MultipartError):
            raise invalid_request("The multipart body is malformed, or a name in it is not UTF-8.") from None
        raise
    for content in files:
        if upload is None or content is not upload.content:
            content.close()
    fields = group_by_name(texts)
    fields.unknown = name_unknown(unknown)
    return Form(fields, upload)


async def read_parts(
    chunks: AsyncIterator[bytes],
    boundary: str,
    limits: Limits,
    files: list[IO[bytes]],
    allocate: Callable[[int], None],
) -> AsyncIterator[Part]:
    """Yield each part when it is complete, and add the file that holds its content to `files`."""
    parser = multipart.PushMultipartParser(boundary, max_segment_count=MAX_FIELDS)
    part: Part | None = None
    size = 0
    async for chunk in chunks:
        for event in parser.parse(chunk):
            if isinstance(event, multipart.MultipartSegment):
                part = Part(event, limits.memory)
                files.append(part.content)
                continue
            assert part is not None  # the parser starts with a segment
            if event is None:
                yield part
                continue
            size += len(event)
            if size > limits.multipart:
                raise limits.multipart_too_large()
            if part.is_text:
                allocate(len(event))
            part.write(event)
    parser.close()


def media_type(segment: multipart.MultipartSegment) -> str:
    value: str = segment.header("Content-Type", "")
    return value if MEDIA_TYPE.fullmatch(value) else "application/octet-stream"


async def decode_text(part: Part) -> str:
    """Return the text of a part; between slices of a long one, others have their turn on the loop.

    Raises 400 `invalid_request` if it is not in its stated encoding, or that is not an allowed one.
    """
    charset = part.charset.lower()
    pieces: list[str] = []
    try:
        if charset not in CHARSETS:
            raise LookupError
        if charset == "utf-16" and part.content.read(2) not in BYTE_ORDER_MARKS:
            charset = "utf-16-le"  # without a mark, Python's incremental decoder refuses it
        part.content.seek(0)
        decoder = codecs.getincrementaldecoder(charset)()
        while data := part.content.read(SLICE):
            pieces.append(decoder.decode(data))
            if len(data) == SLICE:
                await asyncio.sleep(0)
        pieces.append(decoder.decode(b"", final=True))
        text = "".join(pieces)
    except (UnicodeDecodeError, LookupError):
        raise invalid_value(printable_name(part.name), "Must be text in its stated encoding.") from None
    if len(pieces) > 2:
        await asyncio.sleep(0)
    return text
