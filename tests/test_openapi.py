"""The OpenAPI document matches the router and the responses, and is built only of complete operations."""

from __future__ import annotations

import json
import re
import uuid
from typing import Any

import msgspec
import pytest
from aiohttp import web

from riskscan.handlers import accounts, scans
from riskscan.openapi import FORM, JSON, QUERY, IncompleteOperation, Operation, build
from riskscan.routes import OPERATIONS
from riskscan.schemas import Scan, TokenResponse
from tests.support.application import Server
from tests.support.client import PASSWORD, Person, assert_error, create_token


async def get_document(guest: Person) -> Any:
    reply = await guest.get("/api/openapi.json")
    assert reply.status == 200
    return reply.json


async def test_document_lists_exactly_the_routes(guest: Person, server: Server) -> None:
    documented = {
        (method.upper(), path)
        for path, operations in (await get_document(guest))["paths"].items()
        for method in operations
    }
    routes = {
        (route.method, route.resource.canonical) for route in server.app.router.routes() if route.resource
    }
    routes = {(method, path) for method, path in routes if path.startswith("/api/")}
    assert documented == {(method, path) for method, path in routes if method not in ("HEAD", "OPTIONS")}


async def test_every_schema_reference_resolves(guest: Person) -> None:
    found = await get_document(guest)
    assert found["openapi"].startswith("3.1.")
    text = json.dumps(found)
    schemas = found["components"]["schemas"]
    used = {piece.partition('"')[0] for piece in text.split('"#/components/schemas/')[1:]}
    assert used <= set(schemas)
    operations = [operation for path in found["paths"].values() for operation in path.values()]
    assert all(operation["summary"] for operation in operations)
    assert len({operation["operationId"] for operation in operations}) == len(operations)


async def test_a_body_is_optional_where_every_field_may_be_missing(guest: Person, alice: Person) -> None:
    paths = (await get_document(guest))["paths"]
    assert paths["/api/scans/{scan_id}/shares"]["post"]["requestBody"]["required"] is False
    assert paths["/api/tokens"]["post"]["requestBody"]["required"] is True
    scan = await alice.scan(text="tight budget")
    assert (await alice.post(f"/api/scans/{scan['scan_id']}/shares")).status == 201
    assert_error(await alice.post("/api/tokens"), 400, "invalid_request", name=None)


async def test_responses_have_the_documented_fields(guest: Person, alice: Person) -> None:
    found = await get_document(guest)
    schemas = found["components"]["schemas"]

    def names(schema: str) -> set[str]:
        return set(schemas[schema]["properties"])

    scan = await alice.scan(text="tight budget")
    assert set(scan) == names("Scan")
    assert set(scan["data"][0]) == names("Risk")
    listed = (await alice.get("/api/scans")).json
    assert set(listed) == names("ScanList")
    assert set(listed["scans"][0]) == names("ScanSummary") - {"title"}  # it has none
    assert set((await alice.get("/api/auth/me")).json) == names("User")
    assert set((await guest.get("/api/health")).json) == names("Health")


