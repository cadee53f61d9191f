"""The model of risks: the linear model and, for English, the sentence encoder, added up."""

import re
from collections.abc import Sequence
from operator import add
from typing import NamedTuple

from ..categories import CATEGORIES
from ..khmer import KHMER
from .encoder import Reading, load_encoder, load_weights
from .features import Features, extract_features
from .linear import load_model

# what the linear model puts below this is not read: half of the sentences of held-out documents
# and 3 of the 87 risks that it would find in them
LINEAR_FLOOR = -2.0
# in log odds, chosen on documents that neither model was trained on
THRESHOLD = -1.0
# of a few sentences that somebody pastes, more are risks than of a document: added to the log odds, and to
# the weight of the linear model, which is the surer one of short sentences
SHORT_TEXT_SENTENCES = 10
SHORT_TEXT_BONUS, SHORT_TEXT_LINEAR = 1.2, 0.3
# in log odds, by the kind of document: chosen on contracts and terms that the encoder was not trained on, but
# those that docs/analyser.md has figures of are among them
KIND_BONUS = {"contract": 0.75, "terms": -0.25}
SHORT_TEXT = "one of a few sentences"
KIND_NAMES = {"contract": "a contract", "terms": "terms of use"}
# of the clauses that expose a party, a quarter are below the other floor
LEGAL_LINEAR_FLOOR = -4.0
# of a longer document the encoder reads only what the linear model takes for a risk: it would take 20 seconds
LONG_DOCUMENT_SENTENCES = 4_000
# a longer contract is read as other documents are, for the same reason
LONG_CONTRACT_SENTENCES = 2_000
EMPHASIS = re.compile(r"\*\*|__|`")


class Judgement(NamedTuple):
    """What the model says of a sentence; `score` is in log odds above the threshold.

    `reading` is the encoder's, None where it did not read the sentence, `linear_weight` the weight of the
    linear model's log odds in the score, and `circumstances` are what the document adds to it.
    """

    score: float
    features: Features
    reading: Reading | None = None
    linear_weight: float = 1.0
    circumstances: tuple[tuple[str, float], ...] = ()

    @property
    def category(self) -> str:
        scores = load_model().category_scores(self.features)
        if self.reading:
            scores = list(map(add, scores, self.reading.categories))
        return CATEGORIES[scores.index(max(scores))]


def judge(texts: Sequence[str], count: int, kind: str = "") -> list[Judgement]:
    """Judge sentences of a document that has `count` of them and is of a kind, in their order."""
    linear = load_model()
    features = [extract_features(text) for text in texts]
    scores = [linear.risk_score(one) - linear.threshold for one in features]
    floor = choose_linear_floor(count, kind)
    chosen = [i for i, text in enumerate(texts) if scores[i] > floor and not KHMER.search(text)]
    encoder = load_encoder()
    plain = [EMPHASIS.sub("", texts[i]) for i in chosen]
    readings = dict(zip(chosen, encoder.read(plain), strict=True)) if encoder else {}
    return [
        _add_up(scores[i], one, readings[i], count, kind) if i in readings else Judgement(scores[i], one)
        for i, one in enumerate(features)
    ]


def choose_linear_floor(count: int, kind: str) -> float:
    """Return above which score of the linear model a sentence is read by the encoder."""
    if count > LONG_DOCUMENT_SENTENCES:
        return 0.0
    return LEGAL_LINEAR_FLOOR if kind and count <= LONG_CONTRACT_SENTENCES else LINEAR_FLOOR


def _add_up(linear_score: float, features: Features, reading: Reading, count: int, kind: str) -> Judgement:
    weights = load_weights()
    linear_weight = weights["linear"]
    circumstances = {f"stands in {KIND_NAMES[kind]}": KIND_BONUS[kind]} if kind else {}
    if count < SHORT_TEXT_SENTENCES:
        linear_weight += SHORT_TEXT_LINEAR
        circumstances[SHORT_TEXT] = SHORT_TEXT_BONUS
    score = linear_weight * linear_score + weights["encoder"] * reading.risk + weights["bias"] - THRESHOLD
    score += sum(circumstances.values())
    return Judgement(score, features, reading, linear_weight, tuple(circumstances.items()))
