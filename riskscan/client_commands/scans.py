"""`riskscan list`, `show` and `compare`: the scans of an account, for people and for programs."""

from __future__ import annotations

import argparse
import datetime
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from yarl import URL

from ..client.api import Api
from ..client.login import UsageError, find_login
from ..scan_command.analysis import Result
from ..scan_command.documents import Document
from ..scan_command.terminal import TextReport, make_text_report, to_printable, to_printable_lines
from ..schemas import Finding, Risk, Scan, ScanList, ScanSummary

PAGE_SIZE = 100
PASTED_TEXT = "Pasted text"  # what pages call a text that nobody has named
GROUPS = {
    "new": ("New", "No new risks."),
    "gone": ("No longer found", "Nothing has disappeared."),
    "same": ("Unchanged", "No risks in common."),
}


def open_api(arguments: argparse.Namespace) -> Api:
    """Return a client of the server that is meant. Raises UsageError."""
    login = find_login(arguments.server, os.environ)
    return Api(login.server, login.token)


async def list_scans(arguments: argparse.Namespace) -> None:
    names = ("category", "source", "from", "to", "sort")
    query = {name: value for name in names if (value := getattr(arguments, name))}
    if arguments.words:
        query["q"] = " ".join(arguments.words)
    async with open_api(arguments) as api:
        found = await read_list(api, query, arguments.limit)
    if arguments.format == "json":
        print_json(to_fields(found))
        return
    rows = [("ID", "Date (UTC)", "Risks", "Open", "Name"), *map(describe_scan, found.scans)]
    for scan_id, date, risks, open_count, name in rows if found.scans else []:
        print(f"{scan_id:36}  {date:16}  {risks:>5}  {open_count:>5}  {name}")
    print(describe_total(found))


class Listed(msgspec.Struct, frozen=True):
    """Some of `total` scans."""

    scans: list[ScanSummary]
    total: int


async def read_list(api: Api, query: Mapping[str, str], limit: int) -> Listed:
    """Return at most `limit` scans, which are read page by page."""
    scans: list[ScanSummary] = []
    while True:
        size = str(min(limit - len(scans), PAGE_SIZE))
        page = await api.get("/api/scans", ScanList, {**query, "limit": size, "offset": str(len(scans))})
        scans += page.scans
        if not page.scans or len(scans) >= min(limit, page.total):
            return Listed(scans, page.total)


def describe_total(found: Listed) -> str:
    if not found.scans:
        return "No scans found."
    of_all = f" of {found.total:,}" if len(found.scans) < found.total else ""
    return f"{len(found.scans):,}{of_all} {'scan' if found.total == 1 else 'scans'}"


def describe_scan(scan: ScanSummary) -> tuple[str, ...]:
    date = scan.created_at.astimezone(datetime.UTC).strftime("%Y-%m-%d %H:%M")
    name = to_printable(scan.title or scan.filename or PASTED_TEXT)
    return scan.scan_id, date, f"{scan.risk_count:,}", f"{scan.open_count:,}", name


async def show_scan(arguments: argparse.Namespace) -> None:
    async with open_api(arguments) as api:
        scan = await api.read_scan(read_id(arguments.scan, api.server))
        findings = await api.read_findings(scan.scan_id)
    if arguments.state:
        findings = [finding for finding in findings if state_of(finding) == arguments.state]
    if arguments.format == "json":
        print_json(join_findings(scan, findings))
        return
    name = Document(Path(scan.title or scan.filename or PASTED_TEXT))
    result = Result(name, scan, findings, [None] * len(findings), server=api.server)
    print(make_text_report(sys.stdout).render(result), end="")


def state_of(finding: Finding) -> str:
    return finding.review.state if finding.review else "open"


def join_findings(scan: Scan, findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the fields of a scan with its `findings`, which have more fields, in the place of `data`."""
    fields = to_fields(msgspec.structs.replace(scan, data=msgspec.Raw(b"[]")))
    del fields["data"]
    return {**fields, "findings": msgspec.to_builtins(findings)}


async def compare_scans(arguments: argparse.Namespace) -> None:
    async with open_api(arguments) as api:
        earlier, later = (read_id(text, api.server) for text in (arguments.earlier, arguments.later))
        comparison = await api.compare(earlier, later)
    if arguments.format == "json":
        print_json(to_fields(comparison))
        return
    report = make_text_report(sys.stdout)
    texts = [
        describe_group(report, heading, risks or empty)
        for name, (heading, empty) in GROUPS.items()
        for risks in [getattr(comparison, name)]
    ]
    print("\n\n".join(texts))


def describe_group(report: TextReport, heading: str, risks: Sequence[Risk] | str) -> str:
    """Return the risks below a heading, or the sentence that there are none."""
    if isinstance(risks, str):
        return f"{report.emphasize(heading)}\n  {risks}"
    findings = [Finding(0, risk.risk, risk.category, risk.context, None, None, None) for risk in risks]
    return "\n".join([report.emphasize(f"{heading}: {len(risks):,}"), *map(report.describe, findings)])


def read_id(text: str, server: str) -> str:
    """Return the ID of a scan, which may be given as the address of its page. Raises UsageError."""
    if "//" in text and not has_origin_of(server, text):
        raise UsageError(f"{text} is not a page of {server}.")
    return re.split("[?#]", text)[0].rstrip("/").rpartition("/")[2]


def has_origin_of(server: str, address: str) -> bool:
    try:
        return URL(address).origin() == URL(server).origin()
    except ValueError:
        return False


def to_fields(value: msgspec.Struct) -> dict[str, Any]:
    """Return what is encoded as a JSON object."""
    fields: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(value))
    return fields


def print_json(value: Any) -> None:
    text = msgspec.json.format(msgspec.json.encode(value), indent=2)
    print((to_printable_lines(text) if sys.stdout.isatty() else text).decode())
