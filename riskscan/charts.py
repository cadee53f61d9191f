"""The charts of the pages: risks by category, and over time."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .schemas import Risk, Stats

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
SERIES = 8  # categories in the overview, the last of them for all others
MONTHS = 12, 24  # fewest and most columns of the overview
COLUMN, BAR, HEIGHT = 12, 8, 100  # in the units of the overview's picture


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
