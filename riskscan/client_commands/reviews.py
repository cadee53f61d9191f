"""`riskscan review`: confirms, dismisses or reopens findings."""

from __future__ import annotations

import argparse

from aiohttp import hdrs

from ..client.api import scan_path
from ..client.login import UsageError
from ..export.columns import REVIEW_FIELDS
from .scans import open_api, read_id


async def review_findings(arguments: argparse.Namespace) -> None:
    scan_id, numbers = read_id(arguments.scan), dict.fromkeys(arguments.numbers)
    path, state = scan_path(scan_id), arguments.state or "dismissed"
    fields = {name: value for name in REVIEW_FIELDS if (value := getattr(arguments, name)) is not None}
    if state == "open" and len(fields) > 1:
        raise UsageError("A finding that is reopened has no review: leave the other options out.")
    async with open_api(arguments) as api:
        if state == "open":
            for number in numbers:
                await api.send(hdrs.METH_DELETE, f"{path}/findings/{number}/review")
        else:
            reviews = [{"scan_id": scan_id, "number": number, **fields, "state": state} for number in numbers]
            await api.send(hdrs.METH_POST, "/api/reviews", reviews)
    done = {"open": "Reopened", "confirmed": "Confirmed", "dismissed": "Dismissed"}[state]
    print(f"{done}." if len(numbers) == 1 else f"{done}: {len(numbers)} findings.")
