"""The multipart form of POST /scan."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from aiohttp import web
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from riskscan.ai_service.errors import ServiceError

FLAGS = {"": False, "true": True, "1": True, "yes": True, "on": True}
FLAGS |= dict.fromkeys(("false", "0", "no", "off"), False)
BODY_SECONDS = 60
# boundaries, part headers and the flag come on top of the document itself
OVERHEAD = 64 * 1024


class Memory:
    """Counts the bytes of uploads that are held at once, and refuses what there is no room for."""

    MOST = 256 * 1024 * 1024

    def __init__(self) -> None:
        self._held = 0

    @contextlib.contextmanager
    def hold(self) -> Iterator[Callable[[int], None]]:
        """Give a function that takes bytes or raises ServiceError 503; they are free again at the end."""
        mine = 0

        def take(size: int) -> None:
            nonlocal mine
            if self._held + size > self.MOST:
                raise ServiceError(
                    503, "overloaded", "Too many documents are being read; try again in a moment."
                )
            self._held += size
            mine += size

        try:
            yield take
        finally:
            self._held -= mine


@dataclass
class ScanForm:
    """What was sent: a document, a text, or both."""

    filename: str = ""
    file: bytearray = field(default_factory=bytearray)
    text: str = ""
    force_llm: bool = False


async def read_form(request: web.Request, max_bytes: int, take: Callable[[int], None]) -> ScanForm:
    """Read the form as it arrives, taking its bytes; raises ServiceError 400, 408, 413, 415, 422, 503."""
    content_type, options = parse_options_header(request.headers.get("Content-Type", ""))
    if content_type != "multipart/form-data" or not options.get("boundary"):
        raise ServiceError(
            415, "unsupported_media_type", "Send multipart/form-data with a file, a text, or both."
        )
    if (request.content_length or 0) > max_bytes + OVERHEAD:
        raise _too_large(max_bytes)
    try:
        async with asyncio.timeout(BODY_SECONDS):
            parts = await _parts(request, options["boundary"], max_bytes, take)
    except TimeoutError:
        raise ServiceError(
            408, "request_timeout", f"The upload took longer than {BODY_SECONDS} seconds."
        ) from None
    except MultipartError:
        raise ServiceError(400, "invalid_request", "The multipart form is damaged or cut short.") from None
    return _form(parts)


async def _parts(
    request: web.Request, boundary: str, max_bytes: int, take: Callable[[int], None]
) -> list[tuple[MultipartSegment, bytearray]]:
    parts: list[tuple[MultipartSegment, bytearray]] = []
    received = 0
    # the check of Content-Length against the body is aiohttp's
    with PushMultipartParser(boundary, max_segment_count=32) as parser:
        async for chunk in request.content.iter_any():
            received += len(chunk)
            take(len(chunk))
            if received > max_bytes + OVERHEAD:
                raise _too_large(max_bytes)
            for event in parser.parse(chunk):
                if isinstance(event, MultipartSegment):
                    parts.append((event, bytearray()))
                elif event is not None:
                    parts[-1][1].extend(event)
                    if len(parts[-1][1]) > max_bytes:
                        raise _too_large(max_bytes)
    return parts


def _form(parts: list[tuple[MultipartSegment, bytearray]]) -> ScanForm:
    form = ScanForm()
    for segment, body in parts:
        if segment.name == "file" and (segment.filename or body):
            form.filename = (segment.filename or "").replace("\0", "")  # it becomes a program's argument
            form.file = body
        elif segment.name == "text":
            form.text = body.decode("utf-8", "replace")
        elif segment.name == "force_llm":
            flag = body.decode("utf-8", "replace").strip().lower()
            if flag not in FLAGS:
                raise ServiceError(
                    422, "invalid_request", "force_llm takes true or false, 1 or 0, yes or no, on or off."
                )
            form.force_llm = FLAGS[flag]
    if not form.filename and not form.file and not form.text.strip():
        raise ServiceError(422, "invalid_request", "There is nothing to read: send a file, a text, or both.")
    return form


def _too_large(max_bytes: int) -> ServiceError:
    megabytes = max_bytes / 1024 / 1024
    return ServiceError(413, "payload_too_large", f"The document is larger than {megabytes:g} MB.")
