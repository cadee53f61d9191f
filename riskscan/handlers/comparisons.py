"""Handler of comparisons: what has changed between two scans."""

from __future__ import annotations

import asyncio

from aiohttp import web

from ..errors import invalid_request
from ..request.fields import is_uuid
from ..responses import respond
from ..risk_matching import compared
from ..schemas import Comparison
from .scans import find_own_scan


async def show(request: web.Request) -> web.StreamResponse:
    """Compare a scan with an earlier one."""
    scan = await find_own_scan(request)
    other = await find_own_scan(request, read_other(request))
    found = await asyncio.to_thread(lambda: compared(other.risks, scan.risks))
    return respond(
        request,
        Comparison(found.new, found.gone, [later for _, later in found.same]),
        template="compare.html",
        page_only={"scan": scan, "other": other, "same": found.same},
    )


def read_other(request: web.Request) -> str:
    """Return the id in the query value `with`; raise 400 where it is none."""
    value = request.query.get("with", "")
    if not is_uuid(value):
        raise invalid_request("Say which scan to compare with.", **{"with": "This takes the id of a scan."})
    return value
