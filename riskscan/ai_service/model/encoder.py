"""The sentence encoder: a small BERT that reads a sentence as a whole, as ONNX with weights of 8 bits.

training/encoder.py makes encoder.onnx. It reads English; the linear model reads Khmer, and all where
onnxruntime has no wheel or AI_ENCODER is off.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .wordpiece import encode

if TYPE_CHECKING:  # slow to import, and not installed everywhere
    import onnxruntime

ENCODER_FILE = Path(__file__).parent / "encoder.onnx"
# of a sentence; 97 in 100 are shorter
MAX_TOKENS = 96
# fits into the cache of a core
BATCH_TOKENS = 128


class Reading(NamedTuple):
    """What the encoder makes of a sentence: the log odds of a risk, and a score for each of CATEGORIES.

    `contributions` are the parts of the log odds that single tokens explain.
    """

    risk: float
    categories: list[float]
    contributions: list[float]


class Encoder:
    """The encoder on one thread: the scorers are as many processes as there are cores for them."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """Return the readings of the sentences, in their order; the same sentence is read once."""
        import numpy

        tokens = {text: encode(text, MAX_TOKENS) for text in texts}
        readings: dict[str, Reading] = {}
        for batch in _make_batches(tokens):
            numbers = numpy.zeros((len(batch), len(tokens[batch[-1]])), numpy.int64)
            for row, text in enumerate(batch):
                numbers[row, : len(tokens[text])] = tokens[text]
            inputs = {"numbers": numbers, "mask": (numbers > 0).astype(numpy.int64)}
            output, contributions = self._session.run(["output", "contributions"], inputs)
            for row, text in enumerate(batch):
                risk, *categories = output[row].tolist()
                readings[text] = Reading(risk, categories, contributions[row, : len(tokens[text])].tolist())
        return [readings[text] for text in texts]


def _make_batches(tokens: dict[str, list[int]]) -> Iterator[list[str]]:
    """Return batches of sentences of about the same length, because padding costs as much as text."""
    batch: list[str] = []
    for text in sorted(tokens, key=lambda text: len(tokens[text])):
        if (len(batch) + 1) * len(tokens[text]) > BATCH_TOKENS and batch:
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch


def why_not_used() -> str:
    """Return why the linear model works alone; empty if the encoder is used."""
    if os.environ.get("AI_ENCODER", "").strip().lower() == "off":
        return "AI_ENCODER is off"
    return "" if find_spec("onnxruntime") else "onnxruntime is not installed"


@cache
def load_encoder() -> Encoder | None:
    """Load encoder.onnx, once per process; None where it is not used."""
    if why_not_used():
        return None
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return Encoder(onnxruntime.InferenceSession(ENCODER_FILE, options, ["CPUExecutionProvider"]))


@cache
def load_weights() -> dict[str, float]:
    """Load encoder.json: the weights by which the log odds of the two models are added."""
    weights: dict[str, float] = json.loads(ENCODER_FILE.with_suffix(".json").read_bytes())
    return weights
