"""Emails (.eml): subject, text, and attachments of known types."""

import mimetypes
import re
import time
from collections.abc import Iterator
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.policy import Compat32

from ...file_types import EXTENSIONS
from ..errors import ServiceError
from . import documents, html, text
from .blocks import Block
from .encodings import BYTE_ORDER_MARKS, decode

MAX_DEPTH = 5
MAX_PARTS = 200
MAX_HEADER_CHARS = 20_000
# attachments that are scans take long; what is left then is named in a note
ATTACHMENT_SECONDS = 25
ENCRYPTED = ("multipart/encrypted", "application/pkcs7-mime", "application/x-pkcs7-mime")
# such as "Your program doesn't show HTML"
MIN_PLAIN_SHARE = 0.2


def read_blocks(data: bytes, notes: list[str], started: float) -> Iterator[Block]:
    """Read the subject as a heading, the text with the emails that it quotes, and the attachments.

    `started` is when the time for attachments and for OCR in them began, by time.monotonic().
    """
    yield from _Reader(notes, started).read(_parse(data), 0)


class _Policy(Compat32):
    """Cuts long headers, which the library takes very long to parse; so do its newer policies any header."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:MAX_HEADER_CHARS]


def _parse(data: bytes) -> Message:
    if any(data.startswith(mark) for mark, _ in BYTE_ORDER_MARKS):
        # editors write it when people save a message as text
        data = decode(data).encode("utf-8", "replace")
    return message_from_bytes(data.lstrip(), policy=_Policy())


class _Reader:
    """Reads a message and those attached to it; counts its parts and keeps the time."""

    def __init__(self, notes: list[str], started: float) -> None:
        self.notes = notes
        self.parts = 0
        self.started = started

    def read(self, message: Message, depth: int) -> Iterator[Block]:
        subject = text.REPLY.sub("", _header(message, "subject"), count=1).strip()
        if subject:
            yield Block("heading", [subject], 1)
        bodies, attachments = _collect_parts(message)
        for body in bodies:
            yield from _read_body(body)
        skipped = []
        for number, part in enumerate(attachments, 1):
            self.parts += 1
            name = _attachment_name(part, number)
            if depth >= MAX_DEPTH or self.parts > MAX_PARTS or self._is_late():
                skipped.append(name)
            elif part.get_content_type() == "message/rfc822":
                yield from self._read_attached_message(part, name, depth)
            elif name.lower().endswith(EXTENSIONS):
                yield from self._read_attachment(part, name, depth)
            else:
                skipped.append(name)
        if skipped:
            names = ", ".join(f"“{name}”" for name in skipped)
            self.notes.append(f"Attachments that were not read: {names}.")

    def _is_late(self) -> bool:
        return time.monotonic() > self.started + ATTACHMENT_SECONDS

    def _read_attached_message(self, part: Message, name: str, depth: int) -> Iterator[Block]:
        payload = part.get_payload()
        for inner in payload if isinstance(payload, list) else ():
            if isinstance(inner, Message):
                yield from _in_attachment(self.read(inner, depth + 1), name)

    def _read_attachment(self, part: Message, name: str, depth: int) -> Iterator[Block]:
        data = _content(part)
        if not data:
            return
        if name.lower().endswith(".eml"):
            yield from _in_attachment(self.read(_parse(data), depth + 1), name)
            return
        yield Block("heading", [name], 1)
        notes: list[str] = []
        try:
            yield from _in_attachment(documents.read_blocks(name, data, notes, self.started), name)
        except ServiceError as error:
            notes.append(f"The attachment was not read. {error.detail}")
        self.notes += [f"“{name}”: {note}" for note in notes]


def _in_attachment(blocks: Iterator[Block], name: str) -> Iterator[Block]:
    for block in blocks:
        part = ", ".join(filter(None, [f"Attachment {name.removeprefix('attachment ')}", block.place.part]))
        yield block._replace(place=block.place._replace(part=part))


def _collect_parts(message: Message) -> tuple[list[list[Message]], list[Message]]:
    """Return the bodies in order, each with its alternatives, and the attachments."""
    bodies: list[list[Message]] = []
    attachments: list[Message] = []
    open_parts = [message]
    while open_parts and len(bodies) + len(attachments) < MAX_PARTS:
        part = open_parts.pop()
        kind = part.get_content_type()
        payload = part.get_payload()
        if kind in ENCRYPTED or (kind == "message/rfc822" and part is not message):
            attachments.append(part)
        elif kind == "multipart/alternative" and isinstance(payload, list):
            texts = [leaf for leaf in _leaves(part) if _is_text(leaf)]
            bodies.append(texts)
            attachments += [leaf for leaf in _leaves(part) if not _is_text(leaf) and _is_attachment(leaf)]
        elif part.is_multipart() and isinstance(payload, list):
            open_parts += [inner for inner in reversed(payload) if isinstance(inner, Message)]
        elif _is_text(part):
            bodies.append([part])
        elif _is_attachment(part):
            attachments.append(part)
    return bodies, attachments


def _leaves(message: Message) -> Iterator[Message]:
    open_parts = [message]
    while open_parts:
        part = open_parts.pop()
        payload = part.get_payload()
        if part.is_multipart() and isinstance(payload, list) and part.get_content_type() != "message/rfc822":
            open_parts += [inner for inner in reversed(payload) if isinstance(inner, Message)]
        else:
            yield part


def _is_text(part: Message) -> bool:
    return (
        part.get_content_type() in ("text/plain", "text/html")
        and part.get_content_disposition() != "attachment"
    )


def _is_attachment(part: Message) -> bool:
    """Return whether a part is a document by itself, and no picture or signature of the message."""
    kind = part.get_content_type()
    if kind in ("application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"):
        return False
    is_picture = part.get_content_maintype() == "image" and (
        part.get_content_disposition() != "attachment" or "content-id" in part
    )
    return not is_picture


def _read_body(alternatives: list[Message]) -> Iterator[Block]:
    """Read the plain text, or the HTML where there is none or where it only says that there is HTML."""
    plain = "\n\n".join(
        _decode_text(part) for part in alternatives if part.get_content_type() == "text/plain"
    )
    page = "\n".join(_decode_text(part) for part in alternatives if part.get_content_type() == "text/html")
    blocks = list(html.parse(page)) if page.strip() else []
    if blocks and len(plain) < MIN_PLAIN_SHARE * sum(len(line) for block in blocks for line in block.texts):
        for block in blocks:
            yield from _remove_headers(block)
    else:
        yield from text.parse(plain)


def _remove_headers(block: Block) -> Iterator[Block]:
    if block.kind == "text":
        yield block._replace(texts=[text.remove_mail_headers(block.texts[0])])
    elif block.kind != "paragraph" or not (
        text.ATTRIBUTION.match(block.texts[0]) or text.SENT_FROM.match(block.texts[0])
    ):
        yield block


def _decode_text(part: Message) -> str:
    """Decode the text of a part by its charset, or as UTF-8 where it is that in spite of its charset."""
    data = _content(part)
    charset = part.get_content_charset() or ""
    try:
        return data.decode("utf-8" if not data.isascii() else charset or "utf-8")
    except (UnicodeDecodeError, LookupError):
        pass
    if part.get_content_type() == "text/html":
        return html.decode_page(data)
    try:
        return data.decode(charset) if charset not in ("", "utf-8", "us-ascii") else decode(data)
    except (UnicodeDecodeError, LookupError):
        return decode(data)


def _content(part: Message) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def _header(message: Message, name: str) -> str:
    """Return a header, "" if it is missing."""
    raw = next((value for key, value in message.raw_items() if key.lower() == name), "")
    return _decode_words(raw.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))


def _decode_words(raw: str) -> str:
    """Decode the encoded words of a header; those that are damaged stay as they are."""
    try:
        return " ".join(str(make_header(decode_header(raw))).split())
    except (MessageError, ValueError, LookupError):
        return " ".join(raw.split())


def _attachment_name(part: Message, number: int) -> str:
    try:
        name = part.get_filename()
    except (MessageError, ValueError, LookupError, AttributeError, TypeError):
        name = None
    if name and name.strip():
        return re.split(r"[/\\]", _decode_words(name))[-1][:100]
    if part.get_content_type() == "message/rfc822":
        return f"message {number}"
    return f"attachment {number}{mimetypes.guess_extension(part.get_content_type()) or ''}"
