"""The notes of marks: what the comment on a finding says."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from ..export.columns import IMPACT_NAMES, LIKELIHOOD_NAMES, RESPONSE_NAMES
from ..languages import SOURCE, format_day
from ..schemas import Finding, Review
from .placing import Mark, fold, read_page

# of the quote's length: a title that is part of the quote and as long as this repeats it
REPEATED_SHARE = 0.8


def make_marks(findings: Sequence[Finding]) -> list[Mark]:
    """Return the marks of the open and confirmed findings, in document order."""
    return [
        Mark(finding.number, finding.context, read_page(finding.place or ""), write_note(finding))
        for finding in findings
        if finding.review is None or finding.review.state != "dismissed"
    ]


def write_note(finding: Finding) -> str:
    """Return the note: category and title, the review, and its comment, each on a line."""
    parts = ["RiskScan", finding.category, "" if repeats(finding.risk, finding.context) else finding.risk]
    lines = [" · ".join(filter(None, parts)), describe_review(finding.review)]
    if finding.review and finding.review.comment:
        lines.append(finding.review.comment)
    return "\n".join(lines)


def repeats(title: str, quote: str) -> bool:
    """Return whether the title is the quote, nearly all of it, or cut from it."""
    short, long = fold(title).text, fold(quote).text
    return short in long and ("…" in title or len(short) >= REPEATED_SHARE * len(long))


def describe_review(review: Review | None) -> str:
    if review is None:
        return "Open"
    named = {
        "Owner": review.owner,
        "Likelihood": LIKELIHOOD_NAMES.get(review.likelihood or 0),
        "Impact": IMPACT_NAMES.get(review.impact or 0),
        "Response": RESPONSE_NAMES.get(review.response or ""),
        "Due": format_day(SOURCE, datetime.date.fromisoformat(review.due)) if review.due else "",
    }
    return " · ".join(["Confirmed", *(f"{name}: {value}" for name, value in named.items() if value)])
