"""The page of the history: its rows, and the categories to choose from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from .ai_service.categories import CATEGORIES
from .database.scan_queries import ScanPage
from .schemas import CategoryRisks, ScanSummary
from .search_terms import category_term

MAX_OTHERS, MAX_LENGTH = 30, 60  # categories of other AI services that are offered; characters of each

# a list before search was added: a process of that version may still store scans
decode_stored = msgspec.json.Decoder(dict[str, int] | list[str]).decode


class Row(NamedTuple):
    """A scan of the list, its risks per category as a JSON object, and what it is called.

    `matching` has the risks of the category that the list is filtered by, under the name that this scan has
    for it; None without one.
    """

    scan: ScanSummary
    categories: str
    name: str
    matching: CategoryRisks | None


def build_rows(page: ScanPage, term: str) -> list[Row]:
    """Return the rows of a list that is filtered by the category with this term, or by none."""
    return [
        Row(scan, categories, name, count_category(categories, term) if term else None)
        for scan, categories, name in zip(page.scans, page.categories, page.names, strict=True)
    ]


def decode_categories(categories: str) -> dict[str, int]:
    """Return the risks per category; of a scan that is still without the numbers, each counts as 1."""
    decoded = decode_stored(categories)
    return decoded if isinstance(decoded, dict) else dict.fromkeys(decoded, 1)


def count_category(categories: str, term: str) -> CategoryRisks | None:
    found = {
        name: number for name, number in decode_categories(categories).items() if category_term(name) == term
    }
    return CategoryRisks(next(iter(found)), sum(found.values())) if found else None


def list_categories(rows: Iterable[Row], current: str) -> dict[str, bool]:
    """Return the categories to filter by, and whether each is the current one.

    They are those of the built-in analyser and, instead of reading all scans of the user, those of the
    listed scans.
    """
    names = {category_term(name): name for name in CATEGORIES}
    others = sorted({name for row in rows for name in decode_categories(row.categories)}, key=str.casefold)
    for name in others:
        if name.strip() and len(name) <= MAX_LENGTH and len(names) < len(CATEGORIES) + MAX_OTHERS:
            names.setdefault(category_term(name), name.strip())
    chosen = category_term(current) if current.strip() else ""
    if chosen:
        names.setdefault(chosen, current)
    return {name: term == chosen for term, name in names.items()}
