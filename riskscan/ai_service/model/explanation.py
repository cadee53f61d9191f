"""Why a sentence is a finding: what its words contribute to the score."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise
from operator import mul
from typing import NamedTuple

from .encoder import MAX_TOKENS, load_weights
from .features import (
    VECTOR_FEATURES,
    ZERO_WIDTH_SPACE,
    Features,
    Token,
    clean,
    find_tokens,
    pair_stances,
    scale_of_vectors,
    split_into_subwords,
    weigh_vector,
)
from .linear import load_model
from .phrases import PHRASE_PATTERNS, find_phrases
from .risk_model import EMPHASIS, Judgement
from .wordpiece import encode_with_starts

WHOLE = "the sentence as a whole"
SECTIONS = {
    "risks": "stands where risks are listed",
    "neutral": "stands in a section that is not about risks",
    "closed": "stands under a heading of closed points",
}
# words that contribute less count with the sentence as a whole, and so do those beyond the limit
MIN_WEIGHT = 0.1
MAX_WORDS = 55


class Cue(NamedTuple):
    """A word of the sentence, or something else that speaks for a risk (weight > 0) or against it (< 0).

    `start` is where the word stands in the sentence, None for something else.
    """

    text: str
    weight: float
    start: int | None


def explain(text: str, judgement: Judgement, score: float, section: str = "") -> list[Cue]:
    """Return what contributes to the score of a sentence, the strongest word first.

    `score` is the finding's: the judgement's and what the kind of section adds. The weights add up to it; the
    last cue has what no single word explains.
    """
    cleaned = clean(text)
    tokens = list(find_tokens(cleaned))
    spans = _locate_words(text, tokens)
    weights = [0.0] * len(spans)
    for word, weight in _contributions_of_features(cleaned, tokens, judgement.features):
        weights[word] += judgement.linear_weight * weight
    if judgement.reading:
        for word, weight in _contributions_of_pieces(text, spans, judgement.reading.contributions):
            weights[word] += load_weights()["encoder"] * weight
    cues = [
        Cue(text[start:end], round(weight, 2), start)
        for (start, end), weight in zip(spans, weights, strict=True)
        if abs(weight) >= MIN_WEIGHT
    ]
    cues = sorted(cues, key=lambda cue: -abs(cue.weight))[:MAX_WORDS]
    cues += [Cue(name, round(weight, 2), None) for name, weight in judgement.circumstances]
    if added := round(score - judgement.score, 2):
        cues.append(Cue(SECTIONS[section], added, None))
    return [*cues, Cue(WHOLE, round(score - sum(cue.weight for cue in cues), 2), None)]


def _locate_words(text: str, tokens: Sequence[Token]) -> list[tuple[int, int]]:
    """Return the start and end of each token of the features in the text as it is."""
    kept = [i for i, character in enumerate(text) if character != ZERO_WIDTH_SPACE]
    return [(kept[start], kept[end - 1] + 1) for start, end, _, _ in tokens]


def _contributions_of_features(
    text: str, tokens: Sequence[Token], features: Features
) -> Iterator[tuple[int, float]]:
    """Return what the features contribute to the linear model's score, by the number of the token."""
    model = load_model()
    for name, places in _find_places(text, tokens, features).items():
        # the occurrences of a feature weigh the same
        share = model.contribution(name, features[name]) / len(places)
        if share:
            yield from ((place, share) for place in places)
    vectors = [weigh_vector(word) for _, _, word, _ in tokens]
    scale = scale_of_vectors(sum(weight for weight, _ in vectors))
    weights = [model.contribution(name, scale) for name in VECTOR_FEATURES]
    for number, (weight, vector) in enumerate(vectors):
        if weight:
            yield number, sum(map(mul, weights, vector))


def _find_places(text: str, tokens: Sequence[Token], features: Features) -> dict[str, list[int]]:
    """Return the numbers of the tokens from which each feature comes, unless it comes from them all."""
    places: dict[str, list[int]] = defaultdict(list)
    words = [word for _, _, word, _ in tokens]
    tags = [(i, tag) for i, (_, _, _, its_tags) in enumerate(tokens) for tag in its_tags]
    for i, word in enumerate(words):
        for name in ("w:" + word, *split_into_subwords(word)):
            places[name].append(i)
    for i, (one, other) in enumerate(pairwise(["^", *words, "$"])):
        places[f"b:{one} {other}"] += [place for place in (i - 1, i) if 0 <= place < len(words)]
    for i, tag in tags:
        places["t:" + tag].append(i)
    for name, i, j in pair_stances(tags):
        places[name] += (i, j)
    for phrase, match in find_phrases(text, [one for one in PHRASE_PATTERNS if "p:" + one[0] in features]):
        places["p:" + phrase] = [
            i for i, (start, end, _, _) in enumerate(tokens) if start < match.end() and match.start() < end
        ]
    return {name: where for name, where in places.items() if where}


def _contributions_of_pieces(
    text: str, spans: Sequence[tuple[int, int]], contributions: Sequence[float]
) -> Iterator[tuple[int, float]]:
    """Return what the encoder's pieces contribute to its log odds, by the number of the token they are in."""
    left_out = {i for match in EMPHASIS.finditer(text) for i in range(*match.span())}
    kept = [i for i in range(len(text)) if i not in left_out]
    pieces = encode_with_starts("".join(text[i] for i in kept), MAX_TOKENS)
    starts = [start for start, _ in spans]
    for (_, start), contribution in zip(pieces, contributions, strict=True):
        number = bisect_right(starts, kept[start]) - 1 if start >= 0 else -1
        if number >= 0 and kept[start] < spans[number][1]:
            yield number, contribution
