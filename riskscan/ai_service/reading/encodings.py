"""Text in any common encoding."""

from ..errors import UnreadableDocument

BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# the characters beyond ASCII that Western European text uses
WESTERN = frozenset(
    "ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜßàáâãäåæçèéêëìíîïñòóôõöøùúûüŒœŠšŽžÿ‘’“”„«»–—•…€£§°©®™²³½·\xa0"
)


def decode(data: bytes) -> str:
    """Decode text in any common encoding; raises UnreadableDocument for binary data."""
    for mark, encoding in BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _remove_nulls(data.decode(encoding, "replace"))
    head = data[:4096]
    if b"\0" in head:
        # UTF-16 without a byte order mark has most of its zero bytes at odd or at even positions
        even, odd = head[::2].count(0), head[1::2].count(0)
        if max(even, odd) < len(head) // 8 or min(even, odd) > max(even, odd) // 4:
            raise UnreadableDocument("The file is not text.")
        return _remove_nulls(data.decode("utf-16-le" if odd > even else "utf-16-be", "replace"))
    text = data.decode("utf-8", "replace")
    broken = text.count("\ufffd")
    # a few invalid bytes among many valid characters are damage, not another encoding
    if broken and sum(character > "\x7f" for character in text) < 5 * broken:
        text = _decode_8_bit(data)
    return _remove_nulls(text)


def _decode_8_bit(data: bytes) -> str:
    """Decode Windows-1252 if all characters fit, else the encoding that charset-normalizer finds."""
    western = data.decode("cp1252", "replace")
    if all(character in WESTERN for character in set(western) if character > "\x7f"):
        return western
    from charset_normalizer import from_bytes

    best = from_bytes(data[:65536]).best()
    return data.decode(best.encoding, "replace") if best else western


def _remove_nulls(text: str) -> str:
    """Return the text without NUL; raises UnreadableDocument where control characters are frequent."""
    controls = sum(text[:4096].count(chr(code)) for code in (*range(9), *range(14, 32)))
    if controls * 50 > len(text[:4096]):
        raise UnreadableDocument("The file is not text.")
    return text.replace("\0", "")
