"""`riskscan review`: confirms, dismisses or reopens findings."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from aiohttp import hdrs

from ..client.api import Api, ServerError, scan_path
from ..client.login import UsageError
from ..export.columns import REVIEW_FIELDS
from .scans import open_api, read_id


async def review_findings(arguments: argparse.Namespace) -> None:
    numbers, state = list(dict.fromkeys(arguments.numbers)), arguments.state or "dismissed"
    fields = {name: value for name in REVIEW_FIELDS if (value := getattr(arguments, name)) is not None}
    if state == "open" and len(fields) > 1:
        raise UsageError("A finding that is reopened has no review: leave the other options out.")
    failed: dict[int, ServerError] = {}
    async with open_api(arguments) as api:
        scan_id = read_id(arguments.scan, api.server)
        if state == "open":
            failed = await reopen(api, scan_id, numbers)
        else:
            reviews = [{"scan_id": scan_id, "number": number, **fields, "state": state} for number in numbers]
            await api.send(hdrs.METH_POST, "/api/reviews", reviews)
    done = {"open": "Reopened", "confirmed": "Confirmed", "dismissed": "Dismissed"}[state]
    number_done = len(numbers) - len(failed)
    if number_done:
        print(f"{done}." if number_done == 1 else f"{done}: {number_done} findings.")
    if failed:
        raise ServerError(" ".join(f"{number}: {error}" for number, error in failed.items()))


async def reopen(api: Api, scan_id: str, numbers: Sequence[int]) -> dict[int, ServerError]:
    """Remove the review of each finding; return the errors of those that have none or do not exist."""
    failed: dict[int, ServerError] = {}
    for number in numbers:
        try:
            await api.send(hdrs.METH_DELETE, f"{scan_path(scan_id)}/findings/{number}/review")
        except ServerError as error:
            if error.code != "not_found" or len(numbers) == 1:
                raise
            failed[number] = error
    return failed
