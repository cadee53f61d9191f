"""The OpenAPI 3.1 document, made from the routes and the shapes, and the page to try it."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from . import __version__
from .export.columns import LAYOUTS
from .file_types import EXTENSIONS
from .handlers import accounts, api_tokens, exports, health, scans
from .handlers.api_docs import docs, document
from .handlers.comparisons import show
from .idempotency import HEADER, MAX_KEY_LENGTH, REPLAYED
from .request.filters import FILTER_FIELDS, MAX_FILTER_LENGTH
from .schemas import (
    NON_BLANK,
    ApiTokenList,
    Comparison,
    CreateApiToken,
    CreateApiTokenForm,
    Credentials,
    Error,
    FlagText,
    Health,
    Liveness,
    Message,
    NewApiToken,
    PasswordChange,
    PasswordConfirmation,
    PasswordGrant,
    RegisterRow,
    Risk,
    Scan,
    ScanForm,
    ScanList,
    ScanText,
    Stats,
    TokenResponse,
    User,
)

JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"
LOGIN_PATH = "/api/auth/login"


class Operation(NamedTuple):
    """What the router does not know of an operation."""

    answer: Any
    status: int = 200
    protected: bool = True
    bodies: Mapping[str, Any] = {}
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    errors: tuple[int, ...] = ()
    files: tuple[str, ...] = ()  # media types of the answer, beside JSON


OPERATIONS: dict[Handler, Operation] = {
    accounts.register: Operation(
        TokenResponse, 201, False, {JSON: Credentials, FORM: Credentials}, errors=(400, 403, 409, 413, 429)
    ),
    accounts.login: Operation(
        TokenResponse,
        200,
        False,
        {FORM: PasswordGrant, JSON: PasswordGrant},
        errors=(400, 401, 403, 413, 429),
    ),
    accounts.logout: Operation(Message, 200, False, errors=(403,)),
    accounts.me: Operation(User, errors=(403,)),
    accounts.change_password: Operation(
        TokenResponse, bodies={JSON: PasswordChange, FORM: PasswordChange}, errors=(400, 403, 413, 429)
    ),
    accounts.delete: Operation(
        Message, bodies={JSON: PasswordConfirmation, FORM: PasswordConfirmation}, errors=(400, 403, 413, 429)
    ),
    api_tokens.index: Operation(ApiTokenList, errors=(403,)),
    api_tokens.create: Operation(
        NewApiToken, 201, bodies={JSON: CreateApiToken, FORM: CreateApiTokenForm}, errors=(400, 403, 409, 413)
    ),
    api_tokens.delete: Operation(Message, errors=(403, 404)),
    scans.create: Operation(
        Scan,
        bodies={MULTIPART: None, FORM: ScanForm, JSON: ScanText},
        headers=(HEADER,),
        errors=(400, 403, 408, 409, 413, 415, 422, 429, 502),
    ),
    scans.index: Operation(ScanList, query=("limit", "offset", "cursor", *FILTER_FIELDS), errors=(400, 403)),
    scans.stats: Operation(Stats, query=FILTER_FIELDS, errors=(400, 403)),
    scans.show: Operation(Scan, errors=(403, 404)),
    show: Operation(Comparison, query=("with",), errors=(400, 403, 404)),
    scans.delete: Operation(Message, errors=(403, 404)),
    exports.export_all: Operation(
        list[RegisterRow],
        query=("format", "layout", *FILTER_FIELDS),
        errors=(400, 403),
        files=exports.FILE_MEDIA_TYPES,
    ),
    exports.export_scan: Operation(
        list[RegisterRow], query=("format", "layout"), errors=(400, 403, 404), files=exports.FILE_MEDIA_TYPES
    ),
    health.show: Operation(Health, protected=False),
    health.live: Operation(Liveness, protected=False),
    document: Operation(dict[str, Any], protected=False),
    docs: Operation(str, protected=False),
}
DAY_OR_TIME = [
    {"type": "string", "format": "date"},
    {"type": "string", "format": "date-time"},
    {"type": "string", "maxLength": 0},
]
QUERY: dict[str, dict[str, Any]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20},
    "offset": {"type": "integer", "minimum": 0, "maximum": scans.MAX_OFFSET, "default": 0},
    "with": {
        "type": "string",
        "format": "uuid",
        "description": "the earlier scan: what it has not, and `scan_id` has, is new",
    },
    "cursor": {
        "type": "string",
        "pattern": f"^{scans.CURSOR.pattern}$",
        "description": "`next_cursor` of the page before; not with an offset or another filter",
    },
    "q": {
        "type": "string",
        "maxLength": MAX_FILTER_LENGTH,
        "description": "Words that the file name or the risks hold, each by its beginning",
    },
    "category": {
        "type": "string",
        "maxLength": MAX_FILTER_LENGTH,
        "description": "A category, in any case",
    },
    "source": {"type": "string", "enum": ["llm", "model", ""]},
    "from": {"anyOf": DAY_OR_TIME, "description": "The first day (UTC) or time"},
    "to": {"anyOf": DAY_OR_TIME, "description": "The last day (UTC) or time"},
    "format": {"type": "string", "enum": list(exports.MEDIA_TYPES), "default": "csv"},
    "layout": {
        "type": "string",
        "enum": list(LAYOUTS),
        "default": "",
        "description": "`register` adds columns to fill in; `ciso-assistant` has those of its data wizard",
    },
}
# a string in quotation marks (RFC 8941, section 3.3.3), or as it is
KEY_PATTERN = r"""^("([ !#-\[\]-~]|\\["\\])+"|[!#-~]([ -~]*[!-~])?)$"""
HEADERS: dict[str, dict[str, Any]] = {
    HEADER: {
        "type": "string",
        "pattern": KEY_PATTERN,
        "maxLength": MAX_KEY_LENGTH,
        "description": "Of your choice, new for each scan. The same key and input again, within 24 hours, "
        f"answer the first scan with `{REPLAYED}: true`; 409 while it is being made, 422 for another input.",
    },
}
REQUIRED = frozenset(("with",))
FILE_FORM = {
    "type": "object",
    "properties": {
        "file": {"type": "string", "format": "binary", "description": f"One of {' '.join(EXTENSIONS)}"},
        "text": {"type": "string"},
        "force_llm": msgspec.json.schema(FlagText),
    },
    "anyOf": [
        {"required": ["file"], "properties": {"file": {"minLength": 1}}},
        {"required": ["text"], "properties": {"text": {"pattern": NON_BLANK}}},
    ],
}
SCENARIO = {
    "type": "object",
    "description": "A row of the layout `ciso-assistant`",
    "required": ["ref_id", "name", "description"],
    "additionalProperties": {"type": ["string", "null"]},
}
SCAN_LINKS = {
    name: {"operationId": f"scans_{name}", "parameters": {"scan_id": "$response.body#/scan_id"}}
    for name in ("show", "delete")
}
FILE_ENCODING = {
    "file": {
        "headers": {
            "Content-Disposition": {
                "description": "Names the file; the extension tells what it is.",
                "schema": {"type": "string"},
                "example": 'form-data; name="file"; filename="plan.txt"',
            }
        }
    }
}


