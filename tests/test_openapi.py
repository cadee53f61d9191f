"""The OpenAPI document and the router name each other."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web
from conftest import Person

from riskscan.openapi import METHODS
from riskscan.routes import ROUTES


async def document(anyone: Person) -> Any:
    reply = await anyone.get("/api/openapi.json")
    assert reply.status == 200
    return reply.json


async def test_every_route_is_in_the_document_and_no_other(anyone: Person) -> None:
    documented = {
        (method.upper(), path)
        for path, operations in (await document(anyone))["paths"].items()
        for method in operations
    }
    routes = {
        (route.method, route.path)
        for route in ROUTES
        if isinstance(route, web.RouteDef) and route.path.startswith("/api/") and route.method in METHODS
    }
    assert documented == routes


async def test_every_reference_leads_somewhere(anyone: Person) -> None:
    found = await document(anyone)
    assert found["openapi"].startswith("3.1.")
    text = json.dumps(found)
    schemas = found["components"]["schemas"]
    used = {piece.partition('"')[0] for piece in text.split('"#/components/schemas/')[1:]}
    assert used <= set(schemas)
    operations = [operation for path in found["paths"].values() for operation in path.values()]
    assert all(operation["summary"] for operation in operations)
    assert len({operation["operationId"] for operation in operations}) == len(operations)


async def test_answers_are_what_the_document_says(anyone: Person, alice: Person) -> None:
    found = await document(anyone)
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
    assert set((await anyone.get("/api/health")).json) == names("Health")


async def test_the_token_url_is_the_log_in(anyone: Person) -> None:
    flows = (await document(anyone))["components"]["securitySchemes"]["password"]["flows"]
    assert flows["password"]["tokenUrl"] == "/api/auth/login"
