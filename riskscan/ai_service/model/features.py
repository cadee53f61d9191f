"""The features of a sentence, from which the linear model computes its scores."""

import math
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import pairwise
from operator import add

from ..khmer import KHMER
from .lexicon import DATE_WORDS, KHMER_LEXICON, KHMER_WORD, LEXICON
from .phrases import CONTEXT_FREE_PHRASES, PHRASE_PATTERNS, Phrase, find_phrases
from .word_vectors import DIMENSIONS, load_vectors

TOKEN = re.compile(r"[A-Za-zÀ-ɏ]+(?:['’-][A-Za-zÀ-ɏ]+)*|\d[\d.,:/]*|[%$€£?]|[\u1780-\u17b3\u17b6-\u17d3]+")
# two stances at most this many tokens apart make a feature together
STANCE_WINDOW = 6
# scales the mean of a sentence's word vectors to the size of the other features
WORD_VECTOR_SCALE = 0.04
# optional between Khmer words
ZERO_WIDTH_SPACE = "\u200b"
VECTOR_FEATURES = [f"v:{i}" for i in range(DIMENSIONS)]

Features = dict[str, float]
# start and end in the text, the token as the n-grams use it, and its tags
Token = tuple[int, int, str, tuple[str, ...]]


def extract_features(sentence: str, phrases: Iterable[Phrase] = PHRASE_PATTERNS) -> Features:
    """Return the sentence's features: n-grams, scaled to a total length of 1, and cues, 1 for each.

    `phrases` are the patterns to search for: for a part of a sentence, those of phrases_of_parts().
    """
    features: Features = {}
    text = clean(sentence)
    tokens, tags = _tokenize(text)
    _add_ngrams(features, tokens)
    _add_tags(features, tags)
    for name, _ in find_phrases(text, phrases):
        features["p:" + name] = 1.0
    _add_word_vectors(features, tokens)
    _add_polarity(features)
    features["len:" + str(min(len(tokens) // 4, 8))] = 1.0
    if text[-1:] not in ".!?។៕":
        features["open-end"] = 1.0
        if len(tokens) <= 7:
            features["short-open-end"] = 1.0
    return features


def clean(sentence: str) -> str:
    """Return the sentence as the features see it."""
    return sentence.replace("’", "'").replace(ZERO_WIDTH_SPACE, "")


def phrases_of_parts(features: Features) -> list[Phrase]:
    """Return the phrases that may be in a part of a sentence, cut out between words, given its features.

    The patterns take three quarters of the time, and most of them match nothing in the sentence.
    """
    return [
        phrase
        for phrase in PHRASE_PATTERNS
        if phrase[0] not in CONTEXT_FREE_PHRASES or "p:" + phrase[0] in features
    ]


@lru_cache(maxsize=16_384)
def _normalize(token: str) -> tuple[str, tuple[str, ...]]:
    """Return the token as the n-grams use it, and its tags."""
    lower = token.lower()
    if lower[0].isdigit():
        return "#", ("NUM",)
    if lower in DATE_WORDS:
        return "#date", ("DATE", "sch")
    tags = LEXICON.get(lower) or LEXICON.get(lower.removesuffix("'s"))
    if not tags and "-" in lower:
        tags = tuple(tag for part in lower.split("-") for tag in LEXICON.get(part, ()))
    if not tags and re.match(r"(?:un|in|im|ir|il|dis|mis)\w{4,}(?:ed|able|ible|ent|ate)$", lower):
        tags = ("BAD",)
    return lower, tags or ()


def _tokenize(text: str) -> tuple[list[str], list[tuple[int, str]]]:
    """Return the tokens, and the tags with the position of their token."""
    tokens: list[str] = []
    tags: list[tuple[int, str]] = []
    for _, _, word, word_tags in find_tokens(text):
        tags.extend((len(tokens), tag) for tag in word_tags)
        tokens.append(word)
    return tokens, tags


def find_tokens(text: str) -> Iterator[Token]:
    """Find the tokens of a clean text."""
    for match in TOKEN.finditer(text):
        token = match.group()
        if KHMER.match(token):
            start = match.start()
            for word in _segment_khmer(token):
                yield start, start + len(word), word, tuple(KHMER_LEXICON.get(word, ()))
                start += len(word)
        else:
            word, tags = _normalize(token)
            yield match.start(), match.end(), word, tags


def _segment_khmer(run: str) -> list[str]:
    """Cut a run of Khmer into known words and the unknown pieces between them."""
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


# a smaller cache, because an unknown piece of Khmer has many subwords
@lru_cache(maxsize=4_096)
def split_into_subwords(word: str) -> tuple[str, ...]:
    """Return the parts of a word by which an unknown word resembles known ones."""
    if KHMER.match(word):
        word = word[:24]
        return tuple("k:" + word[i : i + n] for n in (3, 4, 6) for i in range(len(word) - n + 1))
    if len(word) < 5:
        return ()
    if len(word) <= 6:
        return "<:" + word[:4], ">:" + word[-3:]
    return "<:" + word[:4], "<:" + word[:6], ">:" + word[-3:]


def _add_ngrams(features: Features, tokens: list[str]) -> None:
    grams = ["w:" + token for token in tokens]
    padded = ["^", *tokens, "$"]
    grams += [f"b:{a} {b}" for a, b in pairwise(padded)]
    for token in tokens:
        grams += split_into_subwords(token)
    weight = 1 / math.sqrt(len(grams) + 1)
    for gram in grams:
        features[gram] = features.get(gram, 0.0) + weight


def _add_tags(features: Features, tags: list[tuple[int, str]]) -> None:
    for _, tag in tags:
        features["t:" + tag] = min(features.get("t:" + tag, 0.0) + 1.0, 3.0)
    for name, _, _ in pair_stances(tags):
        features[name] = 1.0


def pair_stances(tags: Iterable[tuple[int, str]]) -> Iterator[tuple[str, int, int]]:
    """Return the features of two stances near each other, with the positions of their tokens."""
    # the stances of each position, once each: a word with many hyphens has hundreds
    stances: dict[int, dict[str, None]] = {}
    for position, tag in tags:
        if tag.isupper():
            stances.setdefault(position, {})[tag] = None
    for position, tags_here in stances.items():
        for other_position in range(position + 1, position + STANCE_WINDOW + 1):
            for other in stances.get(other_position, ()):
                for tag in tags_here:
                    yield f"t:{tag}>{other}", position, other_position


def _add_word_vectors(features: Features, tokens: list[str]) -> None:
    """Add the mean of the words' vectors, frequent words weighing less."""
    total = [0.0] * DIMENSIONS
    total_weight = 0.0
    for token in tokens:
        weight, vector = weigh_vector(token)
        if weight:
            total_weight += weight
            total = list(map(add, total, vector))
    if total_weight:
        scale = scale_of_vectors(total_weight)
        features.update(zip(VECTOR_FEATURES, [component * scale for component in total], strict=True))


def scale_of_vectors(total_weight: float) -> float:
    """Return what the sum of the words' vectors is multiplied by."""
    return WORD_VECTOR_SCALE / math.sqrt(total_weight * total_weight + 1)


@lru_cache(maxsize=2_048)
def weigh_vector(token: str) -> tuple[float, tuple[float, ...]]:
    """Return the weight of a word and its vector times this; weight 0 for an unknown word."""
    ranks, vectors = load_vectors()
    rank = ranks.get(token.removesuffix("'s"))
    if rank is None:
        return 0.0, ()
    weight = (rank + 100) / (rank + 250)
    start = rank * DIMENSIONS
    return weight, tuple(weight * value for value in vectors[start : start + DIMENSIONS])


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
RELIEF = (
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


def mentions_trouble(features: Features) -> bool:
    """Return whether any cue of the sentence stands for trouble or lack."""
    return not features.keys().isdisjoint((*TROUBLE, *LACK, "p:harm_of", "p:scope_creep"))


def _add_polarity(features: Features) -> None:
    """Add which of trouble, lack and relief the cues stand for, alone and with tense, modality and party."""
    flags = "".join("01"[not features.keys().isdisjoint(names)] for names in (TROUBLE, LACK, RELIEF))
    features[f"c:{flags}"] = 1.0
    for name in ("t:MODAL", "t:COND", "t:PAST", "t:NOW", "t:OBLIG", "t:WILL", "t:PARTY"):
        if name in features:
            features[f"c:{flags}{name}"] = 1.0
