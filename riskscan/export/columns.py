"""The rows and columns of an export: a row for each risk, and layouts of columns."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from ..schemas import Finding, RegisterRow, Scan

Cell = str | int | datetime.datetime | None
MAX_SCENARIO_NAME = 200  # in CISO Assistant
MAX_SUMMARY = 255  # in Jira

TREATMENTS = ("open", "mitigate", "accept", "avoid", "transfer")
# the words for the values of a review, by value
STATE_NAMES = {"open": "Open", "confirmed": "Confirmed", "dismissed": "Dismissed"}
REASON_NAMES = {
    "not_a_risk": "Not a risk",
    "already_handled": "Already handled",
    "accepted": "Accepted",
    "duplicate": "Duplicate",
}
LIKELIHOOD_NAMES = dict(enumerate(("Rare", "Unlikely", "Possible", "Likely", "Almost certain"), 1))
IMPACT_NAMES = dict(enumerate(("Negligible", "Minor", "Moderate", "Major", "Severe"), 1))
RESPONSE_NAMES = {"avoid": "Avoid", "reduce": "Reduce", "transfer": "Transfer", "accept": "Accept"}
# of a cell of an edited workbook with an error, or a formula without a result: no XML holds it
NO_VALUE = "\0"
# the columns that can be edited and imported, and the time by which a change meanwhile is noticed
REVIEW_FIELDS = ("state", "reason", "comment", "owner", "likelihood", "impact", "response", "due")
FIELD_TITLES = {name: name.capitalize() for name in REVIEW_FIELDS}
REVIEW_KEYS = (*REVIEW_FIELDS, "reviewed_at")
# of likelihood times impact, from 1 to 25; Jira's default names
PRIORITIES = ((20, "Highest"), (12, "High"), (6, "Medium"), (3, "Low"), (1, "Lowest"))
# what Jira's wiki markup reads as a macro, a link, an image or a table
JIRA_MARKUP = re.compile(r"[\\{}\[\]!|]")


class Column(NamedTuple):
    """A column; `width` is in characters.

    `names` are the words for its values: people read them in Excel and Markdown, and Excel takes no others;
    `dates_only` restricts its cells there to dates.
    """

    title: str
    value: Callable[[RegisterRow], Cell]
    width: int
    names: Mapping[Any, str] = {}
    dates_only: bool = False

    @property
    def key(self) -> str:
        """Return the name of the field in JSON."""
        return self.title.lower().replace(" ", "_")

    def label(self, row: RegisterRow) -> Cell:
        """Return the value in words, if there are some for it."""
        value = self.value(row)
        return self.names.get(value, value) if self.names else value


def finding_row(scan: Scan, finding: Finding, origin: str) -> RegisterRow:
    """Return the row of a finding; `origin` is the scheme and host of the link.

    A reference is the start of the scan's ID and the number of the risk. 60 bits of it are random, so the
    probability that two of a million scans share a reference is one in two million.
    """
    row = RegisterRow(
        ref=f"R-{scan.scan_id[:18]}-{finding.number:02}",
        scan_date=scan.created_at,
        file=scan.filename,
        risk=finding.risk if finding.risk.strip() else finding.context,
        category=finding.category,
        context=finding.context,
        source=scan.source,
        link=f"{origin}/scans/{scan.scan_id}",
        place=finding.place,
        state="open",
    )
    review = finding.review
    if review is None:
        return row
    return msgspec.structs.replace(
        row,
        reviewed_at=review.updated_at,
        **{name: getattr(review, name) for name in REVIEW_FIELDS},
    )


def notes_row(scan: Scan, origin: str) -> RegisterRow:
    """Return the row of a scan's notes, without a reference or a risk."""
    link = f"{origin}/scans/{scan.scan_id}"
    return RegisterRow("", scan.created_at, scan.filename, "", "", "", scan.source, link, scan.notes)


def field_column(name: str, width: int, names: Mapping[Any, str] | None = None) -> Column:
    """Return a column with a field of a row."""
    return Column(name.capitalize().replace("_", " "), attrgetter(name), width, names or {})


def empty_column(title: str, width: int) -> Column:
    """Return a column for people to fill in."""
    return Column(title, lambda _: None, width)


def reviewed_at(row: RegisterRow) -> str | None:
    """Return the time of the review to the microsecond, as in JSON: a spreadsheet would round it."""
    return msgspec.to_builtins(row.reviewed_at) if row.reviewed_at else None


