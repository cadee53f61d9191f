"""The filter of the scan list, the statistics and the export, read from the query."""

from __future__ import annotations

import datetime
import re
from typing import get_args

from aiohttp import web

from ..errors import ApiError, Sentence, invalid_request, one_of
from ..schemas import ALL_SCANS, Filter, Sort, Source
from ..search_terms import Sought, category_term, parse_query
from .fields import FieldErrors, is_uuid, optional_text, read_time
from .reviews import read_choice

FILTER_FIELDS = ("q", "category", "source", "from", "to", "sha256")
SORTS: tuple[Sort, ...] = get_args(Sort)
SHA256 = re.compile("[0-9a-f]{64}")
MAX_FILTER_LENGTH = 200  # characters of q, and of a category
MAX_CHOSEN_SCANS = 100
CHOSEN_BESIDE = ("q", "source", "from", "to", "sha256")  # filters of scans, which chosen ones have no use for


def read_filter(request: web.Request) -> Filter:
    """Return the filter of q, category, source, from, to and sha256; an empty value sets no condition.

    Raises 400 `invalid_request` with the field for an invalid value.
    """
    query = request.query
    if query.keys().isdisjoint(FILTER_FIELDS):
        return ALL_SCANS
    # `to` is inclusive, Filter.until is not; times are stored to the microsecond
    day, microsecond = datetime.timedelta(days=1), datetime.timedelta(microseconds=1)
    with FieldErrors() as errors:
        sought = errors.read(read_search_terms, request)
        category = errors.read(read_query_text, request, "category")
        source = errors.read(read_source, request)
        since = errors.read(read_time, query, "from")
        until = errors.read(read_time, query, "to", add_to_date=day, add_to_time=microsecond)
        errors.read(check_period, since, until)
        sha256 = errors.read(read_sha256, request)
    term = category_term(category) if category else ""
    return Filter(sought.words, term, source, since, until, sha256 or "", sought.phrases)


def read_source(request: web.Request) -> str:
    source = read_query_text(request, "source")
    if source not in ("", *get_args(Source)):
        raise invalid_filter("source", one_of(get_args(Source)))
    return source


def read_sha256(request: web.Request) -> str:
    sha256 = read_query_text(request, "sha256").lower()
    if sha256 and not SHA256.fullmatch(sha256):
        raise invalid_filter("sha256", "Must be 64 hexadecimal digits.")
    return sha256


def check_period(since: datetime.datetime | None, until: datetime.datetime | None) -> None:
    if since and until and since >= until:
        raise invalid_filter("from", "Must not be later than the end.")


def read_chosen_scans(request: web.Request) -> list[str]:
    """Return the IDs of `scan`, each once, in their order; none chooses all scans.

    Raises 400 `invalid_request` for other IDs, more than 100, or another filter of scans beside them.
    """
    chosen = list(dict.fromkeys(filter(None, request.query.getall("scan", []))))
    if len(chosen) > MAX_CHOSEN_SCANS:
        raise invalid_filter("scan", Sentence("Must be given at most %(max)s times.", max=MAX_CHOSEN_SCANS))
    if not all(map(is_uuid, chosen)):
        raise invalid_filter("scan", "Must be the ID of a scan.")
    beside = [name for name in CHOSEN_BESIDE if chosen and request.query.get(name, "").strip()]
    if beside:
        raise invalid_filter(beside[0], "Can't be combined with scan.")
    return chosen


def read_filter_values(request: web.Request) -> dict[str, str]:
    """Return the filter as it was typed, for links to other pages of the list."""
    return {name: value for name in FILTER_FIELDS if (value := request.query.get(name, "").strip())}


def read_sort(request: web.Request) -> Sort:
    """Return the order of the list, by date if it is not given. Raises 400 `invalid_request`."""
    return read_choice(request.query, "sort", SORTS) or "date"


def read_search_terms(request: web.Request) -> Sought:
    """Return the words and phrases of q."""
    text = read_query_text(request, "q")
    sought = parse_query(text)
    if text and not sought.words:
        raise invalid_filter("q", "Enter at least one letter or number.")
    return sought


def read_query_text(request: web.Request, name: str) -> str:
    """Return a query value without surrounding spaces, empty if it was not sent."""
    value = optional_text(request.query, name).strip()
    if len(value) > MAX_FILTER_LENGTH or "\0" in value:
        problem = Sentence("Must be a text of at most %(max)s characters.", max=MAX_FILTER_LENGTH)
        raise invalid_filter(name, problem)
    return value


def invalid_filter(name: str, problem: str) -> ApiError:
    return invalid_request("Invalid filter.", **{name: problem})
