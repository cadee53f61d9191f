"""The tables of operations and pages, read by the router; the OpenAPI document describes the operations."""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from .handlers import (
    accounts,
    api_docs,
    api_tokens,
    comparisons,
    exports,
    health,
    imports,
    languages,
    marks,
    oidc,
    reviews,
    scans,
    shares,
    start,
    static_files,
)
from .idempotency import HEADER, REPLAYED
from .openapi import FORM, IMPORT, JSON, LOGIN_PATH, MULTIPART, REPEATED, UPLOAD, Operation
from .request.fields import CANONICAL_UUID
from .request.filters import FILTER_FIELDS
from .request.finding_filters import FINDING_FILTER_FIELDS
from .request.report_query import REPORT_FIELDS
from .responses import SHARE_PATH, Loader
from .schemas import (
    ApiTokenList,
    Comparison,
    CreateApiToken,
    CreateApiTokenForm,
    CreateShare,
    Credentials,
    DeleteScans,
    DeleteScansForm,
    Finding,
    FindingList,
    Health,
    Liveness,
    Message,
    NewApiToken,
    NewShare,
    PasswordChange,
    PasswordConfirmation,
    PasswordGrant,
    RegisterRow,
    Rename,
    RenameForm,
    ReviewFields,
    ReviewForm,
    ReviewImport,
    ReviewItems,
    Scan,
    ScanForm,
    ScanList,
    ScanText,
    ShareList,
    Stats,
    TokenResponse,
    User,
)

