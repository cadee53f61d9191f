"""Word documents (.docx, .docm, .dotx, .dotm), as they are once all changes are accepted."""

import posixpath
from collections.abc import Iterable, Iterator
from typing import Any

from ..errors import UnreadableDocument
from . import documents
from .blocks import Block, Place
from .drawing import CHART, DIAGRAM, MATH_TEXT, A, R, read_texts
from .layout import PAGE_NUMBER
from .package import Package, damaged
from .paragraphs import FONT_CHARACTERS, LINE_BREAK, PAGE_BREAK, is_title, join_cell, join_lines, split_lines
from .word_numbering import Numbering
from .word_styles import VAL, Style, Styles, W, find, is_on, list_level, outline_level, properties_of, value

MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
ALTERNATIVES, TEXT_BOX = MC + "AlternateContent", W + "txbxContent"
DRAWING_PARAGRAPH = A + "p"
PARAGRAPH, TABLE, ROW, CELL = W + "p", W + "tbl", W + "tr", W + "tc"
PARAGRAPH_PROPERTIES, RUN_PROPERTIES, STYLE, RUN_STYLE, OUTLINE, NUMBERING = (
    W + name for name in ("pPr", "rPr", "pStyle", "rStyle", "outlineLvl", "numPr")
)
RUN, TEXT, BREAK, SYMBOL, FIELD, CONTROL = (W + name for name in ("r", "t", "br", "sym", "fldChar", "sdt"))
# what holds paragraphs, tables, rows or cells, among them inserted and moved text
CONTAINERS = frozenset(
    W + name for name in ("sdtContent", "ins", "moveTo", "customXml", "smartTag", "hyperlink", "bdo", "dir")
)
# properties, deleted text, the codes of fields, and the reading aids above East Asian text
LEFT_OUT = frozenset(
    W + name
    for name in (
        *("pPr", "rPr", "sdtPr", "sdtEndPr", "smartTagPr", "customXmlPr", "rubyPr", "rt"),
        *("del", "moveFrom", "delText", "instrText", "delInstrText"),
    )
)
CHARACTERS = {
    W + "tab": " ",
    W + "ptab": " ",
    W + "cr": LINE_BREAK,
    W + "noBreakHyphen": "-",
}
NOTE_KINDS = {W + "footnoteReference": "Footnote", W + "endnoteReference": "Endnote"}
EMBEDDED = "{urn:schemas-microsoft-com:office:office}OLEObject"
# Word stores formulas of old editors as embedded files
EQUATION_EDITORS = ("Equation.", "MathType")
COMMENT_REFERENCE = W + "commentReference"
# Word has at most 63 columns
MAX_COLUMNS = 63
# the level of a bold line without a heading style: below all styles
BOLD_LINE_LEVEL = 9
MAX_BOLD_LINE_CHARS = 60
# what documents.py needs to read a part of another type; MHTML is an email
EXTENSIONS = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "message/rfc822": ".eml",
    "multipart/related": ".eml",
    "application/rtf": ".rtf",
    "text/rtf": ".rtf",
    "text/plain": ".txt",
}


def read_blocks(data: bytes, notes: list[str]) -> Iterator[Block]:
    """Read headers and footers, then the body, with comments and notes after the paragraph they stand at."""
    package = Package(data)
    main = package.main_part()
    if not main:
        raise damaged()
    yield from _Reader(package, main, notes).read()


