"""Learn the local model's weights from the labelled sentences beside this file.

`python training/train.py` writes riskscan/ai_service/model/model.json; `--cross-validate` only prints how
well four fifths of the sentences tell the fifth, in five turns. Each line of sentences/*.txt is a label and a
sentence: `-` for none, or the letters of its categories, the best one first (F S T L O C X as in
CATEGORIES; X is Other). The result depends on nothing but these lines and the features.
"""

import argparse
import json
import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from riskscan.ai_service.categories import CATEGORIES
from riskscan.ai_service.model.features import extract_features
from riskscan.ai_service.model.linear import MODEL_FILE, LinearModel

HERE = Path(__file__).parent
LETTERS = "FSTLOCX"
SCALE = 200
# a feature that moves no category by more than this, in units of SCALE, is left out
LEAST = 3
DETECT_EPOCHS = 6
CATEGORY_EPOCHS = 6
DETECT_L2 = 2e-4
CATEGORY_L2 = 2e-4
RATE = 0.12
# below 0: a risk that is missed costs a reader more than a sentence read in vain
THRESHOLD = -0.3
SEED = 7
# the order of the sentences leaves its mark on the weights; the mean of a few orders hardly does
ORDERS = 4


class Example(NamedTuple):
    """A labelled sentence: categories are empty where it is no risk."""

    text: str
    categories: tuple[int, ...]


Row = list[tuple[int, float]]


def examples(folder: Path = HERE / "sentences") -> list[Example]:
    """Read the labelled sentences in a fixed order."""
    found = []
    for path in sorted(folder.glob("*.txt")):
        for line in path.read_text("utf-8").splitlines():
            if line and not line.startswith("#"):
                label, text = line.split(" ", 1)
                found.append(Example(text, tuple(LETTERS.index(letter) for letter in label if letter != "-")))
    return found


def train(data: Sequence[Example]) -> dict[str, Any]:
    """Return the model as it is written to model.json."""
    found = [extract_features(example.text) for example in data]
    counts: dict[str, int] = {}
    for one in found:
        for name in one:
            counts[name] = counts.get(name, 0) + 1
    # an n-gram seen once says nothing that carries over
    names = sorted(name for name, count in counts.items() if count > 1)
    number = {name: i for i, name in enumerate(names)}
    rows = [[(number[name], value) for name, value in one.items() if name in number] for one in found]
    labels = [bool(example.categories) for example in data]
    risks = [i for i, example in enumerate(data) if example.categories]
    risk_rows, targets = [rows[i] for i in risks], [data[i].categories for i in risks]
    seeds = range(SEED, SEED + ORDERS)
    detect = _mean([_detector(rows, labels, len(names), seed) for seed in seeds])
    kinds = [_classifier(risk_rows, targets, len(names), seed) for seed in seeds]
    categories = [_mean([one[j] for one in kinds]) for j in range(len(names) + 1)]
    # the last weight belongs to no feature: it is the bias, kept under an empty name
    names.append("")
    return {
        "scale": SCALE,
        "threshold": THRESHOLD,
        "detect": {
            name: weight for name, weight in zip(names, _rounded(detect), strict=True) if weight or not name
        },
        "categories": {
            name: row
            for name, row in zip(names, map(_rounded, categories), strict=True)
            if any(abs(weight) > LEAST for weight in row) or not name
        },
    }


def _mean(rows: list[list[float]]) -> list[float]:
    return [sum(column) / len(rows) for column in zip(*rows, strict=True)]


def _rounded(weights: list[float]) -> list[int]:
    return [round(weight * SCALE) for weight in weights]


def _detector(rows: list[Row], labels: list[bool], size: int, seed: int) -> list[float]:
    """Logistic regression by AdaGrad with an L2 penalty; the weights of the last epochs are averaged."""
    weights, squares, total = [0.0] * (size + 1), [1e-2] * (size + 1), [0.0] * (size + 1)
    order = list(range(len(rows)))
    shuffle = random.Random(seed)  # noqa: S311 - an order, not a secret
    averaged = 0
    for epoch in range(DETECT_EPOCHS):
        shuffle.shuffle(order)
        for i in order:
            row = rows[i]
            score = weights[size] + sum(weights[j] * value for j, value in row)
            error = 1 / (1 + math.exp(-max(-30.0, min(30.0, score)))) - labels[i]
            for j, value in (*row, (size, 1.0)):
                gradient = error * value + DETECT_L2 * weights[j]
                squares[j] += gradient * gradient
                weights[j] -= RATE * gradient / math.sqrt(squares[j])
        if epoch >= DETECT_EPOCHS // 2:
            averaged += 1
            for j, weight in enumerate(weights):
                total[j] += weight
    return [weight / averaged for weight in total]


