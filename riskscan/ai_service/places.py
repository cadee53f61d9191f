"""The place of a finding in words for people, such as "p. 7 · 4.2 Payment" or "Sheet Risks · row 14"."""

import re
from collections.abc import Sequence

from .reading.blocks import Place

# the contract of the AI service
MAX_CHARS = 200
MAX_HEADING_CHARS = 90
HEADING_NUMBER = re.compile(
    r"(?:(?:section|article|clause|part|§)\s*)?(\d{1,3}(?:\.\d{1,3})*|\([a-z]{1,5}\))[.):]?\s+(?=\S)", re.I
)
# lines above a list that are set as a heading and name no section: "You must not", "BETWEEN"
LEAD_IN = re.compile(
    r"(?:you|we|they|therefore|this means|for (?:example|instance|this reason)|in (?:addition|particular)"
    r"|here (?:are|is))\b|(?:.*\s)?(?:and|are|as|between|by|following|follows|if|including|is|may|must|not"
    r"|(?:agree|have|not) to|of|or|shall|that|the|will)$"
    r"|(?:witnesseth|confidential|(?:table of )?contents|\w)$",
    re.I,
)
# what has pages, rows and headings of its own
CONTAINERS = ("Attachment ", "Sheet ")


def describe_place(place: Place, alike: Sequence[Place] = ()) -> str:
    """Return where a passage stands, and where others like it; "" if nothing is known."""
    names = [place.part, _name_page(place)]
    if not place.part.startswith(CONTAINERS):
        names.reverse()
    names.append(_name_clause(place, " ".join(names)))
    names.append(_name_row(place))
    others = f"and {len(alike)} alike" if alike else ""
    text = _shorten(" · ".join(filter(None, names)), MAX_CHARS - len(others) - 3)
    if not alike:
        return text
    text = " · ".join(filter(None, [text, others]))
    return text + _list_spots(
        list(dict.fromkeys(_name_spot(other, place) for other in alike)), MAX_CHARS - len(text)
    )


def _name_page(place: Place) -> str:
    return f"p. {place.page}" if place.page else f"slide {place.slide}" if place.slide else ""


def _name_row(place: Place) -> str:
    if not place.row:
        return ""
    # the tables of a workbook are its sheets
    has_number = place.table and not place.part.startswith("Sheet ")
    return f"table {place.table}, row {place.row}" if has_number else f"row {place.row}"


def _name_clause(place: Place, said: str) -> str:
    """Return the nearest heading with the number of the clause, unless it is what was `said` before."""
    heading = _find_heading(place)
    if heading.casefold() in said.casefold():
        heading = ""
    number = f"no. {place.number}" if place.number.isdecimal() else place.number
    own = HEADING_NUMBER.match(heading)
    if own and re.match(rf"{re.escape(own[1])}(?!\d)", number):
        return f"{number} {_shorten(heading[own.end() :], MAX_HEADING_CHARS)}"
    return " · ".join(filter(None, [_shorten(heading, MAX_HEADING_CHARS), number]))


def _find_heading(place: Place) -> str:
    """Return the nearest heading that names a section, "" if there is none."""
    headings = (" ".join(heading.split()).strip(" :-–") for heading in reversed(place.headings))
    return next((heading for heading in headings if not LEAD_IN.match(heading)), "")


def _name_spot(place: Place, first: Place) -> str:
    """Return the shortest name of a place beside another one."""
    part = place.part if place.part != first.part else ""
    spot = _name_page(place) or _name_row(place) or place.number
    if not spot and (heading := _find_heading(place)) != _find_heading(first):
        spot = _shorten(heading, MAX_HEADING_CHARS // 2)
    return " ".join(filter(None, [part, spot]))


def _list_spots(spots: list[str], room: int) -> str:
    """Return as many as fit, with a colon before them."""
    text = ""
    for spot in filter(None, spots):
        added = f", {spot}" if text else f": {spot}"
        if len(text) + len(added) + len(", …") > room:
            return text and f"{text}, …"
        text += added
    return text


def _shorten(text: str, size: int) -> str:
    if len(text) <= size:
        return text
    return text[: size - 1].rsplit(" ", 1)[0].rstrip(" ,;:·–-") + "…"
