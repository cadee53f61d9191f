"""The OpenAPI 3.1 document, built from the table of operations."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple, get_args

import msgspec
from aiohttp.typedefs import Handler
from msgspec import Meta

from . import __version__, api_reference
from .export.columns import LAYOUTS
from .export.text import FORMATS
from .file_types import EXTENSIONS
from .handlers import marks, scans
from .idempotency import HEADER, MAX_KEY_LENGTH, REPLAYED
from .request.filters import MAX_CHOSEN_SCANS, MAX_FILTER_LENGTH, SORTS
from .request.finding_filters import STATES
from .request.reviews import CONFIRMED_ONLY
from .schemas import FORCE_LLM, Error, FlagText, Message, Reason, Risk, Source

JSON, FORM, MULTIPART = "application/json", "application/x-www-form-urlencoded", "multipart/form-data"
LOGIN_PATH = "/api/auth/login"
REF_TEMPLATE = "#/components/schemas/{name}"


class Operation(NamedTuple):
    """An operation: its routes, its handler, and how the document describes it."""

    method: str
    path: str
    handler: Handler  # the first line of its docstring is the summary
    page: str = ""  # the path of its page, if it has one
    public: bool = False  # all others may return 401
    bodies: Mapping[str, Any] = {}  # the type of the request body by media type, UPLOAD or IMPORT
    query: tuple[str, ...] = ()  # names in QUERY
    headers: tuple[str, ...] = ()  # names in HEADERS
    answer: Any = None  # the type of the response body
    status: int = 200
    files: tuple[str, ...] = ()  # media types of the response, beside JSON
    response_headers: tuple[str, ...] = ()  # names in RESPONSE_HEADERS
    links: tuple[Handler, ...] = ()  # operations whose `scan_id` is that of the response
    errors: tuple[int, ...] = ()  # beside 401, 415, 500 and 503, which follow from the rest
    other_answers: Mapping[int, Any] = {}  # by status, in the place of an Error

    @property
    def page_method(self) -> str:
        """Return the method of its page; a form can only GET and POST."""
        return "GET" if self.method == "GET" else "POST"


class IncompleteOperation(Exception):
    """An operation of the table lacks something that the document needs."""

    def __init__(self, operation: Operation, missing: str) -> None:
        super().__init__(f"{operation.method} {operation.path}: {missing}")


UUID = {"type": "string", "format": "uuid"}
DATE_OR_TIME = {
    "anyOf": [
        {"type": "string", "format": "date"},
        {"type": "string", "format": "date-time"},
        {"type": "string", "maxLength": 0},
    ]
}
FILTER_TEXT = {"type": "string", "maxLength": MAX_FILTER_LENGTH}
QUERY: dict[str, dict[str, Any]] = {
    "limit": {
        "description": "Number of scans per page",
        "schema": {
            "type": "integer",
            "minimum": 1,
            "maximum": scans.MAX_PAGE_SIZE,
            "default": scans.DEFAULT_PAGE_SIZE,
        },
    },
    "offset": {
        "description": "Number of scans to skip; `cursor` is faster and does not shift when scans are added",
        "schema": {"type": "integer", "minimum": 0, "maximum": scans.MAX_OFFSET, "default": 0},
    },
    "cursor": {
        "description": "`next_cursor` of the previous page; valid with the same filters and without `offset`",
        "schema": {"type": "string", "pattern": f"^{scans.CURSOR.pattern}$"},
    },
    "sort": {
        "description": "Newest first (`date`), by name, or most open findings first (`open`); `next_cursor` "
        "is null unless it is `date`",
        "schema": {"type": "string", "enum": [*SORTS, ""], "default": "date"},
    },
    "with": {"description": "ID of the earlier scan", "required": True, "schema": UUID},
    "q": {
        "description": "Search terms, by prefix, which must all match: words of the names of a scan and of "
        "the titles and sentences of its risks or, in the export of one scan, of a finding; an exact phrase "
        "in quotation marks",
        "schema": FILTER_TEXT,
    },
    "category": {"description": "Category of a risk, case-insensitive", "schema": FILTER_TEXT},
    "scan": {
        "description": "ID of a scan to export, given once for each; not with another filter of scans",
        "schema": {"type": "array", "items": UUID, "maxItems": MAX_CHOSEN_SCANS},
    },
    "state": {
        "description": "State of a finding",
        "schema": {"type": "string", "enum": [*STATES, ""]},
    },
    "source": {
        "description": "Analysed by a language model (`llm`) or by the built-in analyser (`model`)",
        "schema": {"type": "string", "enum": [*get_args(Source), ""]},
    },
    "from": {
        "description": "Start, inclusive: a date (UTC) or an RFC 3339 time",
        "schema": DATE_OR_TIME,
    },
    "to": {
        "description": "End, inclusive: a date (UTC) or an RFC 3339 time",
        "schema": DATE_OR_TIME,
    },
    "sha256": {
        "description": "SHA-256 of a file or of a text in UTF-8, in hexadecimal: the scans of these bytes",
        "schema": {"type": "string", "pattern": "^([0-9A-Fa-f]{64})?$"},
    },
    "format": {
        "description": "File format",
        "schema": {"type": "string", "enum": list(FORMATS), "default": "csv"},
    },
    "layout": {
        "description": "Columns: `register` has those to fill in first, `ciso-assistant` those of CISO "
        "Assistant's data wizard, `jira` those of Jira's CSV importer",
        "schema": {"type": "string", "enum": list(LAYOUTS), "default": ""},
    },
}
# parameters that may be given more than once
REPEATED = frozenset(name for name, query in QUERY.items() if query["schema"].get("type") == "array")
# a string in quotation marks (RFC 8941, section 3.3.3), or bare
KEY_PATTERN = r"""^("([ !#-\[\]-~]|\\["\\])+"|[!#-~]([ -~]*[!-~])?)$"""
HEADERS: dict[str, dict[str, Any]] = {
    HEADER: {
        "description": "Unique key that the client generates for each scan. Retrying with the same key and "
        f"input within 24 hours returns the original scan with `{REPLAYED}: true`; 409 while the first "
        "request is still running, 422 if the key was used with another input.",
        "schema": {"type": "string", "pattern": KEY_PATTERN, "maxLength": MAX_KEY_LENGTH},
    },
}
PATH: dict[str, dict[str, Any]] = {
    "scan_id": {"required": True, "schema": UUID},
    "token_id": {"required": True, "schema": UUID},
    "share_id": {"required": True, "schema": UUID},
    "number": {
        "description": "Number of a finding",
        "required": True,
        "schema": {"type": "integer", "minimum": 1, "maximum": 999_999},
    },
}
RESPONSE_HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {"schema": {"type": "string"}},
    REPLAYED: {
        "description": f"The original scan of this `{HEADER}` is returned",
        "schema": {"const": "true"},
    },
    marks.NUMBERS_LEFT_OUT: {
        "description": "Numbers of the findings that were not found in the text, separated by commas",
        "schema": {"type": "string"},
    },
    "Link": {
        "description": "Earlier scans of the same bytes or file name, to compare with (RFC 5829)",
        "schema": {"type": "string"},
    },
}
UPLOAD: dict[str, Any] = {
    "schema": {
        "type": "object",
        "properties": {
            "file": {
                "type": "string",
                "format": "binary",
                "minLength": 1,
                "description": f"One of {' '.join(EXTENSIONS)}",
            },
            "text": {"type": "string", "description": "The text to scan", "example": api_reference.TEXT},
            "force_llm": {**msgspec.json.schema(Annotated[FlagText, FORCE_LLM]), "example": "false"},
        },
        "description": "A file, a text or both",
    },
    "encoding": {
        "file": {
            "headers": {
                "Content-Disposition": {
                    "description": "The file name; its extension determines the file type",
                    "schema": {"type": "string"},
                    "example": 'form-data; name="file"; filename="plan.txt"',
                }
            }
        }
    },
}
# what belongs to which state of a review; the struct itself has every field
REVIEWS = {"ReviewFields", "ReviewForm", "ReviewItem"}
EMPTY = {"enum": [None, ""]}
REVIEW_STATES = [
    {"properties": {"state": {"const": "confirmed"}, "reason": EMPTY}},
    {
        "properties": {
            "state": {"const": "dismissed"},
            "reason": {"enum": list(get_args(Reason))},
            **dict.fromkeys(CONFIRMED_ONLY, EMPTY),
        },
        "required": ["reason"],
    },
]
IMPORT = {
    "schema": {
        "type": "object",
        "properties": {
            "file": {"type": "string", "format": "binary", "description": "An edited export, Excel or CSV"},
            "apply": msgspec.json.schema(
                Annotated[FlagText, Meta(description="Store the changes; without it they are only shown")]
            ),
        },
        "required": ["file"],
    },
    "encoding": UPLOAD["encoding"],
}
CISO_ASSISTANT_ROW = {
    "type": "object",
    "description": "A risk scenario in the layout `ciso-assistant`.",
    "required": ["ref_id", "name", "description"],
    "additionalProperties": {"type": ["string", "null"]},
}
JIRA_ROW = {
    "type": "object",
    "description": "An issue in the layout `jira`.",
    "required": ["summary", "issue_type", "description"],
    "additionalProperties": {"type": ["string", "null"]},
}