def _classifier(rows: list[Row], targets: list[tuple[int, ...]], size: int, seed: int) -> list[list[float]]:
    """Softmax regression in the same way; the second best category gets a share of the target."""
    kinds = range(len(CATEGORIES))
    weights = [[0.0] * len(CATEGORIES) for _ in range(size + 1)]
    squares = [[1e-2] * len(CATEGORIES) for _ in range(size + 1)]
    total = [[0.0] * len(CATEGORIES) for _ in range(size + 1)]
    order = list(range(len(rows)))
    shuffle = random.Random(seed)  # noqa: S311 - an order, not a secret
    averaged = 0
    for epoch in range(CATEGORY_EPOCHS):
        shuffle.shuffle(order)
        for i in order:
            row = [*rows[i], (size, 1.0)]
            scores = [sum(weights[j][k] * value for j, value in row) for k in kinds]
            highest = max(scores)
            powers = [math.exp(score - highest) for score in scores]
            norm = sum(powers)
            errors = [power / norm for power in powers]
            others = targets[i][1:]
            errors[targets[i][0]] -= 0.65 if others else 1.0
            for k in others:
                errors[k] -= 0.35 / len(others)
            for j, value in row:
                mine, seen = weights[j], squares[j]
                for k in kinds:
                    gradient = errors[k] * value + CATEGORY_L2 * mine[k]
                    seen[k] += gradient * gradient
                    mine[k] -= RATE * gradient / math.sqrt(seen[k])
        if epoch >= CATEGORY_EPOCHS // 2:
            averaged += 1
            for j, row_weights in enumerate(weights):
                for k in kinds:
                    total[j][k] += row_weights[k]
    return [[weight / averaged for weight in row] for row in total]


def cross_validate(data: list[Example], show: bool) -> None:
    """Print recall, false alarms and category accuracy of sentences that were not trained on."""
    order = list(range(len(data)))
    random.Random(SEED).shuffle(order)  # noqa: S311 - an order, not a secret
    hits = positives = alarms = negatives = right = 0
    wrong: list[tuple[float, str, str]] = []
    for turn in range(5):
        held = set(order[turn::5])
        fitted = LinearModel(train([example for i, example in enumerate(data) if i not in held]))
        for i in sorted(held):
            text, categories = data[i]
            one = extract_features(text)
            score = fitted.risk_score(one)
            found = score > fitted.threshold
            if categories:
                positives += 1
                hits += found
                scores = fitted.category_scores(one)
                best = scores.index(max(scores))
                right += best in categories
                if not found:
                    wrong.append((score, "missed", text))
                elif best not in categories:
                    wrong.append((score, f"{CATEGORIES[best]} for {CATEGORIES[categories[0]]}", text))
            else:
                negatives += 1
                alarms += found
                if found:
                    wrong.append((score, "false alarm", text))
    print(
        f"recall {hits / positives:.1%} of {positives}, false alarms {alarms / negatives:.1%} of {negatives},"
    )
    print(f"category {right / positives:.1%}")
    if show:
        for score, what, text in sorted(wrong, key=lambda item: (item[1], item[0])):
            print(f"{score:6.2f} {what}: {text}")


def made() -> str:
    """Train on all sentences and return the text of model.json."""
    return json.dumps(train(examples()), ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"


def main() -> None:
    """Train and write the model, or cross-validate."""
    parser = argparse.ArgumentParser(description="Learn the local model from training/sentences.")
    parser.add_argument("--cross-validate", action="store_true")
    parser.add_argument("--show", action="store_true", help="with --cross-validate: print what went wrong")
    options = parser.parse_args()
    data = examples()
    if options.cross_validate:
        cross_validate(data, options.show)
    else:
        MODEL_FILE.write_text(made(), "utf-8")
        print(f"{len(data)} sentences, {MODEL_FILE.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main()
