"""The percent-encoding of URL-encoded forms (WHATWG URL, section 5.1), decoded without a step per escape."""

from __future__ import annotations

import binascii

PERCENT, EQUALS = b"%="
NO_UTF_8 = b"\xff"  # a byte that is never in UTF-8
PLUS_AND_EQUALS = bytes.maketrans(b"+=", b" " + NO_UTF_8)
# for bytes.translate: hexadecimal digits become 1, % stays, all else becomes 0
KINDS = bytes(byte if byte == PERCENT else byte in b"0123456789ABCDEFabcdef" for byte in range(256))
# = becomes what turns a % into it, all else becomes 0
FLIPS = bytes(PERCENT ^ EQUALS if byte == EQUALS else 0 for byte in range(256))
SLICE = 64 * 1024  # bytes that are decoded at once, which takes six times their memory


def unquote_plus(quoted: bytes | bytearray, begin: int = 0, end: int | None = None) -> str:
    """Decode a name or a value; a malformed escape stays as it is. Raises ValueError unless it is UTF-8.

    urllib's `unquote_plus` has the same result, but takes 120 ms per MB of escapes instead of 8.
    """
    unquoted, end = bytearray(), len(quoted) if end is None else end
    while begin < end:
        cut = min(begin + SLICE, end)
        if cut < end and b"%" in quoted[cut - 2 : cut]:
            cut = quoted.rindex(b"%", begin, cut)  # do not cut an escape
        unquoted += unquote_slice(quoted[begin:cut])
        begin = cut
    return unquoted.decode()


def unquote_slice(quoted: bytes | bytearray) -> bytes:
    # quoted-printable has a decoder in C, and escapes like =41: hide each = that is meant, ...
    hidden = quoted.translate(PLUS_AND_EQUALS)
    # ... and flip each % that starts an escape into =, by XOR with a mask of the same length
    mask = hidden.translate(KINDS).replace(b"%\1\1", b"=\1\1").translate(FLIPS)
    flipped = int.from_bytes(hidden) ^ int.from_bytes(mask)
    unquoted = binascii.a2b_qp(flipped.to_bytes(len(hidden)))
    if unquoted.count(NO_UTF_8) != quoted.count(b"="):
        raise ValueError("not UTF-8")
    return unquoted.replace(NO_UTF_8, b"=")
