"""HTML: web pages, exports of wikis, and documents that Word saved."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from lxml import etree

from ..errors import UnreadableDocument
from .blocks import Block, Place
from .encodings import BYTE_ORDER_MARKS, decode
from .wrapping import join_wrapped_lines

HEADINGS = {f"h{level}": level for level in range(1, 7)} | {"summary": 6, "caption": 6, "legend": 6}
# of a paragraph that is bold as a whole, below all headings
BOLD_LEVEL = 9
MAX_BOLD_CHARS = 60
PARAGRAPHS = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote body center dd details dir div dl dt fieldset figcaption figure "
        "footer form header hgroup hr html li main menu ol optgroup p pre search section table tbody td "
        "tfoot th thead tr ul",
    )
)
# what a browser doesn't show, or shows around the text or as deleted
LEFT_OUT = frozenset(
    re.findall(
        r"\w+",
        "annotation applet area audio base button canvas datalist del embed head iframe input link map meta "
        "nav noembed noframes noscript object option param picture rp rt s script select source strike style "
        "svg template textarea track video",
    )
)
LEFT_OUT_ROLES = frozenset(
    re.findall(
        r"\w+",
        "navigation banner contentinfo search dialog alertdialog menu menubar toolbar",
    )
)
LEFT_OUT_CLASS = re.compile(
    r"(?:^|[\s_-])(?:cookies?(?:[_-]?(?:banner|bar|consent|notice|popup))?|breadcrumbs?|toc-macro|toc|pagination|sidebar|skip-link"
    r"|sr-only|visually-hidden|MsoToc\d|page-metadata|noprint)(?=$|\s)",
    re.I,
)
HIDDEN_STYLE = re.compile(
    r"(?:display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|mso-list\s*:\s*ignore"
    r"|text-decoration(?:-line)?\s*:[^;]{0,80}line-through)",
    re.I,
)
INLINE_STYLE = re.compile(r"display\s*:\s*inline", re.I)
WORD_ITEM = re.compile(r"\bMso(?:ListParagraph|List|ListBullet|ListNumber)\w*")
WORD_TITLE = re.compile(r"\bMso(?:Title|Subtitle)\b")
CODE_CLASS = re.compile(
    r"\b(?:code|codehilite|highlight|brush|syntaxhighlighter|language-|prettyprint)", re.I
)
CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.I)
HEAD_BYTES = 4096
MAX_BYTES = 20 * 1024 * 1024
MAX_SPAN = 100
MAX_ROW_CELLS = 1_000


def read_blocks(data: bytes, notes: list[str]) -> Iterator[Block]:
    """Read what a browser shows of a page: without navigation, footers and cookie banners."""
    return parse(decode_page(data))


def decode_page(data: bytes) -> str:
    """Decode a page: by byte order mark, as UTF-8 where it is that, else as it says."""
    declared = CHARSET.search(data[:HEAD_BYTES])
    if declared and not any(data.startswith(mark) for mark, _ in BYTE_ORDER_MARKS):
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            pass
        try:
            # browsers read Windows-1252 where pages say Latin-1
            name = declared[1].decode().lower()
            return data.decode("cp1252" if name in ("iso-8859-1", "us-ascii", "utf-8") else name, "replace")
        except LookupError:
            pass
    return decode(data)


def parse(text: str) -> Iterator[Block]:
    """Read the headings, paragraphs, items and rows of a page or a piece of one."""
    data = text.encode("utf-8", "replace")
    if len(data) > MAX_BYTES:
        raise UnreadableDocument(
            "The page is too large to be read; save it without its images and try again."
        )
    parser = etree.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    root = etree.fromstring(data, parser)
    return _Walk().read(root) if root is not None else iter(())


class _Walk:
    """A walk over the elements in order; `pieces` are the words of the paragraph so far."""

    def __init__(self, tables: list[int] | None = None) -> None:
        self.pieces: list[str] = []
        self.preformatted = 0
        self.items: list[bool] = []  # for each open list item whether its mark has been used
        self.heading = 0
        self.bold = 0
        self.plain_chars = 0  # characters of the paragraph that are not bold
        # shared with the walks over cells
        self.tables = tables if tables is not None else [0]

    def read(self, root: Any) -> Iterator[Block]:
        walk = etree.iterwalk(root, events=("start", "end"))
        for event, element in walk:
            tag = element.tag if isinstance(element.tag, str) else ""
            if event == "start":
                if element is not root and _is_left_out(element, tag):
                    if tag in PARAGRAPHS:
                        yield from self._end_paragraph()
                    walk.skip_subtree()
                elif tag == "table" and element is not root and (rows := _data_rows(element)):
                    yield from self._end_paragraph()
                    walk.skip_subtree()
                    yield from self._read_rows(element, rows)
                else:
                    yield from self._start(element, tag)
            else:
                yield from self._end(element, tag, is_root=element is root)
        yield from self._end_paragraph()

    def _start(self, element: Any, tag: str) -> Iterator[Block]:
        if _is_block(element, tag):
            yield from self._end_paragraph()
            self.heading = HEADINGS.get(tag, self.heading)
        if tag == "li" or (tag == "p" and WORD_ITEM.search(element.get("class", ""))):
            self.items.append(True)
        elif tag == "p" and WORD_TITLE.search(element.get("class", "")):
            self.heading = 1
        elif tag == "br":
            self.pieces.append("\n")
        elif tag == "pre":
            self.preformatted += 1
        elif tag in ("b", "strong"):
            self.bold += 1
        self._add(element.text)

    def _end(self, element: Any, tag: str, is_root: bool) -> Iterator[Block]:
        if _is_block(element, tag):
            yield from self._end_paragraph()
            if tag in HEADINGS or tag == "p":
                self.heading = 0
        if tag in ("li", "p") and self.items and (tag == "li" or WORD_ITEM.search(element.get("class", ""))):
            self.items.pop()
        elif tag == "pre" and self.preformatted:
            self.preformatted -= 1
        elif tag in ("b", "strong") and self.bold:
            self.bold -= 1
        if not is_root:
            self._add(element.tail)

    def _add(self, text: str | None) -> None:
        if not text:
            return
        if not self.preformatted:
            # line breaks of the source are spaces
            text = re.sub(r"[ \t\r\n\f]+", " ", text)
        self.pieces.append(text)
        if not self.bold:
            self.plain_chars += len(text.strip())

    def _end_paragraph(self) -> Iterator[Block]:
        text = "".join(self.pieces).strip("\r\n" if self.preformatted else None)
        is_bold = self.plain_chars == 0 and len(text) <= MAX_BOLD_CHARS and not text.endswith((".", ";", "។"))
        self.pieces = []
        self.plain_chars = 0
        if not text.strip():
            return
        if self.heading:
            yield Block("heading", [" ".join(text.split())], self.heading)
        elif self.items:
            yield Block("item", [" ".join(text.split())])
        elif is_bold and "\n" not in text:
            yield Block("heading", [text], BOLD_LEVEL)
        elif "\n" in text:
            # of breaks nobody knows whether they end a line or a paragraph
            yield Block("text", [text + "\n\n"])
        else:
            yield Block("paragraph", [text])

    def _read_rows(self, table: Any, rows: list[Any]) -> Iterator[Block]:
        from .columns import repeat_below  # 4 ms, and most pages have no table

        for caption in table.iterchildren("caption"):
            yield from self._read_cell_blocks(caption)
        self.tables[0] += 1
        number = self.tables[0]
        spans: dict[int, tuple[int, str]] = {}  # rows that a cell above still covers, with its text
        for row_number, row in enumerate(rows, 1):
            cells: list[str] = []
            for cell in row.iterchildren("td", "th"):
                self._fill(cells, spans)
                if len(cells) > MAX_ROW_CELLS:
                    break
                text = join_wrapped_lines("\n".join(_texts(self._read_cell_blocks(cell))))
                height = _span(cell, "rowspan")
                for column in range(_span(cell, "colspan")):
                    if height > 1:
                        spans[len(cells)] = (height - 1, repeat_below(text) if column == 0 else "")
                    cells.append(text if column == 0 else "")
            self._fill(cells, spans)
            self._fill(cells, spans)
            if any(cells):
                yield Block("row", cells, place=Place(table=number, row=row_number))

    @staticmethod
    def _fill(cells: list[str], spans: dict[int, tuple[int, str]]) -> None:
        """Add the cells that reach down from the rows above."""
        while span := spans.pop(len(cells), None):
            height, text = span
            if height > 1:
                spans[len(cells)] = (height - 1, text)
            cells.append(text)

    def _read_cell_blocks(self, cell: Any) -> Iterator[Block]:
        return _Walk(self.tables).read(cell)


def _texts(blocks: Iterable[Block]) -> Iterator[str]:
    for block in blocks:
        yield from filter(None, (text.strip() for text in block.texts))


def _span(cell: Any, name: str) -> int:
    value = cell.get(name, "1")
    return max(1, min(int(value), MAX_SPAN)) if value.isdecimal() else 1


def _is_left_out(element: Any, tag: str) -> bool:
    if not tag or tag in LEFT_OUT or "hidden" in element.attrib or element.get("aria-hidden") == "true":
        return True
    if tag == "footer":
        return all(parent.tag not in ("article", "blockquote") for parent in element.iterancestors())
    if tag == "pre":
        return _is_code(element)
    return bool(
        HIDDEN_STYLE.search(element.get("style", ""))
        or element.get("role", "") in LEFT_OUT_ROLES
        or LEFT_OUT_CLASS.search(element.get("class", ""))
        or LEFT_OUT_CLASS.search(element.get("id", ""))
    )


def _is_block(element: Any, tag: str) -> bool:
    """Return whether an element stands in lines of its own."""
    return tag in HEADINGS or (tag in PARAGRAPHS and not INLINE_STYLE.search(element.get("style", "")))


def _is_code(element: Any) -> bool:
    return element.find("code") is not None or bool(CODE_CLASS.search(element.get("class", "")))


def _data_rows(table: Any) -> list[Any]:
    """Return the rows of a table of data; none of one that only arranges a page."""
    if table.get("role") == "presentation":
        return []
    rows = [row for part in table.iterchildren("thead", "tbody", "tfoot", "tr") for row in _rows(part)]
    if table.find(".//table") is not None and not any(len(row.findall("th")) > 1 for row in rows):
        return []
    widths = [sum(_span(cell, "colspan") for cell in row.iterchildren("td", "th")) for row in rows]
    has_head = table.find(".//th") is not None
    return rows if sum(width > 1 for width in widths) > (0 if has_head else 1) else []


def _rows(part: Any) -> Iterable[Any]:
    return [part] if part.tag == "tr" else part.iterchildren("tr")
