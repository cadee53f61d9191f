"""The layout of running text: headings, paragraphs, list items and rows, from lines alone."""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from typing import NamedTuple

from ..khmer import KHMER
from .blocks import Block, Place
from .hyphens import join_wrapped_lines
from .marks import BULLET, CLAUSE_NUMBER, HORIZONTAL_RULE, split_marks, split_row, strip_marks
from .wrapping import (
    MIN_WRAP_WIDTH,
    SENTENCE_END,
    find_wrapped,
    goes_on_below_gap,
    is_continuation,
    is_upper,
    wrap_widths,
)

LETTER = re.compile(r"[^\W\d_]")
HYPHENATION = re.compile(r"(?<=\w)[\ufffe\x02\xad]\r?\n?")
# of the next page, which doesn't interrupt a sentence
PAGE_NUMBER = re.compile(
    # names before it, as in "CONFIDENTIAL Page 4 of 6"
    r"(?-i:(?:[A-Z\d][\w,./-]{0,20} ){0,6})page\s*\d{1,4}\s(?:of|/)\s\d{1,4}"
    r"|(?:page|p\.|seite)\s*(?:[-–—]\s?)?(?:\d{1,4}|[ivxl]{1,6})(?:\s?[-–—]|\s*(?:of|/|von)\s*\d{1,4})?"
    r"|[-–—]\s*\d{1,4}\s*[-–—]|\d{1,4} (?:of|/) \d{1,4}",
    re.I,
)
KEY = re.compile(r"[\w.\"'-]+\s*[:=]|[\s#\[\]{}-]|\.\.\.$")
MAX_FRONT_MATTER_LINES = 200
FENCE = re.compile(r"[ \t>]{0,40}(?:[-*+]\s{1,4}|\d{1,3}[.)]\s{1,4})?(`{3,}|~{3,})([^`\n]*)$")
QUOTE = re.compile(r"(?:>[ \t]?)+")
# the end of an entry of a table of contents; looked for in the last characters alone
LEADER = re.compile(
    r"(?:\.{4,}|(?:\. ){3,}|…{2,}|_{4,}|·{4,}|(?<=\s)-{6,})[.\s]*"
    # as in 12, 12-14, A-3 and iv
    r"(?:(?:[A-Z]{1,2}[-.]?)?\d{1,4}(?:\s?[-–]\s?\d{1,4})?|[ivxl]{1,6})$"
)
GAP_BEFORE_PAGE = re.compile(r"\S(?:\t|[ \xa0]{3,})\s*(\d{1,4})$")
MAX_LEADER_CHARS = 40
# a longer line is text with the number of its page behind it
MAX_ENTRY_CHARS = 200

# levels of headings; Markdown has 1 to 6
CAPITALS_LEVEL = 7
PLAIN_LEVEL = 8
NOT_A_HEADING = 0
MAX_HEADING_CHARS = 80


class TextLine(NamedTuple):
    """A line without blanks around it and marks of quotation; `end` is the column at which it ends."""

    text: str
    end: int
    place: Place


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
        number, text = split_marks(block.texts[0])
        place = block.place._replace(number=number or block.place.number)
        yield block._replace(texts=[text], place=place)
    elif block.kind == "paragraph":
        for line in filter(str.strip, block.texts[0].splitlines()):
            yield _put_at(_parse_plain_line(line), block.place)
    elif block.kind == "row":
        yield block._replace(texts=[cell.strip() for cell in block.texts])
    else:
        yield block


def _put_at(block: Block, place: Place) -> Block:
    """Return the block at this place, with its own number if it has one."""
    return block._replace(place=place._replace(number=block.place.number or place.number))


