"""The charts of the pages: risks by category, and over time."""

from __future__ import annotations

import collections
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from .schemas import Stats

TONES = 11  # colours in style.css, tone-1 to tone-11; tone-0 is grey
# names that AI services give the same category share a tone
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
MAX_BARS = 12  # the last one is for all other categories
MAX_SERIES = 8  # in the overview; the last one is for all other categories
MIN_MONTHS, MAX_MONTHS = 12, 24  # columns of the overview
LEVELS = range(1, 6)  # of likelihood and impact
SEVERITY_FROM = (5, 10, 15)  # likelihood times impact of a medium, a high and a critical risk
COLUMN_WIDTH, BAR_WIDTH, HEIGHT = 12, 8, 100  # in units of the overview's viewBox
STEPS = [digit * 10**exponent for exponent in range(16) for digit in (1, 2, 5)]  # between ticks of its axis


class Bar(NamedTuple):
    """A bar of the chart; `percent` is relative to the longest bar, `category` is None for all others."""

    category: str | None
    tone: int
    number: int
    percent: float


class Series(NamedTuple):
    """A category in the overview, None for all others; `path` draws its segment of each column."""

    category: str | None
    tone: int
    numbers: list[int]
    path: str


class Overview(NamedTuple):
    """Risks by category over months, oldest first.

    `totals` has the risks of each month, `max_risks` is the largest of them; `ticks` are the numbers of the
    axis, from 0. A chart is dense if the totals of its columns may not fit on a small screen.
    """

    months: list[str]
    series: list[Series]
    totals: list[int]
    max_risks: int
    ticks: list[int]
    is_dense: bool


class MatrixCell(NamedTuple):
    """A cell of the risk matrix; `severity` is from 1, low, to 4, critical."""

    likelihood: int
    impact: int
    severity: int
    risks: int


def build_matrix(counts: Mapping[tuple[int | None, int | None], int]) -> list[list[MatrixCell]]:
    """Return the rows of the risk matrix, the highest impact first, each by rising likelihood."""
    return [
        [
            MatrixCell(
                likelihood, impact, rate_severity(likelihood, impact), counts.get((likelihood, impact), 0)
            )
            for likelihood in LEVELS
        ]
        for impact in reversed(LEVELS)
    ]


def rate_severity(likelihood: int, impact: int) -> int:
    """Return the severity of a risk: 1 low, 2 medium, 3 high, 4 critical."""
    return 1 + sum(likelihood * impact >= least for least in SEVERITY_FROM)


def assign_tones(categories: Iterable[str]) -> dict[str, int]:
    """Return the tone of each category: fixed for known ones, distinct for others while tones are left."""
    names = list(dict.fromkeys(categories))
    tones = {name: TONE_OF[key] for name in names if (key := name.strip().casefold()) in TONE_OF}
    for name in names:
        if name not in tones:
            start = zlib.crc32(name.encode())
            candidates = [1 + (start + step) % TONES for step in range(TONES)]
            tones[name] = next((tone for tone in candidates if tone not in tones.values()), candidates[0])
    return tones


def build_overview(stats: Stats) -> Overview:
    """Return the columns of the months up to the newest scan; small categories share the last series."""
    last = month_index(stats.over_time[-1].month)
    first = min(month_index(stats.over_time[0].month), last - MIN_MONTHS + 1)
    first = max(first, last - MAX_MONTHS + 1)
    months = [f"{index // 12:04}-{index % 12 + 1:02}" for index in range(first, last + 1)]
    by_month = {month.month: month.categories for month in stats.over_time}
    columns = [by_month.get(month, {}) for month in months]
    totals = [sum(column.values()) for column in columns]
    max_risks = max(1, *totals)
    ticks = list_ticks(max_risks)
    names: list[str | None] = [each.category for each in stats.by_category]
    if len(names) > MAX_SERIES:
        names[MAX_SERIES - 1 :] = [None]
    tones = assign_tones(name for name in names if name is not None)
    base, series = [0] * len(months), []
    for name in names:
        if name is None:
            numbers = [total - below for total, below in zip(totals, base, strict=True)]
        else:
            numbers = [column.get(name, 0) for column in columns]
        path = column_path(numbers, base, HEIGHT / ticks[-1])
        series.append(Series(name, tones.get(name or "", 0), numbers, path))
        base = [below + number for below, number in zip(base, numbers, strict=True)]
    is_dense = len(months) > MIN_MONTHS or max_risks >= 1000
    return Overview(months, series, totals, max_risks, ticks, is_dense)


def list_ticks(highest: int) -> list[int]:
    """Return two to five round numbers from 0 to `highest` or more, equally far apart."""
    step = next(step for step in STEPS if step * 4 >= highest)
    return list(range(0, highest + step, step))


def month_index(month: str) -> int:
    """Return the number of months from year 0 to a month such as `2026-11`."""
    year, _, number = month.partition("-")
    return int(year) * 12 + int(number) - 1


def column_path(numbers: Sequence[int], base: Sequence[int], scale: float) -> str:
    """Return an SVG path with a box in each column: as high as its number, on top of `base`."""
    boxes = []
    for index, (number, below) in enumerate(zip(numbers, base, strict=True)):
        if number:
            left, bottom = index * COLUMN_WIDTH + (COLUMN_WIDTH - BAR_WIDTH) / 2, HEIGHT - below * scale
            boxes.append(f"M{left:g} {bottom:.4g}h{BAR_WIDTH}v{-number * scale:.4g}h-{BAR_WIDTH}z")
    return "".join(boxes)


def chart_bars(categories: Iterable[str]) -> list[Bar]:
    """Return a bar for each category, the most frequent first; the rarest share the last if they are many."""
    counts = collections.Counter(categories).most_common()
    tones = assign_tones(name for name, _ in counts)
    bars: list[tuple[str | None, int, int]] = [(name, tones[name], number) for name, number in counts]
    if len(bars) > MAX_BARS:
        bars[MAX_BARS - 1 :] = [(None, 0, sum(number for _, _, number in bars[MAX_BARS - 1 :]))]
    longest = max((number for _, _, number in bars), default=1)
    return [Bar(category, tone, number, round(100 * number / longest, 1)) for category, tone, number in bars]
