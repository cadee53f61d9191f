"""The filter of the findings of one scan, on its page and in its export, read from the query."""

from __future__ import annotations

from typing import NamedTuple, get_args

from aiohttp import web

from ..errors import one_of
from ..schemas import Finding, State
from ..search_terms import Sought, category_term, join_terms, parse_query
from .filters import invalid_filter, read_query_text

FINDING_FILTER_FIELDS = ("state", "category", "q")
STATES = ("open", *get_args(State))


class FindingFilter(NamedTuple):
    """Conditions on findings, which must all hold; an empty one always does.

    `category` is a term (see `category_term`); `sought` is what the finding must have.
    """

    state: str = ""
    category: str = ""
    sought: Sought = Sought((), ())

    def matches(self, finding: Finding) -> bool:
        if self.state and self.state != (finding.review.state if finding.review else "open"):
            return False
        if self.category and self.category != category_term(finding.category):
            return False
        if not self.sought.words:
            return True
        terms = join_terms((finding.risk, finding.context, finding.category, finding.place or ""))
        return all(f" {part}" in f" {terms} " for part in (*self.sought.words, *self.sought.phrases))


def read_finding_filter(request: web.Request) -> FindingFilter:
    """Return the filter of state, category and q; an empty value sets no condition.

    Raises 400 `invalid_request` with the field for an invalid value.
    """
    category = read_query_text(request, "category")
    sought = parse_query(read_query_text(request, "q"))
    return FindingFilter(read_state(request), category_term(category) if category else "", sought)


def read_state(request: web.Request) -> str:
    """Return the state that findings must have, empty for any. Raises 400 `invalid_request`."""
    state = read_query_text(request, "state")
    if state not in ("", *STATES):
        raise invalid_filter("state", one_of(STATES))
    return state
