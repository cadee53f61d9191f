"""What the page of a scan shows: its findings, sorted and filtered, their counts, and why they were found."""

from __future__ import annotations

import functools
import html
import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

import msgspec
from markupsafe import Markup

from .charts import Bar, assign_tones, chart_bars
from .database.reviews import StoredReview
from .languages import detect_language
from .request.filters import MAX_FILTER_LENGTH
from .request.finding_filters import FINDING_FILTER_FIELDS, STATES
from .request.report_query import ReportQuery, Sort
from .schemas import Cue, Detail, Finding, ReviewFields
from .search_terms import category_term
from .text import normalize_wording

MAX_LISTED = 5  # words and cues in each list of why
MIN_COLOURED = 0.1  # of the strongest weight; weaker words stay plain
SHADES = 3
MARKS = {
    (raises, shade): f'<mark class="{"up" if raises else "down"} shade-{shade}">'
    for raises in (True, False)
    for shade in range(1, SHADES + 1)
}

Span = tuple[int, int, float]  # start and end in a sentence, and the weight


class Why(NamedTuple):
    """The sentence with its words marked, and the strongest words and cues with their signed weights."""

    sentence: Markup
    raising: Markup
    lowering: Markup


class Item(NamedTuple):
    """A finding on the page; `stored` is its review with the scan in which that was made."""

    finding: Finding
    detail: Detail
    stored: StoredReview | None
    tone: int

    @property
    def state(self) -> str:
        return self.finding.review.state if self.finding.review else "open"

    @property
    def sentence(self) -> str:
        """Return a short ID of the sentence, the same for all findings of it."""
        return self.detail.fingerprint[:16]

    @property
    def is_quoted(self) -> bool:
        return bool(self.finding.context.strip())

    @property
    def is_titled(self) -> bool:
        return is_title(self.finding.risk, self.finding.context)

    @property
    def review_json(self) -> str:
        """Return the fields of the review, for the script to restore them."""
        fields = {name: getattr(self.finding.review, name) for name in ReviewFields.__struct_fields__}
        return msgspec.json.encode(fields).decode()

    def explain(self, names: Mapping[str, str]) -> Why:
        """Return why it was found; `names` has those of the cues in the language of the page."""
        cues = sorted(self.finding.why or (), key=lambda cue: -abs(cue.weight))
        return Why(
            mark_sentence(self.finding.context, cues),
            list_cues((cue for cue in cues if cue.weight > 0), names),
            list_cues((cue for cue in cues if cue.weight < 0), names),
        )


def is_title(title: str, quote: str) -> bool:
    """Return whether there is a title, and it says more than the quote but for case and punctuation.

    A part of the quote, cut off with "…", says no more than the quote.
    """
    if title == quote or not title.strip() or ("…" in title and title.strip("… ") in quote):
        return False
    # a phrase of a long sentence is a headline; the lengths also spare most of 16 µs
    if not 0.5 * len(quote) <= len(title) <= 1.25 * len(quote):
        return True
    wording, quoted = normalize_wording(title), normalize_wording(quote)
    return wording not in quoted if "…" in title else wording != quoted


class Section(NamedTuple):
    """The findings of a category, or all findings if `category` is None."""

    category: str | None
    tone: int
    items: list[Item]


class Report(NamedTuple):
    """The page of a scan. `counts` has the number of findings by state, before any filter; the dismissed
    findings in `folded` are folded away. `scored` says whether any has a score."""

    sections: list[Section]
    folded: list[Item]
    bars: list[Bar]
    counts: dict[str, int]
    scored: bool
    query: ReportQuery

    def link(self, **changes: str) -> str:
        """Return the query of this page with changes; an empty value removes a field."""
        return "?" + "&".join(
            [encode_field(*field) for field in {**self.query.values, **changes}.items() if field[1]]
        )

    @property
    def filter_query(self) -> str:
        """Return what the address of an export adds to its query for the findings of this page."""
        values = {name: value for name, value in self.query.values.items() if name in FINDING_FILTER_FIELDS}
        return "&" + urlencode(values) if values else ""

    @property
    def listed(self) -> int:
        """Return the number of findings that are not folded away."""
        return sum(len(section.items) for section in self.sections)

    def can_filter(self, category: str) -> bool:
        return 0 < len(category.strip()) <= MAX_FILTER_LENGTH

    def is_selected(self, category: str | None) -> bool:
        selected = self.query.filter.category
        return selected == (category_term(category) if category is not None else "")


@functools.lru_cache(4096)  # a page has a link for each category: 3 µs each
def encode_field(name: str, value: str) -> str:
    return urlencode({name: value})


