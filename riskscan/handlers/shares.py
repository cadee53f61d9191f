"""Handlers of links by which anyone can read a scan: index, create, delete, show."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

from aiohttp import hdrs, web

from ..audit import record
from ..auth.authentication import SECRET, USER_ID, authenticate, make_secret, read_owner, token_digest
from ..database import DATABASE
from ..database.rows import utc_now
from ..database.scans import find_name, find_scan
from ..database.shares import delete_share, find_shared_scan, insert_share, list_shares
from ..errors import ApiError, Sentence, invalid_value, not_found
from ..request.body import read_fields
from ..request.forwarded import request_origin
from ..responses import render_page, respond
from ..schemas import Message, NewShare, ShareList
from .api_tokens import read_expiry
from .findings import load_findings
from .scans import find_own_scan, scan_not_found

MAX_SHARES = 20  # per scan
DEFAULT_DURATION, MAX_DURATION = datetime.timedelta(days=30), datetime.timedelta(days=366)
# the address is the secret: it goes to no other site, into no search engine and no cache
PRIVATE_HEADERS = {"X-Robots-Tag": "noindex, nofollow, noarchive", hdrs.CACHE_CONTROL: "private, no-store"}


async def index(request: web.Request) -> web.StreamResponse:
    """List the links to a scan."""
    await authenticate(request)
    page = await load_shares(request)
    return respond(request, page["data"], template="shares.html", page_only=page)


async def load_shares(request: web.Request) -> dict[str, Any]:
    """Return what the page of the links shows, also after an error of its form."""
    scan = await find_own_scan(request)
    db, user_id = request.app[DATABASE], request[USER_ID]
    return {
        "data": ShareList(await list_shares(db, user_id, scan.scan_id)),
        "scan": scan,
        "name": await find_name(db, user_id, scan),
        "default_end": (utc_now() + DEFAULT_DURATION).date().isoformat(),
    }


async def create(request: web.Request) -> web.StreamResponse:
    """Create a link by which anyone can read a scan (its address is returned only once)."""
    account = await authenticate(request)
    expires_at = read_expiry(await read_fields(request)) or utc_now() + DEFAULT_DURATION
    if expires_at > utc_now() + MAX_DURATION:
        raise invalid_value("expires_at", "Must be within a year.")
    db, scan_id, user_id = request.app[DATABASE], request.match_info["scan_id"], account.user.id
    scan = await find_scan(db, account.subject, scan_id)
    if scan is None:
        raise scan_not_found()
    token = make_secret(user_id)
    address = f"{request_origin(request)}/shared/{token}"
    share = NewShare(str(uuid.uuid4()), utc_now(), expires_at, address)
    if not await insert_share(db, user_id, scan_id, share, token_digest(token), MAX_SHARES):
        detail = Sentence("Link limit reached (%(limit)s). Delete a link first.", limit=MAX_SHARES)
        raise ApiError(409, "too_many_shares", detail)
    record(request, "link-created", user_id, detail=f"{share.id} {scan_id}")
    return respond(request, share, status=201, template="share.html", page_only={"scan": scan})


async def delete(request: web.Request) -> web.StreamResponse:
    """Revoke a link."""
    account = await authenticate(request)
    scan_id, share_id = request.match_info["scan_id"], request.match_info["share_id"]
    if not await delete_share(request.app[DATABASE], account.user.id, scan_id, share_id):
        raise not_found("Link not found.")
    record(request, "link-deleted", account.user.id, detail=f"{share_id} {scan_id}")
    return respond(request, Message("Link deleted"), location=f"/scans/{scan_id}/shares?done=share")


async def show(request: web.Request) -> web.StreamResponse:
    """Show a scan to whoever has the link."""
    db, token = request.app[DATABASE], request.match_info["token"]
    shared = None
    if SECRET.fullmatch(token):
        shared = await find_shared_scan(db, token_digest(token), read_owner(token))
    if shared is None:
        raise not_found("This link has expired or was deleted.")
    findings = await load_findings(db, shared.owner_id, shared.scan)
    context = {"data": shared.scan, "shared": shared, "findings": findings}
    return render_page(request, "shared.html", context, headers=PRIVATE_HEADERS)
