"""Which of a user's scans are asked for: what the list, the overview and the export share."""

from __future__ import annotations

import datetime

import msgspec
from aiohttp import web

from ..errors import ApiError, invalid_request
from ..schemas import ALL_SCANS, Filter, Time
from ..search_terms import category_term, tokenize
from .fields import optional_text

FILTER_FIELDS = ("q", "category", "source", "from", "to")
MAX_FILTER_LENGTH = 200  # characters of q, and of a category
ONE_DAY = datetime.timedelta(days=1)
ONE_MICROSECOND = datetime.timedelta(microseconds=1)  # times are kept to this


def read_filter(request: web.Request) -> Filter:
    """Return what is chosen by q, category, source, from and to; a value that is empty chooses nothing.

    Raises 400 `invalid_request` with the field for a value that is not understood.
    """
    if request.query.keys().isdisjoint(FILTER_FIELDS):
        return ALL_SCANS
    source = read_query_text(request, "source")
    if source not in ("", "llm", "model"):
        raise invalid_filter("source", "This takes llm or model.")
    since, until = read_time(request, "from"), read_time(request, "to", end=True)
    if since and until and since >= until:
        raise invalid_filter("from", "This is later than the end.")
    category = read_query_text(request, "category")
    return Filter(
        read_search_terms(request), category_term(category) if category else "", source, since, until
    )


def read_filter_values(request: web.Request) -> dict[str, str]:
    """Return what is chosen as it was typed, for the addresses of other pages of the list."""
    return {name: value for name in FILTER_FIELDS if (value := request.query.get(name, "").strip())}


def read_search_terms(request: web.Request) -> tuple[str, ...]:
    text = read_query_text(request, "q")
    found = tokenize(text)
    if text and not found:
        raise invalid_filter("q", "There is no letter and no digit in this.")
    # where a longer word is, the shorter one that begins it is too
    return tuple(
        word for word in found if not any(other.startswith(word) for other in found if other != word)
    )


def read_time(request: web.Request, name: str, *, end: bool = False) -> datetime.datetime | None:
    """Return a time (RFC 3339) or the begin of a day in UTC; with `end` the first moment after it."""
    # a form decodes the + of an offset as a blank
    value = read_query_text(request, name).replace(" ", "+")
    if not value:
        return None
    try:
        if len(value) > len("2026-11-25"):
            return msgspec.convert(value, Time).astimezone(datetime.UTC) + ONE_MICROSECOND * end
        day = msgspec.convert(value, datetime.date)
        return datetime.datetime.combine(day, datetime.time(), datetime.UTC) + ONE_DAY * end
    except (msgspec.ValidationError, OverflowError):
        raise invalid_filter(
            name, "This takes a day, as 2026-11-25, or a time, as 2026-11-25T08:00:00Z."
        ) from None


def read_query_text(request: web.Request, name: str) -> str:
    """Return a query value without the blanks around it, empty where it was not sent."""
    value = optional_text(request.query, name).strip()
    if len(value) > MAX_FILTER_LENGTH or "\0" in value:
        raise invalid_filter(name, f"This takes at most {MAX_FILTER_LENGTH} characters of text.")
    return value


def invalid_filter(name: str, what: str) -> ApiError:
    return invalid_request("The filter cannot be used as it is.", **{name: what})
