"""Train the linear model on the labelled sentences of the repository (see data.py).

`python -m training.train` writes riskscan/ai_service/model/model.json; `--cross-validate` only prints the
results of five-fold cross-validation. The model depends on nothing but the sentences and the features.
"""

import argparse
import json
import math
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from riskscan.ai_service.categories import CATEGORIES
from riskscan.ai_service.model.features import extract_features
from riskscan.ai_service.model.linear import MODEL_FILE, LinearModel
from training.data import Example, read_examples

# weights are stored as integers, multiplied by this
SCALE = 200
# a feature with no category weight above this, in units of 1 / SCALE, is left out
MIN_CATEGORY_WEIGHT = 3
EPOCHS = 6
# AdaGrad's learning rate and the strength of the L2 penalty
LEARNING_RATE = 0.12
L2_PENALTY = 2e-4
# below 0, because missing a risk is worse than reading a harmless sentence
THRESHOLD = -0.3
SEED = 7
# the weights depend on the order of the sentences, so that the mean over several orders is taken
ORDERS = 4


# the features of a sentence, by their number
Row = list[tuple[int, float]]


def train(examples: Sequence[Example]) -> dict[str, Any]:
    """Return the content of model.json."""
    features = [extract_features(example.text) for example in examples]
    counts = Counter(name for one in features for name in one)
    # a feature that occurs once does not generalize
    names = sorted(name for name, count in counts.items() if count > 1)
    number = {name: i for i, name in enumerate(names)}
    rows = [[(number[name], value) for name, value in one.items() if name in number] for one in features]
    labels = [bool(example.categories) for example in examples]
    risks = [i for i, example in enumerate(examples) if example.categories]
    risk_rows, targets = [rows[i] for i in risks], [examples[i].categories for i in risks]
    seeds = range(SEED, SEED + ORDERS)
    risk_weights = _mean([_fit_risk(rows, labels, len(names), seed) for seed in seeds])
    runs = [_fit_categories(risk_rows, targets, len(names), seed) for seed in seeds]
    category_weights = [_mean([run[i] for run in runs]) for i in range(len(names) + 1)]
    # the last weight is the bias, stored under an empty name
    names.append("")
    return {
        "scale": SCALE,
        "threshold": THRESHOLD,
        "detect": {
            name: weight
            for name, weight in zip(names, _to_integers(risk_weights), strict=True)
            if weight or not name
        },
        "categories": {
            name: row
            for name, row in zip(names, map(_to_integers, category_weights), strict=True)
            if any(abs(weight) > MIN_CATEGORY_WEIGHT for weight in row) or not name
        },
    }


def _mean(rows: list[list[float]]) -> list[float]:
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def _to_integers(weights: list[float]) -> list[int]:
    return [round(weight * SCALE) for weight in weights]


def _fit_risk(rows: list[Row], labels: list[bool], size: int, seed: int) -> list[float]:
    """Fit logistic regression with AdaGrad; return the mean weights of the last half of the epochs."""
    weights, squares, total = [0.0] * (size + 1), [1e-2] * (size + 1), [0.0] * (size + 1)
    order = list(range(len(rows)))
    shuffle = random.Random(seed)  # noqa: S311 - an order, not a secret
    averaged = 0
    for epoch in range(EPOCHS):
        shuffle.shuffle(order)
        for i in order:
            row = rows[i]
            score = weights[size] + sum(weights[j] * value for j, value in row)
            error = 1 / (1 + math.exp(-max(-30.0, min(30.0, score)))) - labels[i]
            for j, value in (*row, (size, 1.0)):
                gradient = error * value + L2_PENALTY * weights[j]
                squares[j] += gradient * gradient
                weights[j] -= LEARNING_RATE * gradient / math.sqrt(squares[j])
        if epoch >= EPOCHS // 2:
            averaged += 1
            for j, weight in enumerate(weights):
                total[j] += weight
    return [weight / averaged for weight in total]


