"""Handlers of API tokens."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Mapping
from typing import Any, get_args

from aiohttp import web

from ..audit import record
from ..auth.authentication import API_TOKEN_PREFIX, authenticate, make_secret, take_turn, token_digest
from ..database import DATABASE
from ..database.api_tokens import delete_api_token, insert_api_token, list_api_tokens
from ..database.rows import utc_now
from ..errors import ApiError, Sentence, invalid_request, invalid_value, not_found, one_of
from ..request.body import read_fields
from ..request.fields import FieldErrors, read_time, required_text
from ..request.uploads import CONTROL_CHARACTERS
from ..responses import respond
from ..schemas import MAX_TOKEN_NAME, ApiTokenList, Message, NewApiToken, Scope

MAX_API_TOKENS = 100  # per user
SCOPES: tuple[Scope, ...] = get_args(Scope)
DEFAULT_SCOPES: tuple[Scope, ...] = ("scan", "read")


async def index(request: web.Request) -> web.StreamResponse:
    """List API tokens, newest first."""
    account = await authenticate(request)
    return respond(request, ApiTokenList(await list_api_tokens(request.app[DATABASE], account.user.id)))


async def create(request: web.Request) -> web.StreamResponse:
    """Create an API token (the secret is returned only once)."""
    async with take_turn(request):
        account = await authenticate(request)
    token = read_new_token(await read_fields(request), account.user.id)
    digest = token_digest(token.token)
    async with take_turn(request):  # each INSERT locks the user's row, and those after it wait
        inserted = await insert_api_token(request.app[DATABASE], account, token, digest, MAX_API_TOKENS)
    if not inserted:
        detail = Sentence("Token limit reached (%(limit)s). Delete a token first.", limit=MAX_API_TOKENS)
        raise ApiError(409, "too_many_tokens", detail)
    record(request, "token-created", account.user.id, detail=token.id)
    return respond(request, token, status=201, template="token.html")


async def delete(request: web.Request) -> web.StreamResponse:
    """Revoke an API token."""
    account = await authenticate(request)
    token_id = request.match_info["token_id"]
    if not await delete_api_token(request.app[DATABASE], account.user.id, token_id):
        raise not_found("API token not found.")
    record(request, "token-revoked", account.user.id, detail=token_id)
    return respond(request, Message("Token deleted"), location="/account?done=token")


def read_new_token(fields: Mapping[str, Any], user_id: str) -> NewApiToken:
    """Return a new token with the name, the scopes and the expiry of a form. Raises 400."""
    with FieldErrors() as errors:
        name = errors.read(read_name, fields)
        scopes = errors.read(read_scopes, fields)
        expires_at = errors.read(read_expiry, fields)
    return NewApiToken(
        id=str(uuid.uuid4()),
        name=name,
        scopes=scopes,
        created_at=utc_now(),
        last_used_at=None,
        expires_at=expires_at,
        token=API_TOKEN_PREFIX + make_secret(user_id),
    )


def read_name(fields: Mapping[str, Any]) -> str:
    """Return the name; raise 400 unless it has 1 to MAX_TOKEN_NAME characters and no control characters."""
    value = required_text(fields, "name", "Enter a name.")
    name = value.strip()
    if not 1 <= len(name) <= MAX_TOKEN_NAME or CONTROL_CHARACTERS.search(value):
        problem = Sentence("A name has 1 to %(max)s characters.", max=MAX_TOKEN_NAME)
        raise invalid_request("Invalid token name.", name=problem)
    return name


def read_scopes(fields: Mapping[str, Any]) -> list[Scope]:
    """Return the scopes: a list, or a text separated by spaces (RFC 6749, section 3.3)."""
    scopes = fields.get("scopes")
    if scopes is None or isinstance(scopes, str):
        scopes = (scopes or "").split() or list(DEFAULT_SCOPES)
    if not isinstance(scopes, list) or not scopes or not all(scope in SCOPES for scope in scopes):
        raise invalid_request("Unknown scope.", scopes=one_of(SCOPES))
    return [scope for scope in SCOPES if scope in scopes]


def read_expiry(fields: Mapping[str, Any]) -> datetime.datetime | None:
    """Return the expiry, a time or the end of a date in UTC; raise 400 if it has passed."""
    expiry = read_time(fields, "expires_at", add_to_date=datetime.timedelta(days=1))
    if expiry and expiry <= utc_now():
        raise invalid_value("expires_at", "Must be in the future.")
    return expiry
