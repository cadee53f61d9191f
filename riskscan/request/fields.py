"""Fields of a form, a JSON body or a query: text, flag, email, password, time, number, path, ID."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar, cast

import msgspec
from aiohttp import web

from ..errors import ApiError, Sentence, invalid_request, invalid_value
from ..schemas import ID_PATTERN, MAX_PASSWORD, MIN_PASSWORD, Time
from ..settings import parse_email

P = ParamSpec("P")
T = TypeVar("T")
CANONICAL_UUID = re.compile(ID_PATTERN, re.ASCII)
FLAGS = {
    "true": True, "1": True, "yes": True, "on": True,
    "false": False, "0": False, "no": False, "off": False,
}  # fmt: skip
CHECKED_CHARACTERS = 64 * 1024  # longer texts are of bodies, whose decoders refuse lone surrogates
INTEGER = re.compile(r"[0-9]{1,18}", re.ASCII)  # int() of thousands of digits is slow


class Fields(dict[str, Any]):
    """The known fields of a body by name; `unknown` names some of the others, for errors."""

    unknown: tuple[str, ...] = ()


def mention_unknown(missing: str, fields: Mapping[str, Any], wanted: str) -> Sentence:
    """Return the sentence `missing` and, if unknown fields were sent instead of `wanted`, their names."""
    sentence, unknown = Sentence(missing), getattr(fields, "unknown", ())
    if not unknown:
        return sentence
    names = ", ".join(f"“{name}”" for name in unknown)
    values = {"missing": sentence, "names": names, "wanted": wanted}
    if len(unknown) == 1:
        return Sentence("%(missing)s Unknown field: %(names)s. Did you mean “%(wanted)s”?", **values)
    return Sentence("%(missing)s Unknown fields: %(names)s. Did you mean “%(wanted)s”?", **values)


class FieldErrors:
    """Reads several fields; at the end of the `with` block, it raises the errors of all of them as one."""

    def __init__(self) -> None:
        self.errors: list[ApiError] = []

    def __enter__(self) -> FieldErrors:
        return self

    def read(self, reader: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `reader` returns. After an error that is nothing, not to be used in the block."""
        try:
            return reader(*args, **kwargs)
        except ApiError as error:
            if not error.fields:
                raise
            self.errors.append(error)
            return cast(T, None)

    def __exit__(self, exc_type: type[BaseException] | None, *_: object) -> None:
        if exc_type or not self.errors:
            return
        details = {error.detail for error in self.errors}
        fields = {name: message for error in self.errors for name, message in error.fields.items()}
        raise invalid_request(details.pop() if len(details) == 1 else "Several fields are invalid.", **fields)


def optional_text(fields: Mapping[str, Any], name: str) -> str:
    """Return a text field, empty if it was not sent. Raises 400 unless it is one string of valid Unicode."""
    value = fields.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid_value(name, "Must be a string, given once.")
    try:
        value[:CHECKED_CHARACTERS].encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON can contain
        raise invalid_value(name, "Must be valid Unicode.") from None
    return value


def required_text(fields: Mapping[str, Any], name: str, missing: str = "This field is required.") -> str:
    """Return a text field. Raises 400 with the sentence `missing` if it was not sent or is empty."""
    value = optional_text(fields, name)
    if not value:
        message = mention_unknown(missing, fields, name)
        raise invalid_request("Fill in all required fields.", **{name: message})
    return value


def read_flag(fields: Mapping[str, Any], name: str) -> bool | None:
    """Return a flag, None if it was not sent or is empty."""
    value = fields.get(name)
    if value is None or value == "":
        return None
    flag = FLAGS.get(str(value).strip().lower()) if isinstance(value, str | int) else None
    if flag is None:
        raise invalid_value(name, "Must be true or false.")
    return flag


def read_email(fields: Mapping[str, Any], name: str = "email") -> str:
    """Return an email as `normalize_email` does. Raises 400 if it is missing or invalid."""
    return normalize_email(required_text(fields, name, "Enter your email."))


def normalize_email(value: str) -> str:
    """Return an address as it is stored and compared: trimmed, in lower case.

    Raises 400 `invalid_request` if the syntax is wrong (RFC 5322 and RFC 6531; no DNS look-up).
    """
    try:
        return parse_email(value.strip())
    except ValueError:
        raise invalid_request("Invalid email address.", email="Enter a valid email address.") from None


def read_new_password(fields: Mapping[str, Any], name: str) -> str:
    """Return a new password; raise 400 unless it has MIN_PASSWORD to MAX_PASSWORD characters."""
    value = required_text(fields, name, "Enter a password.")
    if not MIN_PASSWORD <= len(value) <= MAX_PASSWORD:
        problem = Sentence(
            "A password has %(min)s to %(max)s characters.", min=MIN_PASSWORD, max=MAX_PASSWORD
        )
        raise invalid_request("Invalid password.", **{name: problem})
    return value


def read_time(
    fields: Mapping[str, Any],
    name: str,
    *,
    add_to_date: datetime.timedelta = datetime.timedelta(0),
    add_to_time: datetime.timedelta = datetime.timedelta(0),
) -> datetime.datetime | None:
    """Return a time (RFC 3339), or the start of a date in UTC, plus an addition; None if it was not sent.

    Raises 400 `invalid_request` for anything else.
    """
    value = optional_text(fields, name).strip()
    if not value:
        return None
    try:
        if len(value) == len("2026-11-25"):
            date = msgspec.convert(value, datetime.date)
            return datetime.datetime.combine(date, datetime.time(), datetime.UTC) + add_to_date
        # form decoding turns the + of an offset into a space
        value = value[:11] + value[11:].replace(" ", "+")
        return msgspec.convert(value, Time).astimezone(datetime.UTC) + add_to_time
    except (msgspec.ValidationError, OverflowError):
        example = "2026-11-25T08:00:00Z"
        problem = Sentence(
            "Must be a date (%(date)s) or an RFC 3339 time (%(time)s).", date=example[:10], time=example
        )
        raise invalid_value(name, problem) from None


def read_integer(request: web.Request, name: str, default: int, low: int, high: int) -> int:
    """Return a whole number from the query. Raises 400 unless it is from `low` to `high`."""
    value = request.query.get(name)
    if value is None:
        return default
    if not INTEGER.fullmatch(value) or not low <= int(value) <= high:
        detail = Sentence("%(name)s must be between %(low)s and %(high)s.", name=name, low=low, high=high)
        problem = Sentence("Must be a whole number between %(low)s and %(high)s.", low=low, high=high)
        raise invalid_request(detail, **{name: problem})
    return int(value)


def read_next_path(request: web.Request) -> str:
    """Return the path to open after the log-in, `next` in the query; empty unless `check_path` allows it."""
    return check_path(request.query.get("next", ""))


def check_path(target: str) -> str:
    """Return the path of a page of this application; an empty string for anything else."""
    is_path = target.startswith("/") and not target.startswith(("//", "/\\")) and target.isprintable()
    # a browser resolves dot segments, percent-encoded ones too, and reads \ as / (WHATWG URL, section 4.4)
    segments = re.split(r"[/\\]", re.split("[?#]", target)[0].lower().replace("%2e", "."))
    return target if is_path and {".", ".."}.isdisjoint(segments) else ""


def is_uuid(value: str) -> bool:
    """Return whether this is a UUID in canonical form (RFC 9562, section 4)."""
    return CANONICAL_UUID.fullmatch(value) is not None
