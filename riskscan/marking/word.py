"""Word documents with a comment on each finding; all other parts of the package stay as they are."""

from __future__ import annotations

import datetime
import io
import posixpath
import re
import zipfile
from bisect import bisect_right
from collections.abc import Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from lxml import etree

from ..ai_service.errors import UnreadableDocument
from ..ai_service.reading.blocks import MAX_CHARS
from ..ai_service.reading.package import CONTENT_TYPES, Package, damaged
from ..ai_service.reading.word import (
    ALTERNATIVES,
    BREAK,
    CHARACTERS,
    FIELD,
    LEFT_OUT,
    PARAGRAPH,
    RUN,
    RUN_PROPERTIES,
    TEXT,
    TEXT_BOX,
)
from ..ai_service.reading.word_styles import W, is_on, properties_of
from .placing import PARAGRAPH_END, Mark, list_unplaced, place_marks

AUTHOR, INITIALS = "RiskScan", "RS"
SPACE = "{http://www.w3.org/XML/1998/namespace}space"
TYPES = "{http://schemas.openxmlformats.org/package/2006/content-types}"
LINKS = "{http://schemas.openxmlformats.org/package/2006/relationships}"
COMMENTS_TYPE = "application/vnd.openxmlformats-officedocument.wordprocessingml.comments+xml"
COMMENTS_LINK = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/comments"
NO_COMMENTS = f'<w:comments xmlns:w="{W[1:-1]}"/>'.encode()
# what XML cannot hold
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Segment(NamedTuple):
    """A text element, and the run that it is in."""

    text: Any
    run: Any


def mark_word(data: bytes, marks: Sequence[Mark]) -> tuple[bytes, list[int]]:
    """Return the document with comments on the findings, and their numbers; raises UnreadableDocument."""
    package = _Copy(data)
    body = _Body(package.document)
    if not body.starts:
        raise UnreadableDocument("The document has no text that could be marked.")
    places = place_marks(body.text, marks)
    comments = _Comments(package.comments)
    if unplaced := list_unplaced(marks, places):
        body.comment_first(comments.add(unplaced))
    placed = [(mark, pieces) for mark, pieces in zip(marks, places, strict=True) if pieces]
    # numbered in the order of the document, as Word does
    for mark, pieces in sorted(placed, key=lambda item: item[1][0].start):
        body.comment(pieces[0].start, pieces[-1].end, comments.add(mark.note))
    return package.save(), [mark.number for mark, _ in placed]


class _Body:
    """The text of the body and of its tables, and the elements that hold it.

    `text` has the paragraphs, each with its end. What is deleted or hidden is no part of it, nor what is in
    a text box, where Word has no comments.
    """

    def __init__(self, document: Any) -> None:
        self.starts: list[int] = []
        self._segments: list[Segment] = []
        self._parts: list[str] = []
        self._size = 0
        for paragraph in document.iter(PARAGRAPH):
            if next(paragraph.iterancestors(TEXT_BOX, *LEFT_OUT), None) is None:
                self._open_fields: list[bool] = []
                self._read(paragraph)
                self._append(PARAGRAPH_END)
        self.text = "".join(self._parts)

    def _append(self, text: str) -> None:
        self._parts.append(text)
        self._size += len(text)
        if self._size > MAX_CHARS:
            raise UnreadableDocument("The document holds too much text to be marked.")

    def _read(self, parent: Any) -> None:
        for node in parent:
            tag = node.tag
            if tag == TEXT and parent.tag == RUN:
                if node.text and True not in self._open_fields:
                    self.starts.append(self._size)
                    self._segments.append(Segment(node, parent))
                    self._append(node.text)
            elif tag in CHARACTERS:
                self._append(CHARACTERS[tag])
            elif tag == BREAK:
                self._append("\v")
            elif tag == FIELD:
                self._read_field(node.get(W + "fldCharType"))
            elif tag in (PARAGRAPH, TEXT_BOX, ALTERNATIVES) or tag in LEFT_OUT:
                continue
            elif tag != RUN or not _is_hidden(node):
                self._read(node)

    def _read_field(self, kind: str) -> None:
        """Leave out the code of a field, which ends at its separator."""
        if kind == "begin":
            self._open_fields.append(True)
        elif self._open_fields and kind == "separate":
            self._open_fields[-1] = False
        elif self._open_fields and kind == "end":
            self._open_fields.pop()

    def comment(self, start: int, end: int, number: int) -> None:
        """Put a comment on the text from `start` to before `end`."""
        self._split(start)
        self._split(end)
        first = self._segments[bisect_right(self.starts, start) - 1].run
        last = self._segments[bisect_right(self.starts, end - 1) - 1].run
        identifier = {W + "id": str(number)}
        first.addprevious(etree.Element(W + "commentRangeStart", identifier))
        reference = etree.Element(RUN)
        etree.SubElement(reference, W + "commentReference", identifier)
        last.addnext(reference)
        last.addnext(etree.Element(W + "commentRangeEnd", identifier))

    def comment_first(self, number: int) -> None:
        """Put a comment on the first text of the document."""
        self.comment(self.starts[0], self.starts[0] + len(self._segments[0].text.text), number)

    def _split(self, position: int) -> None:
        """Split the run at a position in the text, so that a run begins there."""
        index = bisect_right(self.starts, position) - 1
        text, run = self._segments[index]
        offset = position - self.starts[index]
        content = text.text
        if offset >= len(content) or (not offset and _begins(run, text)):
            return
        rest = etree.Element(RUN, run.attrib)
        if len(run) and run[0].tag == RUN_PROPERTIES:
            rest.append(deepcopy(run[0]))
        following = [*text.itersiblings()]
        if offset:
            moved = etree.Element(TEXT)
            text.text, moved.text = content[:offset], content[offset:]
            text.set(SPACE, "preserve")
            moved.set(SPACE, "preserve")
        else:
            moved = text
        rest.append(moved)
        rest.extend(following)
        run.addnext(rest)
        if offset:
            self.starts.insert(index + 1, position)
            self._segments.insert(index + 1, Segment(moved, rest))
        else:
            self._segments[index] = Segment(moved, rest)
        self._move(index + 1 + bool(offset), run, rest)

    def _move(self, index: int, run: Any, rest: Any) -> None:
        """Note that the segments of a run from `index` on are in another one."""
        while index < len(self._segments) and self._segments[index].run is run:
            self._segments[index] = self._segments[index]._replace(run=rest)
            index += 1


