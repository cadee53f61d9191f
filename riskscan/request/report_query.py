"""The query of the page of a scan: which findings it shows, in which order and view."""

from __future__ import annotations

from typing import Literal, NamedTuple

from aiohttp import web

from ..errors import one_of
from .filters import invalid_filter, read_query_text
from .finding_filters import FINDING_FILTER_FIELDS, FindingFilter, read_finding_filter

Sort = Literal["score", "document", "category"]
REPORT_FIELDS = (*FINDING_FILTER_FIELDS, "sort", "view")
SORTS: tuple[Sort, ...] = ("score", "document", "category")
VIEWS = ("cards", "table")


class ReportQuery(NamedTuple):
    """What the page of a scan shows.

    `at` is the number of the finding that was just reviewed, which stays where it was, and `why` that of the
    one that is shown alone, with its reasons; 0 for none. `values` has the fields as they were sent, for
    links and forms.
    """

    filter: FindingFilter
    sort: Sort
    table: bool
    at: int
    why: int
    values: dict[str, str]


def read_report_query(request: web.Request) -> ReportQuery:
    """Return the query. Raises 400 `invalid_request` with the field for an invalid value but a number."""
    sort = read_query_text(request, "sort") or "score"
    if sort not in SORTS:
        raise invalid_filter("sort", one_of(SORTS))
    view = read_query_text(request, "view")
    if view not in ("", *VIEWS):
        raise invalid_filter("view", one_of(VIEWS))
    return ReportQuery(
        read_finding_filter(request),
        sort,
        view == "table",
        read_number(request, "at"),
        read_number(request, "why"),
        read_report_values(request),
    )


def read_number(request: web.Request, name: str) -> int:
    """Return the number of a finding, 0 if it is none."""
    value = request.query.get(name, "")
    return int(value) if value.isascii() and value.isdecimal() and len(value) <= 6 else 0


def read_report_values(request: web.Request) -> dict[str, str]:
    """Return the fields of the query as they were sent, without empty ones."""
    return {name: value for name in REPORT_FIELDS if (value := request.query.get(name, "").strip())}
