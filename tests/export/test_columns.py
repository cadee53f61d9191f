"""Columns and layouts."""

from __future__ import annotations

import pytest

from riskscan.export.text import FORMATS
from tests.support.exports import TITLES, csv_rows, make_row, read_rows, render

REGISTER = [*TITLES, "Owner", "Likelihood", "Impact", "Response", "Due"]
CISO_ASSISTANT = [
    "ref_id", "name", "description", "inherent_impact", "inherent_proba", "existing_controls",
    "current_impact", "current_proba", "additional_controls", "residual_impact", "residual_proba",
    "treatment",
]  # fmt: skip


@pytest.mark.parametrize("kind", FORMATS)
def test_register_layout_adds_columns_to_fill_in(kind: str) -> None:
    row = make_row(file="plan.txt")
    titles, cells = read_rows(kind, render(kind, [row], "register"))
    assert titles == ([title.lower().replace(" ", "_") for title in REGISTER] if kind == "json" else REGISTER)
    assert cells == [*read_rows(kind, render(kind, [row]))[1], *[""] * 5]


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


def test_ciso_assistant_name_has_1_to_200_characters() -> None:
    long = "word " * 60
    _, first, second = csv_rows(render("csv", [make_row(risk=long), make_row(risk=" ")], "ciso-assistant"))
    assert len(first[1]) == 200
    assert first[2].startswith(f"{long}\ncontext\nCategory: category\nFound by")
    assert second[1] == second[0]
