"""What the templates need beside the shapes: colours of categories, the chart's rows, languages, assets."""

from __future__ import annotations

import datetime
import functools
import hashlib
import re
import secrets
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import jinja2
import msgspec
from aiohttp import web
from markupsafe import Markup

from .documents import EXTENSIONS
from .errors import error_from_status
from .settings import Settings
from .shapes import Risk, Stats

STATIC = Path(__file__).parent / "static"
STATIC_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
# by name: nothing that a request says becomes a path
STATIC_FILES = {path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.is_file()}
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
TAGS = 4  # categories of a scan in the history
SERIES = 8  # categories in the overview, the last of them for all others
MONTHS = 12, 24  # fewest and most columns of the overview
COLUMN, BAR, HEIGHT = 12, 8, 100  # in the units of the overview's picture
# scripts that tell the language, by the first word of their letters' Unicode names
LANGUAGE_OF = {
    "ARABIC": "ar", "GREEK": "el", "HANGUL": "ko", "HEBREW": "he", "HIRAGANA": "ja", "KATAKANA": "ja",
    "KHMER": "km", "LAO": "lo", "THAI": "th",
}  # fmt: skip

CHART_ROW = Markup("""
        <span class="label">{}</span> <span class="number">{}<span class="visually-hidden"> {}</span></span>
        <svg width="100%" height="8" aria-hidden="true" focusable="false"><rect class="track" width="100%"
          height="8" rx="4"/><rect class="bar" width="{}%" height="8" rx="4"/></svg>
      """)
LETTER = re.compile(r"[^\W\d_]")  # letters, and numbers such as ①
read_categories = msgspec.json.Decoder(dict[str, int]).decode


class Group(NamedTuple):
    """The risks of one category, its place among the others, and the number of its colour."""

    number: int
    category: str
    tone: int
    risks: list[Risk]


class Bar(NamedTuple):
    """A row of the chart; `percent` is of the longest one, `category` is None for the rest taken together."""

    category: str | None
    tone: int
    number: int
    percent: float


class Series(NamedTuple):
    """A category in the overview; `category` is None for all others, `path` draws its part of each column."""

    category: str | None
    tone: int
    numbers: list[int]
    path: str


class Overview(NamedTuple):
    """Risks by category over months, oldest first; `most` is what the highest column stands for."""

    months: list[str]
    series: list[Series]
    most: int


def configure(environment: jinja2.Environment, settings: Settings) -> None:
    """Give the templates their filters and globals."""
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.auto_reload = False
    # what a list is full of is a filter, and kept: a macro takes several times as long
    environment.filters.update(
        asset=asset_url,
        bars=chart_bars,
        groups=group_by_category,
        language=detect_language,
        overview=build_overview,
        risks=format_risk_count,
        row=chart_row,
        tag=category_tag,
        tags=category_tags,
        time=time_element,
        tones=assign_tones,
    )
    # in the place of all others, which each page would copy
    environment.globals = {
        "dict": dict,
        "random_key": functools.partial(secrets.token_urlsafe, 16),
        "max_upload_mb": f"{settings.max_upload_bytes / 1024 / 1024:g}",
        "kept_for": datetime.timedelta(days=settings.scan_retention_days),
        "max_upload_bytes": settings.max_upload_bytes,
        "extensions": EXTENSIONS,
    }


def assign_tones(categories: Iterable[str]) -> dict[str, int]:
    """Return a colour for each category: a known one has its own, and no two share one while they last."""
    names = list(dict.fromkeys(categories))
    found = {name: TONE_OF[key] for name in names if (key := name.strip().casefold()) in TONE_OF}
    for name in names:
        if name not in found:
            start = zlib.crc32(name.encode())
            order = [1 + (start + step) % TONES for step in range(TONES)]
            found[name] = next((tone for tone in order if tone not in found.values()), order[0])
    return found


def category_name(category: str) -> Markup:
    return Markup('<bdi lang="{}">{}</bdi>').format(
        detect_language(category), category.strip() or "No category"
    )


@functools.lru_cache(4096)  # a list has many, and few that differ
def category_tag(category: str, tone: int, count: int | None = None) -> Markup:
    """Return a category as a small label in its colour."""
    number = "" if count is None else Markup(" <b>{}</b>").format(count)
    return Markup('<span class="tag tone-{}">{}{}</span>').format(tone, category_name(category), number)


@functools.lru_cache(4096)
def chart_row(bar: Bar) -> Markup:
    """Return a row of the chart: the category, how many risks it has, and a bar."""
    label = "Other categories, see below" if bar.category is None else category_name(bar.category)
    return CHART_ROW.format(label, bar.number, "risk" if bar.number == 1 else "risks", bar.percent)


@functools.lru_cache(4096)
def category_tags(categories: str) -> Markup:
    """Return the labels of a scan's first categories, which are the keys of a JSON object."""
    found = list(read_categories(categories))
    tone = assign_tones(found)
    labels = [category_tag(category, tone[category]) for category in found[:TAGS]]
    if len(found) > TAGS:
        labels.append(Markup('<span class="tag">+{} more</span>').format(len(found) - TAGS))
    return Markup("\n").join(labels)


