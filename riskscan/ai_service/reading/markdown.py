"""Markdown as people write it, with tables and HTML; importing a parser takes longer than all of this."""

import re
from collections.abc import Callable, Iterator

from .blocks import MAX_CHARS, Block, Place
from .encodings import decode
from .layout import (
    remove_fenced_code,
    remove_front_matter,
)
from .marks import BULLET, CLAUSE_NUMBER, UNESCAPED_BAR
from .wrapping import SENTENCE_END, find_wrapped, is_continuation, join_wrapped_lines, wrap_width

HEADING = re.compile(r"[ \t]{0,3}(#{1,6})(?:[ \t]+|(?<=##)(?=[^\W\d_]))")
HEADING_ID = re.compile(r"\s\{[#.][^{}]{1,100}\}$")
HTML_HEADING = re.compile(r"\s*<(h[1-6]|summary)\b[^<>]*>([^\n]*)</\1>\s*$", re.I)
BOLD_LINE = re.compile(r"(\*\*|__)(?![\s*_])([^*_]+)(?<!\s)(?::\1|\1:?)$")
# a line that defines where the links of a label lead
REFERENCE = re.compile(r" {0,3}\[([^\]\n^][^\]\n]{0,200})\]:\s*<?\S+>?(?:\s+[\"'(].*)?$")
INDENTED = re.compile(r"(?: {4}| {0,3}\t)")
# labels of footnotes and alerts, and the mark of a definition
LINE_MARK = re.compile(r"^((?:>[ \t]?)*)(?:\[\^[^\]\s]{1,40}\]:\s*|\[![A-Za-z]{1,20}\]\s*|:\s+|:::.*)")
CONTAINER = re.compile(r"\s*(?::::.*|\{[:%].*\}|\{\{[<%].*[>%]\}\}|\[\[?_?TOC_?\]?\])\s*$", re.I)
# of MkDocs: its text is indented below it
ADMONITION = re.compile(r"\s*(?:!!!|\?\?\?\+?)[ \t]+[\w -]*(?:\"([^\"]*)\")?\s*$")
ORDERED = re.compile(r"(\d{1,3})[.)]\s")
# an item of a list in a list begins at least so far right of the item that it belongs to
MIN_INDENT = 2
CODE_SIGNS = re.compile(r"[{}=$\\]|\(\)|;$", re.M)

HTML_REGION = re.compile(r"(?<!`)<(table|script|style|pre|ul|ol|dl)\b", re.I)
BREAK_IN_TAG = "\v"
BROKEN_TAG = re.compile(r"</?[a-zA-Z][^<>\n]{0,400}\n[^<>]{0,2000}>")
TAG = re.compile(r"</?([a-zA-Z][\w-]*)(?:[\s/][^<>]*)?>")
# others are placeholders, as in "Delivered by <date>"
TAGS = frozenset(
    re.findall(
        r"\w+",
        "a abbr address article aside b bdi big blockquote body br button center cite code col dd del "
        "details dfn div dl dt em figcaption figure font footer form h1 h2 h3 h4 h5 h6 head header hr html "
        "i iframe img input ins kbd label li link main mark meta nav noscript ol p picture pre q s samp "
        "script section small source span strike strong style sub summary sup svg table tbody td tfoot th "
        "thead tr tt u ul var video wbr",
    )
)
LINE_TAGS = frozenset(
    re.findall(
        r"\w+",
        "br p div li tr dd dt h1 h2 h3 h4 h5 h6 summary details blockquote",
    )
)

INLINE_SIGN = re.compile(r"[*_`\[<&\\~]|==")
ESCAPE_OR_CODE = re.compile(r"\\[!-/:-@\[-`{-~]|`+")
KEPT = re.compile("\ue000(\\d+)\ue001")
AUTOLINK = re.compile(r"<((?:https?|ftp|mailto):[^\s<>]+|[^\s<>@]+@[^\s<>@]+)>")
# of wikis, as in [[page|text]]
WIKI_LINK = re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]+)\]\]")
LINK = re.compile(r"!?\[([^\[\]]*)\]\((?:[^()]|\([^()]*\)){0,2000}\)")
REFERENCE_LINK = re.compile(r"!?\[([^\[\]]+)\](?:\[([^\[\]]*)\])?")
FOOTNOTE = re.compile(r"\[\^[^\]\s]{1,40}\]")
# what is struck out counts as deleted
STRUCK = re.compile(r"~~(?![\s~])[^~]+(?<!\s)~~ ?|<(del|s|strike)>[^<]{0,2000}</\1> ?", re.I)
EMPHASIS = (
    re.compile(r"(?<![\d*])(\*{1,3})(?![\s*])([^*]+)(?<![\s*])\1(?!\*)"),
    re.compile(r"(?<!\w)(_{1,3})(?![\s_])((?:[^_]|(?<=\w)_(?=\w))+)(?<![\s_])\1(?!\w)"),
    re.compile(r"(?<!\w)(==)(?![\s=])([^=]+)(?<!\s)==(?!\w)"),
)


