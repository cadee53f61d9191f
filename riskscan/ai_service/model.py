"""The local model: features of a sentence, and the linear scores made of them.

training/train.py learns the weights from labelled sentences with the same features and writes model.json.
"""

import json
import math
import re
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from riskscan.ai_service.cues import KHMER_LEXICON, KHMER_WORD, LEXICON, PHRASE_PATTERNS

CATEGORIES = ("Financial", "Schedule", "Technical", "Legal", "Operational", "Compliance", "Other")
SUBJECTS = ("fin", "sch", "tec", "leg", "ope", "com", "oth")
TOKEN = re.compile(r"[A-Za-zÀ-ɏ]+(?:['’-][A-Za-zÀ-ɏ]+)*|\d[\d.,:/]*|[%$€£?]|[\u1780-\u17b3\u17b6-\u17d3]+")
KHMER = re.compile(r"[\u1780-\u17ff]")
MONTHS = frozenset(
    [
        *(
            "january",
            "february",
            "march",
            "april",
            "june",
            "july",
            "august",
            "september",
            "october",
            "november",
        ),
        *(
            "december",
            "monday",
            "tuesday",
            "wednesday",
            "thursday",
            "friday",
            "saturday",
            "sunday",
            "jan",
            "feb",
        ),
        *("mar", "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec"),
    ]
)
WINDOW = 6
# word meanings in so many numbers each, made by training/vectors.py from GloVe 6B (public domain)
VECTORS = Path(__file__).parent / "vectors.bin"
DIRECTIONS = 24
# brings the mean of a sentence's word vectors to the size of the other features
MEANING = 0.04

Features = dict[str, float]