def build_report(
    findings: Sequence[Finding],
    details: Sequence[Detail],
    reviews: Mapping[str, StoredReview],
    query: ReportQuery,
) -> Report:
    """Return the page of a scan with these findings."""
    tones = assign_tones(finding.category for finding in findings)
    items = [
        Item(finding, detail, reviews.get(detail.fingerprint), tones[finding.category])
        for finding, detail in zip(findings, details, strict=True)
    ]
    bars = chart_bars(finding.category for finding in findings)
    counts = dict.fromkeys(STATES, 0)
    for item in items:
        counts[item.state] += 1
    shown = sort_items([item for item in items if is_shown(item.finding, query)], query.sort)
    folded = []
    if not query.filter.state and not query.why:
        folded = [item for item in shown if is_folded(item, query)]
    if folded:
        shown = [item for item in shown if not is_folded(item, query)]
    scored = any(detail.score is not None for detail in details)
    return Report(split_sections(shown, query.sort), folded, bars, counts, scored, query)


def is_shown(finding: Finding, query: ReportQuery) -> bool:
    if query.why:
        return finding.number == query.why
    return finding.number == query.at or query.filter.matches(finding)


def is_folded(item: Item, query: ReportQuery) -> bool:
    return item.state == "dismissed" and item.finding.number != query.at


def sort_items(items: list[Item], sort: Sort) -> list[Item]:
    """Return the findings, given in document order, the surest or the largest category first."""
    if sort == "document":
        return items
    if sort == "score":
        return sorted(items, key=lambda item: 1 if item.detail.score is None else -item.detail.score)
    sizes: dict[str, int] = {}
    for item in items:
        sizes[item.finding.category] = sizes.get(item.finding.category, 0) - 1
    return sorted(items, key=lambda item: (sizes[item.finding.category], item.finding.category))


def split_sections(items: list[Item], sort: Sort) -> list[Section]:
    if sort != "category":
        return [Section(None, 0, items)] if items else []
    groups = itertools.groupby(items, key=lambda item: (item.finding.category, item.tone))
    return [Section(category, tone, list(group)) for (category, tone), group in groups]


def mark_sentence(sentence: str, cues: Sequence[Cue]) -> Markup:
    """Return a sentence with the words of the cues, given strongest first, in marks; none overlap."""
    strongest = abs(cues[0].weight) if cues else 0
    weakest = MIN_COLOURED * strongest
    texts: list[str] = []
    tags: list[str] = []
    position = 0
    for start, end, weight in separate(
        [
            (cue.start, cue.start + len(cue.text), cue.weight)
            for cue in cues
            if cue.start is not None and cue.text and not -weakest <= cue.weight <= weakest
        ]
    ):
        shade = min(SHADES, 1 + int(SHADES * abs(weight) / strongest))
        texts += sentence[position:start], sentence[start:end]
        tags += MARKS[weight > 0, shade], "</mark>"
        position = end
    texts = escape_all([*texts, sentence[position:]])
    return Markup("".join(itertools.chain(*zip(texts, [*tags, ""], strict=True))))  # noqa: S704


def separate(spans: list[Span]) -> list[Span]:
    """Return the spans in the order of the text, without those that overlap an earlier one of the list."""
    ordered = sorted(spans)
    if all(before[1] <= span[0] for before, span in itertools.pairwise(ordered)):
        return ordered
    kept: list[Span] = []
    for span in spans:
        if all(span[1] <= other[0] or other[1] <= span[0] for other in kept):
            kept.append(span)
    return sorted(kept)


def escape_all(texts: Iterable[str]) -> list[str]:
    """Return texts, which have no NUL, escaped in one call: for 50 words 3 µs in place of 55."""
    return html.escape("\0".join(texts)).split("\0")


def list_cues(cues: Iterable[Cue], names: Mapping[str, str]) -> Markup:
    """Return the first cues, each with its weight."""
    first = list(itertools.islice(cues, MAX_LISTED))
    known = [names.get(cue.text, "") if cue.start is None else "" for cue in first]
    texts = escape_all(name or cue.text for cue, name in zip(first, known, strict=True)) if first else []
    items = []
    for cue, name, text in zip(first, known, texts, strict=True):
        language = "" if name else f' lang="{detect_language(cue.text)}"'  # words of the sentence
        sign = "−" if cue.weight < 0 else "+"
        items.append(f"<span><bdi{language}>{text}</bdi> {sign}{abs(cue.weight):.2f}</span>")
    return Markup("\n".join(items))  # noqa: S704
