"""Presentations (.pptx, .pptm, .ppsx): slides with their speaker notes and comments."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from .blocks import Block, Place
from .drawing import CHART, DIAGRAM, A, R, has_text, read_paragraphs, read_text, read_texts
from .package import Package, Relationship, damaged
from .paragraphs import is_title, join_lines, split_lines

P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
ALTERNATIVES = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
TITLES = ("title", "ctrTitle")
BULLETED = ("body", "obj")
REPEATED = ("dt", "sldNum", "hdr", "ftr", "sldImg")
BULLETS = (A + "buChar", A + "buAutoNum", A + "buBlip")
# shapes whose tops differ by less, a quarter of an inch, stand beside each other
LINE_HEIGHT = 228_600
MAX_NAMED_SLIDES = 20


def read_blocks(data: bytes, notes: list[str]) -> Iterator[Block]:
    """Read the slides in their order, hidden ones too; a slide is a page."""
    package = Package(data)
    main = package.main_part()
    if not main:
        raise damaged()
    links = package.relationships(main)
    reader = _Reader(package)
    for number, node in enumerate(package.parse(main).iter(P + "sldId"), 1):
        link = links.get(node.get(R + "id"))
        if link and reader.is_new(link.part):
            for block in reader.read_slide(link.part, number):
                yield block._replace(place=block.place._replace(slide=number))
    if reader.hidden_slides:
        numbers = ", ".join(map(str, reader.hidden_slides[:MAX_NAMED_SLIDES]))
        more = " and others" if len(reader.hidden_slides) > MAX_NAMED_SLIDES else ""
        notes.append(f"These slides are hidden in the presentation, but were read: {numbers}{more}.")


class _Shape(NamedTuple):
    """A shape that is not a group; `role` is that of a placeholder, "" for another shape."""

    element: Any
    role: str


class _Reader:
    def __init__(self, package: Package) -> None:
        self.hidden_slides: list[int] = []
        self._package = package
        self._seen: set[str] = set()
        self._positions: dict[str, dict[str, tuple[int, int]]] = {}
        self._tables = 0

    def is_new(self, part: str) -> bool:
        """Return whether a part was not read yet; each is read once, however often it is linked."""
        known = part in self._seen
        self._seen.add(part)
        return not known

    def read_slide(self, part: str, number: int) -> Iterator[Block]:
        slide = _drop_alternatives(self._package.parse(part))
        links = self._package.relationships(part)
        if slide.get("show") in ("0", "false"):
            self.hidden_slides.append(number)
        layout = next((link.part for link in links.values() if link.kind == "slideLayout"), "")
        shapes = list(self._shapes(slide, self._layout_positions(layout)))
        title = next((shape for shape in shapes if shape.role in TITLES and has_text(shape.element)), None)
        text = " ".join(read_texts(title.element)) if title else ""
        # the heading of the slide before must not stand above this one
        yield Block("heading", [text if text and is_title(text) else f"Slide {number}"], 1)
        if text and not is_title(text):
            yield Block("paragraph", [text])
        for shape in shapes:
            if shape is not title:
                yield from self._read_shape(shape, links)
        for link in links.values():
            if link.kind == "notesSlide" and self.is_new(link.part):
                yield from self._read_notes(link.part)
            elif link.kind == "comments" and self.is_new(link.part):
                yield from self._read_comments(link.part)

    def _shapes(self, parent: Any, positions: dict[str, tuple[int, int]]) -> Iterator[_Shape]:
        """Return the shapes that are shown, from top to bottom and from left to right, groups as one."""
        found = []
        for element in _children(parent):
            role, key = _placeholder(element)
            if role not in REPEATED and not _is_hidden(element):
                top, left = _position(element) or positions.get(key) or (0, 0)
                found.append((top // LINE_HEIGHT, left, _Shape(element, role)))
        for _, _, shape in sorted(found, key=lambda item: item[:2]):
            if shape.element.tag == P + "grpSp":
                yield from self._shapes(shape.element, {})
            else:
                yield shape

    def _layout_positions(self, part: str) -> dict[str, tuple[int, int]]:
        """Return where the layout of a slide has its placeholders, by their number."""
        if part and part not in self._positions:
            found = (
                (_placeholder(element)[1], _position(element))
                for element in _children(self._package.parse(part))
            )
            self._positions[part] = {key: position for key, position in found if key and position}
        return self._positions.get(part, {})

    def _read_shape(self, shape: _Shape, links: dict[str, Relationship]) -> Iterator[Block]:
        element = shape.element
        if element.tag != P + "graphicFrame":
            for paragraph in read_paragraphs(element):
                is_item = _is_item(paragraph, shape.role in BULLETED)
                for line in split_lines(read_text(paragraph)):
                    yield Block("item" if is_item else "paragraph", [line])
            return
        for table in element.iter(A + "tbl"):
            yield from self._read_table(table)
        # the texts of diagrams and charts are parts of their own
        for node in element.iter(DIAGRAM, CHART):
            link = links.get(node.get(R + "dm") or node.get(R + "id"))
            if link and self.is_new(link.part):
                for text in read_texts(self._package.parse(link.part)):
                    yield Block("item", [text])

    def _read_table(self, table: Any) -> Iterator[Block]:
        self._tables += 1
        for number, row in enumerate(table.iterchildren(A + "tr"), 1):
            texts = ["\n".join(read_texts(cell)) for cell in row.iterchildren(A + "tc")]
            if any(texts):
                yield Block("row", texts, place=Place(table=self._tables, row=number))

    def _read_notes(self, part: str) -> Iterator[Block]:
        for shape in self._shapes(self._package.parse(part), {}):
            for text in read_texts(shape.element):
                yield Block("paragraph", [text], place=Place(part="Notes"))

    def _read_comments(self, part: str) -> Iterator[Block]:
        """Read the comments of old and of new programs; the latter have replies inside them."""
        for node in self._package.parse(part).iter("{*}text", "{*}txBody"):
            text = " ".join(read_texts(node)) or join_lines(node.text or "")
            if text:
                yield Block("comment", [text], place=Place(part="Comment"))


def _drop_alternatives(root: Any) -> Any:
    """Leave one branch of what is there twice, for new programs and for old ones: the first with text."""
    for alternatives in list(root.iter(ALTERNATIVES)):
        chosen = next((branch for branch in alternatives if has_text(branch)), None)
        for branch in alternatives:
            if branch is not chosen:
                alternatives.remove(branch)
    return root


def _children(parent: Any) -> Iterator[Any]:
    """Return the shapes of a slide, layout or group."""
    tree = parent if parent.tag == P + "grpSp" else next(parent.iter(P + "spTree"), ())
    for element in tree:
        if element.tag == ALTERNATIVES:
            for branch in element:
                yield from branch
        else:
            yield element


def _placeholder(element: Any) -> tuple[str, str]:
    """Return the role of a placeholder and its key in the layout; "" and "" for another shape."""
    for properties in element:
        for node in properties.iterfind(f"{P}nvPr/{P}ph"):
            return node.get("type", "obj"), node.get("idx") or node.get("type", "obj")
        break
    return "", ""


def _is_hidden(element: Any) -> bool:
    return any(
        node.get("hidden") in ("1", "true") for head in element[:1] for node in head.iterchildren(P + "cNvPr")
    )


def _position(element: Any) -> tuple[int, int] | None:
    for path in (f"{P}spPr/{A}xfrm", f"{P}xfrm", f"{P}grpSpPr/{A}xfrm"):
        for offset in element.iterfind(f"{path}/{A}off"):
            return int(offset.get("y", "0")), int(offset.get("x", "0"))
    return None


def _is_item(paragraph: Any, is_bulleted: bool) -> bool:
    """Return whether a paragraph has a bullet; those of body placeholders have one unless it is removed."""
    for properties in paragraph.iterchildren(A + "pPr"):
        if any(node.tag in BULLETS for node in properties):
            return True
        is_bulleted = is_bulleted and all(node.tag != A + "buNone" for node in properties)
    return is_bulleted
