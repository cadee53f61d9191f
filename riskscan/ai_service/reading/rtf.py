"""Rich Text Format (.rtf)."""

import re
from collections.abc import Iterator
from itertools import chain

from striprtf.striprtf import font_table_group, rtf_to_text

from ..errors import UnreadableDocument
from .blocks import Block
from .paragraphs import LINE_BREAK, split_lines

# the library's time grows with the square of the table of fonts
MAX_FONT_TABLE_CHARS = 60_000
PICTURE = re.compile(r"[0-9a-fA-F\s]{1000,}")
# what hides text, or strikes it out; with 0 behind it no longer
HIDING = re.compile(r"\\(?:(v|deleted|striked?|plain)(0?)\d*(?![a-zA-Z\d])|[\\{}])|[{}]")
# the words in hidden text that the text around it needs: the ends of paragraphs and cells, and fonts
KEPT_WORDS = re.compile(r"\\(?:pard?|sect|trowd|cell|row|intbl|f\d+|uc\d)(?![a-zA-Z\d])")
ROW_OR_BREAK = re.compile(r"\\(trowd|row|line|par)(?![a-zA-Z])")
BRACE = re.compile(r"\\[{}]|[{}]")
# footnotes, endnotes and comments
NOTE = re.compile(r"\{\\(?:footnote|\*\\annotation)(?![a-z])")
# with binary data the number of bytes follows; printers' trays have names that begin alike
NOT_BINARY = re.compile(r"\\bin(?!\d)[a-z]*\d* ?")


def read_blocks(data: bytes, notes: list[str]) -> Iterator[Block]:
    """Read the paragraphs as running text, and notes and comments below."""
    source = NOT_BINARY.sub("", PICTURE.sub("", data.decode("cp1252", "replace")))
    if len(font_table_group(source)) > MAX_FONT_TABLE_CHARS:
        raise UnreadableDocument("The document names too many fonts to be read.")
    # without this the library adds the targets of links, in quadratic time
    source = _drop_hidden(source).replace("{\\field{", "{\\field {")
    text = rtf_to_text(_mark_breaks(_move_notes(source)), errors="replace")
    # characters beyond U+FFFF stand in two halves
    text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    lines = (line.strip().removesuffix("|") if line.count("|") == 1 else line for line in text.split("\n"))
    yield Block("text", ["\n\n".join(chain.from_iterable(split_lines(line) or [""] for line in lines))])


def _drop_hidden(source: str) -> str:
    """Remove text that is hidden, deleted or struck out; each of these ends with its group at the latest."""
    pieces: list[str] = []
    outer: list[frozenset[str]] = []
    hiding = frozenset[str]()
    start = 0
    for word in HIDING.finditer(source):
        text = source[start : word.start()]
        pieces.append("".join(f"{kept} " for kept in KEPT_WORDS.findall(text)) if hiding else text)
        if word[1] == "plain":
            hiding = frozenset()
        elif word[1]:
            hiding = hiding - {word[1]} if word[2] else hiding | {word[1]}
        elif word.group() == "{":
            outer.append(hiding)
        elif word.group() == "}" and outer:
            hiding = outer.pop()
        if not hiding or word.group() in "{}":
            pieces.append(word.group())
        start = word.end()
    return "".join([*pieces, source[start:]])


def _mark_breaks(source: str) -> str:
    """Mark breaks inside paragraphs, and remove those in rows, which the library writes as a line each."""
    in_row = False

    def replace(word: re.Match[str]) -> str:
        nonlocal in_row
        if word[1] in ("trowd", "row"):
            in_row = word[1] == "trowd"
        elif in_row:
            return "\\~"
        return f"{LINE_BREAK} " if word[1] == "line" else word.group()

    return ROW_OR_BREAK.sub(replace, source)


def _move_notes(source: str) -> str:
    """Move notes and comments to the end, because the library leaves them out."""
    pieces = []
    notes = []
    start = 0
    while opening := NOTE.search(source, start):
        depth = 0
        end = len(source)
        for brace in BRACE.finditer(source, opening.start()):
            depth += {"{": 1, "}": -1}.get(brace.group(), 0)
            if not depth:
                end = brace.end()
                break
        pieces.append(source[start : opening.start()])
        notes.append("\\par {" + source[opening.end() : end])
        start = end
    rest = source[start:].rstrip().removesuffix("}")
    return "".join([*pieces, rest, *notes, "\\par}"]) if notes else source
