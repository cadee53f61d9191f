"""Fingerprints through drafts of a contract: untouched sentences keep theirs, changed ones do not."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from riskscan.fingerprints import compute_fingerprint
from tests.ai_service.drafts import (
    EDITS,
    FORMATS,
    INSERTED,
    TYPOGRAPHY,
    Edit,
    make_draft,
    read_contracts,
    read_fingerprints,
)

CONTRACTS = list(read_contracts().values())


def check_draft(seed: int, formats: Iterable[str]) -> None:
    """Make a draft of a contract, and read it in these formats, each with another typography."""
    chance = random.Random(seed)
    contract = CONTRACTS[seed % len(CONTRACTS)]
    before = read_fingerprints("draft.txt", contract)
    assert set(map(compute_fingerprint, contract)) <= before.keys()
    draft = make_draft(contract, chance)
    expected = {compute_fingerprint(sentence): sentence for sentence in draft.untouched}
    stale = {compute_fingerprint(sentence): sentence for sentence in draft.changed}
    assert len(expected) > 8
    assert len(stale) >= len(EDITS)
    for number, name in enumerate(formats):
        style = TYPOGRAPHY[(seed + number) % len(TYPOGRAPHY)]
        found = read_fingerprints(name, [style(sentence, chance) for sentence in draft.sentences])
        assert [each for fingerprint, each in expected.items() if fingerprint not in found] == [], (
            name,
            style,
        )
        assert [each for fingerprint, each in stale.items() if fingerprint in found] == [], (name, style)


@pytest.mark.parametrize(("seed", "name"), list(enumerate(FORMATS)))
def test_untouched_sentences_keep_their_fingerprint_in_a_draft(seed: int, name: str) -> None:
    check_draft(seed, [name])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(50))
def test_fifty_drafts_carry_what_is_untouched_and_nothing_else(seed: int) -> None:
    check_draft(seed, FORMATS)


@pytest.mark.parametrize("edit", EDITS)
def test_every_edit_changes_the_fingerprint(edit: Edit) -> None:
    chance = random.Random(1)
    count = 0
    for sentence in (each for contract in CONTRACTS for each in contract):
        edited = edit(sentence, chance)
        if edited:
            count += 1
            assert compute_fingerprint(edited) != compute_fingerprint(sentence), edited
    assert count > 50


def test_inserted_sentences_are_new() -> None:
    known = {compute_fingerprint(sentence) for contract in CONTRACTS for sentence in contract}
    assert known.isdisjoint(map(compute_fingerprint, INSERTED))


@pytest.mark.parametrize(
    "sentence",
    [
        '"Software" means the modules.',
        "“Software” means the modules.",
        "not copy the software;",
        "any update of the software;",
        "The supplier is not liable.",
    ],
)
def test_the_number_of_a_clause_does_not_count(sentence: str) -> None:
    for number in ("4.2 ", "4.12.3 ", "4.3. ", "(a) ", "12. ", "12) "):
        assert compute_fingerprint(number + sentence) == compute_fingerprint(sentence), number


@pytest.mark.parametrize("rest", ["FTE are missing.", "million are due.", "to 3 days.", "in pipes."])
def test_a_quantity_that_begins_a_sentence_counts(rest: str) -> None:
    assert compute_fingerprint(f"4.2 {rest}") != compute_fingerprint(f"4.3 {rest}")
