"""Handlers of the start page and of the sample, a contract with its stored result: home, sample."""

from __future__ import annotations

import functools
from typing import NamedTuple

from aiohttp import web

from .. import PACKAGE
from ..ai_client import read_findings
from ..auth.authentication import current_account_or_none
from ..report import build_report
from ..request.report_query import read_report_query
from ..responses import redirect, render_page
from ..schemas import Detail, Finding
from .findings import to_finding

CONTRACT, RESULT = PACKAGE / "sample/contract.txt", PACKAGE / "sample/result.json"
SHOWN_AT_START = 4  # findings, each of another category


class Sample(NamedTuple):
    """A contract, and what the analyser found in it; `details` is parallel to `findings`."""

    text: str
    findings: list[Finding]
    details: list[Detail]

    @property
    def name(self) -> str:
        return self.text.partition("\n")[0]

    @property
    def surest(self) -> list[Finding]:
        """Return the surest finding of each of the first categories, the surest first."""
        scores = {finding.number: detail.score or 0 for finding, detail in zip(*self[1:], strict=True)}
        ranked = sorted(self.findings, key=lambda finding: -scores[finding.number])
        by_category: dict[str, Finding] = {}
        for finding in ranked:
            by_category.setdefault(finding.category, finding)
        return list(by_category.values())[:SHOWN_AT_START]


@functools.cache
def load_sample() -> Sample:
    """Return the sample; `make sample` stores its result anew."""
    result = read_findings(RESULT.read_bytes())
    pairs = enumerate(zip(result.data, result.details, strict=True), 1)
    findings = [to_finding(number, risk, detail, None) for number, (risk, detail) in pairs]
    return Sample(CONTRACT.read_text(encoding="utf-8"), findings, result.details)


async def home(request: web.Request) -> web.StreamResponse:
    """Show the start page, or redirect to the Scan page if already logged in."""
    if await current_account_or_none(request):
        return redirect("/scan")
    return render_page(request, "start.html", {"sample": load_sample()})


async def sample(request: web.Request) -> web.StreamResponse:
    """Show the stored result of the sample, to read."""
    await current_account_or_none(request)
    example = load_sample()
    report = build_report(example.findings, example.details, {}, read_report_query(request))
    data = {"scan_id": "sample", "risk_count": len(example.findings)}
    context = {"sample": example, "report": report, "data": data, "read_only": True}
    return render_page(request, "sample.html", context)
