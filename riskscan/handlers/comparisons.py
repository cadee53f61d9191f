"""Handler of comparisons: what has changed between two scans."""

from __future__ import annotations

import asyncio

from aiohttp import web

from ..errors import invalid_request
from ..request.fields import is_uuid
from ..responses import respond
from ..risk_matching import compare_risks
from ..schemas import Comparison
from .scans import find_own_scan


async def show(request: web.Request) -> web.StreamResponse:
    """Compare a scan with an earlier one."""
    scan = await find_own_scan(request)
    earlier = await find_own_scan(request, read_earlier_id(request))
    # in a thread: two large scans take half a second
    changes = await asyncio.to_thread(lambda: compare_risks(earlier.risks, scan.risks))
    return respond(
        request,
        Comparison(changes.new, changes.gone, [risk for _, risk in changes.same]),
        template="compare.html",
        page_only={"scan": scan, "other": earlier, "same": changes.same},
    )


def read_earlier_id(request: web.Request) -> str:
    """Return the scan ID in the query parameter `with`; raise 400 if it is missing or not a UUID."""
    value = request.query.get("with", "")
    if not is_uuid(value):
        raise invalid_request("Choose the scan to compare with.", **{"with": "Must be a scan ID."})
    return value
