"""Fingerprints: what makes the same sentence, and what another one."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskscan.fingerprints import compute_fingerprint, compute_fingerprints
from riskscan.schemas import Risk

SENTENCE = "The Supplier shall not pay USD 5,000 to Acme Ltd within 30 days."
SAME = [
    (SENTENCE, variant)
    for variant in (
        SENTENCE.upper(), SENTENCE.lower(), SENTENCE.rstrip("."), f"  {SENTENCE}\n",
        SENTENCE.replace(" ", "\u00a0"), SENTENCE.replace(" ", "\r\n"),
        SENTENCE.replace("Supplier", "Sup\u00adplier"), SENTENCE.replace("The ", ""),
        SENTENCE.replace("The ", "A "), SENTENCE.replace("Acme Ltd", "**Acme Ltd**"),
        f"“{SENTENCE}”", f"'{SENTENCE}'", f"- {SENTENCE}", f"• {SENTENCE}", f"**{SENTENCE}**",
        f"# {SENTENCE}",
        f"`{SENTENCE}`", f"| {SENTENCE} |", f"4. {SENTENCE}", f"4.2 {SENTENCE}", f"4.2.1. {SENTENCE}",
        f"(a) {SENTENCE}", f"(iv) {SENTENCE}", f"(12) {SENTENCE}", f"a) {SENTENCE}", f"12) {SENTENCE}",
    )
] + [
    ("We can't deliver", "We cannot deliver."),
    ("The permit isn’t renewed", "the permit is not renewed"),
    ("Café lease", "Cafe\u0301 lease"),
    ("Ｂｕｄｇｅｔ is tight", "Budget is tight"),
    ("Costs rise by 10 %", "Costs rise by 10%"),
    ("ថវិកាមានកម្រិត", "ថវិកា\u200bមាន កម្រិត។"),
    ("ថវិកាកើនឡើង ១០%", "ថវិកាកើនឡើង10 %"),
    ("预算 不足", "预算不足。"),
    ("!!!", "!!!"),
]  # fmt: skip
OTHER = [
    (SENTENCE, SENTENCE.replace(old, new))
    for old, new in (
        ("5,000", "5,001"), ("5,000", "50,000"), ("5,000", "5.000"), ("30", "31"), ("30 days", "30 months"),
        ("USD", "EUR"), ("USD 5,000", "$5,000"), ("not ", ""), ("shall not", "shall"),
        ("Acme Ltd", "Acma Ltd"),
        ("Supplier", "Customer"), ("shall", "may"), ("30 days", "-30 days"), ("within", "without"),
    )
] + [
    ("Pay $5", "Pay €5"),
    ("Margin is 5 %", "Margin is 5"),
    ("Margin is -5", "Margin is 5"),
    ("4.2 FTE are missing", "5.2 FTE are missing"),
    ("10 servers fail", "servers fail"),
    ("Wait until 12:30", "Wait until 12:31"),
    ("We can deliver", "We can't deliver"),
    ("Price is 1.5 m", "Price is 15 m"),
    ("ថវិកាមានកម្រិត", "ថវិកាមិនមានកម្រិត"),
    ("ថវិកាកើនឡើង ១០%", "ថវិកាកើនឡើង ១១%"),
    ("The", "A"),
    ("!!!", "???"),
    ("a", "the a the"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), SAME, ids=ascii)
def test_same_sentence_has_the_same_fingerprint(first: str, second: str) -> None:
    assert compute_fingerprint(first) == compute_fingerprint(second)


@pytest.mark.parametrize(("first", "second"), OTHER, ids=ascii)
def test_other_sentence_has_another_fingerprint(first: str, second: str) -> None:
    assert compute_fingerprint(first) != compute_fingerprint(second)


def test_fingerprint_is_the_sha256_of_the_normal_form() -> None:
    """Stored reviews depend on it."""
    wording = "supplier shall not pay usd 5,000 to acme ltd within 30 days"
    assert compute_fingerprint(SENTENCE) == hashlib.sha256(wording.encode()).hexdigest()


def test_finding_without_a_quote_has_the_fingerprint_of_its_title() -> None:
    quoted, empty, blank = (
        Risk("Title", "Legal", "The quote."),
        Risk("Title", "Legal", ""),
        Risk("Title", "Legal", " \n"),
    )
    fingerprints = compute_fingerprints([quoted, empty, blank])
    assert fingerprints == [compute_fingerprint(text) for text in ("The quote.", "Title", "Title")]


@given(st.text(st.characters(codec=None), max_size=80))
def test_any_text_has_a_fingerprint_that_blanks_around_it_do_not_change(text: str) -> None:
    risks = [Risk("", "Legal", text), Risk("", "Legal", f" {text}\n"), Risk(f"\t{text}", "Legal", "")]
    fingerprints = compute_fingerprints(risks)
    assert re.fullmatch("[0-9a-f]{64}", fingerprints[0])
    assert set(fingerprints) == {fingerprints[0]}


WORDS = ["costs", "may", "not", "rise", "by", "7", "percent", "in", "Phnom", "Penh"]


@given(st.lists(st.sampled_from(WORDS), min_size=1), st.data())
def test_each_word_of_a_sentence_counts(words: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(words) - 1))
    changed = [*words[:place], "otherwise", *words[place + 1 :]]
    assert compute_fingerprint(" ".join(words)) != compute_fingerprint(" ".join(changed))
