"""The features of a sentence, from which the linear model computes its scores."""

import math
import re
from functools import lru_cache
from itertools import pairwise

from ..khmer import KHMER
from .lexicon import DATE_WORDS, KHMER_LEXICON, KHMER_WORD, LEXICON
from .phrases import PHRASE_PATTERNS
from .word_vectors import DIMENSIONS, load_vectors

TOKEN = re.compile(r"[A-Za-zÀ-ɏ]+(?:['’-][A-Za-zÀ-ɏ]+)*|\d[\d.,:/]*|[%$€£?]|[\u1780-\u17b3\u17b6-\u17d3]+")
# two stances at most this many tokens apart make a feature together
STANCE_WINDOW = 6
# scales the mean of a sentence's word vectors to the size of the other features
WORD_VECTOR_SCALE = 0.04

Features = dict[str, float]


def extract_features(sentence: str) -> Features:
    """Return the sentence's features: n-grams, scaled to a total length of 1, and cues, 1 for each."""
    features: Features = {}
    # zero-width spaces between Khmer words are optional
    text = sentence.replace("’", "'").replace("\u200b", "")
    tokens, tags = _tokenize(text)
    _add_ngrams(features, tokens)
    _add_tags(features, tags)
    for name, pattern in PHRASE_PATTERNS:
        if pattern.search(text):
            features["p:" + name] = 1.0
    _add_word_vectors(features, tokens)
    _add_polarity(features)
    features["len:" + str(min(len(tokens) // 4, 8))] = 1.0
    if text[-1:] not in ".!?។៕":
        features["open-end"] = 1.0
        if len(tokens) <= 7:
            features["short-open-end"] = 1.0
    return features


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
    for match in TOKEN.finditer(text):
        token = match.group()
        if KHMER.match(token):
            for word in _segment_khmer(token):
                tags.extend((len(tokens), tag) for tag in KHMER_LEXICON.get(word, ()))
                tokens.append(word)
            continue
        word, word_tags = _normalize(token)
        tags.extend((len(tokens), tag) for tag in word_tags)
        tokens.append(word)
    return tokens, tags


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
def _subwords(word: str) -> tuple[str, ...]:
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
        grams += _subwords(token)
    weight = 1 / math.sqrt(len(grams) + 1)
    for gram in grams:
        features[gram] = features.get(gram, 0.0) + weight


def _add_tags(features: Features, tags: list[tuple[int, str]]) -> None:
    for index, (position, tag) in enumerate(tags):
        features["t:" + tag] = min(features.get("t:" + tag, 0.0) + 1.0, 3.0)
        if tag.islower():
            continue
        for other_position, other in tags[index + 1 :]:
            if other_position - position > STANCE_WINDOW:
                break
            if other_position > position and other.isupper():
                features[f"t:{tag}>{other}"] = 1.0


def _add_word_vectors(features: Features, tokens: list[str]) -> None:
    """Add the mean of the words' vectors, frequent words weighing less."""
    ranks, vectors = load_vectors()
    total = [0.0] * DIMENSIONS
    total_weight = 0.0
    for token in tokens:
        rank = ranks.get(token.removesuffix("'s"))
        if rank is None:
            continue
        weight = (rank + 100) / (rank + 250)
        total_weight += weight
        start = rank * DIMENSIONS
        for i, value in enumerate(vectors[start : start + DIMENSIONS]):
            total[i] += weight * value
    if total_weight:
        scale = WORD_VECTOR_SCALE / math.sqrt(total_weight * total_weight + 1)
        for i, component in enumerate(total):
            features[f"v:{i}"] = component * scale


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
    return any(name in features for name in (*TROUBLE, *LACK, "p:harm_of", "p:scope_creep"))


def _add_polarity(features: Features) -> None:
    """Add which of trouble, lack and relief the cues stand for, alone and with tense, modality and party."""
    flags = "".join(str(int(any(name in features for name in names))) for names in (TROUBLE, LACK, RELIEF))
    features[f"c:{flags}"] = 1.0
    for name in ("t:MODAL", "t:COND", "t:PAST", "t:NOW", "t:OBLIG", "t:WILL", "t:PARTY"):
        if name in features:
            features[f"c:{flags}{name}"] = 1.0
