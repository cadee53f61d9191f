"""The numbers that Word puts before headings, clauses and items by itself: "4.2", "(a)", "Article IV"."""

import re
from itertools import islice
from typing import Any, NamedTuple

from .marks import quote_number
from .word_styles import W, find, is_on, value

LEVELS = 9
MAX_TEXT_CHARS = 40
PLACEHOLDER = re.compile(r"%([1-9])")
# larger numbers are written in digits
MAX_ROMAN = 3999
MAX_LETTERS = 780
ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl")),
    *((10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
FORMATS = {
    "lowerLetter": str.lower,
    "upperLetter": str.upper,
    "lowerRoman": str.lower,
    "upperRoman": str.upper,
}


class _Level(NamedTuple):
    """One level of a list; `restart` is how many levels above it, from the highest, begin it anew."""

    start: int = 1
    number_format: str = "decimal"
    text: str = ""
    style: str = ""
    restart: int = LEVELS
    in_digits: bool = False


class Numbering:
    """The lists of one document, counted from its start."""

    def __init__(self, root: Any) -> None:
        nodes = () if root is None else root
        self._lists = {node.get(W + "numId"): node for node in nodes if node.tag == W + "num"}
        self._definitions = {
            node.get(W + "abstractNumId"): node for node in nodes if node.tag == W + "abstractNum"
        }
        # those that other definitions name by the style of the list
        self._by_style = {
            style: node for node in self._definitions.values() if (style := value(node, "styleLink"))
        }
        self._levels: dict[str, dict[int, _Level]] = {}
        # lists of one definition go on counting where the others of it stopped
        self._counts: dict[str, dict[int, int]] = {}
        self._begun: set[str] = set()

    def next_number(self, list_id: str | None, level: int | None, style: str | None) -> str:
        """Count a paragraph; return its number as people quote it, with those above "(a)"; "" for a bullet.

        Without a `level` that of the paragraph's `style` counts.
        """
        node = self._lists.get(list_id)
        if list_id is None or node is None:
            return ""
        definition, levels = value(node, "abstractNumId") or "", self._read_levels(list_id)
        if level is None:
            level = next((depth for depth, one in levels.items() if style and one.style == style), 0)
        counts = self._counts.setdefault(definition, {})
        if list_id not in self._begun:
            self._begun.add(list_id)
            for depth, start in _starts(node):
                counts[depth] = start - 1
        counts[level] = counts.get(level, levels.get(level, _Level()).start - 1) + 1
        for depth in [
            depth for depth in counts if level < depth and level < levels.get(depth, _Level()).restart
        ]:
            del counts[depth]
        return _quote(levels, counts, level)

    def _read_levels(self, list_id: str) -> dict[int, _Level]:
        if list_id not in self._levels:
            node = self._lists[list_id]
            definition = self._definitions.get(value(node, "abstractNumId"))
            if definition is not None and (style := value(definition, "numStyleLink")):
                definition = self._by_style.get(style)
            overrides = islice(node.iterchildren(W + "lvlOverride"), LEVELS)
            own = [find(override, "lvl") for override in overrides]
            elements = [] if definition is None else list(islice(definition.iterchildren(W + "lvl"), LEVELS))
            elements += [element for element in own if element is not None]
            self._levels[list_id] = {_depth(element): _read_level(element) for element in elements}
        return self._levels[list_id]


def _read_level(element: Any) -> _Level:
    return _Level(
        start=_to_int(value(element, "start"), 1),
        number_format=value(element, "numFmt") or "decimal",
        text=(value(element, "lvlText") or "")[:MAX_TEXT_CHARS],
        style=value(element, "pStyle") or "",
        restart=_to_int(value(element, "lvlRestart"), LEVELS),
        in_digits=bool(is_on(find(element, "isLgl"))),
    )


def _depth(element: Any) -> int:
    return min(_to_int(element.get(W + "ilvl"), 0), LEVELS - 1)


def _starts(node: Any) -> list[tuple[int, int]]:
    """Return the levels that a list begins anew, and with which number."""
    return [
        (_depth(override), _to_int(start, 1))
        for override in node.iterchildren(W + "lvlOverride")
        if (start := value(override, "startOverride")) is not None
    ]


def _to_int(text: str | None, default: int) -> int:
    return int(text) if text is not None and re.fullmatch("[0-9]{1,9}", text) else default


def _quote(levels: dict[int, _Level], counts: dict[int, int], depth: int) -> str:
    level = levels.get(depth, _Level())
    if level.number_format == "bullet":
        return ""

    def name(match: re.Match[str]) -> str:
        other = int(match[1]) - 1
        one = levels.get(other, _Level())
        count = counts.get(other, one.start)
        has_digits = level.in_digits and one.number_format != "decimalZero"
        return str(count) if has_digits else _write(count, one.number_format)

    number = quote_number(PLACEHOLDER.sub(name, level.text))
    above = _quote(levels, counts, depth - 1) if depth - 1 in counts else ""
    if number.startswith("("):
        return above + number
    # of an outline such as I, A, 1
    is_part = level.restart and PLACEHOLDER.findall(level.text) == [str(depth + 1)]
    if not (is_part and number.isalnum()):
        return number
    return f"{above}({number})" if above.endswith(")") else f"{above}.{number}" if above.isalnum() else number


def _write(number: int, number_format: str) -> str:
    """Return a number as Word writes it in one of its common formats, in digits in the others."""
    case = FORMATS.get(number_format)
    if number_format == "none":
        return ""
    if case is None or number < 1:
        return f"{number:02}" if number_format == "decimalZero" else str(number)
    if number_format.endswith("Letter"):
        # after z comes aa, then bb
        return (
            case(chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1))
            if number <= MAX_LETTERS
            else str(number)
        )
    text, rest = "", number
    for size, letters in ROMAN if number <= MAX_ROMAN else ():
        text += letters * (rest // size)
        rest %= size
    return case(text) or str(number)