class _Reader:
    """Reads one document.

    `_beside` collects the text boxes, comments and notes of the current paragraph, which follow it.
    """

    def __init__(self, package: Package, main: str, notes: list[str]) -> None:
        self._package, self._main, self._notes = package, main, notes
        self._links = package.relationships(main)
        self._styles = Styles(self._parse_linked("styles"))
        self._numbering = Numbering(self._parse_linked("numbering"))
        self._comments = self._by_id("comments", "comment")
        self._asides = {
            "Footnote": self._by_id("footnotes", "footnote"),
            "Endnote": self._by_id("endnotes", "endnote"),
        }
        self._beside: list[Block] = []
        # headers, documents and diagrams are read once, however often they are linked
        self._seen: set[str] = set()
        # inside a cell, text box, comment, note, header or footer, where nothing is a heading
        self._is_aside = False
        self._open_fields: list[bool] = []
        self._tables = 0

    def read(self) -> Iterator[Block]:
        root = self._package.parse(self._main)
        yield from self._read_headers(root)
        body = find(root, "body")
        yield from self._read_content(() if body is None else body)
        # comments and notes without a place in the text, but not those of deleted text
        for comment in list(self._comments):
            yield from self._read_comment(comment)
        for part, tag in (("Footnote", "footnoteReference"), ("Endnote", "endnoteReference")):
            placed = {node.get(W + "id") for node in root.iter(W + tag)}
            for note in [note for note in self._asides[part] if note not in placed]:
                yield from self._read_note(part, note)
        formulas = {
            node.get(R + "id")
            for node in root.iter(EMBEDDED)
            if node.get("ProgID", "").startswith(EQUATION_EDITORS)
        }
        files = sum(
            link.kind in ("package", "oleObject") and number not in formulas
            for number, link in self._links.items()
        )
        if files:
            self._notes.append(
                f"Files embedded in the document were not read: {files}. Send them by themselves."
            )

    def _parse_linked(self, kind: str) -> Any:
        part = next((link.part for link in self._links.values() if link.kind == kind), None)
        return self._package.parse(part) if part else None

    def _by_id(self, kind: str, tag: str) -> dict[str, Any]:
        """Return comments or notes by ID, without the separators above the notes of a page."""
        root = self._parse_linked(kind)
        found = () if root is None else root.iterchildren(W + tag)
        return {node.get(W + "id"): node for node in found if node.get(W + "type", "normal") == "normal"}

    def _read_headers(self, root: Any) -> Iterator[Block]:
        """Read each header and footer, and each text in them but page numbers, once."""
        texts: set[tuple[str, ...]] = set()
        for part, tag in (("Header", W + "headerReference"), ("Footer", W + "footerReference")):
            for node in root.iter(tag):
                link = self._links.get(node.get(R + "id"))
                if link is None or link.part in self._seen:
                    continue
                self._seen.add(link.part)
                for block in self._read_aside(self._package.parse(link.part), part):
                    if tuple(block.texts) not in texts and not PAGE_NUMBER.fullmatch(block.texts[0]):
                        texts.add(tuple(block.texts))
                        yield block

    def _read_aside(self, content: Iterable[Any], part: str = "", kind: Any = "paragraph") -> list[Block]:
        """Read what stands beside the text, in which nothing is a heading."""
        before = self._is_aside, self._beside
        self._is_aside, self._beside = True, []
        blocks = []
        for block in self._read_content(content):
            own = kind if block.kind in ("paragraph", "item") and kind != "paragraph" else block.kind
            place = block.place if block.place.part else block.place._replace(part=part)
            blocks.append(block._replace(kind=own, place=place))
        self._is_aside, self._beside = before
        return blocks

    def _read_comment(self, number: str) -> list[Block]:
        comment = self._comments.pop(number, None)
        return [] if comment is None else self._read_aside(comment, "Comment", "comment")

    def _read_note(self, part: str, number: str) -> list[Block]:
        note = self._asides[part].pop(number, None)
        return [] if note is None else self._read_aside(note, part, "footnote")

    # -- paragraphs, tables and what holds them ----------------------------------------------------

    def _read_content(self, parent: Iterable[Any]) -> Iterator[Block]:
        pieces: list[str] = []
        for element in self._children(parent):
            if element.tag == PARAGRAPH:
                properties = properties_of(element, PARAGRAPH_PROPERTIES)
                style = self._styles.get(_value(properties.get(STYLE)))
                mark = properties.get(RUN_PROPERTIES)
                is_joined = mark is not None and _is_mark_deleted(mark)
                if not pieces and len(element) <= bool(properties):
                    if not is_joined:
                        self._number(properties, style)
                    continue
                pieces += self._read_paragraph(element, style)
                if is_joined:
                    # what is left of the paragraph and the next one are one paragraph
                    continue
                place = Place(number=self._number(properties, style))
                if not style.is_contents and (lines := split_lines("".join(pieces))):
                    yield from self._to_blocks(element, properties, style, lines, place)
            elif pieces:
                yield Block("paragraph", [join_lines("".join(pieces))])
            pieces = []
            yield from self._take_beside()
            if element.tag == TABLE:
                yield from self._read_table(element)
            elif element.tag == W + "altChunk":
                yield from self._read_chunk(element)
        if text := join_lines("".join(pieces)):
            yield Block("paragraph", [text])
        yield from self._take_beside()

    def _take_beside(self) -> list[Block]:
        taken, self._beside = self._beside, []
        return taken

    def _children(self, parent: Iterable[Any]) -> Iterator[Any]:
        """Return the children, for content controls and other containers what is in them."""
        for element in parent:
            tag = element.tag
            if tag == CONTROL:
                if _has_content(element):
                    yield from self._children(element)
            elif tag in CONTAINERS:
                yield from self._children(element)
            elif tag == ALTERNATIVES:
                yield from self._children(_choose(element))
            else:
                yield element

    def _read_table(self, table: Any) -> Iterator[Block]:
        """Read the rows; comments, notes and tables inside cells follow the table."""
        from .columns import repeat_below  # 4 ms, and many documents have no table

        rows = [row for row in self._children(table) if row.tag == ROW and not _is_row_left_out(row)]
        if len(rows) == 1 and len(cells := self._cells(rows[0])) == 1:
            # a box around text
            yield from self._read_content(cells[0])
            return
        self._tables += 1
        number = self._tables
        beside: list[Block] = []
        above: list[str] = []
        for row_number, row in enumerate(rows, 1):
            texts = [""] * _count(row, "trPr", "gridBefore", default=0)
            for cell in self._cells(row):
                text = self._read_cell(cell, beside)
                if not text and len(texts) < len(above) and _is_merged_with_above(cell):
                    text = repeat_below(above[len(texts)])
                texts.append(text)
                columns = _count(cell, "tcPr", "gridSpan", default=1)
                texts += [""] * min(columns - 1, MAX_COLUMNS - len(texts))
            if any(texts):
                yield Block("row", texts, place=Place(table=number, row=row_number))
            above = texts
        yield from beside

    def _cells(self, row: Any) -> list[Any]:
        return [
            cell for cell in self._children(row) if cell.tag == CELL and find(cell, "tcPr", "cellDel") is None
        ]

    def _read_cell(self, cell: Any, beside: list[Block]) -> str:
        before, self._is_aside = self._is_aside, True
        text = join_cell(self._read_content(cell), beside)
        self._is_aside = before
        return text

    def _read_chunk(self, element: Any) -> Iterator[Block]:
        """Read a document of another type that stands at this place, once."""
        link = self._links.get(element.get(R + "id"))
        if link is None or link.part in self._seen:
            return
        self._seen.add(link.part)
        media_type = self._package.content_type(link.part).partition(";")[0]
        name = posixpath.basename(link.part) + EXTENSIONS.get(media_type, "")
        last = self._tables
        try:
            for block in documents.read_blocks(name, self._package.read(link.part), self._notes):
                if block.place.table:
                    self._tables = last + block.place.table
                    block = block._replace(place=block.place._replace(table=self._tables))
                yield block
        except UnreadableDocument as error:
            self._notes.append(f"A document inside this document was not read: {error.detail}"[:300])

    # -- the text of a paragraph -------------------------------------------------------------------

    def _read_paragraph(self, element: Any, style: Style) -> list[str]:
        before, self._open_fields = self._open_fields, []
        pieces: list[str] = []
        self._read_inline(element, pieces, style.is_hidden)
        self._open_fields = before
        return pieces

    def _read_inline(self, parent: Any, pieces: list[str], is_hidden: bool) -> None:
        """Collect the text of runs; `is_hidden` is what runs inherit from the style of the paragraph."""
        for node in parent:
            tag = node.tag
            if tag == RUN:
                if not self._is_run_hidden(node, is_hidden):
                    self._read_inline(node, pieces, is_hidden)
            elif tag in (TEXT, MATH_TEXT):
                # a field is its code until its separator
                if True not in self._open_fields:
                    pieces.append(node.text or "")
            elif tag in LEFT_OUT:
                continue
            elif tag in CHARACTERS:
                pieces.append(CHARACTERS[tag])
            elif tag == TEXT_BOX:
                self._beside += self._read_aside(node)
            elif tag == ALTERNATIVES:
                self._read_inline(_choose(node), pieces, is_hidden)
            elif tag == CONTROL:
                if _has_content(node):
                    self._read_inline(node, pieces, is_hidden)
            elif not self._read_mark(node, tag, pieces):
                self._read_inline(node, pieces, is_hidden)

    def _read_mark(self, node: Any, tag: str, pieces: list[str]) -> bool:
        """Read a break, symbol, field or reference; return whether the node is one."""
        if tag == BREAK:
            pieces.append(
                LINE_BREAK if node.get(W + "type", "textWrapping") == "textWrapping" else PAGE_BREAK
            )
        elif tag == SYMBOL:
            code = int(node.get(W + "char", "20"), 16)
            code |= 0xF000 if code < 0x100 else 0
            is_private = 0xD800 <= code < 0xF900 and code not in FONT_CHARACTERS
            pieces.append(" " if is_private else chr(code))
        elif tag == FIELD:
            self._read_field(node, pieces)
        elif tag == COMMENT_REFERENCE:
            self._beside += self._read_comment(node.get(W + "id"))
        elif tag in NOTE_KINDS:
            self._beside += self._read_note(NOTE_KINDS[tag], node.get(W + "id"))
        elif tag in (DIAGRAM, CHART):
            self._read_diagram(node)
        elif tag == DRAWING_PARAGRAPH:
            self._beside += [Block("paragraph", [text]) for text in read_texts(node)]
        else:
            return False
        return True

    def _read_diagram(self, node: Any) -> None:
        link = self._links.get(node.get(R + "dm") or node.get(R + "id"))
        if link is not None and link.part not in self._seen:
            self._seen.add(link.part)
            self._beside += [
                Block("paragraph", [text]) for text in read_texts(self._package.parse(link.part))
            ]

    def _read_field(self, node: Any, pieces: list[str]) -> None:
        kind = node.get(W + "fldCharType")
        if kind == "begin":
            self._open_fields.append(True)
            choices = find(node, "ffData", "ddList")
            if choices is not None:
                pieces.append(_find_choice(choices))
        elif self._open_fields and kind == "separate":
            self._open_fields[-1] = False
        elif self._open_fields and kind == "end":
            self._open_fields.pop()

    def _is_run_hidden(self, run: Any, is_hidden: bool) -> bool:
        """Return whether a run is hidden, or struck out."""
        properties = properties_of(run, RUN_PROPERTIES)
        if is_on(properties.get(W + "strike")) or is_on(properties.get(W + "dstrike")):
            return True
        own = is_on(properties.get(W + "vanish"))
        if own is not None:
            return own
        style = properties.get(RUN_STYLE)
        return is_hidden or (style is not None and self._styles.get(style.get(VAL)).is_hidden)

    def _number(self, properties: dict[str, Any], style: Style) -> str:
        """Count a paragraph, which may be empty, in its list; return its number, "" if it has none."""
        own = properties.get(NUMBERING)
        if own is None:
            return self._numbering.next_number(style.list_id, style.list_level, style.list_style)
        list_id = value(own, "numId") or style.list_id
        return self._numbering.next_number(list_id, list_level(value(own, "ilvl")) or 0, None)

    def _to_blocks(
        self, element: Any, properties: dict[str, Any], style: Style, lines: list[str], place: Place
    ) -> Iterator[Block]:
        level, is_item = style.level, style.is_item
        if OUTLINE in properties:
            level = outline_level(_value(properties[OUTLINE]))
        if NUMBERING in properties:
            is_item = value(properties[NUMBERING], "numId") not in (None, "0")
        text = " ".join(lines)
        if not self._is_aside and is_title(text):
            if not level and not is_item and _is_bold_title(element, text):
                level = BOLD_LINE_LEVEL
            if level:
                yield Block("heading", [text], level, place)
                return
        for line in lines:
            yield Block("item" if is_item else "paragraph", [line], place=place)


