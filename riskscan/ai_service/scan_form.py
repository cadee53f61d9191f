"""The multipart form of POST /scan."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from aiohttp import web
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from .errors import ServiceError

FLAGS = {"": False, "true": True, "1": True, "yes": True, "on": True}
FLAGS |= dict.fromkeys(("false", "0", "no", "off"), False)
BODY_SECONDS = 60
# boundaries, part headers and the flag come on top of the document itself
OVERHEAD_BYTES = 64 * 1024


@dataclass
class ScanForm:
    """A document, a text, or both."""

    filename: str = ""
    file: bytearray = field(default_factory=bytearray)
    text: str = ""
    force_llm: bool = False


async def read_form(request: web.Request, max_bytes: int, allocate: Callable[[int], None]) -> ScanForm:
    """Read the form as it arrives, allocating its bytes; raises ServiceError 400, 408, 413, 415, 422, 503."""
    content_type, options = parse_options_header(request.headers.get("Content-Type", ""))
    if content_type != "multipart/form-data" or not options.get("boundary"):
        raise ServiceError(
            415, "unsupported_media_type", "Send multipart/form-data with a file, a text, or both."
        )
    if (request.content_length or 0) > max_bytes + OVERHEAD_BYTES:
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            chunks = _read_chunks(request, max_bytes, allocate)
            parts = await _read_parts(chunks, options["boundary"], max_bytes)
    except TimeoutError:
        raise ServiceError(
            408, "request_timeout", f"The upload took longer than {BODY_SECONDS} seconds."
        ) from None
    except MultipartError:
        raise ServiceError(400, "invalid_request", "The multipart form is damaged or incomplete.") from None
    return _to_form(parts)


async def _read_chunks(
    request: web.Request, max_bytes: int, allocate: Callable[[int], None]
) -> AsyncIterator[bytes]:
    received = 0
    async for chunk in request.content.iter_any():
        received += len(chunk)
        allocate(len(chunk))
        if received > max_bytes + OVERHEAD_BYTES:
            raise _too_large(max_bytes)
        yield chunk


async def _read_parts(
    chunks: AsyncIterator[bytes], boundary: str, max_bytes: int
) -> list[tuple[MultipartSegment, bytearray]]:
    parts: list[tuple[MultipartSegment, bytearray]] = []
    # aiohttp compares the length of the body with Content-Length
    with PushMultipartParser(boundary, max_segment_count=32) as parser:
        async for chunk in chunks:
            for event in parser.parse(chunk):
                if isinstance(event, MultipartSegment):
                    parts.append((event, bytearray()))
                elif event is not None:
                    _extend(parts[-1][1], event, max_bytes)
    return parts


def _extend(body: bytearray, data: bytes | bytearray, max_bytes: int) -> None:
    body.extend(data)
    if len(body) > max_bytes:
        raise _too_large(max_bytes)


def _to_form(parts: list[tuple[MultipartSegment, bytearray]]) -> ScanForm:
    form = ScanForm()
    for segment, body in parts:
        if segment.name == "file" and (segment.filename or body):
            form.filename = segment.filename or ""
            form.file = body
        elif segment.name == "text":
            form.text = body.decode("utf-8", "replace")
        elif segment.name == "force_llm":
            form.force_llm = _parse_flag(body.decode("utf-8", "replace"))
    if not form.filename and not form.file and not form.text.strip():
        raise ServiceError(422, "invalid_request", "Provide a file, a text, or both.")
    return form


def _parse_flag(text: str) -> bool:
    flag = FLAGS.get(text.strip().lower())
    if flag is None:
        raise ServiceError(
            422, "invalid_request", "force_llm must be true or false, 1 or 0, yes or no, on or off."
        )
    return flag


def too_many_documents() -> ServiceError:
    return ServiceError(503, "overloaded", "Too many documents are being read; try again in a moment.")


def _too_large(max_bytes: int) -> ServiceError:
    megabytes = max_bytes / 1024 / 1024
    return ServiceError(413, "payload_too_large", f"The document is larger than {megabytes:g} MB.")