def _begins(run: Any, text: Any) -> bool:
    """Return whether the run begins with this text."""
    return next((node for node in run if node.tag != RUN_PROPERTIES), None) is text


def _is_hidden(run: Any) -> bool:
    return bool(is_on(properties_of(run, RUN_PROPERTIES).get(W + "vanish")))


class _Comments:
    """The comments of a document."""

    def __init__(self, root: Any) -> None:
        self._root = root
        numbers = [node.get(W + "id", "") for node in root.iter(W + "comment")]
        self._next = 1 + max(
            (int(number) for number in numbers if re.fullmatch("[0-9]{1,9}", number)), default=-1
        )
        self._date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def add(self, note: str) -> int:
        """Add a comment, a paragraph for each line, and return its ID."""
        number = self._next
        self._next += 1
        comment = etree.SubElement(
            self._root,
            W + "comment",
            {W + "id": str(number), W + "author": AUTHOR, W + "date": self._date, W + "initials": INITIALS},
        )
        for line in NOT_XML.sub("\ufffd", note).split("\n"):
            run = etree.SubElement(etree.SubElement(comment, PARAGRAPH), RUN)
            text = etree.SubElement(run, TEXT)
            text.text = line
            text.set(SPACE, "preserve")
        return number


# -- the package -----------------------------------------------------------------------------------


class _Copy:
    """A copy of a package, in which the document and its comments are to be changed."""

    def __init__(self, data: bytes) -> None:
        package = Package(data)  # which checks its size, and that it is not encrypted
        self._archive = zipfile.ZipFile(io.BytesIO(data))
        self._names = {name.replace("\\", "/").lstrip("/").lower(): name for name in self._archive.namelist()}
        self._main = package.main_part()
        self._changed: dict[str, Any] = {}
        self.document = self._parse(self._main)
        links = package.relationships(self._main).values()
        part = next((link.part for link in links if link.kind == "comments"), "")
        self.comments = self._parse(part) if part else self._add_comments()

    def _parse(self, part: str) -> Any:
        """Return the root of a part, which will be written anew."""
        name = self._names.get(part.lower())
        if name is None:
            raise damaged()
        if name not in self._changed:
            self._changed[name] = _parse_xml(self._archive.read(name))
        return self._changed[name]

    def _add_comments(self) -> Any:
        """Add a part for comments, its type, and the link to it."""
        folder, main = posixpath.split(self._main)
        name = posixpath.join(folder, "riskscan-comments.xml")
        types = self._parse(CONTENT_TYPES)
        etree.SubElement(types, TYPES + "Override", {"PartName": f"/{name}", "ContentType": COMMENTS_TYPE})
        path = posixpath.join(folder, "_rels", main + ".rels")
        if path.lower() in self._names:
            links = self._parse(path)
        else:
            links = self._changed[path] = etree.Element(LINKS + "Relationships", nsmap={None: LINKS[1:-1]})
        attributes = {"Id": "riskscanComments", "Type": COMMENTS_LINK, "Target": posixpath.basename(name)}
        etree.SubElement(links, LINKS + "Relationship", attributes)
        self._changed[name] = _parse_xml(NO_COMMENTS)
        return self._changed[name]

    def save(self) -> bytes:
        """Return the package; parts that were not changed are the same, byte by byte."""
        output = io.BytesIO()
        with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
            for entry in self._archive.infolist():
                if entry.filename in self._changed:
                    archive.writestr(entry.filename, _to_bytes(self._changed.pop(entry.filename)))
                else:
                    archive.writestr(entry, self._archive.read(entry))
            for name, root in self._changed.items():
                archive.writestr(name, _to_bytes(root))
        return output.getvalue()


def _parse_xml(data: bytes) -> Any:
    """Parse XML; entities are not expanded, nothing is loaded, and comments stay."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True)
    try:
        return etree.fromstring(data, parser)
    except etree.LxmlError:
        raise damaged() from None


def _to_bytes(root: Any) -> bytes:
    content: bytes = etree.tostring(
        root.getroottree(), xml_declaration=True, encoding="UTF-8", standalone=True
    )
    return content