def _choose(alternatives: Any) -> Any:
    """Return the first alternative with text: the same text box, for new programs and for old ones."""
    for branch in alternatives:
        if next(branch.iter(TEXT, MATH_TEXT, DRAWING_PARAGRAPH, DIAGRAM, CHART), None) is not None:
            return branch
    return ()


def _has_content(control: Any) -> bool:
    """Return whether a content control holds more than its prompt, and not the table of contents."""
    properties = find(control, "sdtPr")
    if properties is None:
        return True
    gallery = value(properties, "docPartObj", "docPartGallery")
    return not is_on(find(properties, "showingPlcHdr")) and gallery != "Table of Contents"


def _value(element: Any) -> str | None:
    return None if element is None else element.get(VAL)


def _is_mark_deleted(mark: Any) -> bool:
    return any(child.tag in (W + "del", W + "moveFrom") for child in mark)


def _is_row_left_out(row: Any) -> bool:
    properties = find(row, "trPr")
    return properties is not None and bool(
        find(properties, "del") is not None or is_on(find(properties, "hidden"))
    )


def _is_merged_with_above(cell: Any) -> bool:
    merged = find(cell, "tcPr", "vMerge")
    return merged is not None and merged.get(VAL) != "restart"


def _count(element: Any, *path: str, default: int) -> int:
    text = value(element, *path) or ""
    return min(int(text), MAX_COLUMNS) if text.isdecimal() else default


def _find_choice(choices: Any) -> str:
    """Return the chosen entry of a drop-down list."""
    entries = [node.get(VAL, "") for node in choices.iterchildren(W + "listEntry")]
    number = value(choices, "result") or value(choices, "default") or "0"
    return entries[int(number)] if number.isdecimal() and int(number) < len(entries) else ""


def _is_bold_title(paragraph: Any, text: str) -> bool:
    """Return whether a paragraph is a short bold line, but no sentence and no label with its value."""
    if len(text) > MAX_BOLD_LINE_CHARS or text.endswith((".", ";", "។")) or ": " in text:
        return False
    runs = [
        run
        for run in paragraph.iterchildren(RUN)
        if any((node.text or "").strip() for node in run.iter(TEXT))
    ]
    return bool(runs) and all(is_on(properties_of(run, RUN_PROPERTIES).get(W + "b")) for run in runs)
