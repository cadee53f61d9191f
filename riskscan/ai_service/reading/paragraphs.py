"""The text of a paragraph of an office document, from the pieces that its XML holds."""

from collections.abc import Iterable

from .blocks import Block
from .marks import BULLET, CLAUSE_NUMBER

# these characters cannot occur in XML
LINE_BREAK, PAGE_BREAK = "\v", "\f"
# pasted text that was wrapped has longer lines
SHORT_LINE_CHARS = 45
# the bullets and signs of the fonts Symbol and Wingdings, which Word stores from F000 on; and the soft hyphen
FONT_CHARACTERS = {
    0xAD: "",
    **dict.fromkeys((0xF0B7, 0xF0A7, 0xF0D8, 0xF06C, 0xF06E, 0xF076), "•"),
    **dict(zip((0xF0A8, 0xF0FC, 0xF0FE, 0xF0FB, 0xF0E0, 0xF0E8), "☐✓☑✗→→", strict=True)),
    **dict(zip((0xF0A3, 0xF0B3, 0xF0B0, 0xF0B1, 0xF0B4, 0xF0B9, 0xF0AE), "≤≥°±×≠→", strict=True)),
}


def split_lines(text: str) -> list[str]:
    """Return the lines of a paragraph; a break inside a sentence is a space."""
    if not text.isascii():
        text = text.translate(FONT_CHARACTERS)
    lines: list[list[str]] = []
    is_new = True
    for part in text.replace(PAGE_BREAK, LINE_BREAK * 2).split(LINE_BREAK):
        words = " ".join(part.split())
        if not words:
            is_new = True
            continue
        if is_new or not _continues(lines[-1][-1], words):
            lines.append([])
        lines[-1].append(words)
        is_new = False
    return [" ".join(parts) for parts in lines]


def _continues(before: str, line: str) -> bool:
    """Return whether a line continues the line before it; short ones with a capital are a list."""
    if BULLET.match(line) or CLAUSE_NUMBER.match(line):
        return False
    return len(before) >= SHORT_LINE_CHARS or line[0].islower() or before.endswith((",", "-", "("))


def join_lines(text: str) -> str:
    """Return the text of a paragraph in one line."""
    return " ".join(split_lines(text))


def is_title(text: str) -> bool:
    """Return whether a text in the style of a heading is one; contracts set whole clauses in such styles."""
    return len(text) <= 120 and (len(text.split()) <= 6 or not text.rstrip().endswith((".", ";", "។")))


def join_cell(blocks: Iterable[Block], beside: list[Block]) -> str:
    """Return the text of a cell; tables, comments and notes in it are appended to `beside`."""
    lines = []
    for block in blocks:
        if block.kind in ("row", "comment", "footnote"):
            beside.append(block)
        else:
            lines.append(block.texts[0])
    return "\n".join(lines)
