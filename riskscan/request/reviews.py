"""Reviews in a form, a JSON body or a list of them."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any, TypeVar, get_args

import msgspec
from aiohttp import web

from ..errors import ApiError, Sentence, invalid_request, invalid_value, one_of
from ..schemas import (
    CONTROL_IN_TEXT,
    MAX_COMMENT,
    MAX_OWNER,
    MAX_REVIEWS,
    MAX_TITLE,
    Reason,
    Response,
    ReviewFields,
    ReviewItem,
    State,
)
from .body import read_json_list
from .fields import FieldErrors, is_uuid, optional_text, required_text
from .uploads import CONTROL_CHARACTERS

T = TypeVar("T")
MAX_LIST_BYTES = 2 * 1024 * 1024
NOT_IN_TEXT = re.compile(f"[{CONTROL_IN_TEXT}\ud800-\udfff]")
STATES: tuple[State, ...] = get_args(State)
REASONS: tuple[Reason, ...] = get_args(Reason)
RESPONSES: tuple[Response, ...] = get_args(Response)
CONFIRMED_ONLY = ("owner", "likelihood", "impact", "response", "due")


def read_review(fields: Mapping[str, Any]) -> ReviewFields:
    """Return a review; empty fields count as missing.

    Raises 400 `invalid_request` for an unknown value, and for a field that does not belong to the state.
    """
    with FieldErrors() as errors:
        review = ReviewFields(
            state=errors.read(read_review_state, fields),
            reason=errors.read(read_choice, fields, "reason", REASONS),
            comment=errors.read(read_line_or_text, fields, "comment", MAX_COMMENT, NOT_IN_TEXT),
            owner=errors.read(read_line_or_text, fields, "owner", MAX_OWNER, CONTROL_CHARACTERS),
            likelihood=errors.read(read_level, fields, "likelihood"),
            impact=errors.read(read_level, fields, "impact"),
            response=errors.read(read_choice, fields, "response", RESPONSES),
            due=errors.read(read_due, fields),
        )
    with FieldErrors() as errors:
        if review.state == "dismissed":
            errors.read(require_reason, review)
        for name in CONFIRMED_ONLY if review.state == "dismissed" else ("reason",):
            errors.read(refuse_field, review, name)
    return review


def read_review_state(fields: Mapping[str, Any]) -> State:
    state = read_choice(fields, "state", STATES)
    if state is None:
        raise invalid_value("state", one_of(STATES))
    return state


def require_reason(review: ReviewFields) -> None:
    if review.reason is None:
        raise invalid_request("Choose a reason.", reason=one_of(REASONS))


def refuse_field(review: ReviewFields, name: str) -> None:
    """Raise 400 if a field is set that does not belong to the state of the review."""
    if getattr(review, name) is not None:
        is_dismissed = review.state == "dismissed"
        raise invalid_value(
            name, "Not for a dismissed finding." if is_dismissed else "Not for a confirmed finding."
        )


def read_choice(fields: Mapping[str, Any], name: str, choices: tuple[T, ...]) -> T | None:
    """Return one of the choices, None if it was not sent or is empty."""
    value = optional_text(fields, name)
    if not value:
        return None
    for choice in choices:
        if choice == value:
            return choice
    raise invalid_value(name, one_of(choices))


def read_line_or_text(
    fields: Mapping[str, Any], name: str, max_length: int, forbidden: re.Pattern[str]
) -> str | None:
    """Return a trimmed text, None if it was not sent or is blank."""
    sent = optional_text(fields, name)
    value = sent.replace("\r\n", "\n").strip()
    if len(value) > max_length or forbidden.search(sent):
        raise invalid_value(
            name, Sentence("Must have at most %(max)s characters, and no control characters.", max=max_length)
        )
    return value or None


def read_level(fields: Mapping[str, Any], name: str) -> int | None:
    """Return a level from 1 to 5, None if it was not sent or is empty."""
    value = fields.get(name)
    if value is None or value == "":
        return None
    level = int(value) if value in ("1", "2", "3", "4", "5") else to_integer(value)
    if level is None or not 1 <= level <= 5:
        raise invalid_value(name, "Must be a whole number from 1 to 5.")
    return level


def to_integer(value: Any) -> int | None:
    """Return a whole number in JSON, which may be written as 3.0; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value == value // 1 else None


def read_due(fields: Mapping[str, Any]) -> str | None:
    """Return a date as `2026-12-31`, None if it was not sent or is empty."""
    value = optional_text(fields, "due").strip()
    if not value:
        return None
    try:
        return msgspec.convert(value, datetime.date).isoformat()
    except msgspec.ValidationError:
        raise invalid_value("due", "Must be a date (2026-12-31).") from None


def read_title(fields: Mapping[str, Any]) -> str | None:
    """Return a title of one line, None if it is null or blank. Raises 400 `invalid_request`."""
    if "title" not in fields:
        raise invalid_request("Fill in all required fields.", title="This field is required.")
    return read_line_or_text(fields, "title", MAX_TITLE, CONTROL_CHARACTERS)


async def read_reviews(request: web.Request) -> list[ReviewItem]:
    """Return the reviews in a JSON list, at least one.

    Raises 400 `invalid_request` for the first item that is wrong, and as `read_form` does.
    """
    items = await read_json_list(request, MAX_LIST_BYTES)
    if not 1 <= len(items) <= MAX_REVIEWS:
        raise invalid_request(Sentence("Send 1 to %(max)s reviews at a time.", max=f"{MAX_REVIEWS:,}"))
    reviews = []
    for position, item in enumerate(items, 1):
        try:
            reviews.append(read_item(item))
        except ApiError as exc:
            raise name_item(exc, position, len(items)) from None
    return reviews


def name_item(error: ApiError, position: int, total: int) -> ApiError:
    """Return the error of an item of a list, naming the item."""
    detail = f"Review {position} of {total}: {error.detail}"
    return ApiError(error.status, error.code, detail, fields=error.fields, headers=error.headers)


def read_item(item: Mapping[str, Any]) -> ReviewItem:
    """Return a review with the finding that it is of."""
    with FieldErrors() as errors:
        scan_id = errors.read(read_scan_id, item)
        number = errors.read(read_number, item)
        review = errors.read(read_review, item)
    return ReviewItem(scan_id=scan_id, number=number, **msgspec.structs.asdict(review))


def read_scan_id(item: Mapping[str, Any]) -> str:
    scan_id = required_text(item, "scan_id")
    if not is_uuid(scan_id):
        raise invalid_value("scan_id", "Must be a scan ID.")
    return scan_id


def read_number(item: Mapping[str, Any]) -> int:
    number = to_integer(item.get("number"))
    if number is None or number < 1:
        raise invalid_value("number", "Must be the number of a finding.")
    return number