def read_blocks(data: bytes, notes: list[str]) -> Iterator[Block]:
    """Read a Markdown file."""
    text = decode(data).replace("\r\n", "\n").replace("\r", "\n")
    if len(text) > MAX_CHARS:
        return iter([Block("text", [text])])
    return parse(remove_front_matter(text))


def parse(text: str, has_indented_code: bool = True) -> Iterator[Block]:
    """Read headings, rows of tables, and running text in which items keep their marks; code is left out."""
    text = remove_comments(remove_fenced_code(text))
    if "<" in text:
        text = BROKEN_TAG.sub(lambda tag: tag.group().replace("\n", BREAK_IN_TAG), text)
    reader = _Reader(has_indented_code)
    start = 0
    for opening, closing, name in _html_regions(text):
        yield from reader.read(text[start:opening])
        if name not in ("script", "style"):
            yield from reader.read_html(text[opening:closing])
        start = closing
    yield from reader.read(text[start:])


def remove_comments(text: str) -> str:
    """Remove HTML comments; of one that isn't closed, the mark alone."""
    pieces = []
    start = 0
    while (opening := text.find("<!--", start)) >= 0:
        pieces.append(text[start:opening])
        closing = text.find("-->", opening + 4)
        if closing < 0:
            return "".join(pieces) + text[opening:].replace("<!--", "")
        inner = text.rfind("<!--", opening + 4, closing)
        if inner >= 0 and "\n\n" in text[opening:inner]:
            # the first one has no end
            pieces.append(text[opening + 4 : inner])
            start = inner
        else:
            start = closing + 3
    return "".join(pieces) + text[start:]


def _html_regions(text: str) -> Iterator[tuple[int, int, str]]:
    """Return where elements that only make sense as a whole begin and end, and their names."""
    end = line = last = 0
    lower = ""
    for opening in HTML_REGION.finditer(text):
        name = opening[1].lower()
        line = max(line, text.rfind("\n", last, opening.start()) + 1)
        last = opening.start()
        # a list in a cell belongs to its row
        if last < end or (text.startswith("|", line) and name in ("ul", "ol", "dl")):
            continue
        lower = lower or (text.lower() if text.isascii() else TAG.sub(lambda tag: tag.group().lower(), text))
        closing = lower.find(f"</{name}>", opening.end())
        # a table in a table
        while (
            closing >= 0
            and lower.count(f"<{name}", opening.start(), closing)
            > lower.count(f"</{name}>", opening.start(), closing + 1) + 1
        ):
            closing = lower.find(f"</{name}>", closing + 1)
        if closing < 0:
            return
        end = closing + len(name) + 3
        yield opening.start(), end, name


