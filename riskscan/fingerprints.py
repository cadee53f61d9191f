"""Fingerprints of findings: the same sentence has the same one in every draft, file and format.

A review is stored for a fingerprint. It is the SHA-256 of the quoted sentence as `text.normalize_wording`
writes it, without articles and without the clause number that it begins with. Case, blanks and punctuation do
not change it; a number, a negation or a name does.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from .schemas import Risk
from .text import normalize_wording

ARTICLES = frozenset(("a", "an", "the"))
# words that no quantity stands in front of
STARTERS = (
    r"A|An|In|(?i:all|any|both|each|either|every|if|it|neither|no|not|our|such|the|these|they|this|those|unless"
    r"|upon|we|when|where|you|your)"
)
# in front of a sentence: "(a) ", "4. ", "4.2.1. ", and "4.2 " where a sentence or a quote begins after it,
# because "4.2 FTE are missing" is about a quantity
CLAUSE_NUMBER = re.compile(
    r"\s*(?:\([0-9]{1,3}\)|\([a-zA-Z]{1,4}\)|[0-9]{1,3}(?:\.[0-9]{1,3}){0,5}[.)]|[a-z][.)]"
    rf"|[0-9]{{1,3}}(?:\.[0-9]{{1,3}}){{1,5}}(?=\s+(?:[\"“'‘]|(?:{STARTERS})\s)))"
    r"\s+(?=\S)"
)


def compute_fingerprints(risks: Iterable[Risk]) -> list[str]:
    """Return the fingerprints, each 64 hexadecimal digits: of the quote or, without one, of the title."""
    return [compute_fingerprint(risk.context.strip() or risk.risk.strip()) for risk in risks]


def compute_fingerprint(sentence: str) -> str:
    """Return the fingerprint of a sentence without blanks around it."""
    wording = normalize_wording(remove_clause_number(sentence))
    words = [word for word in wording.split(" ") if word not in ARTICLES] or [wording]
    return hashlib.sha256(" ".join(words).encode("utf-8", "replace")).hexdigest()


def remove_clause_number(sentence: str) -> str:
    """Return the sentence without the number of a clause or item that it begins with."""
    number = CLAUSE_NUMBER.match(sentence)
    return sentence[number.end() :] if number else sentence
