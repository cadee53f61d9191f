"""What the templates need beside the shapes: colours of categories, the chart's rows, languages, assets."""

from __future__ import annotations

import datetime
import functools
import hashlib
import secrets
import unicodedata
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import jinja2
import msgspec

from .documents import EXTENSIONS
from .settings import Settings
from .shapes import Risk

STATIC = Path(__file__).parent / "static"
TONES = 11  # colours in style.css, tone-1 to tone-11; tone-0 is grey
# the words that AI services use for the same kind of risk share a colour
TONE_OF = {
    "financial": 1, "budget": 1, "cost": 1,
    "schedule": 2, "timeline": 2,
    "technical": 3, "technology": 3,
    "legal": 4, "contractual": 4,
    "operational": 5,
    "compliance": 6, "regulatory": 6,
    "security": 7,
    "people": 8, "resource": 8, "resources": 8,
    "scope": 9, "strategic": 9,
    "vendor": 10, "supplier": 10,
    "environmental": 11,
    "other": 0,
}  # fmt: skip
CHART_ROWS = 12
# scripts that tell the language, by the first word of their letters' Unicode names
LANGUAGE_OF = {
    "ARABIC": "ar", "GREEK": "el", "HANGUL": "ko", "HEBREW": "he", "HIRAGANA": "ja", "KATAKANA": "ja",
    "KHMER": "km", "LAO": "lo", "THAI": "th",
}  # fmt: skip

read_categories = msgspec.json.Decoder(list[str]).decode


class Group(NamedTuple):
    """The risks of one category, and the number of its colour."""

    category: str
    tone: int
    risks: list[Risk]


class Bar(NamedTuple):
    """A row of the chart; `percent` is of the longest one, `category` is None for the rest taken together."""

    category: str | None
    tone: int
    number: int
    percent: float


def set_up(environment: jinja2.Environment, settings: Settings) -> None:
    """Give the templates their filters and globals."""
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters.update(groups=groups, bars=bars, tones=tones, language=language)
    environment.globals.update(
        asset=asset,
        random_key=functools.partial(secrets.token_urlsafe, 16),
        read_categories=read_categories,
        max_upload_mb=f"{settings.max_upload_bytes / 1024 / 1024:g}",
        kept_for=datetime.timedelta(days=settings.scan_retention_days),
        max_upload_bytes=settings.max_upload_bytes,
        extensions=EXTENSIONS,
    )


def tones(categories: Iterable[str]) -> dict[str, int]:
    """Return a colour for each category: a known one has its own, and no two share one while they last."""
    names = list(dict.fromkeys(categories))
    found = {name: TONE_OF[key] for name in names if (key := name.strip().casefold()) in TONE_OF}
    for name in names:
        if name not in found:
            start = zlib.crc32(name.encode())
            order = [1 + (start + step) % TONES for step in range(TONES)]
            found[name] = next((tone for tone in order if tone not in found.values()), order[0])
    return found


def groups(risks: Iterable[Risk]) -> list[Group]:
    """Return the risks by category, the largest group first."""
    by_category: dict[str, list[Risk]] = {}
    for risk in risks:
        by_category.setdefault(risk.category, []).append(risk)
    tone = tones(by_category)
    found = [Group(category, tone[category], members) for category, members in by_category.items()]
    return sorted(found, key=lambda group: -len(group.risks))


def bars(found: list[Group]) -> list[Bar]:
    """Return the rows of the chart; where there are too many categories, the small ones share the last."""
    rows = [(group.category, group.tone, len(group.risks)) for group in found]
    counted: list[tuple[str | None, int, int]] = list(rows)
    if len(rows) > CHART_ROWS:
        rest = sum(count for _, _, count in rows[CHART_ROWS - 1 :])
        counted = [*rows[: CHART_ROWS - 1], (None, 0, rest)]
    longest = max((count for _, _, count in counted), default=1)
    return [Bar(category, tone, count, round(100 * count / longest, 1)) for category, tone, count in counted]


def language(text: str) -> str:
    """Return the BCP 47 tag of the language that the script of a text tells; empty for one that does not."""
    first = next((letter for letter in text[:1000] if letter.isalpha()), " ")
    return LANGUAGE_OF.get(unicodedata.name(first, "").partition(" ")[0], "")


@functools.cache
def asset(name: str) -> str:
    """Return the address of a file in static/; it changes with the content, so it may be kept for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:12]}"
