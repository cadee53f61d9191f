"""OpenDocument text (.odt, .ott), with all changes as accepted."""

from collections.abc import Iterable, Iterator
from typing import Any

from .blocks import Block, Place
from .package import Package, damaged, protected
from .paragraphs import LINE_BREAK, is_title, join_cell, split_lines

OASIS = "{urn:oasis:names:tc:opendocument:xmlns:%s:1.0}"
OFFICE, STYLE, TABLE, TEXT, DRAW = (OASIS % name for name in ("office", "style", "table", "text", "drawing"))
ANNOTATION, NOTE = OFFICE + "annotation", TEXT + "note"
# parts of a paragraph that may say whether they are hidden
WITH_STYLE = (TEXT + "span", TEXT + "a")
# deleted text, lists of contents, what describes something else, and what changes from page to page
LEFT_OUT = frozenset(
    space + name
    for space, names in (
        (OFFICE, "forms event-listeners"),
        (TEXT, "tracked-changes hidden-text ruby-text script note-citation page-number page-count"),
        (TEXT, "table-of-content illustration-index table-index alphabetical-index"),
        (OASIS % "svg-compatible", "title desc"),
        (OASIS % "meta", "date-string creator-initials"),
        ("{http://purl.org/dc/elements/1.1/}", "creator date"),
    )
    for name in names.split()
)
CHARACTERS = {TEXT + "s": " ", TEXT + "tab": " ", TEXT + "line-break": LINE_BREAK}
LISTS = (TEXT + "list", TEXT + "numbered-paragraph")
MAX_COLUMNS = 256
MAX_ANCESTORS = 20
TITLES = ("Title", "Subtitle")


def read_blocks(data: bytes, notes: list[str]) -> Iterator[Block]:
    """Read headers and footers, then the body, with comments and notes after the paragraph they stand at."""
    package = Package(data)
    manifest = "META-INF/manifest.xml"
    if manifest in package and b"encryption-data" in package.read(manifest):
        raise protected()
    if "content.xml" not in package:
        raise damaged()
    content = package.parse("content.xml")
    styles = package.parse("styles.xml") if "styles.xml" in package else None
    common = [] if styles is None else list(styles.iterchildren(OFFICE + "styles"))
    if styles is not None:
        yield from _read_headers(styles, common)
    reader = _Reader([*common, *content.iterchildren(OFFICE + "automatic-styles")])
    for body in content.iterfind(f"{OFFICE}body/{OFFICE}text"):
        yield from reader.read_content(body)


def _read_headers(styles: Any, common: list[Any]) -> Iterator[Block]:
    """Read each text of headers and footers once."""
    reader = _Reader([*common, *styles.iterchildren(OFFICE + "automatic-styles")])
    seen = set()
    for master in styles.iterfind(f"{OFFICE}master-styles/{STYLE}master-page"):
        for element in master:
            name = str(element.tag).removeprefix(STYLE)
            for kind in ("header", "footer"):
                if name.startswith(kind):
                    for block in reader.read_aside(element, kind.capitalize()):
                        if tuple(block.texts) not in seen:
                            seen.add(tuple(block.texts))
                            yield block


