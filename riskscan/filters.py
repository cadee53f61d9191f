"""Which of a user's scans are asked for: what the list, the overview and the export share."""

from __future__ import annotations

import datetime
import hashlib

import msgspec
from aiohttp import web

from .errors import ApiError, invalid_request
from .forms import optional_text
from .shapes import Time
from .words import category_word, words

FIELDS = ("q", "category", "source", "from", "to")
MAX_TYPED = 200  # characters of q, and of a category
DAY = datetime.timedelta(days=1)
MOMENT = datetime.timedelta(microseconds=1)  # times are kept to this


class Filter(msgspec.Struct, frozen=True):
    """What a scan must have; false where nothing is chosen, which every scan meets.

    Each of `words` begins a word of the scan, `category` is a category's word (see `words`), and the scan was
    made from `since` on and before `until`.
    """

    words: tuple[str, ...] = ()
    category: str = ""
    source: str = ""
    since: datetime.datetime | None = None
    until: datetime.datetime | None = None

    def __bool__(self) -> bool:
        return self != ALL

    @property
    def digest(self) -> str:
        """Return a short text that tells this filter from others; empty where nothing is chosen."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:12] if self else ""


ALL = Filter()


def read_filter(request: web.Request) -> Filter:
    """Return what is chosen by q, category, source, from and to; a value that is empty chooses nothing.

    Raises 400 `invalid_request` with the field for a value that is not understood.
    """
    if request.query.keys().isdisjoint(FIELDS):
        return ALL
    source = typed(request, "source")
    if source not in ("", "llm", "model"):
        raise wrong("source", "This takes llm or model.")
    since, until = read_time(request, "from"), read_time(request, "to", end=True)
    if since and until and since >= until:
        raise wrong("from", "This is later than the end.")
    category = typed(request, "category")
    return Filter(read_words(request), category_word(category) if category else "", source, since, until)


def typed_filter(request: web.Request) -> dict[str, str]:
    """Return what is chosen as it was typed, for the addresses of other pages of the list."""
    return {name: value for name in FIELDS if (value := request.query.get(name, "").strip())}


def read_words(request: web.Request) -> tuple[str, ...]:
    text = typed(request, "q")
    found = words(text)
    if text and not found:
        raise wrong("q", "There is no letter and no digit in this.")
    # where a longer word is, the shorter one that begins it is too
    return tuple(
        word for word in found if not any(other.startswith(word) for other in found if other != word)
    )


def read_time(request: web.Request, name: str, *, end: bool = False) -> datetime.datetime | None:
    """Return a time (RFC 3339) or the begin of a day in UTC; with `end` the first moment after it."""
    # a form decodes the + of an offset as a blank
    value = typed(request, name).replace(" ", "+")
    if not value:
        return None
    try:
        if len(value) > len("2026-11-25"):
            return msgspec.convert(value, Time).astimezone(datetime.UTC) + MOMENT * end
        day = msgspec.convert(value, datetime.date)
        return datetime.datetime.combine(day, datetime.time(), datetime.UTC) + DAY * end
    except (msgspec.ValidationError, OverflowError):
        raise wrong(name, "This takes a day, as 2026-11-25, or a time, as 2026-11-25T08:00:00Z.") from None


def typed(request: web.Request, name: str) -> str:
    """Return a query value without the blanks around it, empty where it was not sent."""
    value = optional_text(request.query, name).strip()
    if len(value) > MAX_TYPED or "\0" in value:
        raise wrong(name, f"This takes at most {MAX_TYPED} characters of text.")
    return value


def wrong(name: str, what: str) -> ApiError:
    return invalid_request("The filter cannot be used as it is.", **{name: what})