class _Reader:
    """Reads the lines; `lines` is the running text since the last block of another kind."""

    def __init__(self, has_indented_code: bool) -> None:
        self.has_indented_code = has_indented_code
        self.lines: list[str] = []
        self.references: set[str] = set()
        self.tables = 0
        self.in_list = False
        # of the open items, from the outermost: indent, and number or "" for a bullet
        self.open_items: list[tuple[int, str]] = []

    def read(self, text: str) -> Iterator[Block]:
        lines = text.split("\n")
        wrapped = find_wrapped(
            [line.strip() for line in lines],
            [len(line.rstrip().expandtabs().rpartition(BREAK_IN_TAG)[2]) for line in lines],
        )
        self.references.update(
            label[1].casefold() for line in lines if "]:" in line and (label := REFERENCE.match(line))
        )
        number = 0
        while number < len(lines):
            if not lines[number].strip():
                self.lines.append("")
                number += 1
            elif table := _table_length(lines, number):
                yield from self._flush()
                yield from self._read_table(lines[number : number + table])
                number += table
            elif heading := _read_heading(lines[number]):
                yield from self._flush()
                yield Block("heading", [self._clean(heading[1])], heading[0])
                number += 1
            elif length := self._code_length(lines, number):
                number += length
            else:
                end = number + _paragraph_length(lines, number)
                yield from self._read_paragraph(lines[number:end], wrapped[number:end])
                number = end
        yield from self._flush()

    def read_html(self, text: str) -> Iterator[Block]:
        from . import html  # slow to import

        yield from self._flush()
        tables = self.tables
        for block in html.parse(text):
            if block.place.table:
                self.tables = tables + block.place.table
                block = block._replace(place=block.place._replace(table=self.tables))
            yield block

    def _flush(self) -> Iterator[Block]:
        if any(self.lines):
            yield Block("text", ["\n".join([*self.lines, ""])])
        self.lines = []

    def _clean(self, text: str) -> str:
        return clean_inline(text.strip(), self.references)

    def _read_table(self, lines: list[str]) -> Iterator[Block]:
        self.tables += 1
        del lines[1]
        for number, line in enumerate(lines, 1):
            cells = UNESCAPED_BAR.split(line.strip())
            start = not cells[0].strip()
            end = len(cells) > 1 and not cells[-1].strip()
            texts = [self._clean(cell.replace("\\|", "|")) for cell in cells[start : len(cells) - end]]
            yield Block(
                "row", list(map(join_wrapped_lines, texts)), place=Place(table=self.tables, row=number)
            )

    def _code_length(self, lines: list[str], number: int) -> int:
        """Return how many lines from this one on are indented code outside a list."""
        line = lines[number]
        if not line.strip():
            return 0
        is_marked = bool(_is_marked(line))
        # some people indent the items of the first level, too
        if is_marked or not INDENTED.match(line):
            self.in_list = is_marked or ADMONITION.match(line) is not None
            return 0
        if self.in_list or not self.has_indented_code or (number and lines[number - 1].strip()):
            return 0
        end = number
        while end < len(lines) and (INDENTED.match(lines[end]) or not lines[end].strip()):
            end += 1
        code = "\n".join(lines[number:end]).strip()
        # prose that somebody moved to the right
        is_prose = code.endswith((".", "!", "?")) and len(code.split()) > 4 and not CODE_SIGNS.search(code)
        return 0 if code[0].isupper() and is_prose else end - number

    def _read_paragraph(self, lines: list[str], wrapped: list[bool]) -> Iterator[Block]:
        """Add the lines to the running text, wrapped ones joined, without the marks inside them.

        Items of numbered lists in numbered lists are blocks, with the numbers of both: "4.2".
        """
        # a backslash at the end is a line break, also of an empty line
        kept = [n for n, line in enumerate(lines) if line.strip() != "\\" and not _is_left_out(line)]
        lines, wrapped = [lines[number] for number in kept], [wrapped[number] for number in kept]
        stripped = [line.strip().removesuffix("\\") for line in lines]
        width = wrap_width(stripped)
        joined: list[list[str]] = []
        numbers: list[str] = []
        in_item = False
        brackets = 0  # that are open: the text of a link goes on
        for number, line in enumerate(stripped):
            is_marked = bool(_is_marked(line))
            if joined and (
                (in_item and lines[number][0].isspace() and not is_marked)
                or brackets > 0
                or (
                    not line.startswith(">")
                    and is_continuation(stripped[number - 1], line, width, wrapped[number])
                )
            ):
                joined[-1].append(line)
            else:
                joined.append([line])
                numbers.append(self._find_number(lines[number], is_marked))
                in_item = is_marked
                brackets = 0
            brackets += line.count("[") - line.count("]")
        for line, inner_number in zip(map(" ".join, joined), numbers, strict=True):
            line = line.replace(BREAK_IN_TAG, " ")
            bold = BOLD_LINE.match(line) if line[0] in "*_" else None
            if line[0] in "!?" and (admonition := ADMONITION.match(line)):
                self.lines += [admonition[1] or "", ""]
                continue
            if line[0] in "[:>":
                line = LINE_MARK.sub(r"\1", line, count=1)
            text = self._clean(line)
            if bold and len(text.split()) < 10 and not SENTENCE_END.search(bold[2].rstrip(": ")):
                # which layout.py takes for a heading
                text = f"**{text}**"
            if inner_number and "\n" not in text:
                yield from self._flush()
                yield Block("item", [ORDERED.sub(f"{inner_number}. ", text, count=1)])
            else:
                self.lines += text.split("\n")

    def _find_number(self, line: str, is_marked: bool) -> str:
        """Return the number of an item in a numbered item, with that of the outer one, else ""."""
        line = line.expandtabs(4)
        content = line.lstrip()
        indent = len(line) - len(content)
        while self.open_items and indent < self.open_items[-1][0] + MIN_INDENT:
            self.open_items.pop()
        if not is_marked:
            return ""
        mark = ORDERED.match(content)
        self.open_items.append((indent, mark[1] if mark else ""))
        numbers = [number for _, number in self.open_items]
        return ".".join(numbers) if len(numbers) > 1 and all(numbers) else ""


