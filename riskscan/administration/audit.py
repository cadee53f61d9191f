"""`riskscan audit`."""

from __future__ import annotations

import argparse
import csv
import datetime
import sys

import msgspec

from ..commands import open_database
from ..database.audit_log import AuditEntry, list_entries
from ..export.text import escape_formula
from ..request.fields import normalize_email, read_time
from ..settings import Settings
from .output import print_list

COLUMNS = ("created_at", "email", "event", "detail", "address", "request_id", "user_id", "id")
BEGIN = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)


async def run_audit(settings: Settings, arguments: argparse.Namespace) -> None:
    """Print the entries of the audit log, newest first. Raises CommandError for an invalid argument."""
    async with open_database(settings) as db:
        since = read_time({"since": arguments.since}, "since") or BEGIN
        email = normalize_email(arguments.user) if arguments.user else ""
        entries = list_entries(db, email, since)
        if arguments.format == "csv":
            writer = csv.writer(sys.stdout)
            writer.writerow(COLUMNS)
            async for entry in entries:
                writer.writerow(to_cells(entry))
        else:
            print_list([entry async for entry in entries], arguments.format, hidden=["user_id", "id"])


def to_cells(entry: AuditEntry) -> list[str]:
    values = msgspec.to_builtins(entry)
    return [escape_formula(values[name] or "") for name in COLUMNS]
