"""Search terms: one rule for the terms that are stored with a scan and the terms of a query.

A scan is stored with the distinct terms of its texts, in which a search finds words, and with all of them in
their order, for phrases. There two spaces separate one text from the next, so that no phrase goes from one to
the other.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from .schemas import Risk
from .text import HAS_UNSPACED, MARKS, UNSPACED, WORD, normalize

# a character is in two terms at most, and UTF-8 has at most 4 bytes a character: both together stay under the
# 1 MB of PostgreSQL's tsvector
MAX_TERM_LENGTH, MAX_CATEGORIES = 60, 1000
MAX_INDEXED_CHARACTERS = 100_000
UNSPACED_RUN = re.compile(f"([{UNSPACED}][{UNSPACED}{MARKS}]*)|[^{UNSPACED}]+")
# a character with its marks and what is stacked below it: these three signs subscript the next letter
CHARACTER_CLUSTER = re.compile(f".[{MARKS}]*(?:(?<=[\u1039\u17d2\u1a60]).[{MARKS}]*)*")
LEXEME_SEPARATORS = re.compile(r"[\s'\\:]+")  # in PostgreSQL's text form of a tsvector
QUOTATION_MARK = re.compile('["\u201c-\u201f\u00ab\u00bb\u300c-\u300f\uff02]')  # typographic ones too
# a Khmer letter with two signs or more; a subscript letter, after its coeng, is one of them
KHMER_CLUSTER = re.compile("[\u1780-\u17b3](?:\u17d2[\u1780-\u17b3]|[\u17b4-\u17d1\u17d3\u17dd]){2,}")
KHMER_SIGN = re.compile("\u17d2?.")
COENG_RO = "\u17d2\u179a"
# robat, subscripts, the two that shift the register, vowels, other signs
KHMER_ORDER = "\u17cc\u17d2\u17c9\u17ca" + "".join(map(chr, range(0x17B4, 0x17DE)))


def tokenize(text: str) -> list[str]:
    """Return the terms of a text in their order, normalized and cut to 60 characters.

    A term is a word: a run of letters, marks and digits. In scripts written without spaces it is each pair of
    neighbouring characters, and the last one alone, so that any substring is found by its pairs.
    """
    return split_terms(normalize(text))


def split_terms(normalized: str) -> list[str]:
    if normalized.isascii() or not HAS_UNSPACED.search(normalized):
        return [word[:MAX_TERM_LENGTH] for word in WORD.findall(normalized)]
    words = WORD.findall(order_khmer(normalized))
    return [term[:MAX_TERM_LENGTH] for word in words for term in split_unspaced(word)]


def order_khmer(text: str) -> str:
    """Return a text with the signs of each Khmer letter in one order, whatever that of typing them was.

    It is not a part of `normalize`, because the fingerprints of stored findings depend on that.
    """
    return KHMER_CLUSTER.sub(lambda cluster: order_signs(cluster[0]), text)


@functools.lru_cache(4096)  # saves two thirds of the time
def order_signs(cluster: str) -> str:
    return cluster[0] + "".join(sorted(KHMER_SIGN.findall(cluster[1:]), key=rank_khmer))


def rank_khmer(sign: str) -> tuple[int, bool]:
    """Return where a sign stands: subscripts stay in their order, but that of ro comes after the others."""
    return KHMER_ORDER.index(sign[0]), sign == COENG_RO


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


class ScanTerms(NamedTuple):
    """The terms of a scan, separated by spaces: the distinct ones, and all in their order."""

    words: str
    terms: str


def index_terms(names: Iterable[str | None], risks: Sequence[Risk]) -> ScanTerms:
    """Return the terms of a scan: its names, and titles and sentences of its risks.

    They are of at most 100,000 characters; titles that stand in their sentences are left out. `words` begins
    with the terms of up to 1000 categories.
    """
    categories = dict.fromkeys([category_term(risk.category) for risk in risks])
    titles = [risk.risk for risk in risks if f" {risk.risk.rstrip('… ')}" not in f" {risk.context}"]
    texts = dict.fromkeys([*filter(None, names), *titles, *[risk.context for risk in risks]])
    terms = join_terms(texts)
    distinct = dict.fromkeys([*itertools.islice(categories, MAX_CATEGORIES), *terms.split()])
    return ScanTerms(" ".join(distinct), terms)


def join_terms(texts: Iterable[str]) -> str:
    """Return the terms of texts, of at most 100,000 characters together."""
    joined = []
    left = MAX_INDEXED_CHARACTERS
    for text in texts:
        normalized = normalize(text[:left])[:left]
        joined.append(" ".join(split_terms(normalized)))
        left -= len(normalized)
        if left <= 0:
            break
    return "  ".join(joined)


class Sought(NamedTuple):
    """What a scan must have: words, by their beginning, and phrases, which begin where a term of it does.

    A phrase ends with a space, because its last word is meant whole, but in scripts without spaces.
    """

    words: tuple[str, ...]
    phrases: tuple[str, ...]


def parse_query(text: str) -> Sought:
    """Return the words of a query, among them those of its phrases, and the quoted phrases.

    A quotation mark that is not closed quotes nothing. A word with which another begins is redundant and left
    out.
    """
    words, phrases = dict[str, None](), dict[str, None]()
    pieces = QUOTATION_MARK.split(text)
    for number, piece in enumerate(pieces):
        terms = tokenize(piece)
        words |= dict.fromkeys(terms)
        if terms and number % 2 and number < len(pieces) - 1:
            phrases[" ".join(terms) + ("" if HAS_UNSPACED.match(terms[-1]) else " ")] = None
    longest = [word for word in words if not any(other.startswith(word) for other in words if other != word)]
    return Sought(tuple(longest), tuple(phrases))