def build(app: web.Application) -> bytes:
    """Return the document of all routes under /api, as JSON; raise KeyError for one that nobody described."""
    types = [Error, Risk, *(operation.answer for operation in OPERATIONS.values())]
    types += [body for operation in OPERATIONS.values() for body in operation.bodies.values() if body]
    _, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    # `data` travels as the JSON text of this
    components["Scan"]["properties"]["data"] = {
        "type": "array",
        "items": {"$ref": "#/components/schemas/Risk"},
    }
    components["RegisterRow"] = {"anyOf": [components["RegisterRow"], SCENARIO]}
    paths: dict[str, dict[str, Any]] = {}
    for route in app.router.routes():
        resource = route.resource
        if resource is not None and resource.canonical.startswith("/api/") and route.method in METHODS:
            paths.setdefault(resource.canonical, {})[route.method.lower()] = describe_operation(
                route.handler, resource.canonical
            )
    whole = {
        "openapi": "3.1.0",
        "info": {
            "title": "RiskScan",
            "version": __version__,
            "description": "Send a text or a document, get the risks it holds, find them again later.",
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "password": {"type": "oauth2", "flows": {"password": {"tokenUrl": LOGIN_PATH, "scopes": {}}}},
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token (JWT) or an API token (`rsk_…`)",
                },
            },
        },
    }
    return msgspec.json.encode(whole)


METHODS = frozenset(("GET", "POST", "PUT", "PATCH", "DELETE"))


def describe_operation(handler: Any, path: str) -> dict[str, Any]:
    operation = OPERATIONS[handler]
    errors = set(operation.errors) | ({401} if operation.protected else set()) | {500, 503}
    found: dict[str, Any] = {
        "operationId": f"{handler.__module__.rpartition('.')[2]}_{handler.__name__}",
        "summary": (inspect.getdoc(handler) or "").partition("\n")[0].rstrip("."),
        "tags": [handler.__module__.rpartition(".")[2]],
        "responses": {
            str(operation.status): describe_response(operation.status, operation.answer, operation.files),
            **{str(status): describe_response(status, Error) for status in sorted(errors)},
        },
    }
    if HEADER in operation.headers:
        found["responses"][str(operation.status)]["headers"][REPLAYED] = {"schema": {"const": "true"}}
    if handler is health.show:
        found["responses"]["503"] = describe_response(503, Health)
    if handler is scans.create:
        found["responses"]["200"]["headers"]["Link"] = {
            "description": "Earlier scans of the same bytes or file name, to compare with (RFC 5829)",
            "schema": {"type": "string"},
        }
        found["responses"]["200"]["links"] = SCAN_LINKS
    if operation.protected:
        found["security"] = [{"password": []}, {"bearer": []}]
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "query", "required": name in REQUIRED, "schema": QUERY[name]}
        for name in operation.query
    ]
    parameters += [{"name": name, "in": "header", "schema": HEADERS[name]} for name in operation.headers]
    for name in re.findall(r"{(\w+)}", path):
        uuid = {"type": "string", "format": "uuid"}
        parameters.append({"name": name, "in": "path", "required": True, "schema": uuid})
    if parameters:
        found["parameters"] = parameters
    if operation.bodies:
        content = {
            media: {"schema": schema_of(body)} if body else {"schema": FILE_FORM, "encoding": FILE_ENCODING}
            for media, body in operation.bodies.items()
        }
        found["requestBody"] = {"required": True, "content": content}
    return found


def describe_response(status: int, answer: Any, files: tuple[str, ...] = ()) -> dict[str, Any]:
    media = "text/html" if answer is str else JSON
    headers: dict[str, Any] = {"X-Request-ID": {"schema": {"type": "string"}}}
    return {
        "description": HTTPStatus(status).phrase,
        "headers": headers,
        "content": {media: {"schema": schema_of(answer)}, **{kind: {} for kind in files}},
    }


@functools.cache
def schema_of(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
    return schema
