"""Rich Text Format (.rtf)."""

import re
from collections.abc import Iterator

from striprtf.striprtf import font_table_group, rtf_to_text

from ..errors import UnreadableDocument
from .blocks import Block

# the library's time grows with the square of the table of fonts
MAX_FONT_TABLE_CHARS = 60_000
PICTURE = re.compile(r"[0-9a-fA-F\s]{1000,}")
HIDDEN = re.compile(r"\{[^{}]*\\(?:v|deleted)(?![a-zA-Z0-9])[^{}]*\}")
ROW_OR_BREAK = re.compile(r"\\(trowd|row|line|par)(?![a-zA-Z])")
BRACE = re.compile(r"\\[{}]|[{}]")
FOOTNOTE = "{\\footnote"


def read_blocks(data: bytes, notes: list[str]) -> Iterator[Block]:
    """Read the paragraphs as running text, and the footnotes below; hidden and deleted text is left out."""
    source = PICTURE.sub("", data.decode("cp1252", "replace"))
    if len(font_table_group(source)) > MAX_FONT_TABLE_CHARS:
        raise UnreadableDocument("The document names too many fonts to be read.")
    # without this the library adds the targets of links, in quadratic time
    source = HIDDEN.sub("", source).replace("{\\field{", "{\\field {")
    text = rtf_to_text(_join_cell_lines(_move_footnotes(source)), errors="replace")
    # characters beyond U+FFFF stand in two halves
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    lines = (line.strip().removesuffix("|") if line.count("|") == 1 else line for line in text.splitlines())
    yield Block("text", ["\n\n".join(lines)])


def _join_cell_lines(source: str) -> str:
    """Remove the line breaks inside rows, which the library writes as lines with a bar after each cell."""
    in_row = False

    def replace(word: re.Match[str]) -> str:
        nonlocal in_row
        if word[1] in ("trowd", "row"):
            in_row = word[1] == "trowd"
        elif in_row:
            return "\\~"
        return word.group()

    return ROW_OR_BREAK.sub(replace, source)


def _move_footnotes(source: str) -> str:
    """Move the footnotes to the end, because the library leaves them out."""
    pieces = []
    footnotes = []
    start = 0
    while (opening := source.find(FOOTNOTE, start)) >= 0:
        depth = 0
        end = len(source)
        for brace in BRACE.finditer(source, opening):
            depth += {"{": 1, "}": -1}.get(brace.group(), 0)
            if not depth:
                end = brace.end()
                break
        pieces.append(source[start:opening])
        footnotes.append("\\par {" + source[opening + len(FOOTNOTE) : end])
        start = end
    rest = source[start:].rstrip().removesuffix("}")
    return "".join([*pieces, rest, *footnotes, "\\par}"]) if footnotes else source
