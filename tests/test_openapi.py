"""The OpenAPI document matches the router and the responses."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from riskscan.openapi import METHODS
from riskscan.routes import ROUTES
from tests.support.client import Person


async def get_document(guest: Person) -> Any:
    reply = await guest.get("/api/openapi.json")
    assert reply.status == 200
    return reply.json


async def test_document_lists_exactly_the_routes(guest: Person) -> None:
    documented = {
        (method.upper(), path)
        for path, operations in (await get_document(guest))["paths"].items()
        for method in operations
    }
    routes = {
        (route.method, route.path)
        for route in ROUTES
        if isinstance(route, web.RouteDef) and route.path.startswith("/api/") and route.method in METHODS
    }
    assert documented == routes


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
    assert set(listed["scans"][0]) == names("ScanSummary")
    assert set((await alice.get("/api/auth/me")).json) == names("User")
    assert set((await guest.get("/api/health")).json) == names("Health")


async def test_token_url_is_the_login_path(guest: Person) -> None:
    flows = (await get_document(guest))["components"]["securitySchemes"]["password"]["flows"]
    assert flows["password"]["tokenUrl"] == "/api/auth/login"