def parse_text(blocks: list[Block]) -> Iterator[Block]:
    """Join wrapped lines into paragraphs and items, and detect headings and rows."""
    text_lines = _remove_double_spacing(
        [line for block in blocks for line in _clean_lines(HYPHENATION.sub("", block.texts[0]), block.place)]
    )
    lines = [line.text for line in text_lines]
    next_texts = _next_texts(lines)
    widths = wrap_widths(lines)
    wrapped = find_wrapped(lines, [line.end for line in text_lines])
    # the paragraph or item that the next line may continue, with its lines
    current: Block | None = None
    before = ""
    for number, line in enumerate(lines):
        if current and line and is_continuation(before, line, widths[number], wrapped[number]):
            current.texts.append(line)
            before = line
            continue
        if current and not line and goes_on_below_gap(current.texts, next_texts[number]):
            continue
        if current:
            yield _join(current)
        is_wrapped = any(wrapped[number + 1 : number + 2])
        block = _parse_line(lines, number, next_texts[number], current is not None, is_wrapped)
        block = _put_at(block, text_lines[number].place) if block else None
        current = block if block and block.kind in ("paragraph", "item") else None
        before = line
        if block and not current:
            yield block
    if current:
        yield _join(current)


def _join(block: Block) -> Block:
    text = join_wrapped_lines(block.texts)
    return block if block.texts == [text] else block._replace(texts=[text])


def remove_front_matter(text: str) -> str:
    """Remove YAML or TOML between two rulers at the start."""
    lines = text.lstrip("\ufeff \n").split("\n", MAX_FRONT_MATTER_LINES)
    ruler = lines[0].rstrip()
    if ruler not in ("---", "+++"):
        return text
    for number, line in enumerate(lines[1:MAX_FRONT_MATTER_LINES], 1):
        if line.rstrip() == ruler or (ruler == "---" and line.rstrip() == "..."):
            return "\n".join(lines[number + 1 :]) if number > 1 else text
        if line.strip() and not KEY.match(line):
            break
    return text


def remove_fenced_code(text: str) -> str:
    """Remove code between fences; of a fence without an end the line alone, so that no text is lost."""
    if "```" not in text and "~~~" not in text:
        return text
    kept: list[str] = []
    code: list[str] = []
    mark = ""
    for line in text.split("\n"):
        fence = FENCE.match(line) if "```" in line or "~~~" in line else None
        if fence and mark and fence[1].startswith(mark) and not fence[2].strip():
            kept.append("")
            code, mark = [], ""
        elif fence and (not mark or fence[2].strip()):
            # the start of another code: the one before has no end
            kept += code
            code, mark = [""], fence[1]
        else:
            (code if mark else kept).append(line)
    return "\n".join(kept + code)


def _clean_lines(text: str, place: Place) -> list[TextLine]:
    """Return the lines without marks of quoted emails, page numbers and entries of tables of contents."""
    text = remove_fenced_code(text)
    raw = text.splitlines()
    contents = _contents_lines(raw)
    breaks = set[int]()
    if "\f" in text:
        pages = text.replace("\f", "\n\f").split("\n")
        breaks.update(number for number, line in enumerate(pages) if line[:1] == "\f")
    lines: list[TextLine] = []
    empty = TextLine("", 0, place)
    depth = 0
    after_page = False
    for number, raw_line in enumerate(raw):
        line = raw_line.strip()
        quote = QUOTE.match(line) if line.startswith(">") else None
        marks = quote.group().count(">") if quote else 0
        if marks != depth:
            depth = marks
            lines.append(empty)
        line = line[quote.end() :].strip() if quote else line
        if number in contents:
            line = ""
        is_page_number = PAGE_NUMBER.fullmatch(line) or (
            len(line) < 5 and line.isdecimal() and not breaks.isdisjoint(range(number - 3, number + 5))
        )
        if is_page_number or number in breaks:
            after_page = True
        if is_page_number or (after_page and not line):
            continue
        if after_page:
            _end_page(lines, line)
            after_page = False
        lines.append(TextLine(line, len(raw_line.rstrip().expandtabs()), place) if line else empty)
    return lines


def _end_page(lines: list[TextLine], next_line: str) -> None:
    """Remove the empty lines at the end of a page, and add one unless the next one continues it."""
    while lines and not lines[-1].text:
        lines.pop()
    if lines and (SENTENCE_END.search(lines[-1].text) or not next_line[0].islower()):
        lines.append(lines[-1]._replace(text=""))