OPERATIONS = (
    Operation(
        "POST",
        "/api/auth/register",
        accounts.register,
        page="/register",
        public=True,
        bodies={JSON: Credentials, FORM: Credentials},
        answer=TokenResponse,
        status=201,
        errors=(400, 403, 409, 413, 429),
    ),
    Operation(
        "POST",
        LOGIN_PATH,
        accounts.login,
        page="/login",
        public=True,
        bodies={JSON: PasswordGrant, FORM: PasswordGrant},
        answer=TokenResponse,
        errors=(400, 401, 403, 413, 429),
    ),
    Operation(
        "POST",
        "/api/auth/logout",
        accounts.logout,
        page="/logout",
        public=True,
        answer=Message,
        errors=(403,),
    ),
    Operation("GET", "/api/auth/me", accounts.me, answer=User, errors=(403,)),
    Operation(
        "DELETE",
        "/api/auth/me",
        accounts.delete,
        page="/account/delete",
        bodies={JSON: PasswordConfirmation, FORM: PasswordConfirmation},
        answer=Message,
        errors=(400, 403, 413, 429),
    ),
    Operation(
        "POST",
        "/api/auth/password",
        accounts.change_password,
        page="/account/password",
        bodies={JSON: PasswordChange, FORM: PasswordChange},
        answer=TokenResponse,
        errors=(400, 403, 413, 429),
    ),
    Operation("GET", "/api/tokens", api_tokens.index, answer=ApiTokenList, errors=(403,)),
    Operation(
        "POST",
        "/api/tokens",
        api_tokens.create,
        page="/account/tokens",
        bodies={JSON: CreateApiToken, FORM: CreateApiTokenForm},
        answer=NewApiToken,
        status=201,
        errors=(400, 403, 409, 413),
    ),
    Operation(
        "DELETE",
        "/api/tokens/{token_id}",
        api_tokens.delete,
        page="/account/tokens/{token_id}/delete",
        answer=Message,
        errors=(403, 404),
    ),
    Operation(
        "POST",
        "/api/scan",
        scans.create,
        page="/scan",
        bodies={MULTIPART: UPLOAD, FORM: ScanForm, JSON: ScanText},
        headers=(HEADER,),
        answer=Scan,
        response_headers=(REPLAYED, "Link"),
        links=(scans.show, scans.rename, scans.delete, reviews.index),
        errors=(400, 403, 408, 409, 413, 415, 422, 429, 502),
    ),
    Operation(
        "GET",
        "/api/scans",
        scans.index,
        page="/scans",
        query=("limit", "offset", "cursor", "sort", *FILTER_FIELDS),
        answer=ScanList,
        errors=(400, 403),
    ),
    Operation(
        "GET",
        "/api/stats",
        scans.stats,
        page="/scans/overview",
        query=FILTER_FIELDS,
        answer=Stats,
        errors=(400, 403),
    ),
    Operation(
        "GET",
        "/api/scans/export",
        exports.export_all,
        page="/scans/export",
        query=("format", "layout", "state", "scan", *FILTER_FIELDS),
        answer=list[RegisterRow],
        files=exports.FILE_MEDIA_TYPES,
        errors=(400, 403),
    ),
    Operation(
        "POST",
        "/api/scans/delete",
        scans.delete_many,
        page="/scans/delete",
        bodies={JSON: DeleteScans, FORM: DeleteScansForm},
        answer=Message,
        errors=(400, 403, 404, 413),
    ),
    Operation(
        "GET", "/api/scans/{scan_id}", scans.show, page="/scans/{scan_id}", answer=Scan, errors=(403, 404)
    ),
    Operation(
        "DELETE",
        "/api/scans/{scan_id}",
        scans.delete,
        page="/scans/{scan_id}/delete",
        answer=Message,
        errors=(403, 404),
    ),
    Operation(
        "PATCH",
        "/api/scans/{scan_id}",
        scans.rename,
        page="/scans/{scan_id}/title",
        bodies={JSON: Rename, FORM: RenameForm},
        answer=Scan,
        errors=(400, 403, 404, 413),
    ),
    Operation("GET", "/api/scans/{scan_id}/findings", reviews.index, answer=FindingList, errors=(403, 404)),
    Operation(
        "PUT",
        "/api/scans/{scan_id}/findings/{number}/review",
        reviews.update,
        page="/scans/{scan_id}/findings/{number}/review",
        bodies={JSON: ReviewFields, FORM: ReviewForm},
        answer=Finding,
        errors=(400, 403, 404, 413),
    ),
    Operation(
        "DELETE",
        "/api/scans/{scan_id}/findings/{number}/review",
        reviews.delete,
        page="/scans/{scan_id}/findings/{number}/review/delete",
        answer=Message,
        errors=(403, 404),
    ),
    Operation(
        "POST",
        "/api/reviews",
        reviews.update_many,
        bodies={JSON: ReviewItems},
        answer=Message,
        errors=(400, 403, 404, 413),
    ),
    Operation(
        "POST",
        "/api/reviews/import",
        imports.create,
        page="/reviews/import",
        bodies={MULTIPART: IMPORT},
        answer=ReviewImport,
        errors=(400, 403, 408, 413),
    ),
    Operation(
        "DELETE",
        "/api/reviews",
        reviews.delete_all,
        page="/account/reviews/delete",
        answer=Message,
        errors=(403,),
    ),
    Operation(
        "GET",
        "/api/scans/{scan_id}/shares",
        shares.index,
        page="/scans/{scan_id}/shares",
        answer=ShareList,
        errors=(403, 404),
    ),
    Operation(
        "POST",
        "/api/scans/{scan_id}/shares",
        shares.create,
        page="/scans/{scan_id}/shares",
        bodies={JSON: CreateShare, FORM: CreateShare},
        answer=NewShare,
        status=201,
        errors=(400, 403, 404, 409, 413),
    ),
    Operation(
        "DELETE",
        "/api/scans/{scan_id}/shares/{share_id}",
        shares.delete,
        page="/scans/{scan_id}/shares/{share_id}/delete",
        answer=Message,
        errors=(403, 404),
    ),
    Operation(
        "GET",
        "/api/scans/{scan_id}/compare",
        comparisons.show,
        page="/scans/{scan_id}/compare",
        query=("with",),
        answer=Comparison,
        errors=(400, 403, 404),
    ),
    Operation(
        "GET",
        "/api/scans/{scan_id}/export",
        exports.export_scan,
        page="/scans/{scan_id}/export",
        query=("format", "layout", *FINDING_FILTER_FIELDS),
        answer=list[RegisterRow],
        files=exports.FILE_MEDIA_TYPES,
        errors=(400, 403, 404),
    ),
    Operation(
        "POST",
        "/api/scans/{scan_id}/mark",
        marks.create,
        page="/scans/{scan_id}/mark",
        bodies={MULTIPART: UPLOAD},
        answer=str,
        files=marks.FILE_MEDIA_TYPES,
        response_headers=(marks.NUMBERS_LEFT_OUT,),
        errors=(400, 403, 404, 408, 409, 413, 429),
    ),
    Operation("GET", "/api/health", health.show, public=True, answer=Health, other_answers={503: Health}),
    Operation("GET", "/api/health/live", health.live, public=True, answer=Liveness),
    Operation("GET", "/api/openapi.json", api_docs.document, public=True, answer=dict[str, Any]),
    Operation("GET", "/api/docs", api_docs.docs, public=True, answer=str),
)
# pages without an operation, all GET but the one that a phone sends a form to
PAGES: dict[str, Handler] = {
    "/": start.home,
    "/sample": start.sample,
    "/register": accounts.register_page,
    "/login": accounts.login_page,
    "/login/oidc": oidc.start,
    oidc.FINISH_PATH: oidc.finish,
    "/scan": scans.scan_page,
    SHARE_PATH: scans.scan_page,  # a reload of what POST shows
    "/reviews/import": imports.import_page,
    "/account": accounts.account_page,
    "/scans/compare": comparisons.choose,
    "/scans/delete": scans.delete_page,
    "/scans/{scan_id}/drafts": comparisons.drafts,
    "/account/tokens": accounts.account_page,  # where a new token was shown, if the page is reloaded
    "/shared/{token:[0-9A-Za-z_-]{43}}": shares.show,
    "/scans/{scan_id}/mark": marks.page,
    "/static/{name:.+}": static_files.show,
}
# by template of a form, what loads the data that its page shows beside it, also after an error
LOADERS: dict[str, Loader] = {
    "account.html": accounts.load_account,
    "scan.html": scans.load_page,
    "shares.html": shares.load_shares,
}
# forms without an operation, all POST
FORMS: dict[str, Handler] = {"/language": languages.choose, SHARE_PATH: scans.share}