class _Reader:
    """Reads a part of a document; the elements of `styles` hold the styles that it uses.

    `_beside` collects the text boxes, comments and notes of the current paragraph, which follow it.
    """

    def __init__(self, styles: list[Any]) -> None:
        self._styles = {
            (style.get(STYLE + "family"), style.get(STYLE + "name")): style
            for group in styles
            for style in group.iterchildren(STYLE + "style")
        }
        self._hidden: dict[tuple[str, str | None], bool | None] = {}
        self._beside: list[Block] = []
        # inside a cell, text box, comment, note, header or footer, where nothing is a heading
        self._is_aside = False
        self._tables = 0

    def read_content(self, parent: Iterable[Any], is_item: bool = False) -> Iterator[Block]:
        for element in parent:
            tag = element.tag
            if tag in (TEXT + "p", TEXT + "h"):
                yield from self._read_paragraph(element, is_item)
                taken, self._beside = self._beside, []
                yield from taken
            elif tag == TABLE + "table":
                yield from self._read_table(element)
            elif tag in LISTS:
                yield from self.read_content(element, is_item=True)
            elif tag in LEFT_OUT or element.get(TEXT + "display") == "none":
                continue
            elif tag == ANNOTATION:
                yield from self.read_aside(element, "Comment", "comment")
            else:
                # sections, the items of lists, frames and shapes
                yield from self.read_content(element, is_item)

    def read_aside(self, content: Iterable[Any], part: str = "", kind: Any = None) -> list[Block]:
        """Read what stands beside the text."""
        before = self._is_aside, self._beside
        self._is_aside, self._beside = True, []
        blocks = []
        for block in self.read_content(content):
            place = block.place if block.place.part else block.place._replace(part=part)
            own = kind if kind and block.kind in ("paragraph", "item") else block.kind
            blocks.append(block._replace(kind=own, place=place))
        self._is_aside, self._beside = before
        return blocks

    def _read_paragraph(self, element: Any, is_item: bool) -> Iterator[Block]:
        name = element.get(TEXT + "style-name")
        pieces: list[str] = []
        self._read_inline(element, pieces, self._is_hidden("paragraph", name, inherited=False))
        lines = split_lines("".join(pieces))
        text = " ".join(lines)
        if not lines or any(
            node.get(TEXT + "is-hidden") == "true" for node in element.iter(TEXT + "hidden-paragraph")
        ):
            return
        level = 0
        if element.tag == TEXT + "h":
            level = int(element.get(TEXT + "outline-level", "1"))
        elif any(style.get(STYLE + "name") in TITLES for style in self._ancestors("paragraph", name)):
            level = 1
        if level and not self._is_aside and is_title(text):
            yield Block("heading", [text], level)
            return
        for line in lines:
            yield Block("item" if is_item else "paragraph", [line])

    def _read_inline(self, parent: Any, pieces: list[str], is_hidden: bool) -> None:
        """Collect the text of a paragraph or of a part of it; `is_hidden` unless a part says otherwise."""
        if not is_hidden:
            pieces.append(parent.text or "")
        for node in parent:
            tag = node.tag
            if is_hidden and tag not in WITH_STYLE:
                continue
            if tag in CHARACTERS:
                pieces.append(CHARACTERS[tag])
            elif tag == NOTE:
                part = node.get(TEXT + "note-class", "footnote").capitalize()
                self._beside += self.read_aside(node.iterchildren(TEXT + "note-body"), part, "footnote")
            elif tag == ANNOTATION:
                self._beside += self.read_aside(node, "Comment", "comment")
            elif isinstance(tag, str) and tag.startswith(DRAW):
                self._beside += self.read_aside(node)
            elif tag not in LEFT_OUT:
                own = self._is_hidden("text", node.get(TEXT + "style-name"), is_hidden)
                self._read_inline(node, pieces, own)
            if not is_hidden:
                pieces.append(node.tail or "")

    def _read_table(self, table: Any) -> Iterator[Block]:
        """Read the rows; comments, notes and tables inside cells follow the table."""
        rows = list(_rows(table))
        if len(rows) == 1 and len(cells := _cells(rows[0])) == 1:
            # a box around text
            yield from self.read_content(cells[0])
            return
        self._tables += 1
        number = self._tables
        beside: list[Block] = []
        for row_number, row in enumerate(rows, 1):
            texts: list[str] = []
            for cell in _cells(row):
                count = min(_repeats(cell, "columns"), MAX_COLUMNS - len(texts))
                texts += [self._read_cell(cell, beside)] * count
            # the last cell is often repeated to the edge of the sheet
            while texts and not texts[-1]:
                texts.pop()
            if texts:
                yield Block("row", texts, place=Place(table=number, row=row_number))
        yield from beside

    def _read_cell(self, cell: Any, beside: list[Block]) -> str:
        if cell.tag == TABLE + "covered-table-cell":
            return ""
        before, self._is_aside = self._is_aside, True
        text = join_cell(self.read_content(cell), beside)
        self._is_aside = before
        return text

    def _ancestors(self, family: str, name: str | None) -> list[Any]:
        """Return the style and those that it inherits from, the nearest first."""
        found: list[Any] = []
        while (family, name) in self._styles and len(found) < MAX_ANCESTORS:
            found.append(self._styles[family, name])
            name = found[-1].get(STYLE + "parent-style-name")
        return found

    def _is_hidden(self, family: str, name: str | None, inherited: bool) -> bool:
        """Return whether text of a style is hidden, or struck out; `inherited` if it doesn't say."""
        if name is None:
            return inherited
        if (family, name) not in self._hidden:
            said = [
                properties
                for style in self._ancestors(family, name)
                for properties in style.iterchildren(STYLE + "text-properties")
            ]
            display, line = (
                next(filter(None, (properties.get(key) for properties in said)), "")
                for key in (TEXT + "display", STYLE + "text-line-through-style")
            )
            is_hidden = display == "none" or line not in ("", "none")
            self._hidden[family, name] = is_hidden if display or line else None
        own = self._hidden[family, name]
        return inherited if own is None else own


def _rows(parent: Any) -> Iterator[Any]:
    """Return the rows that are shown; one that is repeated, once."""
    for element in parent:
        if element.tag == TABLE + "table-row":
            if element.get(TABLE + "visibility", "visible") == "visible":
                yield element
        elif element.tag in (TABLE + "table-header-rows", TABLE + "table-rows", TABLE + "table-row-group"):
            yield from _rows(element)


def _cells(row: Any) -> list[Any]:
    return list(row.iterchildren(TABLE + "table-cell", TABLE + "covered-table-cell"))


def _repeats(element: Any, what: str) -> int:
    return max(1, int(element.get(f"{TABLE}number-{what}-repeated", "1")))