def _is_left_out(line: str) -> bool:
    return ("]:" in line and REFERENCE.match(line) is not None) or (
        line.lstrip()[:1] in (":", "{", "[") and CONTAINER.match(line) is not None
    )


def _is_marked(line: str) -> re.Match[str] | None:
    line = line.lstrip()
    return BULLET.match(line) or CLAUSE_NUMBER.match(line)


def _read_heading(line: str) -> tuple[int, str] | None:
    if "#" in line and (found := HEADING.match(line)):
        return len(found[1]), HEADING_ID.sub("", line[found.end() :].rstrip("# \t"))
    if "<" in line and (found := HTML_HEADING.match(line)):
        return int(found[1][1]) if found[1][0] in "hH" else 6, found[2]
    return None


def _table_length(lines: list[str], number: int) -> int:
    """Return the lines of the table that begins here, with its ruler; 0 if none does."""
    if number + 1 >= len(lines) or "|" not in lines[number] or not _is_ruler(lines[number + 1]):
        return 0
    end = number + 2
    while end < len(lines) and "|" in lines[end]:
        end += 1
    return end - number


def _is_ruler(line: str) -> bool:
    return "|" in line and "-" in line and not line.strip(" \t|:-")


def _paragraph_length(lines: list[str], number: int) -> int:
    end = number
    while (
        end < len(lines)
        and lines[end].strip()
        and (end == number or not (_read_heading(lines[end]) or _table_length(lines, end)))
    ):
        end += 1
    return end - number


# -- marks inside a line ---------------------------------------------------------------------------


def clean_inline(text: str, references: set[str]) -> str:
    """Return the words of a line: without emphasis, tags, escapes and the targets of links."""
    if not INLINE_SIGN.search(text):
        return text
    kept: list[str] = []
    text = _set_aside(text.replace("\ue000", ""), kept)
    if "~" in text or "<" in text:
        text = STRUCK.sub("", text)
    if "[" in text:
        text = WIKI_LINK.sub(r"\1", FOOTNOTE.sub("", text))
        # an image inside a link
        text = LINK.sub(r"\1", LINK.sub(r"\1", text))
        if references:
            text = REFERENCE_LINK.sub(_resolve(references), text)
    if "<" in text:
        text = TAG.sub(_replace_tag, AUTOLINK.sub(r"\1", text))
    for emphasis in EMPHASIS:
        # emphasis inside emphasis
        for _ in range(3):
            shorter = emphasis.sub(r"\2", text)
            if shorter == text:
                break
            text = shorter
    if "&" in text:
        from html import unescape  # 3 ms

        text = unescape(text)
    return KEPT.sub(lambda found: kept[int(found[1])], text).strip()


def _set_aside(text: str, kept: list[str]) -> str:
    """Replace escaped characters and code by numbers of `kept`, because nothing in them is a mark."""
    if "\\" not in text and "`" not in text:
        return text
    signs = list(ESCAPE_OR_CODE.finditer(text))
    last = {sign.group(): number for number, sign in enumerate(signs)}
    pieces = []
    start = number = 0
    while number < len(signs):
        sign = signs[number]
        number += 1
        if sign.start() < start:
            continue
        code = ""
        end = sign.end()
        if sign.group()[0] == "\\":
            code = sign.group()[1]
        elif last[sign.group()] >= number:
            while signs[number].group() != sign.group():
                number += 1
            code = text[end : signs[number].start()]
            end = signs[number].end()
            number += 1
        if code:
            pieces += [text[start : sign.start()], f"\ue000{len(kept)}\ue001"]
            kept.append(code)
            start = end
    return "".join(pieces) + text[start:]


def _resolve(references: set[str]) -> Callable[[re.Match[str]], str]:
    def replace(link: re.Match[str]) -> str:
        return link[1] if (link[2] or link[1]).casefold() in references else link.group()

    return replace


def _replace_tag(tag: re.Match[str]) -> str:
    name = tag[1].lower()
    if name not in TAGS:
        return tag.group()
    if name == "li" and tag.group()[1] != "/":
        return "\n- "
    return "\n" if name in LINE_TAGS else ""