def _contents_lines(lines: list[str]) -> set[int]:
    """Return the numbers of the lines that are entries of a table of contents."""
    found = set()
    run: list[int] = []
    last = 0
    for number, line in enumerate([*lines, "end"]):
        end = line[-MAX_LEADER_CHARS:].rstrip() if len(line) <= MAX_ENTRY_CHARS else "text"
        if not end:
            continue
        if (end[-1].isdecimal() or end[-1] in "ivxl") and LEADER.search(end):
            found.add(number)
            if (
                number - 2 in found
                and line.strip()[0].islower()
                and not SENTENCE_END.search(lines[number - 1])
            ):
                # the rest of an entry below another
                found.add(number - 1)
        gap = GAP_BEFORE_PAGE.search(end) if end[-1].isdecimal() else None
        if gap and int(gap[1]) >= last and line.strip().count("\t") <= 2:
            run.append(number)
            last = int(gap[1])
            continue
        if len(run) > 2:
            found.update(run)
        run = []
        last = 0
    return found


def _remove_double_spacing(text_lines: list[TextLine]) -> list[TextLine]:
    """Remove the empty lines between the lines of a text that has one after nearly every line."""
    lines = [line.text for line in text_lines]
    gaps = torn = 0
    for number in range(1, len(lines) - 1):
        if not lines[number] and lines[number - 1] and lines[number + 1]:
            gaps += 1
            torn += lines[number + 1][0].islower() and not SENTENCE_END.search(lines[number - 1])
    texts = sum(map(bool, lines))
    if torn < 2 or torn * 4 < gaps or gaps * 4 < texts * 3 - 3:
        return text_lines
    return [
        text_lines[number]
        for number, line in enumerate(lines)
        if line or not (number and lines[number - 1]) or not all(lines[number + 1 : number + 2])
    ]


def _parse_line(
    lines: list[str], number: int, next_text: str, in_paragraph: bool, is_wrapped: bool
) -> Block | None:
    """Return the block that a line, which may be wrapped onto the next one, begins; None for a separator."""
    line = lines[number]
    if not line or HORIZONTAL_RULE.match(line):
        return None
    if cells := split_row(line):
        return Block("row", cells)
    if not (is_wrapped and _goes_on_below(lines, number)) and (
        level := heading_level(lines, number, next_text, in_paragraph)
    ):
        clause, text = split_marks(line.lstrip("# ").rstrip("# :*").strip("*_"))
        return Block("heading", [text], level, Place(number=clause))
    return _parse_plain_line(line)


def _goes_on_below(lines: list[str], number: int) -> bool:
    """Return whether a wrapped line is no title in capitals that has the width of the text by chance."""
    first = lines[number + 1].split(maxsplit=1)[0]
    return not is_upper(lines[number]) or first[0].islower() or (len(first) > 1 and first.isupper())


def _parse_plain_line(line: str) -> Block:
    line = line.strip()
    number, text = split_marks(line)
    return Block("paragraph" if text == line else "item", [text], place=Place(number=number))


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
    if text.startswith("#") and text.lstrip("#")[:1].isspace():
        return min(len(text) - len(text.lstrip("#")), 6)
    if len(after) >= 3 and set(after) in ({"="}, {"-"}):
        return 1 if after[0] == "=" else 2
    content = strip_marks(text.strip("*_"))
    if len(content) > MAX_HEADING_CHARS:
        return NOT_A_HEADING
    before = lines[number - 1] if number else ""
    line = Line(text, before, after, next_text, in_paragraph, content, content.rstrip(":").split())
    return next((level for applies, level in HEADING_RULES if applies(line)), NOT_A_HEADING)


def _cannot_be_a_heading(line: Line) -> bool:
    """Too many words, without a letter, or ending like a sentence."""
    return (
        not 1 <= len(line.words) <= 9
        or line.content.endswith((".", "!", "?", ";", ",", "។", "៕"))
        or not LETTER.search(line.content)
    )


def _is_in_capitals(line: Line) -> bool:
    """In capitals, and not the first line of a paragraph in capitals."""
    is_wrapped = line.after and len(line.text) >= MIN_WRAP_WIDTH and is_upper(line.after)
    return is_upper(line.content) and not is_wrapped


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