def build(operations: Sequence[Operation]) -> bytes:
    """Return the document as JSON. Raises IncompleteOperation for an operation that lacks a part."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        methods = paths.setdefault(operation.path, {})
        methods[operation.method.lower()] = describe_operation(operation)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "RiskScan",
            "version": __version__,
            "description": api_reference.INFO,
        },
        "tags": [{"name": name, "description": text} for name, text in api_reference.TAGS.items()],
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": describe_schemas(operations),
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
    return msgspec.json.encode(document)


def describe_schemas(operations: Sequence[Operation]) -> dict[str, Any]:
    types = [Error, Risk]
    for operation in operations:
        types += [operation.answer, *operation.other_answers.values()]
        types += [body for body in operation.bodies.values() if not isinstance(body, dict)]
    _, schemas = msgspec.json.schema_components(types, ref_template=REF_TEMPLATE)
    for schema in schemas.values():
        describe_fields(schema)
    for name in REVIEWS & schemas.keys():
        schemas[name]["anyOf"] = REVIEW_STATES
    if "RegisterRow" in schemas:
        schemas["RegisterRow"] = {"anyOf": [schemas["RegisterRow"], CISO_ASSISTANT_ROW, JIRA_ROW]}
    return schemas


def describe_fields(schema: dict[str, Any]) -> None:
    """Add the descriptions that the types lack, by name."""
    for name, field in schema.get("properties", {}).items():
        if "description" not in field:
            if name not in api_reference.FIELDS:
                raise LookupError(f"the field {name} has no description in riskscan/api_reference.py")
            field["description"] = api_reference.FIELDS[name]


def describe_operation(operation: Operation) -> dict[str, Any]:
    """Return an Operation Object."""
    summary = (inspect.getdoc(operation.handler) or "").partition("\n")[0].rstrip(".")
    if not summary:
        raise IncompleteOperation(operation, "its handler has no docstring, whose first line is the summary")
    name = operation_id(operation.handler)
    if name not in api_reference.DESCRIPTIONS:
        raise IncompleteOperation(operation, "it has no description in riskscan/api_reference.py")
    described: dict[str, Any] = {
        "operationId": name,
        "summary": summary,
        "description": api_reference.DESCRIPTIONS[name],
        "tags": [module_name(operation.handler)],
        "responses": describe_responses(operation),
    }
    if not operation.public:
        described["security"] = [{"password": []}, {"bearer": []}]
    if parameters := describe_parameters(operation):
        described["parameters"] = parameters
    if operation.bodies:
        content = {
            media_type: describe_body(operation, body) for media_type, body in operation.bodies.items()
        }
        described["requestBody"] = {"required": needs_body(operation), "content": content}
    return described


def describe_body(operation: Operation, body: Any) -> dict[str, Any]:
    """Return a Media Type Object of the request."""
    if isinstance(body, dict):
        return body
    example = look_up(operation, "request body", body, api_reference.REQUESTS)
    return {"schema": schema_of(body), "example": example}


def needs_body(operation: Operation) -> bool:
    """Return whether a request without a body is invalid: it is not if every field may be missing."""
    return not any(
        isinstance(body, type)
        and issubclass(body, msgspec.Struct)
        and not any(field.required for field in msgspec.structs.fields(body))
        for body in operation.bodies.values()
    )


def describe_parameters(operation: Operation) -> list[dict[str, Any]]:
    places = (
        ("query", operation.query, QUERY),
        ("header", operation.headers, HEADERS),
        ("path", re.findall(r"{(\w+)}", operation.path), PATH),
    )
    return [
        {"name": name, "in": place, **look_up(operation, f"{place} parameter", name, table)}
        for place, names, table in places
        for name in names
    ]


def describe_responses(operation: Operation) -> dict[str, Any]:
    if operation.answer is None:
        raise IncompleteOperation(operation, "its answer has no type")
    success = describe_response(operation, operation.status, operation.answer)
    for name in operation.response_headers:
        success["headers"][name] = look_up(operation, "response header", name, RESPONSE_HEADERS)
    success["content"].update({media_type: {} for media_type in operation.files})
    if operation.links:
        success["links"] = {handler.__name__: describe_link(handler) for handler in operation.links}
    statuses = {*operation.errors, 500, 503}
    statuses |= set() if operation.public else {401}
    statuses |= {415} if operation.bodies else set()
    answers: dict[int, Any] = {**dict.fromkeys(sorted(statuses), Error), **operation.other_answers}
    errors = {str(status): describe_response(operation, status, answer) for status, answer in answers.items()}
    return {str(operation.status): success, **errors}


def describe_response(operation: Operation, status: int, answer: Any) -> dict[str, Any]:
    media_type = {"schema": schema_of(answer)}
    if answer not in (str, dict[str, Any]):  # a page, and this document itself
        media_type["example"] = find_example(operation, status, answer)
    return {
        "description": HTTPStatus(status).phrase,
        "headers": {"X-Request-ID": RESPONSE_HEADERS["X-Request-ID"]},
        "content": {"text/html" if answer is str else JSON: media_type},
    }


def find_example(operation: Operation, status: int, answer: Any) -> Any:
    name = operation_id(operation.handler)
    if answer is Message:
        return Message(look_up(operation, "message of", name, api_reference.MESSAGES))
    if answer is not Error:
        return look_up(operation, "answer", answer, api_reference.ANSWERS)
    if status == 409:
        return look_up(operation, "conflict of", name, api_reference.CONFLICTS)
    return look_up(operation, "error", status, api_reference.ERRORS)


def describe_link(handler: Handler) -> dict[str, Any]:
    return {"operationId": operation_id(handler), "parameters": {"scan_id": "$response.body#/scan_id"}}


def look_up(operation: Operation, kind: str, name: Any, table: Mapping[Any, Any]) -> Any:
    if name not in table:
        where = "openapi" if table in (QUERY, HEADERS, PATH, RESPONSE_HEADERS) else "api_reference"
        raise IncompleteOperation(operation, f"the {kind} {name} is not described in riskscan/{where}.py")
    return table[name]


@functools.cache
def schema_of(kind: Any) -> dict[str, Any]:
    (schema,), _ = msgspec.json.schema_components([kind], ref_template=REF_TEMPLATE)
    return schema


def operation_id(handler: Handler) -> str:
    return f"{module_name(handler)}_{handler.__name__}"


def module_name(handler: Handler) -> str:
    return handler.__module__.rpartition(".")[2]
