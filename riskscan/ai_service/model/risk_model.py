"""The model of risks: the linear model and, for English, the sentence encoder, added up."""

from collections.abc import Sequence
from typing import NamedTuple

from ..categories import CATEGORIES
from ..khmer import KHMER
from .encoder import load_encoder, load_weights
from .features import Features, extract_features
from .linear import load_model

# what the linear model puts below this is not read: half of the sentences of held-out documents
# and 3 of the 87 risks that it would find in them
LINEAR_FLOOR = -2.0
# in log odds, chosen on documents that neither model was trained on
THRESHOLD = -1.0


class Judgement(NamedTuple):
    """What the model says of a sentence; `score` is in log odds above the threshold."""

    score: float
    category: str
    features: Features


def judge(texts: Sequence[str], *, is_long: bool = False) -> list[Judgement]:
    """Judge sentences, in their order; of a long document the encoder reads fewer."""
    linear = load_model()
    features = [extract_features(text) for text in texts]
    scores = [linear.risk_score(one) - linear.threshold for one in features]
    judgements = [
        Judgement(score, linear.best_category(one) if score > 0 else "", one)
        for score, one in zip(scores, features, strict=True)
    ]
    encoder = load_encoder()
    if encoder is None:
        return judgements
    weights = load_weights()
    floor = 0.0 if is_long else LINEAR_FLOOR
    chosen = [i for i, text in enumerate(texts) if scores[i] > floor and not KHMER.search(text)]
    for i, reading in zip(chosen, encoder.read([texts[i] for i in chosen]), strict=True):
        score = (
            weights["linear"] * scores[i] + weights["encoder"] * reading.risk + weights["bias"] - THRESHOLD
        )
        categories = list(map(sum, zip(linear.category_scores(features[i]), reading.categories, strict=True)))
        best = CATEGORIES[categories.index(max(categories))]
        judgements[i] = Judgement(score, best, features[i])
    return judgements
