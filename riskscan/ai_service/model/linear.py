"""The linear model: the risk score and the category scores of a sentence's features.

training/train.py learns the weights from labelled sentences and writes model.json.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from ..categories import CATEGORIES
from .features import Features

MODEL_FILE = Path(__file__).parent / "model.json"


class LinearModel:
    """The weights of the risk score and of the categories."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._scale: float = data["scale"]
        self._risk_weights: dict[str, int] = data["detect"]
        self._category_weights: dict[str, list[int]] = data["categories"]
        self.threshold: float = data["threshold"]

    def risk_score(self, features: Features) -> float:
        """Return the log odds that the sentence is a risk."""
        weights = self._risk_weights
        total = float(weights[""])
        for name, value in features.items():
            weight = weights.get(name)
            if weight:
                total += weight * value
        return total / self._scale

    def contribution(self, name: str, value: float) -> float:
        """Return what a feature contributes to the risk score."""
        return self._risk_weights.get(name, 0) * value / self._scale

    def category_scores(self, features: Features) -> list[float]:
        """Return a score for each of CATEGORIES."""
        totals = [float(weight) for weight in self._category_weights[""]]
        for name, value in features.items():
            row = self._category_weights.get(name)
            if row:
                for i, weight in enumerate(row):
                    if weight:
                        totals[i] += weight * value
        return [total / self._scale for total in totals]

    def best_category(self, features: Features) -> str:
        scores = self.category_scores(features)
        return CATEGORIES[scores.index(max(scores))]


@cache
def load_model() -> LinearModel:
    """Load model.json, once per process."""
    return LinearModel(json.loads(MODEL_FILE.read_bytes()))
