"""Documents that tests build, and what the reader makes of them."""

import io
import zipfile
from collections.abc import Mapping
from typing import NamedTuple

import docx

from riskscan.ai_service.reading import documents
from riskscan.ai_service.reading.blocks import Block
from riskscan.ai_service.reading.layout import parse_blocks
from riskscan.ai_service.reading.sentences import Unit, split_into_units
from riskscan.ai_service.reading.tables import name_cells

RELATIONSHIPS = "application/vnd.openxmlformats-package.relationships+xml"


class Reading(NamedTuple):
    """What was read of a document."""

    blocks: list[Block]
    units: list[Unit]
    notes: list[str]

    @property
    def texts(self) -> list[str]:
        return [unit.text for unit in self.units]


def read(name: str, data: bytes | str) -> Reading:
    """Read a document in this process, without the limits and the sandbox of the real one."""
    notes: list[str] = []
    raw = list(documents.read_blocks(name, data.encode() if isinstance(data, str) else data, notes))
    return Reading(list(name_cells(parse_blocks(raw))), list(split_into_units(raw)), notes)


def word(document_xml: str | bytes, **more: bytes) -> bytes:
    """A Word file with this main part."""
    file = io.BytesIO()
    empty = io.BytesIO()
    docx.Document().save(empty)
    with zipfile.ZipFile(empty) as source, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for entry in source.infolist():
            if entry.filename != "word/document.xml":
                target.writestr(entry, source.read(entry))
        target.writestr("word/document.xml", document_xml)
        for name, content in more.items():
            target.writestr(name, content)
    return file.getvalue()


def body(inner: str, before: str = "") -> str:
    space = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
    return f'<?xml version="1.0"?>{before}<w:document xmlns:w="{space}"><w:body>{inner}</w:body></w:document>'


def archive(parts: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive of these files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as target:
        for name, content in parts.items():
            target.writestr(name, content)
    return file.getvalue()


def relationships(links: Mapping[str, tuple[str, str]]) -> str:
    """The XML of relationships: for each ID its kind and target."""
    space = "http://schemas.openxmlformats.org/package/2006/relationships"
    kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    inner = "".join(
        f'<Relationship Id="{number}" Type="{kinds}/{kind}" Target="{target}"/>'
        for number, (kind, target) in links.items()
    )
    return f'<Relationships xmlns="{space}">{inner}</Relationships>'


def content_types(types: Mapping[str, str]) -> str:
    """The XML of content types: for each part its own."""
    space = "http://schemas.openxmlformats.org/package/2006/content-types"
    inner = "".join(f'<Override PartName="/{part}" ContentType="{name}"/>' for part, name in types.items())
    inner += '<Default Extension="xml" ContentType="application/xml"/>'
    inner += f'<Default Extension="rels" ContentType="{RELATIONSHIPS}"/>'
    return f'<Types xmlns="{space}">{inner}</Types>'


def pdf(objects: list[bytes]) -> bytes:
    """A PDF of these objects, the first of which is the catalogue."""
    file = bytearray(b"%PDF-1.7\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(file))
        file += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    file += b"".join(b"%010d 00000 n \n" % place for place in places)
    file += b"trailer <</Size %d /Root 1 0 R>>\nstartxref\n%d\n%%%%EOF" % (len(objects) + 1, start)
    return bytes(file)
