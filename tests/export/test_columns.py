"""Columns and layouts."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from riskscan.export.text import FORMATS
from tests.support.exports import REGISTER, csv_rows, make_row, read_rows, render

CONFIRMED: Any = {
    "state": "confirmed", "comment": "Ask them", "owner": "Ana", "likelihood": 4, "impact": 1,
    "response": "reduce", "due": "2026-12-31",
    "reviewed_at": datetime.datetime(2026, 1, 2, 3, 4, 5, 678901, datetime.UTC),
}  # fmt: skip
CISO_ASSISTANT = [
    "ref_id", "name", "description", "inherent_impact", "inherent_proba", "existing_controls",
    "current_impact", "current_proba", "additional_controls", "residual_impact", "residual_proba",
    "treatment",
]  # fmt: skip


@pytest.mark.parametrize("kind", FORMATS)
def test_register_layout_has_the_columns_to_fill_in_first(kind: str) -> None:
    row = make_row(file="plan.txt", place="p. 7", **CONFIRMED)
    titles, cells = read_rows(kind, render(kind, [row], "register"))
    assert titles == ([title.lower().replace(" ", "_") for title in REGISTER] if kind == "json" else REGISTER)
    plain = read_rows(kind, render(kind, [row]))[1]
    assert cells == [*plain[:8], *plain[12:17], *plain[8:12], plain[17]]


@pytest.mark.parametrize("kind", FORMATS)
def test_people_read_words_and_programs_the_values_of_the_api(kind: str) -> None:
    rows = [make_row(place="p. 7", **CONFIRMED), make_row(state="dismissed", reason="not_a_risk")]
    _, confirmed, dismissed = read_rows(kind, render(kind, rows))
    words = kind in ("xlsx", "md")
    values = ["Likely", "Negligible", "Reduce"] if words else ["4", "1", "reduce"]
    assert confirmed[8:] == [
        "p. 7", "Confirmed" if words else "confirmed", "", "Ask them", "Ana", *values, "2026-12-31",
        "2026-01-02T03:04:05.678901Z",
    ]  # fmt: skip
    assert dismissed[9:11] == (["Dismissed", "Not a risk"] if words else ["dismissed", "not_a_risk"])


@pytest.mark.parametrize("kind", FORMATS)
def test_ciso_assistant_layout_has_the_columns_of_its_wizard(kind: str) -> None:
    titles, cells = read_rows(kind, render(kind, [make_row(file="plan.txt")], "ciso-assistant"))
    assert titles == CISO_ASSISTANT
    lines = [
        "context",
        "Category: category",
        "File: plan.txt",
        "Found by RiskScan on 2026-01-02: http://x/scans/1",
    ]
    description = (" " if kind == "md" else "\n").join(lines)
    assert cells == ["R-1", "risk", description, *[""] * 8, "open"]


def test_ciso_assistant_layout_has_the_review_in_words() -> None:
    rows = [make_row(**CONFIRMED), make_row(state="dismissed", reason="accepted")]
    _, confirmed, accepted = csv_rows(render("csv", rows, "ciso-assistant"))
    assert confirmed[3:] == ["", "", "", "Negligible", "Likely", "", "", "", "mitigate"]
    assert accepted[3:] == [*[""] * 8, "accept"]


def test_a_title_that_is_the_quote_stands_once_in_a_description() -> None:
    rows = [make_row("The budget is tight.", category="x"), make_row("word " * 60, category="x")]
    for layout, name, description in (("ciso-assistant", 1, 2), ("jira", 0, 6)):
        _, short, long = csv_rows(render("csv", rows, layout))
        assert short[name] == "The budget is tight."
        assert "tight" not in short[description]
        assert long[description].count("word " * 60) == 1


def test_jira_layout_has_the_fields_of_the_importer() -> None:
    rows = [
        make_row(category="Third party", place="p. 7", file="plan.txt", **CONFIRMED),
        make_row(context="[click|http://evil] {code} !http://evil/x.png!"),
    ]
    titles, confirmed, hostile = csv_rows(render("csv", rows, "jira"))
    assert titles == ["Summary", "Issue Type", "Priority", "Labels", "Due Date", "Assignee", "Description"]
    assert confirmed[:6] == ["risk", "Task", "Low", "Third-party", "31/Dec/26 12:00 AM", "Ana"]
    assert confirmed[6].split("\n") == [
        "context", "Category: Third party", "Place: p. 7", "File: plan.txt", "Comment: Ask them",
        "Found by RiskScan on 2026-01-02: http://x/scans/1", "Likelihood: Likely", "Impact: Negligible",
        "Response: Reduce", "Reference: R-1",
    ]  # fmt: skip
    assert hostile[2] == hostile[4] == hostile[5] == ""
    assert hostile[6].startswith(r"\[click\|http://evil\] \{code\} \!http://evil/x.png\!" + "\n")


@pytest.mark.parametrize(
    ("likelihood", "impact", "priority"),
    [(5, 5, "Highest"), (4, 5, "Highest"), (3, 5, "High"), (3, 4, "High"), (2, 5, "Medium"), (2, 3, "Medium"),
     (1, 5, "Low"), (1, 3, "Low"), (1, 2, "Lowest"), (None, 5, ""), (5, None, "")],
)  # fmt: skip
def test_jira_priority_is_likelihood_times_impact(
    likelihood: int | None, impact: int | None, priority: str
) -> None:
    row = make_row(state="confirmed", likelihood=likelihood, impact=impact)
    assert csv_rows(render("csv", [row], "jira"))[1][2] == priority


def test_ciso_assistant_name_has_1_to_200_characters() -> None:
    long = "word " * 60
    _, first, second = csv_rows(render("csv", [make_row(risk=long), make_row(risk=" ")], "ciso-assistant"))
    assert len(first[1]) == 200
    assert first[2].startswith(f"{long}\ncontext\nCategory: category\nFound by")
    assert second[1] == second[0]
