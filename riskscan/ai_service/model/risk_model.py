"""The model of risks: the linear model and, for English, the sentence encoder, added up."""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from ..categories import CATEGORIES
from ..khmer import KHMER
from .encoder import Context, Encoder, Reading, load_encoder, load_weights
from .features import Features, extract_features
from .linear import load_model

# what the linear model puts below this is not read, to save time: a tenth of the sentences of the validation
# documents, and one in 37 of their risks
LINEAR_FLOOR = -4.0
# in log odds, chosen on documents that neither model was trained on
THRESHOLD = -1.2
# of sentences above this, in the encoder's log odds, the context is read too: one in eight
CONTEXT_FLOOR = -1.75
# a plain risk is one whatever surrounds it: from a sentence of at most so many words, which the linear model
# does not put below PLAIN_LINEAR, what stands before it takes at most MAX_LOSS
PLAIN_WORDS, PLAIN_LINEAR, MAX_LOSS = 16, -0.5, 0.3
# of the probability of a category, the rest is the encoder's: the linear model is better at short sentences
LINEAR_CATEGORY_PART = 0.4
# of a few sentences that somebody pastes, more are risks than of a document: added to the log odds, and to
# the weight of the linear model, which is the surer one of short sentences
SHORT_TEXT_SENTENCES = 10
SHORT_TEXT_BONUS, SHORT_TEXT_LINEAR = 1.6, 0.9
# in log odds, by the kind of document: in contracts that were not trained on, 76 % of the exposing clauses
# are found, with a third of the words; of terms of use one sentence in eight is reported
KIND_BONUS = {"contract": 1.2, "terms": -0.5}
SHORT_TEXT, BEFORE = "one of a few sentences", "what stands before it"
KIND_NAMES = {"contract": "a contract", "terms": "terms of use"}
# of a longer document the encoder reads only what the linear model takes for a risk, and no context: it would
# take 20 seconds
LONG_DOCUMENT_SENTENCES = 3_000
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
        scores = to_probabilities(load_model().category_scores(self.features))
        if self.reading:
            others = to_probabilities(self.reading.categories)
            scores = [
                own + LINEAR_CATEGORY_PART * (one - own) for one, own in zip(scores, others, strict=True)
            ]
        return CATEGORIES[scores.index(max(scores))]


def to_probabilities(scores: Sequence[float]) -> list[float]:
    """Return the softmax of scores."""
    powers = [math.exp(score - max(scores)) for score in scores]
    return [power / sum(powers) for power in powers]


def judge(
    texts: Sequence[str], count: int, kind: str = "", contexts: Sequence[Context] = ()
) -> list[Judgement]:
    """Judge sentences of a document that has `count` of them and is of a kind, in their order.

    `contexts`, if any, has one for each.
    """
    linear = load_model()
    features = [extract_features(text) for text in texts]
    scores = [linear.risk_score(one) - linear.threshold for one in features]
    is_long = count > LONG_DOCUMENT_SENTENCES
    floor = 0.0 if is_long else LINEAR_FLOOR
    chosen = [i for i, text in enumerate(texts) if scores[i] > floor and not KHMER.search(text)]
    readings: dict[int, Reading] = {}
    if encoder := load_encoder():
        plain = [EMPHASIS.sub("", texts[i]) for i in chosen]
        # contracts and terms were learned without context
        has_context = contexts and not kind and not is_long
        its = [contexts[i] for i in chosen] if has_context else []
        read = zip(chosen, read_in_context(encoder, plain, its), strict=True)
        readings = {i: limit_loss(reading, scores[i], texts[i]) for i, reading in read}
    return [
        _add_up(scores[i], one, readings[i], count, kind) if i in readings else Judgement(scores[i], one)
        for i, one in enumerate(features)
    ]


def read_in_context(encoder: Encoder, texts: Sequence[str], contexts: Sequence[Context]) -> list[Reading]:
    """Return the readings of sentences, in their context where they may be risks without it."""
    readings = encoder.read(texts)
    doubtful = [i for i, its in enumerate(contexts) if any(its) and readings[i].risk > CONTEXT_FLOOR]
    again = encoder.read([texts[i] for i in doubtful], [contexts[i] for i in doubtful])
    for i, reading in zip(doubtful, again, strict=True):
        added = reading.risk - readings[i].risk
        readings[i] = readings[i]._replace(risk=reading.risk, categories=reading.categories, context=added)
    return readings


def limit_loss(reading: Reading, linear_score: float, text: str) -> Reading:
    """Return the reading of a sentence; a plain risk has not lost more than MAX_LOSS by its context."""
    too_much = -MAX_LOSS - reading.context
    if too_much <= 0 or linear_score < PLAIN_LINEAR or len(text.split()) > PLAIN_WORDS:
        return reading
    return reading._replace(risk=reading.risk + too_much, context=-MAX_LOSS)


def _add_up(linear_score: float, features: Features, reading: Reading, count: int, kind: str) -> Judgement:
    weights = load_weights()
    linear_weight = weights["linear"]
    circumstances = {f"stands in {KIND_NAMES[kind]}": KIND_BONUS[kind]} if kind else {}
    if count < SHORT_TEXT_SENTENCES:
        linear_weight += SHORT_TEXT_LINEAR
        circumstances[SHORT_TEXT] = SHORT_TEXT_BONUS
    score = linear_weight * linear_score + weights["encoder"] * reading.risk + weights["bias"] - THRESHOLD
    score += sum(circumstances.values())
    if reading.context:
        circumstances[BEFORE] = weights["encoder"] * reading.context
    return Judgement(score, features, reading, linear_weight, tuple(circumstances.items()))
