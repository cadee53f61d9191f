"""The words by which a scan is found: one rule for what is kept and for what is looked for."""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from collections.abc import Iterator, Sequence

from .schemas import Risk

# together under what a tsvector of PostgreSQL holds, 1 MB: UTF-8 takes 4 bytes at most
MAX_TERMS, MAX_LENGTH = 4000, 60
MAX_TEXT = 100_000  # characters of one scan that are looked at
# written without blanks, as Han is: Thai and Lao, Burmese, Khmer, New Tai Lue and Tai Tham, kana
BLOCKS = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1980, 0x19DF), (0x1A20, 0x1AAF),
    (0x3005, 0x3007), (0x3040, 0x312F), (0x31F0, 0x31FF), (0xA9E0, 0xA9FF), (0xAA60, 0xAA7F),
)  # fmt: skip
HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"


def characters_of(first: int, last: int, kinds: str) -> str:
    """Return the signs between two code points whose general category begins with one of `kinds`."""
    return "".join(
        sign for sign in map(chr, range(first, last + 1)) if unicodedata.category(sign)[0] in kinds
    )


UNSPACED = HAN + "".join(characters_of(*block, "LMN") for block in BLOCKS)
MARKS = characters_of(0x300, 0x33FF, "M") + characters_of(0xA000, 0xABFF, "M")
WORD = re.compile(f"[^\\W_]+(?:[{MARKS}]+[^\\W_]*)*")
HAS_UNSPACED = re.compile(f"[{UNSPACED}]")
UNSPACED_RUN = re.compile(f"([{UNSPACED}][{UNSPACED}{MARKS}]*)|[^{UNSPACED}]+")
# a character with its marks, and with what is written under it: after these signs the next letter is
CHARACTER_CLUSTER = re.compile(f".[{MARKS}]*(?:(?<=[\u1039\u17d2\u1a60]).[{MARKS}]*)*")
# what cannot be seen, and the dot that is left of a Turkish capital I
INVISIBLE = re.compile(
    "[\u00ad\u0307\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff]"
)

NO_LEXEME = re.compile(r"[\s'\\:]+")  # what PostgreSQL would not read as a part of a word


def fold(text: str) -> str:
    """Return a text as it is compared: NFKC without case, and the four Turkish i as one."""
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFKC", text).casefold().replace("ı", "i")
    return unicodedata.normalize("NFKC", INVISIBLE.sub("", folded))


def tokenize(text: str) -> list[str]:
    """Return the distinct words of a text, folded and cut to 60 characters.

    A word is a run of letters, marks and digits. Of a script that is written without blanks it is each two
    neighbouring characters, and the last one: what stands anywhere in such a run is found by its pairs.
    """
    folded = fold(text)
    found = dict.fromkeys(WORD.findall(folded))
    if not folded.isascii() and HAS_UNSPACED.search(folded):
        found = dict.fromkeys(piece for word in found for piece in split_unspaced(word))
    return list(dict.fromkeys([word[:MAX_LENGTH] for word in found]))


def split_unspaced(word: str) -> Iterator[str]:
    """Yield the pairs of characters of the runs that are written without blanks, and the other runs whole."""
    for run in UNSPACED_RUN.finditer(word):
        if run[1]:
            units = CHARACTER_CLUSTER.findall(run[1])
            yield from map("".join, itertools.pairwise(units))
            yield units[-1]
        else:
            yield run[0]


@functools.lru_cache(1024)  # there are few, and each scan has some of them again
def category_term(category: str) -> str:
    """Return the word that stands for a category; the sign before it sets it apart from those of a text."""
    return "=" + NO_LEXEME.sub("_", fold(category).strip())[: MAX_LENGTH - 1]


def index_terms(filename: str | None, risks: Sequence[Risk]) -> str:
    """Return what a scan is found by, as one text: its categories, the words of its name and of its risks."""
    text = "\n".join([filename or "", *(risk.risk for risk in risks)])[:MAX_TEXT]
    categories = dict.fromkeys(risk.category for risk in risks)
    found = dict.fromkeys([*map(category_term, categories), *tokenize(text)])
    return " ".join(list(found)[:MAX_TERMS])
