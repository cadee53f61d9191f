"""SARIF 2.1.0 (OASIS), which code scanning, editors and CI read: a result for each finding."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .. import __version__
from ..fingerprints import compute_fingerprint
from ..schemas import Finding
from .text import JOINER

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


class Sarif:
    """A log with one run, which is complete once all documents were added."""

    def __init__(self, categories: Sequence[str]) -> None:
        self._rules = [describe_rule(category) for category in categories]
        self._results: list[dict[str, Any]] = []
        self._notifications: list[dict[str, Any]] = []
        self._is_complete = True

    def add_finding(self, path: Path | None, finding: Finding, line: int | None) -> None:
        """Add a finding of a file, None for standard input, with its line if that is known."""
        rule_id = to_rule_id(finding.category)
        index = next((n for n, rule in enumerate(self._rules) if rule["id"] == rule_id), None)
        if index is None:
            index = len(self._rules)
            self._rules.append(describe_rule(finding.category))
        self._results.append(
            {
                "ruleId": rule_id,
                "ruleIndex": index,
                "level": "warning",
                "message": {"text": describe_finding(finding)},
                "partialFingerprints": {"sentence/v1": compute_fingerprint(finding.context)},
                **locate(path, line),
            }
        )

    def add_note(self, path: Path | None, text: str) -> None:
        """Add what a reader of the findings should know of a file."""
        self._notifications.append({"level": "note", "message": {"text": escape_links(text)}, **locate(path)})

    def add_error(self, path: Path | None, text: str) -> None:
        """Add that a file could not be read."""
        self._is_complete = False
        self._notifications.append(
            {"level": "error", "message": {"text": escape_links(text)}, **locate(path)}
        )

    def build(self) -> dict[str, Any]:
        """Return the log, to be written as JSON."""
        invocation = {
            "executionSuccessful": self._is_complete,
            "toolExecutionNotifications": self._notifications,
        }
        driver = {"name": "RiskScan", "version": __version__, "rules": self._rules}
        run = {"tool": {"driver": driver}, "invocations": [invocation], "results": self._results}
        return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def to_rule_id(category: str) -> str:
    return "-".join(category.lower().split())


def describe_rule(category: str) -> dict[str, Any]:
    text = f"A sentence that describes a risk of the category {category}. Is it one, and is it handled?"
    return {
        "id": to_rule_id(category),
        "name": f"{''.join(category.title().split())}Risk",
        "shortDescription": {"text": f"{category} risk"},
        "fullDescription": {"text": text},
        "help": {"text": text},
        "defaultConfiguration": {"level": "warning"},
    }


def describe_finding(finding: Finding) -> str:
    """Return the title of the risk, its sentence and its place."""
    title = finding.risk if finding.risk.strip() and finding.risk != finding.context else ""
    text = f"{title}: {finding.context}" if title else finding.context
    return escape_links(f"{text} ({finding.place})" if finding.place else text)


def escape_links(text: str) -> str:
    """Return a text in which nothing of the document is a link (section 3.11.6)."""
    return text.replace("](", f"]{JOINER}(")


def locate(path: Path | None, line: int | None = None) -> dict[str, Any]:
    """Return the locations of a file and line; none for standard input."""
    if path is None:
        return {}
    location: dict[str, Any] = {"artifactLocation": {"uri": to_uri(path)}}
    if line:
        location["region"] = {"startLine": line}
    return {"locations": [{"physicalLocation": location}]}


def to_uri(path: Path) -> str:
    """Return the address of a file: relative below the working directory, as code scanning wants it."""
    # normalised as a text: a link stays what the caller named
    absolute = Path(os.path.abspath(path))
    if absolute.is_relative_to(Path.cwd()):
        return quote(os.fsencode(absolute.relative_to(Path.cwd())))
    return absolute.as_uri()