def features(sentence: str) -> Features:
    """Turn a sentence into named numbers; n-grams share a length of one, cues count one each."""
    found: Features = {}
    # Khmer marks its words with spaces of no width, or does not
    text = sentence.replace("’", "'").replace("\u200b", "")
    tokens, tags = _read(text)
    _add_ngrams(found, tokens)
    _add_tags(found, tags)
    for name, pattern in PHRASE_PATTERNS:
        if pattern.search(text):
            found["p:" + name] = 1.0
    _add_meaning(found, tokens)
    _add_stance(found)
    found["len:" + str(min(len(tokens) // 4, 8))] = 1.0
    if text[-1:] not in ".!?។៕":
        found["open-end"] = 1.0
        if len(tokens) <= 7:
            found["short-open-end"] = 1.0
    return found


@lru_cache(maxsize=16_384)
def _word(token: str) -> tuple[str, tuple[str, ...]]:
    """Return the token as n-grams see it, and its tags."""
    lower = token.lower()
    if lower[0].isdigit():
        return "#", ("NUM",)
    if lower in MONTHS:
        return "#date", ("DATE", "sch")
    tags = LEXICON.get(lower) or LEXICON.get(lower.removesuffix("'s"))
    if not tags and "-" in lower:
        tags = tuple(tag for part in lower.split("-") for tag in LEXICON.get(part, ()))
    if not tags and re.match(r"(?:un|in|im|ir|il|dis|mis)\w{4,}(?:ed|able|ible|ent|ate)$", lower):
        tags = ("BAD",)
    return lower, tags or ()


def _read(text: str) -> tuple[list[str], list[tuple[int, str]]]:
    tokens: list[str] = []
    tags: list[tuple[int, str]] = []
    for match in TOKEN.finditer(text):
        token = match.group()
        if KHMER.match(token):
            for word in _khmer_words(token):
                tags.extend((len(tokens), tag) for tag in KHMER_LEXICON.get(word, ()))
                tokens.append(word)
            continue
        word, its_tags = _word(token)
        tags.extend((len(tokens), tag) for tag in its_tags)
        tokens.append(word)
    return tokens, tags


def _khmer_words(run: str) -> list[str]:
    words = []
    start = 0
    for match in KHMER_WORD.finditer(run):
        if match.start() > start:
            words.append(run[start : match.start()])
        words.append(match.group())
        start = match.end()
    if start < len(run):
        words.append(run[start:])
    return words


# small, because a word without spaces has many pieces
@lru_cache(maxsize=4_096)
def _pieces(word: str) -> tuple[str, ...]:
    """Return the parts of a word that let an unknown one resemble known ones."""
    if KHMER.match(word):
        word = word[:24]
        return tuple("k:" + word[i : i + n] for n in (3, 4, 6) for i in range(len(word) - n + 1))
    if len(word) < 5:
        return ()
    return (
        ("<:" + word[:4], "<:" + word[:6], ">:" + word[-3:])
        if len(word) > 6
        else ("<:" + word[:4], ">:" + word[-3:])
    )


def _add_ngrams(found: Features, tokens: list[str]) -> None:
    grams = ["w:" + token for token in tokens]
    padded = ["^", *tokens, "$"]
    grams += [f"b:{a} {b}" for a, b in pairwise(padded)]
    for token in tokens:
        grams += _pieces(token)
    weight = 1 / math.sqrt(len(grams) + 1)
    for gram in grams:
        found[gram] = found.get(gram, 0.0) + weight


def _add_tags(found: Features, tags: list[tuple[int, str]]) -> None:
    for index, (position, tag) in enumerate(tags):
        found["t:" + tag] = min(found.get("t:" + tag, 0.0) + 1.0, 3.0)
        if tag.islower():
            continue
        for other_position, other in tags[index + 1 :]:
            if other_position - position > WINDOW:
                break
            if other_position > position and other.isupper():
                found[f"t:{tag}>{other}"] = 1.0


@cache
def _vectors() -> tuple[dict[str, int], memoryview]:
    data = VECTORS.read_bytes()
    end = data.index(b"\n")
    return {word: i for i, word in enumerate(data[:end].decode().split())}, memoryview(data)[end + 1 :].cast(
        "b"
    )


def _add_meaning(found: Features, tokens: list[str]) -> None:
    """Add the mean of the words' vectors, the frequent words counting less."""
    numbers, vectors = _vectors()
    total = [0.0] * DIRECTIONS
    weight = 0.0
    for token in tokens:
        number = numbers.get(token.removesuffix("'s"))
        if number is None:
            continue
        share = (number + 100) / (number + 250)
        weight += share
        start = number * DIRECTIONS
        for i, value in enumerate(vectors[start : start + DIRECTIONS]):
            total[i] += share * value
    if weight:
        size = MEANING / math.sqrt(weight * weight + 1)
        for i, component in enumerate(total):
            found[f"v:{i}"] = component * size


TROUBLE = (
    "t:HARM",
    "t:BAD",
    "t:EXPOSE",
    "t:DOUBT",
    "t:LEAVE",
    "p:unlawful",
    "p:penalty",
    "p:discretion",
    "p:liable",
)
EASE = (
    "t:DONE",
    "t:GOOD",
    "t:CTRL",
    "p:denial",
    "p:resolved",
    "p:mgmt_talk",
    "p:software_err",
    "p:code",
    "p:definition",
)
LACK = (
    "t:NEG",
    "t:STILL",
    "p:notyet",
    "p:absent",
    "p:there_is_no",
    "p:has_no",
    "p:without_x",
    "p:nothing_left",
)


def has_trouble(found: Features) -> bool:
    """Tell whether a sentence's cues speak of trouble or lack at all."""
    return any(name in found for name in (*TROUBLE, *LACK, "p:harm_of", "p:scope_creep"))


def _add_stance(found: Features) -> None:
    """Add what the cues say together: trouble or lack that nothing in the sentence eases, or none at all."""
    kinds = "".join(str(int(any(name in found for name in names))) for names in (TROUBLE, LACK, EASE))
    found[f"c:{kinds}"] = 1.0
    for name in ("t:MODAL", "t:COND", "t:PAST", "t:NOW", "t:OBLIG", "t:WILL", "t:PARTY"):
        if name in found:
            found[f"c:{kinds}{name}"] = 1.0


class Model:
    """Weights, ready to score."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._scale: float = data["scale"]
        self._detect: dict[str, int] = data["detect"]
        self._categories: dict[str, list[int]] = data["categories"]
        self.threshold: float = data["threshold"]

    def risk(self, found: Features) -> float:
        """Return how likely the sentence is a risk, as log odds."""
        weights = self._detect
        total = float(weights[""])
        for name, value in found.items():
            weight = weights.get(name)
            if weight:
                total += weight * value
        return total / self._scale

    def categories(self, found: Features) -> list[float]:
        """Return a score for each of CATEGORIES."""
        totals = [float(weight) for weight in self._categories[""]]
        for name, value in found.items():
            row = self._categories.get(name)
            if row:
                for i, weight in enumerate(row):
                    if weight:
                        totals[i] += weight * value
        return [total / self._scale for total in totals]


@cache
def model() -> Model:
    """Load the model beside this file, once."""
    return Model(json.loads((Path(__file__).parent / "model.json").read_bytes()))
