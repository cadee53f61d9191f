"""Packages: the ZIP archives that hold office documents, and the XML in them."""

import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

from lxml import etree

from ..errors import UnreadableDocument

MAX_UNPACKED_BYTES = 150 * 1024 * 1024
MAX_ENTRIES = 10_000
ENCRYPTED = 0x1  # in the flags of an entry
CONTENT_TYPES = "[Content_Types].xml"
# "Strict Open XML" has names of its own for the namespaces and relationships
STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/(\w+)/")
TRANSITIONAL = rb"http://schemas.openxmlformats.org/\1/2006/"


class Relationship(NamedTuple):
    """A link from a part to another part; `kind` is the last word of its type, such as "comments"."""

    kind: str
    part: str


def damaged() -> UnreadableDocument:
    return UnreadableDocument("The document is damaged and could not be read.")


class Package:
    """The parts of an archive; names are compared without case, and backslashes count as slashes.

    All methods raise UnreadableDocument: the archive is damaged, encrypted, or too large when unpacked.
    """

    def __init__(self, data: bytes) -> None:
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, NotImplementedError, ValueError):
            raise damaged() from None
        entries = self._archive.infolist()
        if len(entries) > MAX_ENTRIES or sum(entry.file_size for entry in entries) > MAX_UNPACKED_BYTES:
            raise UnreadableDocument("The document is too large when unpacked.")
        if any(entry.flag_bits & ENCRYPTED for entry in entries):
            raise protected()
        self._entries = {_normalize(entry.filename): entry for entry in entries}

    def __contains__(self, part: str) -> bool:
        return _normalize(part) in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def read(self, part: str) -> bytes:
        """Return the content of a part."""
        try:
            return self._archive.read(self._entries[_normalize(part)])
        except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, LookupError, ValueError, OSError):
            raise damaged() from None

    def parse(self, part: str) -> Any:
        """Return the root element of a part, with the namespaces of transitional Open XML."""
        return parse_xml(self.read(part))

    def relationships(self, part: str) -> dict[str, Relationship]:
        """Return the relationships of a part to parts that exist, by ID; "" is the package itself."""
        folder, name = posixpath.split(part)
        path = posixpath.join(folder, "_rels", name + ".rels")
        found: dict[str, Relationship] = {}
        if path not in self:
            return found
        for node in self.parse(path):
            target = unquote(node.get("Target", "")).replace("\\", "/")
            target = posixpath.normpath(posixpath.join("/", folder, target))
            if node.get("TargetMode") != "External" and target in self:
                kind = posixpath.basename(node.get("Type", ""))
                found[node.get("Id", "")] = Relationship(kind, target.lstrip("/"))
        return found

    def main_part(self) -> str:
        """Return the name of the main part of an Open XML document, "" if there is none."""
        for link in self.relationships("").values():
            if link.kind == "officeDocument":
                return link.part
        return ""

    def content_type(self, part: str) -> str:
        """Return the content type of a part in lower case, "" if it has none."""
        if CONTENT_TYPES not in self:
            return ""
        name = _normalize(part)
        by_extension = ""
        for node in self.parse(CONTENT_TYPES):
            if "PartName" in node.attrib and _normalize(node.get("PartName")) == name:
                return str(node.get("ContentType", "")).lower()
            if "Extension" in node.attrib and name.endswith("." + node.get("Extension").lower()):
                by_extension = str(node.get("ContentType", "")).lower()
        return by_extension

    def media_type(self) -> str:
        """Return the type of the document: its `mimetype`, or the content type of the main part."""
        if "mimetype" in self and CONTENT_TYPES not in self:
            return self.read("mimetype")[:200].decode("ascii", "replace").strip().lower()
        main = self.main_part()
        return self.content_type(main) if main else ""


def parse_xml(data: bytes) -> Any:
    """Parse XML; entities are not expanded, nothing is loaded, and no element stands deeper than 256."""
    if b"http://purl.oclc.org/ooxml/" in data:
        data = STRICT.sub(TRANSITIONAL, data)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        return etree.fromstring(data, parser)
    except etree.LxmlError:
        raise damaged() from None


def protected() -> UnreadableDocument:
    return UnreadableDocument("The document is protected by a password; save it without one and try again.")


def _normalize(part: str) -> str:
    return part.replace("\\", "/").lstrip("/").lower()