def _fit_categories(
    rows: list[Row], targets: list[tuple[int, ...]], size: int, seed: int
) -> list[list[float]]:
    """Fit softmax regression in the same way."""
    categories = range(len(CATEGORIES))
    weights = [[0.0] * len(CATEGORIES) for _ in range(size + 1)]
    squares = [[1e-2] * len(CATEGORIES) for _ in range(size + 1)]
    total = [[0.0] * len(CATEGORIES) for _ in range(size + 1)]
    order = list(range(len(rows)))
    shuffle = random.Random(seed)  # noqa: S311 - an order, not a secret
    averaged = 0
    for epoch in range(EPOCHS):
        shuffle.shuffle(order)
        for i in order:
            row = [*rows[i], (size, 1.0)]
            scores = [sum(weights[j][k] * value for j, value in row) for k in categories]
            errors = _softmax_errors(scores, targets[i])
            for j, value in row:
                row_weights, row_squares = weights[j], squares[j]
                for k in categories:
                    gradient = errors[k] * value + L2_PENALTY * row_weights[k]
                    row_squares[k] += gradient * gradient
                    row_weights[k] -= LEARNING_RATE * gradient / math.sqrt(row_squares[k])
        if epoch >= EPOCHS // 2:
            averaged += 1
            for j, row_weights in enumerate(weights):
                for k in categories:
                    total[j][k] += row_weights[k]
    return [[weight / averaged for weight in row] for row in total]


def _softmax_errors(scores: list[float], target: tuple[int, ...]) -> list[float]:
    """Return probabilities minus target: 1 for the category, or 0.65 and the rest for further ones."""
    highest = max(scores)
    powers = [math.exp(score - highest) for score in scores]
    norm = sum(powers)
    errors = [power / norm for power in powers]
    best, *others = target
    errors[best] -= 0.65 if others else 1.0
    for k in others:
        errors[k] -= 0.35 / len(others)
    return errors


class Prediction(NamedTuple):
    """What a model that was trained without the example says of it."""

    example: Example
    score: float
    is_risk: bool
    category: int

    @property
    def error(self) -> str:
        """Describe the error; empty if the prediction is right."""
        categories = self.example.categories
        if not categories:
            return "false alarm" if self.is_risk else ""
        if not self.is_risk:
            return "missed"
        if self.category in categories:
            return ""
        return f"{CATEGORIES[self.category]} for {CATEGORIES[categories[0]]}"


def predict(examples: list[Example]) -> list[Prediction]:
    """Predict each fifth of the examples by a model trained on the other four."""
    order = list(range(len(examples)))
    random.Random(SEED).shuffle(order)  # noqa: S311 - an order, not a secret
    predictions = []
    for fold in range(5):
        held_out = set(order[fold::5])
        model = LinearModel(train([one for i, one in enumerate(examples) if i not in held_out]))
        for i in sorted(held_out):
            features = extract_features(examples[i].text)
            score, scores = model.risk_score(features), model.category_scores(features)
            best = scores.index(max(scores))
            predictions.append(Prediction(examples[i], score, score > model.threshold, best))
    return predictions


def cross_validate(examples: list[Example], show: bool) -> None:
    """Print recall, false alarms and category accuracy; `show` prints the errors too."""
    predictions = predict(examples)
    risks = [one for one in predictions if one.example.categories]
    negatives = [one for one in predictions if not one.example.categories]
    hits, alarms = sum(one.is_risk for one in risks), sum(one.is_risk for one in negatives)
    right = sum(one.category in one.example.categories for one in risks)
    print(f"recall {hits / len(risks):.1%} of {len(risks)},", end=" ")
    print(f"false alarms {alarms / len(negatives):.1%} of {len(negatives)},")
    print(f"category {right / len(risks):.1%}")
    if show:
        wrong = [one for one in predictions if one.error]
        for one in sorted(wrong, key=lambda one: (one.error, one.score)):
            print(f"{one.score:6.2f} {one.error}: {one.example.text}")


def build_model_json() -> str:
    """Train on all sentences and return the text of model.json."""
    data = train(read_examples())
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"


def main() -> None:
    """Train and write the model, or cross-validate."""
    parser = argparse.ArgumentParser(description="Train the local model on training/sentences.")
    parser.add_argument("--cross-validate", action="store_true")
    parser.add_argument("--show", action="store_true", help="with --cross-validate: print the errors")
    options = parser.parse_args()
    if options.cross_validate:
        cross_validate(read_examples(), options.show)
    else:
        MODEL_FILE.write_text(build_model_json(), "utf-8")
        print(f"{len(read_examples())} sentences, {MODEL_FILE.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