# query parameters that a handler reads on its page only
PAGE_QUERY: dict[Handler, tuple[str, ...]] = {
    accounts.register: ("next",),
    accounts.register_page: ("next", "done"),
    accounts.login: ("next",),
    accounts.login_page: ("next", "done"),
    oidc.start: ("next",),
    oidc.finish: ("code", "state", "iss", "error"),
    accounts.account_page: ("done",),
    scans.index: ("done",),
    shares.index: ("done",),
    scans.show: (*REPORT_FIELDS, "at", "why"),
    start.sample: REPORT_FIELDS,
    reviews.update: REPORT_FIELDS,
    reviews.delete: REPORT_FIELDS,
    comparisons.choose: ("limit", "offset", "cursor", "sort", *FILTER_FIELDS),
    scans.delete_page: ("limit", "offset", "cursor", "sort", *FILTER_FIELDS),
    scans.delete_many: ("sort", *FILTER_FIELDS),
}


def make_query_fields() -> dict[Handler, frozenset[str]]:
    """Return the names of the query parameters that are given once, by handler."""
    fields = {operation.handler: frozenset(operation.query) for operation in OPERATIONS}
    for handler, names in PAGE_QUERY.items():
        fields[handler] = fields.get(handler, frozenset()).union(names)
    return {handler: names - REPEATED for handler, names in fields.items()}


def make_routes() -> list[web.RouteDef]:
    """Return the routes of all operations, pages and forms."""
    routes = [(operation.method, operation.path, operation.handler) for operation in OPERATIONS]
    routes += [(operation.page_method, operation.page, operation.handler) for operation in OPERATIONS]
    routes += [("GET", path, handler) for path, handler in PAGES.items()]
    routes += [("POST", path, handler) for path, handler in FORMS.items()]
    return [web.route(method, require_uuids(path), handler) for method, path, handler in routes if path]


def require_uuids(path: str) -> str:
    """Let the IDs in a path match canonical UUIDs only: /scans/{scan_id} must not match /scans/export.

    The number of a finding has at most six digits.
    """
    path = path.replace("{number}", "{number:[1-9][0-9]{0,5}}")
    return re.sub(r"{(\w+_id)}", rf"{{\1:{CANONICAL_UUID.pattern}}}", path)
