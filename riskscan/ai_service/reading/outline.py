# ruff: noqa: E501
"""The outline of a document: which kind of section a line stands in."""

import re

from .layout import PLAIN_LEVEL

# headings, by the kind of section that they open
RISK_HEADING = re.compile(
    r"\b(risks?|concerns?|issues?|problems?|difficult(?:y|ies)|challenges?|block(?:er|ing|ed)s?|threats?|weakness(?:es)?"
    r"|worr(?:y|ies)|red flags?|obstacles?|impediments?|uncertaint(?:y|ies)|exposures?|warnings?|vulnerabilit(?:y|ies)"
    r"|what (?:could|may|might) go wrong|watch ?list|gaps|findings|limitations|known bugs|pain points|open points"
    r"|caveats|attention|non-?conformit(?:y|ies)|deviations|assumptions|constraints|unresolved)\b"
    r"|ហានិភ័យ|បញ្ហា|ការព្រួយបារម្ភ|ឧបសគ្គ|ការលំបាក|បញ្ហាប្រឈម|ចំណុចខ្សោយ|ការគំរាមកំហែង",
    re.I,
)
NEUTRAL_HEADING = re.compile(
    r"\b(agenda|attend(?:ees|ance)|present|apologies|glossary|definitions?|interpretation|references|contacts?"
    r"|achieve(?:d|ments?)|accomplish(?:ed|ments)|progress|planned|plan for|next (?:steps|week|month|period)|this week"
    r"|strengths|opportunit(?:y|ies)|went well|highlights|roles|responsibilit(?:y|ies)|mitigations?|controls"
    r"|install(?:ation|ing)?|usage|quick ?start|getting started|configuration|license|contributing|table of contents"
    r"|contents|decisions|actions?|abbreviations|acknowledg\w+|distribution|governing law|notices|counterparts"
    r"|background|scope|deliverables|purpose|aims?|objectives?|lessons)\b"
    r"|សមិទ្ធផល|វឌ្ឍនភាព|លទ្ធផល|របៀបវារៈ|និយមន័យ|គោលបំណង|សមាសភាព|វត្តមាន|ផែនការ",
    re.I,
)
CLOSED_HEADING = re.compile(
    r"\b(closed|done|completed?|resolved|solved|fixed|retired|no longer|finished|archived|withdrawn|cancell?ed"
    r"|mitigated)\b|បានដោះស្រាយ|បានបិទ|បានបញ្ចប់",
    re.I,
)
# "Open and closed risks", "Not yet resolved"
OPEN_HEADING = re.compile(r"\b(open|not|partly|partially|being)\b", re.I)


class Outline:
    """The headings above the current line, and the kind of the current section."""

    def __init__(self) -> None:
        self._open: list[tuple[int, str, str]] = []
        self._in_list = False

    def enter(self, heading: str, level: int, number: str = "") -> None:
        """Enter the section of a heading and its number; sections of the same or a lower level end."""
        self._in_list = False
        while self._open and self._open[-1][0] >= level:
            self._open.pop()
        self._open.append((level, classify_heading(heading), f"{number} {heading}".strip()))

    def enter_text(self, is_item: bool) -> None:
        """Enter a list item or a paragraph."""
        # a plain line above a list is the heading of this list alone
        if self._in_list and not is_item and self._open and self._open[-1][0] == PLAIN_LEVEL:
            self._open.pop()
        self._in_list = is_item

    @property
    def section(self) -> str:
        return next((section for _, section, _ in reversed(self._open) if section), "")

    @property
    def headings(self) -> tuple[str, ...]:
        """The open headings, the highest first."""
        return tuple(heading for _, _, heading in self._open)


def classify_heading(heading: str) -> str:
    """Return the kind of section that a heading opens, as in Unit.section."""
    if len(heading) > 80:
        return ""
    if CLOSED_HEADING.search(heading) and not OPEN_HEADING.search(heading):
        return "closed"
    if NEUTRAL_HEADING.search(heading):
        return "neutral"
    return "risks" if RISK_HEADING.search(heading) else ""
