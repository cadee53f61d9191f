"""What schemathesis has to know to run with a token; a module of its own, which `st` imports."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urljoin

import requests
import schemathesis
from schemathesis import AuthContext, Case, HookContext
from schemathesis.transport.serialization import Binary

from riskscan.request.uploads import NEVER_TEXT

PASSWORD = "correct horse"  # one of the dictionary in schemathesis.toml


@schemathesis.auth(retry_on=[401])
class Account:
    """A new account whenever the token is dead: its password was changed, or it was deleted."""

    def get(self, case: Case[Any], ctx: AuthContext) -> str:
        credentials = {"email": f"{uuid.uuid4()}@example.com", "password": PASSWORD}
        url = urljoin(ctx.operation.schema.get_base_url(), "/api/auth/register")
        reply = requests.post(url, json=credentials, timeout=10)
        reply.raise_for_status()
        token: str = reply.json()["access_token"]
        return token

    def set(self, case: Case[Any], data: str, ctx: AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def filter_case(context: HookContext, case: Case[Any]) -> bool:
    """Leave out what OpenAPI has no words for, and what schemathesis mistakes for a breach of it."""
    if {"cursor", "offset"} <= set(case.query or ()):  # valid by the document, but only one may come
        return False
    body = case.body if isinstance(case.body, dict) else {}
    file = body.get("file")
    if not isinstance(file, Binary):
        return True
    # it goes as plan.txt, as the document's example has it, and an image is no text
    is_text = not file.data.startswith(NEVER_TEXT)
    # beside a file it takes a number for a wrong type, though a form sends it as a text
    return is_text and all(isinstance(value, str | Binary) for value in body.values())