async def test_everything_has_a_description(guest: Person) -> None:
    found = await get_document(guest)
    for name, schema in found["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            assert described.get("description"), f"{name}.{field}"
    operations = [operation for path in found["paths"].values() for operation in path.values()]
    assert all(operation["description"] for operation in operations)
    assert {tag for operation in operations for tag in operation["tags"]} == {
        tag["name"] for tag in found["tags"] if tag["description"]
    }


async def create_all(person: Person) -> dict[str, str]:
    """Create a scan with a reviewed finding, a link and a token; return their IDs."""
    scan_id = (await person.scan(text="tight budget"))["scan_id"]
    review = {"state": "confirmed"}
    await person.request("PUT", f"/api/scans/{scan_id}/findings/1/review", json=review)
    share = (await person.post(f"/api/scans/{scan_id}/shares")).json
    token = await create_token(person)
    return {"scan_id": scan_id, "number": "1", "share_id": share["id"], "token_id": token["id"]}


JSON_EXAMPLES = [
    (operation, kind)
    for operation in sorted(OPERATIONS, key=lambda operation: operation.handler is accounts.delete)
    for kind, body in (operation.bodies or {"": None}).items()
    if not isinstance(body, dict) and not (kind == FORM and body is operation.bodies.get(JSON))
    if operation.query != ("with",)  # which needs an earlier scan
]


async def test_every_example_works(guest: Person) -> None:
    paths = (await get_document(guest))["paths"]
    for operation, kind in JSON_EXAMPLES:
        described = paths[operation.path][operation.method.lower()]
        ids = await create_all(guest) if guest.email else {}
        options = {}
        if kind:
            example = described["requestBody"]["content"][kind]["example"]
            options = {"json" if kind == JSON else "data": replace_ids(example, ids)}
        reply = await guest.request(operation.method, operation.path.format(**ids), **options)
        assert reply.status == operation.status, (operation.path, kind, reply.body)
        answer = described["responses"][str(operation.status)]["content"].get(JSON, {}).get("example")
        if answer and not operation.files:
            assert shape_of(reply.json) == shape_of(answer), operation.path
        if "message" in (answer or {}):
            assert reply.json == answer, operation.path
        if operation.answer is TokenResponse:
            guest.email = reply.json["email"]
            guest.session.headers["Authorization"] = f"Bearer {reply.json['access_token']}"
        if operation.handler is accounts.change_password:  # back to the one of the other examples
            swapped = {
                "current_password": example["new_password"],
                "new_password": example["current_password"],
            }
            reply = await guest.post("/api/auth/password", json=swapped)
            guest.session.headers["Authorization"] = f"Bearer {reply.json['access_token']}"


def replace_ids(example: Any, ids: dict[str, str]) -> Any:
    if isinstance(example, list):
        return [replace_ids(item, ids) for item in example]
    if "scans" in example:
        return {"scans": ids["scan_id"] if isinstance(example["scans"], str) else [ids["scan_id"]]}
    return example | {name: ids[name] for name in example if name in ("scan_id", "share_id", "token_id")}


NESTED = {"user", "data", "scans", "findings", "tokens", "shares", "by_category", "over_time", "review"}


def shape_of(value: Any) -> Any:
    """Return the names in an answer, those of the first item of a list."""
    if isinstance(value, list):
        return [shape_of(item) for item in value[:1]]
    if isinstance(value, dict):
        return dict.fromkeys(value) | {name: shape_of(value[name]) for name in value.keys() & NESTED}
    return None


async def test_token_name_pattern_refuses_what_the_handler_refuses(guest: Person, alice: Person) -> None:
    schema = (await get_document(guest))["components"]["schemas"]["CreateApiToken"]["properties"]["name"]
    for name, status in (
        ("a b", 201), ("é\u200e", 201), (" ", 400), ("a\nb", 400), ("a\u2028b", 400), ("a\u202eb", 400),
        ("\u2066a", 400),
    ):  # fmt: skip
        assert bool(re.search(schema["pattern"], name)) is (status == 201), ascii(name)
        assert (await alice.post("/api/tokens", json={"name": name})).status == status, ascii(name)


async def test_token_url_is_the_login_path(guest: Person) -> None:
    flows = (await get_document(guest))["components"]["securitySchemes"]["password"]["flows"]
    assert flows["password"]["tokenUrl"] == "/api/auth/login"


async def handler_without_docstring(request: web.Request) -> web.StreamResponse:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("part", "sentence"),
    [
        (
            {"query": ("limit", "min_risks")},
            "the query parameter min_risks is not described in riskscan/openapi.py",
        ),
        ({"headers": ("X-Plan",)}, "the header parameter X-Plan is not described in riskscan/openapi.py"),
        ({"path": "/api/plans/{plan}"}, "the path parameter plan is not described in riskscan/openapi.py"),
        (
            {"response_headers": ("X-Plan",)},
            "the response header X-Plan is not described in riskscan/openapi.py",
        ),
        ({"answer": None}, "its answer has no type"),
        (
            {"handler": handler_without_docstring},
            "its handler has no docstring, whose first line is the summary",
        ),
    ],
)
def test_incomplete_operation_is_named_with_what_is_missing(part: dict[str, Any], sentence: str) -> None:
    complete = Operation("GET", "/api/plans", scans.show, answer=Scan)
    build([complete])
    operation = complete._replace(**part)
    with pytest.raises(IncompleteOperation) as caught:
        build([operation])
    assert str(caught.value) == f"GET {operation.path}: {sentence}"


def test_every_described_parameter_belongs_to_an_operation() -> None:
    assert {name for operation in OPERATIONS for name in operation.query} == set(QUERY)


@pytest.mark.parametrize(
    ("path", "name"), [(operation.path, name) for operation in OPERATIONS for name in operation.query]
)
async def test_an_invalid_query_parameter_is_named(alice: Person, path: str, name: str) -> None:
    scan = await alice.scan(text="tight budget")
    path = path.format(scan_id=scan["scan_id"])
    assert_error(await alice.get(f"{path}?{name}=%00"), 400, "invalid_request", **{name: ""})


VALID = {
    "email": "ana@example.com", "username": "alice@example.com", "password": PASSWORD, "text": "tight budget",
    "current_password": PASSWORD, "new_password": PASSWORD, "name": "nightly import",
    "state": "confirmed",
}  # fmt: skip
IGNORED = {"scope", "client_id", "client_secret"}  # OAuth2 clients send them


@pytest.mark.parametrize(
    ("operation", "name"),
    [
        (operation, field.name)
        for operation in OPERATIONS
        if isinstance(operation.bodies.get(JSON), type)
        for field in msgspec.structs.fields(operation.bodies[JSON])
        if field.name not in IGNORED
    ],
)
async def test_an_invalid_field_is_named(alice: Person, operation: Operation, name: str) -> None:
    path = operation.path.format(scan_id=uuid.uuid4(), number=1)
    reply = await alice.request(operation.method, path, json={**VALID, name: {}})
    assert_error(reply, 400, "invalid_request", **{name: ""})
