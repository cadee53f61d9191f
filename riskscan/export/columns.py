"""The rows and columns of an export: a row for each risk, and layouts of columns."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import NamedTuple

from ..schemas import RegisterRow, Scan

Cell = str | datetime.datetime | None
MAX_SCENARIO_NAME = 200  # in CISO Assistant

LIKELIHOODS = ("Rare", "Unlikely", "Possible", "Likely", "Almost certain")
IMPACTS = ("Negligible", "Minor", "Moderate", "Major", "Severe")
RESPONSES = ("Avoid", "Reduce", "Transfer", "Accept")
TREATMENTS = ("open", "mitigate", "accept", "avoid", "transfer")


class Column(NamedTuple):
    """A column; `width` is in characters, `choices` and `dates_only` restrict its cells in a spreadsheet."""

    title: str
    value: Callable[[RegisterRow], Cell]
    width: int
    choices: tuple[str, ...] = ()
    dates_only: bool = False

    @property
    def key(self) -> str:
        """Return the name of the field in JSON."""
        return self.title.lower().replace(" ", "_")


def scan_rows(scan: Scan, origin: str, *, with_notes: bool = False) -> Iterator[RegisterRow]:
    """Yield a row for each risk of a scan; `origin` is the scheme and host of the links.

    With notes, a scan that has some begins with a row for them, without a reference or a risk.

    A reference is the start of the scan's ID and the number of the risk. 60 bits of it are random, so the
    probability that two of a million scans share a reference is one in two million.
    """
    link = f"{origin}/scans/{scan.scan_id}"
    if with_notes and scan.notes:
        yield RegisterRow("", scan.created_at, scan.filename, "", "", "", scan.source, link, scan.notes)
    for number, risk in enumerate(scan.each_risk(), 1):
        yield RegisterRow(
            ref=f"R-{scan.scan_id[:18]}-{number:02}",
            scan_date=scan.created_at,
            file=scan.filename,
            risk=risk.risk,
            category=risk.category,
            context=risk.context,
            source=scan.source,
            link=link,
        )


def field_column(name: str, width: int) -> Column:
    """Return a column with a field of a row."""
    return Column(name.capitalize().replace("_", " "), attrgetter(name), width)


def empty_column(
    title: str, width: int, choices: tuple[str, ...] = (), *, dates_only: bool = False
) -> Column:
    """Return a column for people to fill in."""
    return Column(title, lambda _: None, width, choices, dates_only)


def scenario_name(row: RegisterRow) -> str:
    name = " ".join(row.risk.split()) or row.ref
    return name if len(name) <= MAX_SCENARIO_NAME else name[: MAX_SCENARIO_NAME - 1] + "…"


def scenario_description(row: RegisterRow) -> str:
    parts = [
        row.risk if len(row.risk) > MAX_SCENARIO_NAME else "",
        row.context,
        f"Category: {row.category}",
        f"File: {row.file}" if row.file else "",
        f"Found by RiskScan on {row.scan_date:%Y-%m-%d}: {row.link}",
    ]
    return "\n".join(part for part in parts if part)


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


class Layout(NamedTuple):
    """A choice of columns; `label` is its entry in the export menu, as an Excel file.

    `notes` says whether a format that has rows for notes may have them in this layout.
    """

    label: str
    columns: tuple[Column, ...]
    notes: bool = True


LAYOUTS = {
    "": Layout("", COLUMNS),
    "register": Layout(
        "Risk register (Excel)",
        (
            *COLUMNS,
            empty_column("Owner", 20),
            empty_column("Likelihood", 15, LIKELIHOODS),
            empty_column("Impact", 15, IMPACTS),
            empty_column("Response", 15, RESPONSES),
            empty_column("Due", 12, dates_only=True),
        ),
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
            empty_column("current_impact", 16),
            empty_column("current_proba", 16),
            empty_column("additional_controls", 25),
            empty_column("residual_impact", 16),
            empty_column("residual_proba", 16),
            Column("treatment", lambda _: TREATMENTS[0], 12, TREATMENTS),
        ),
        notes=False,  # every row is imported as a risk scenario
    ),
}