def format_risk_count(number: int) -> str:
    """Return a number of risks in words."""
    return f"{number} risks" if number > 1 else "1 risk" if number else "No risks"


@functools.lru_cache(4096)
def time_element(moment: datetime.datetime) -> Markup:
    """Return a time of UTC, which app.js makes local."""
    exact = moment.replace(tzinfo=None).isoformat(" ", "seconds")
    shown = f"{moment.day} {moment:%b %Y, %H:%M} UTC"
    return Markup(f'<time datetime="{exact.replace(" ", "T")}Z" title="{exact} UTC">{shown}</time>')  # noqa: S704


def build_overview(stats: Stats) -> Overview:
    """Return the columns of the last months up to the newest scan; small categories share the last series."""
    last = month_index(stats.over_time[-1].month)
    first = max(min(month_index(stats.over_time[0].month), last - MONTHS[0] + 1), last - MONTHS[1] + 1)
    months = [f"{number // 12:04}-{number % 12 + 1:02}" for number in range(first, last + 1)]
    by_month = {month.month: month.categories for month in stats.over_time}
    columns = [by_month.get(month, {}) for month in months]
    totals = [sum(column.values()) for column in columns]
    most = max(1, *totals)
    names: list[str | None] = [each.category for each in stats.by_category]
    if len(names) > SERIES:
        names[SERIES - 1 :] = [None]
    tone = assign_tones(name for name in names if name is not None)
    base, series = [0] * len(months), []
    for name in names:
        if name is None:
            numbers = [total - below for total, below in zip(totals, base, strict=True)]
        else:
            numbers = [column.get(name, 0) for column in columns]
        series.append(
            Series(name, tone.get(name or "", 0), numbers, column_path(numbers, base, HEIGHT / most))
        )
        base = [below + number for below, number in zip(base, numbers, strict=True)]
    return Overview(months, series, most)


def month_index(month: str) -> int:
    """Return how many months passed before a month such as `2026-11`."""
    year, _, of_year = month.partition("-")
    return int(year) * 12 + int(of_year) - 1


def column_path(numbers: Sequence[int], base: Sequence[int], scale: float) -> str:
    """Return the SVG path of a part of each column: a box as high as its number, on what is below it."""
    boxes = []
    for index, (number, below) in enumerate(zip(numbers, base, strict=True)):
        if number:
            left, bottom = index * COLUMN + (COLUMN - BAR) / 2, HEIGHT - below * scale
            boxes.append(f"M{left:g} {bottom:.4g}h{BAR}v{-number * scale:.4g}h-{BAR}z")
    return "".join(boxes)


def group_by_category(risks: Iterable[Risk]) -> list[Group]:
    """Return the risks by category, the largest group first."""
    by_category: dict[str, list[Risk]] = {}
    for risk in risks:
        by_category.setdefault(risk.category, []).append(risk)
    tone = assign_tones(by_category)
    largest_first = sorted(by_category, key=lambda category: -len(by_category[category]))
    return [
        Group(number, category, tone[category], by_category[category])
        for number, category in enumerate(largest_first, 1)
    ]


def chart_bars(found: list[Group]) -> list[Bar]:
    """Return the rows of the chart; where there are too many categories, the small ones share the last."""
    rows = [(group.category, group.tone, len(group.risks)) for group in found]
    counted: list[tuple[str | None, int, int]] = list(rows)
    if len(rows) > CHART_ROWS:
        rest = sum(count for _, _, count in rows[CHART_ROWS - 1 :])
        counted = [*rows[: CHART_ROWS - 1], (None, 0, rest)]
    longest = max((count for _, _, count in counted), default=1)
    return [Bar(category, tone, count, round(100 * count / longest, 1)) for category, tone, count in counted]


def detect_language(text: str) -> str:
    """Return the BCP 47 tag of the language that the script of a text tells; empty for one that does not."""
    first = next((sign[0] for sign in LETTER.finditer(text, 0, 1000) if sign[0].isalpha()), "")
    return "" if first.isascii() else LANGUAGE_OF.get(unicodedata.name(first, "").partition(" ")[0], "")


async def static_file(request: web.Request) -> web.StreamResponse:
    """Answer a file of static/."""
    path = STATIC_FILES.get(request.match_info["name"])
    if path is None:
        raise error_from_status(404)
    media_type = STATIC_TYPES.get(path.suffix, "text/plain")
    return web.FileResponse(path, headers={"Content-Type": f"{media_type}; charset=utf-8"})


@functools.cache
def asset_url(name: str) -> str:
    """Return the address of a file in static/; it changes with the content, so it may be kept for ever."""
    digest = hashlib.sha256(STATIC_FILES[name].read_bytes()).hexdigest()
    return f"/static/{name}?v={digest[:12]}"
