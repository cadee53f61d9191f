"""Search terms: one rule for the terms that are stored with a scan and the terms of a query."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence

from .schemas import Risk
from .text import HAS_UNSPACED, MARKS, UNSPACED, WORD, normalize

# UTF-8 has at most 4 bytes a character, so this stays under the 1 MB of PostgreSQL's tsvector
MAX_TERMS, MAX_TERM_LENGTH = 4000, 60
MAX_INDEXED_CHARACTERS = 100_000
UNSPACED_RUN = re.compile(f"([{UNSPACED}][{UNSPACED}{MARKS}]*)|[^{UNSPACED}]+")
# a character with its marks and what is stacked below it: these three signs subscript the next letter
CHARACTER_CLUSTER = re.compile(f".[{MARKS}]*(?:(?<=[\u1039\u17d2\u1a60]).[{MARKS}]*)*")
LEXEME_SEPARATORS = re.compile(r"[\s'\\:]+")  # in PostgreSQL's text form of a tsvector


def tokenize(text: str) -> list[str]:
    """Return the distinct terms of a text, normalized and cut to 60 characters.

    A term is a word: a run of letters, marks and digits. In scripts written without spaces it is each pair of
    neighbouring characters, and the last one alone, so that any substring is found by its pairs.
    """
    normalized = normalize(text)
    words = dict.fromkeys(WORD.findall(normalized))
    if not normalized.isascii() and HAS_UNSPACED.search(normalized):
        words = dict.fromkeys(term for word in words for term in split_unspaced(word))
    return list(dict.fromkeys([word[:MAX_TERM_LENGTH] for word in words]))


def split_unspaced(word: str) -> Iterator[str]:
    """Yield the character pairs of the runs that are written without spaces, and the other runs whole."""
    for run in UNSPACED_RUN.finditer(word):
        if run[1]:
            characters = CHARACTER_CLUSTER.findall(run[1])
            yield from map("".join, itertools.pairwise(characters))
            yield characters[-1]
        else:
            yield run[0]


@functools.lru_cache(1024)  # there are few categories, and every scan has some of them
def category_term(category: str) -> str:
    """Return the term of a category; its leading `=` distinguishes it from words."""
    return "=" + LEXEME_SEPARATORS.sub("_", normalize(category).strip())[: MAX_TERM_LENGTH - 1]


def index_terms(names: Iterable[str | None], risks: Sequence[Risk]) -> str:
    """Return the terms of a scan, separated by spaces: its categories, then its names and risk titles."""
    text = "\n".join([*filter(None, names), *(risk.risk for risk in risks)])[:MAX_INDEXED_CHARACTERS]
    categories = dict.fromkeys(risk.category for risk in risks)
    terms = dict.fromkeys([*map(category_term, categories), *tokenize(text)])
    return " ".join(list(terms)[:MAX_TERMS])
