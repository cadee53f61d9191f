"""The layout of running text: headings, paragraphs, list items and rows, from lines alone."""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from ..khmer import KHMER
from .blocks import Block, Place

BULLET = re.compile(r"^[-*+•‣▪◦●○■□–—·➢✓✔→>]\s+|^o\s+(?=[A-Z])|^\[[ xX]\]\s+")
CLAUSE_NUMBER = re.compile(
    r"^(?:\(?\d{1,3}[.)](?=\s|[A-Z])|\d{1,3}(?:\.\d{1,3})+\.?(?=\s)|\(?[a-zA-Z]\)|[A-Z]\.(?=\s[A-Z])|\(?[ivxIVX]{1,5}[.)](?=\s)"
    r"|(?:Article|Section|Clause|§|Art\.|ប្រការ|មាត្រា)\s*[\d០-៩]+(?:\.\d+)*[.:)៖]?(?=\s)|[០-៩]{1,3}(?:[.,][០-៩]+)*\s?[.។)៖\-](?=\s))\s*"
)
HORIZONTAL_RULE = re.compile(r"^[\s=\-_*~.|+:]{3,}$")
CODE_FENCE = re.compile(r"^(```|~~~)")
SENTENCE_END = re.compile(r"[.!?;:។៕៖…][\"'”’)\]]*$")
LETTER = re.compile(r"[^\W\d_]")
HYPHENATION = re.compile(r"(?<=\w)[\ufffe\x02\xad]\r?\n?")
# a line that ends with one of these continues on the next line
FUNCTION_WORDS = ("the", "a", "an", "of", "to", "in", "and", "or", "for", "by")

# levels of headings; Markdown has 1 to 6
CAPITALS_LEVEL = 7
PLAIN_LEVEL = 8
NOT_A_HEADING = 0


def parse_blocks(blocks: Iterable[Block]) -> Iterator[Block]:
    """Resolve running text, and remove the marks of items; no block of kind text is left.

    Blocks of running text that follow each other, such as pages, are one text.
    """
    for is_text, group in groupby(blocks, lambda block: block.kind == "text"):
        if is_text:
            yield from parse_text(list(group))
        else:
            for block in group:
                yield from _parse_block(block)


def _parse_block(block: Block) -> Iterator[Block]:
    if block.kind == "item":
        yield block._replace(texts=[strip_marks(block.texts[0])])
    elif block.kind == "paragraph":
        for line in filter(str.strip, block.texts[0].splitlines()):
            yield _parse_plain_line(line)._replace(place=block.place)
    elif block.kind == "row":
        yield block._replace(texts=[cell.strip() for cell in block.texts])
    else:
        yield block


def parse_text(blocks: list[Block]) -> Iterator[Block]:
    """Join wrapped lines into paragraphs and items, and detect headings and rows; code is left out."""
    lines: list[str] = []
    places: list[Place] = []
    for text in blocks:
        added = [line.strip() for line in HYPHENATION.sub("", text.texts[0]).splitlines()]
        lines += added
        places += [text.place] * len(added)
    next_texts = _next_texts(lines)
    # the paragraph or item that the next line may continue, with its lines
    current: Block | None = None
    for number, line in _skip_code(lines):
        block = _parse_line(lines, number, next_texts[number], in_paragraph=current is not None)
        if current and block and block.kind == "paragraph" and _continues(current.texts[-1], line):
            current.texts.append(line)
            continue
        if current:
            yield _join(current)
        block = block._replace(place=places[number]) if block else None
        current = block if block and block.kind in ("paragraph", "item") else None
        if block and not current:
            yield block
    if current:
        yield _join(current)


def _join(block: Block) -> Block:
    return block._replace(texts=[" ".join(block.texts)])


def _skip_code(lines: list[str]) -> Iterator[tuple[int, str]]:
    """Return the numbered lines outside Markdown's code fences."""
    in_code = False
    for number, line in enumerate(lines):
        if CODE_FENCE.match(line):
            in_code = not in_code
        elif not in_code:
            yield number, line


def _parse_line(lines: list[str], number: int, next_text: str, in_paragraph: bool) -> Block | None:
    """Return the block that a line would be by itself; None for a separator."""
    line = lines[number]
    if not line or HORIZONTAL_RULE.match(line):
        return None
    if cells := _split_row(line):
        return Block("row", cells)
    if level := heading_level(lines, number, next_text, in_paragraph):
        return Block("heading", [strip_marks(line.lstrip("# ").rstrip("# :*").strip("*_"))], level)
    return _parse_plain_line(line)


def _parse_plain_line(line: str) -> Block:
    line = line.strip()
    text = strip_marks(line)
    return Block("paragraph" if text == line else "item", [text])


def _split_row(line: str) -> list[str]:
    """Return the cells of a row written with bars or tabs; none if the line is not a row."""
    if line.count("|") >= 2 or (line.startswith("|") and line.endswith("|")):
        return [cell.strip() for cell in line.strip("|").split("|")]
    cells = [cell.strip() for cell in line.split("\t") if cell.strip()]
    return cells if len(cells) > 2 else []


def strip_marks(line: str) -> str:
    """Remove bullets and clause numbers from the start of a line."""
    line = line.strip()
    for _ in range(3):
        shorter = CLAUSE_NUMBER.sub("", BULLET.sub("", line, count=1), count=1)
        if not shorter or shorter == line:
            break
        line = shorter
    return line


