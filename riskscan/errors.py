"""ApiError, the one way to refuse a request, and the refusals that several modules raise."""

from __future__ import annotations

import secrets
from collections.abc import Mapping

from aiohttp import web

REQUEST_ID = web.RequestKey("REQUEST_ID", str)

# aiohttp's own refusals, by status: the contract's code and a sentence for people
ERRORS_BY_STATUS = {
    400: ("invalid_request", "The request is malformed."),
    403: ("forbidden", "This is not allowed."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not answer that method."),
    408: ("request_timeout", "The request took too long to arrive."),
    413: ("payload_too_large", "The request is too large."),
    417: ("expectation_failed", "The Expect header of this request cannot be met."),
}


class ApiError(Exception):
    """A refusal in the contract's shape.

    `detail` is one sentence for people; `fields` maps a field's name to what is wrong with it;
    `headers` go on the answer.
    """

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.fields = dict(fields or {})
        self.headers = dict(headers or {})


def invalid_request(detail: str, **fields: str) -> ApiError:
    """400: the input is not what the contract takes."""
    return ApiError(400, "invalid_request", detail, fields=fields)


def not_authenticated(detail: str = "Sign in to do this.") -> ApiError:
    """401: no valid token or session (RFC 6750, section 3 names the header)."""
    return ApiError(401, "not_authenticated", detail, headers={"WWW-Authenticate": "Bearer"})


def not_found(detail: str) -> ApiError:
    """404: there is no such thing, or it is someone else's."""
    return ApiError(404, "not_found", detail)


def payload_too_large(max_bytes: int) -> ApiError:
    """413: the body is over what the operation takes."""
    size = f"{max_bytes / 1024 / 1024:g} MB" if max_bytes >= 1024 * 1024 else f"{max_bytes / 1024:g} KB"
    return ApiError(413, "payload_too_large", f"That is too large: at most {size} is taken.")


def unavailable(code: str, detail: str, *, retry_seconds: int) -> ApiError:
    """503: something that RiskScan needs is away or busy for the moment."""
    return ApiError(503, code, detail, headers={"Retry-After": str(retry_seconds)})


def error_from_status(status: int, headers: Mapping[str, str] | None = None) -> ApiError:
    """Return the refusal that stands for one of aiohttp's own."""
    code, detail = ERRORS_BY_STATUS.get(status, ("invalid_request" if status < 500 else "internal_error", ""))
    return ApiError(status, code, detail or "The request cannot be answered.", headers=headers)


def internal_error() -> ApiError:
    """500: a bug; the log has the trace under the request's id."""
    return ApiError(500, "internal_error", "Something went wrong on our side. It has been logged.")


def new_request_id() -> str:
    """Return a fresh id for X-Request-ID: 32 hexadecimal digits."""
    return secrets.token_hex(16)
