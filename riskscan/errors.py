"""ApiError, which becomes every error response, and the errors that several modules raise."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

from aiohttp import web
from multidict import istr

REQUEST_ID = web.RequestKey("REQUEST_ID", str)
CLIENT_CLOSED_REQUEST = 499  # nginx's status in the log for a client that has left
X_REQUEST_ID = istr("X-Request-ID")
VALID_REQUEST_ID = re.compile(r"[0-9A-Za-z._:/+=@-]{1,128}", re.ASCII)

# code and detail of the errors that aiohttp raises, by status
ERRORS_BY_STATUS = {
    400: ("invalid_request", "Malformed request."),
    403: ("forbidden", "Not allowed."),
    404: ("not_found", "This address does not exist."),
    405: ("method_not_allowed", "Method not allowed."),
    408: ("request_timeout", "The request took too long to arrive."),
    413: ("payload_too_large", "Request too large."),
    417: ("expectation_failed", "The Expect header cannot be satisfied."),
}


class Sentence(str):
    """A sentence with values, in English; pages translate its `message`, in which `%(name)s` is a value.

    A value may be a sentence too, or a date, which pages show in words.
    """

    message: str
    values: Mapping[str, Any]

    def __new__(cls, message: str, **values: Any) -> Sentence:
        sentence = super().__new__(cls, message % values)
        sentence.message, sentence.values = message, values
        return sentence


class ApiError(Exception):
    """An error response.

    `code` is stable, `detail` a sentence for people; `fields` maps a field's name to its error. Pages show
    them in the language of the user. `limit` names the limit that refuses the request, for the metrics.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        limit: str = "",
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})
        self.limit = limit


def invalid_request(detail: str, /, **fields: str) -> ApiError:
    """400: the input is invalid."""
    return ApiError(400, "invalid_request", detail, fields=fields)


def invalid_value(name: str, problem: str) -> ApiError:
    """400: the value of a field is invalid."""
    return invalid_request(Sentence("Invalid value for %(name)s.", name=name), **{name: problem})


def one_of(choices: Iterable[object]) -> Sentence:
    return Sentence("Must be one of: %(choices)s.", choices=", ".join(map(str, choices)))


def not_authenticated(detail: str = "Authentication required.") -> ApiError:
    """401: no valid token or session (RFC 6750, section 3 names the header)."""
    return ApiError(401, "not_authenticated", detail, headers={"WWW-Authenticate": "Bearer"})


def invalid_token(detail: str) -> ApiError:
    """401: a token was sent, but it is not valid (RFC 6750, section 3.1)."""
    headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    return ApiError(401, "not_authenticated", detail, headers=headers)


def not_found(detail: str) -> ApiError:
    """404: it does not exist, or belongs to another user."""
    return ApiError(404, "not_found", detail)


def payload_too_large(max_bytes: int) -> ApiError:
    """413: the body is larger than the operation allows."""
    detail = Sentence("Request too large; the limit is %(size)s.", size=format_size(max_bytes))
    return ApiError(413, "payload_too_large", detail)


def text_too_large(max_bytes: int) -> ApiError:
    """413: the text is larger than the operation allows, but may be sent as a file."""
    limit = format_size(max_bytes)
    detail = Sentence("Text too large; the limit is %(size)s. Send it as a file.", size=limit)
    return ApiError(413, "payload_too_large", detail)


def format_size(size: int) -> Sentence:
    if size >= 1024 * 1024:
        return Sentence("%(number)s MB", number=f"{size / 1024 / 1024:g}")
    return Sentence("%(number)s KB", number=f"{size / 1024:g}")


def unavailable(code: str, detail: str, *, retry_seconds: int, limit: str = "") -> ApiError:
    """503: something that RiskScan needs is unavailable or busy."""
    return ApiError(503, code, detail, headers={"Retry-After": str(retry_seconds)}, limit=limit)


def error_from_status(status: int, headers: Mapping[str, str] | None = None) -> ApiError:
    """Return the error for a status that aiohttp raised."""
    code, detail = ERRORS_BY_STATUS.get(status, ("invalid_request" if status < 500 else "internal_error", ""))
    return ApiError(status, code, detail or "The request could not be processed.", headers=headers)


def internal_error() -> ApiError:
    """500: a bug; the log has the traceback with the request ID."""
    return ApiError(500, "internal_error", "Something went wrong on our side. It has been logged.")


def read_request_id(request: web.BaseRequest) -> str:
    """Return the request's X-Request-ID if it is safe to log, else a new one."""
    request_id = request.headers.get(X_REQUEST_ID, "")
    return request_id if VALID_REQUEST_ID.fullmatch(request_id) else new_request_id()


def new_request_id() -> str:
    """Return a random ID for X-Request-ID: 32 hexadecimal digits."""
    return secrets.token_hex(16)
