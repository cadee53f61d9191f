"""The styles of a Word document, each with what it inherits."""

import re
from typing import Any, NamedTuple

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
VAL = W + "val"
FALSE = ("0", "false", "off", "none")
# styles may inherit from each other in a circle, or in a chain that a program made
MAX_ANCESTORS = 20
# Word stores the English names of its styles; other programs and old templates store translated ones
HEADING_NAME = re.compile(
    r"(?:heading|überschrift|titre|título|titulo|titolo|encabezado|kop|rubrik|overskrift|otsikko|nagłówek|nadpis"
    r"|заголовок|başlık|标题|標題|見出し|제목|ចំណងជើង)\s?([1-9])"
)
TITLE_NAMES = ("title", "subtitle")
CONTENTS_NAME = re.compile(r"toc [1-9]|table of figures")


class Style(NamedTuple):
    """What a style says of paragraphs and runs; `level` is 0 unless they are headings, 1 the highest.

    `list_id` and `list_level` are those of the list that numbers the paragraphs, if there is one;
    `list_style` is the ID of the style that says so.
    """

    level: int = 0
    is_item: bool = False
    list_id: str | None = None
    list_level: int | None = None
    list_style: str | None = None
    is_hidden: bool = False
    is_contents: bool = False


class Styles:
    """The styles by ID."""

    def __init__(self, root: Any) -> None:
        self._elements = (
            {} if root is None else {node.get(W + "styleId"): node for node in root.iter(W + "style")}
        )
        self._styles: dict[str | None, Style] = {None: Style()}

    def get(self, style_id: str | None) -> Style:
        """Return a style; one that the document does not define says nothing."""
        if style_id not in self._styles:
            self._styles[style_id] = _resolve(self._ancestors(style_id))
        return self._styles[style_id]

    def _ancestors(self, style_id: str | None) -> list[Any]:
        """Return the style and those that it is based on, the nearest first."""
        found: list[Any] = []
        while style_id in self._elements and len(found) < MAX_ANCESTORS:
            found.append(self._elements[style_id])
            style_id = value(found[-1], "basedOn")
        return found


def _resolve(ancestors: list[Any]) -> Style:
    names = [(value(style, "name") or "").lower() for style in ancestors]
    # a style may give the level alone, of the list of the style that it is based on
    lists = [value(style, "pPr", "numPr", "numId") for style in ancestors]
    nearest = next((number for number, list_id in enumerate(lists) if list_id), None)
    list_id = None if nearest is None else lists[nearest]
    levels = (value(style, "pPr", "numPr", "ilvl") for style in ancestors[: (nearest or 0) + 1])
    hidden = (is_on(find(style, "rPr", "vanish")) for style in ancestors)
    return Style(
        level=_heading_level(ancestors, names),
        is_item=list_id not in (None, "0") or any("list" in name for name in names),
        list_id=list_id,
        list_level=next((list_level(level) for level in levels if level), None),
        list_style=None if nearest is None else ancestors[nearest].get(W + "styleId"),
        is_hidden=next((flag for flag in hidden if flag is not None), False),
        is_contents=bool(names and CONTENTS_NAME.fullmatch(names[0])),
    )


def _heading_level(ancestors: list[Any], names: list[str]) -> int:
    for style, name in zip(ancestors, names, strict=True):
        if (outline := value(style, "pPr", "outlineLvl")) is not None:
            return outline_level(outline)
        if heading := HEADING_NAME.fullmatch(name):
            return int(heading.group(1))
        if name in TITLE_NAMES:
            return 1
    return 0


def list_level(text: str | None) -> int | None:
    """Return the level of a list, 0 the highest; None if it is not set."""
    return int(text) if text is not None and re.fullmatch("[0-8]", text) else None


def outline_level(text: str | None) -> int:
    """Return the level of a heading by its outline level, which counts from 0; 9 is body text."""
    return int(text) + 1 if text is not None and re.fullmatch("[0-8]", text) else 0


def find(element: Any, *path: str) -> Any:
    """Return the first descendant on a path of names; faster than lxml's `find`."""
    for name in path:
        tag = W + name
        element = next((child for child in element if child.tag == tag), None)
        if element is None:
            return None
    return element


def properties_of(element: Any, tag: str) -> dict[str, Any]:
    """Return the properties by tag, from the element of this tag, which comes first in another."""
    if len(element) and (first := element[0]).tag == tag:
        return {child.tag: child for child in first}
    return {}


def value(element: Any, *path: str) -> str | None:
    """Return the value of a property, None if it is not set."""
    found = find(element, *path)
    return None if found is None else found.get(VAL)


def is_on(element: Any) -> bool | None:
    """Return whether a property is on, None if it is not set."""
    return None if element is None else element.get(VAL, "1") not in FALSE