def _continues(before: str, line: str) -> bool:
    """Return whether a line continues the sentence of the line before it."""
    first = line[0]
    if first.islower() or before.endswith((",", "-", "(", "&")):
        return True
    if KHMER.search(line):
        return not before.endswith(("។", "៕")) and len(before) >= 30
    if len(before) >= 45:
        return True
    return not SENTENCE_END.search(before) and before.split()[-1].lower() in FUNCTION_WORDS


def _next_texts(lines: list[str]) -> list[str]:
    """Return for each line the next line that is not empty, or an empty string."""
    result = [""] * len(lines)
    for number in range(len(lines) - 2, -1, -1):
        result[number] = lines[number + 1] or result[number + 1]
    return result


# -- headings --------------------------------------------------------------------------------------


class Line(NamedTuple):
    """A line with its surroundings: the input of the heading rules.

    `before` and `after` are the adjacent lines, "" if there is none; `next_text` is the next line that
    is not empty; `content` is the line without marks, and `words` are its words.
    """

    text: str
    before: str
    after: str
    next_text: str
    in_paragraph: bool
    content: str
    words: list[str]


def heading_level(lines: list[str], number: int, next_text: str, in_paragraph: bool) -> int:
    """Return the level of a heading (1 is the highest), or NOT_A_HEADING."""
    text = lines[number]
    after = lines[number + 1] if number + 1 < len(lines) else ""
    if text.startswith("#"):
        return min(len(text) - len(text.lstrip("#")), 6)
    if len(after) >= 3 and set(after) in ({"="}, {"-"}):
        return 1 if after[0] == "=" else 2
    content = strip_marks(text.strip("*_"))
    before = lines[number - 1] if number else ""
    line = Line(text, before, after, next_text, in_paragraph, content, content.rstrip(":").split())
    return next((level for applies, level in HEADING_RULES if applies(line)), NOT_A_HEADING)


def _cannot_be_a_heading(line: Line) -> bool:
    """Too long, without a letter, or ending like a sentence."""
    return (
        not 1 <= len(line.words) <= 9
        or len(line.content) > 80
        or line.content.endswith((".", "!", "?", ";", ",", "។", "៕"))
        or not LETTER.search(line.content)
    )


def _is_in_capitals(line: Line) -> bool:
    letters = [character for character in line.content if character.isalpha()]
    return len(letters) > 3 and all(letter.isupper() for letter in letters)


def _has_bullet_or_label(line: Line) -> bool:
    """As in "- Costs" or "Owner: Ana"."""
    return bool(BULLET.match(line.text)) or ":" in line.content[:-1] or "៖" in line.content[:-1]


def _is_bold(line: Line) -> bool:
    return line.text.startswith("**") and line.text.rstrip(":").endswith("**")


def _is_long_before_colon(line: Line) -> bool:
    return _ends_with_colon(line) and len(line.words) > 6


def _ends_with_colon(line: Line) -> bool:
    return line.content.endswith((":", "៖"))


def _belongs_to_text(line: Line) -> bool:
    """Inside a paragraph, at the end of the text, or right below a line and without a number."""
    return (
        line.in_paragraph or not line.next_text or (line.before != "" and not CLAUSE_NUMBER.match(line.text))
    )


def _is_numbered_item(line: Line) -> bool:
    """As in "1. …" above "2. …": the next number has the same depth."""
    depth = _number_depth(line.text)
    return depth >= 0 and (len(line.words) > 7 or depth == _number_depth(line.next_text))


def _is_numbered_heading(line: Line) -> bool:
    """As in "1. …" above "1.1 …", or with an empty line below."""
    depth = _number_depth(line.text)
    return depth >= 0 and (_number_depth(line.next_text) > depth or not line.after)


def _is_numbered(line: Line) -> bool:
    return _number_depth(line.text) >= 0


def _number_depth(text: str) -> int:
    """Return the dots inside the number at the start of a line, -1 without a number."""
    number = CLAUSE_NUMBER.match(text)
    return number.group().rstrip(". ").count(".") if number else -1


def _is_long_or_lowercase(line: Line) -> bool:
    return len(line.words) > 6 or not (line.content[0].isupper() or KHMER.match(line.content))


def _is_above_list(line: Line) -> bool:
    return bool(BULLET.match(line.next_text) or CLAUSE_NUMBER.match(line.next_text) or "|" in line.next_text)


def _is_alone_above_longer_text(line: Line) -> bool:
    return not line.after and len(line.next_text) > len(line.text)


# the first rule that applies decides
HEADING_RULES: tuple[tuple[Callable[[Line], bool], int], ...] = (
    (_cannot_be_a_heading, NOT_A_HEADING),
    (_is_in_capitals, CAPITALS_LEVEL),
    (_has_bullet_or_label, NOT_A_HEADING),
    (_is_bold, PLAIN_LEVEL),
    (_is_long_before_colon, NOT_A_HEADING),
    (_ends_with_colon, PLAIN_LEVEL),
    (_belongs_to_text, NOT_A_HEADING),
    (_is_numbered_item, NOT_A_HEADING),
    (_is_numbered_heading, PLAIN_LEVEL),
    (_is_numbered, NOT_A_HEADING),
    (_is_long_or_lowercase, NOT_A_HEADING),
    (_is_above_list, PLAIN_LEVEL),
    (_is_alone_above_longer_text, PLAIN_LEVEL),
)