def truncate(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def describe(row: RegisterRow, *, is_whole: bool) -> str:
    """Return the description of a risk in another program; `is_whole` if the risk is its name there."""
    parts = [
        row.risk if not is_whole else "",
        row.context if row.context != row.risk else "",
        f"Category: {row.category}",
        f"Place: {row.place}" if row.place else "",
        f"File: {row.file}" if row.file else "",
        f"Comment: {row.comment}" if row.comment else "",
        f"Found by RiskScan on {row.scan_date:%Y-%m-%d}: {row.link}",
    ]
    return "\n".join(part for part in parts if part)


def scenario_name(row: RegisterRow) -> str:
    return truncate(" ".join(row.risk.split()) or row.ref, MAX_SCENARIO_NAME)


def scenario_description(row: RegisterRow) -> str:
    return describe(row, is_whole=len(row.risk) <= MAX_SCENARIO_NAME)


def treatment(row: RegisterRow) -> str:
    if row.response:
        return "mitigate" if row.response == "reduce" else row.response
    return "accept" if row.reason == "accepted" else TREATMENTS[0]


def issue_summary(row: RegisterRow) -> str:
    return truncate(" ".join(row.risk.split()) or row.ref, MAX_SUMMARY)


def issue_description(row: RegisterRow) -> str:
    """Return a description in which nothing of the document is markup."""
    rating = [
        f"Likelihood: {LIKELIHOOD_NAMES[row.likelihood]}" if row.likelihood else "",
        f"Impact: {IMPACT_NAMES[row.impact]}" if row.impact else "",
        f"Response: {RESPONSE_NAMES[row.response]}" if row.response else "",
        f"Reference: {row.ref}",
    ]
    text = "\n".join([describe(row, is_whole=len(row.risk) <= MAX_SUMMARY), *filter(None, rating)])
    return JIRA_MARKUP.sub(r"\\\g<0>", text)


def issue_priority(row: RegisterRow) -> str | None:
    if not row.likelihood or not row.impact:
        return None
    return next(name for least, name in PRIORITIES if row.likelihood * row.impact >= least)


def issue_due(row: RegisterRow) -> str | None:
    """Return the date in the format that Jira's importer expects unless told otherwise, dd/MMM/yy h:mm a."""
    return f"{datetime.date.fromisoformat(row.due):%d/%b/%y} 12:00 AM" if row.due else None


COLUMNS = (
    field_column("ref", 25),
    field_column("scan_date", 19),
    field_column("file", 28),
    field_column("risk", 40),
    field_column("category", 16),
    field_column("context", 70),
    field_column("source", 10),
    field_column("link", 40),
)
PLACE = field_column("place", 22)
STATE = field_column("state", 12, STATE_NAMES)
REASON = field_column("reason", 16, REASON_NAMES)
COMMENT = field_column("comment", 40)
RATING = (
    field_column("owner", 20),
    field_column("likelihood", 15, LIKELIHOOD_NAMES),
    field_column("impact", 15, IMPACT_NAMES),
    field_column("response", 15, RESPONSE_NAMES),
    Column("Due", attrgetter("due"), 12, dates_only=True),
)
REVIEWED_AT = Column("Reviewed at", reviewed_at, 27)


class Layout(NamedTuple):
    """A choice of columns; `label` is its entry in the export menu, as a file of `format`.

    `notes` says whether a format that has rows for notes may have them in this layout, `dismissed` whether it
    has dismissed findings although nobody asked for them.
    """

    label: str
    columns: tuple[Column, ...]
    notes: bool = True
    dismissed: bool = True
    format: str = "xlsx"


LAYOUTS = {
    "": Layout("", (*COLUMNS, PLACE, STATE, REASON, COMMENT, *RATING, REVIEWED_AT)),
    "register": Layout(
        "Risk register (Excel)", (*COLUMNS, *RATING, PLACE, STATE, REASON, COMMENT, REVIEWED_AT)
    ),
    # intuitem/ciso-assistant-community, docs/guide/data-import-wizard.md, "Risk assessment"
    "ciso-assistant": Layout(
        "CISO Assistant (Excel)",
        (
            Column("ref_id", attrgetter("ref"), 25),
            Column("name", scenario_name, 40),
            Column("description", scenario_description, 70),
            empty_column("inherent_impact", 16),
            empty_column("inherent_proba", 16),
            empty_column("existing_controls", 25),
            Column("current_impact", lambda row: IMPACT_NAMES.get(row.impact or 0), 16),
            Column("current_proba", lambda row: LIKELIHOOD_NAMES.get(row.likelihood or 0), 16),
            empty_column("additional_controls", 25),
            empty_column("residual_impact", 16),
            empty_column("residual_proba", 16),
            Column("treatment", treatment, 12, dict(zip(TREATMENTS, TREATMENTS, strict=True))),
        ),
        notes=False,  # every row is imported as a risk scenario
    ),
    # Atlassian, "Importing data from CSV": a label has no spaces
    "jira": Layout(
        "Jira (CSV)",
        (
            Column("Summary", issue_summary, 40),
            Column("Issue Type", lambda _: "Task", 12),
            Column("Priority", issue_priority, 12),
            Column("Labels", lambda row: "-".join(row.category.split()), 20),
            Column("Due Date", issue_due, 20),
            Column("Assignee", attrgetter("owner"), 20),
            Column("Description", issue_description, 70),
        ),
        notes=False,  # every row is imported as an issue
        dismissed=False,
        format="csv",
    ),
}
