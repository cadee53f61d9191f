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

from .wordpiece import END, encode

if TYPE_CHECKING:  # slow to import, and not installed everywhere
    import onnxruntime

ENCODER_FILE = Path(__file__).parent / "encoder.onnx"
# of a sentence; 97 in 100 are shorter
MAX_TOKENS = 96
# of the headings above it, and of the end of the sentence before
MAX_HEADING_TOKENS, MAX_BEFORE_TOKENS = 16, 28
# a longer sentence is cut before the pieces of its end are counted
MAX_BEFORE_CHARS = 600
# stands between the headings and the sentence before
SEMICOLON = 1025
# fits into the cache of a core
BATCH_TOKENS = 128


class Context(NamedTuple):
    """What stands above a sentence: the two lowest headings, and the sentence before."""

    heading: str = ""
    before: str = ""


class Reading(NamedTuple):
    """What the encoder makes of a sentence: the log odds of a risk, and a score for each of CATEGORIES.

    `contributions` are the parts of the log odds that single tokens explain, `context` that of the context.
    """

    risk: float
    categories: list[float]
    contributions: list[float]
    context: float = 0.0


class Encoder:
    """The encoder on one thread: the scorers are as many processes as there are cores for them."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session

    def read(self, texts: Sequence[str], contexts: Sequence[Context] = ()) -> list[Reading]:
        """Return the readings of the sentences, in their order, each in its context if there are any.

        The same sentence in the same context is read once.
        """
        import numpy

        sentences = list(zip(texts, contexts or [Context()] * len(texts), strict=True))
        tokens = {(text, its): (encode(text, MAX_TOKENS), encode_context(its)) for text, its in sentences}
        readings: dict[Sentence, Reading] = {}
        for batch in _make_batches(tokens):
            numbers = numpy.zeros((len(batch), sum(map(len, tokens[batch[-1]]))), numpy.int64)
            own = numpy.zeros_like(numbers)
            for row, sentence in enumerate(batch):
                first, second = tokens[sentence]
                numbers[row, : len(first) + len(second)] = first + second
                own[row, : len(first)] = 1
            inputs = {"numbers": numbers, "mask": (numbers > 0).astype(numpy.int64), "own": own}
            output, contributions = self._session.run(["output", "contributions"], inputs)
            for row, sentence in enumerate(batch):
                risk, *categories = output[row].tolist()
                its = contributions[row, : len(tokens[sentence][0])].tolist()
                readings[sentence] = Reading(risk, categories, its)
        return [readings[sentence] for sentence in sentences]


Sentence = tuple[str, Context]


def join_headings(headings: Sequence[str]) -> str:
    """Return the heading of a context, of the headings above a sentence, the highest first."""
    return " : ".join(headings[-2:])


def encode_context(context: Context) -> list[int]:
    """Return the numbers of the pieces that follow those of the sentence; none of an empty context."""
    heading = encode(context.heading, MAX_HEADING_TOKENS)[1:-1]
    before = encode(context.before[-MAX_BEFORE_CHARS:], MAX_BEFORE_CHARS)[1:-1][-MAX_BEFORE_TOKENS:]
    pieces = ([*heading, SEMICOLON] if heading else []) + before
    return [*pieces, END] if pieces else []


def _make_batches(tokens: dict[Sentence, tuple[list[int], list[int]]]) -> Iterator[list[Sentence]]:
    """Return batches of sentences of about the same length, because padding costs as much as text."""
    batch: list[Sentence] = []
    lengths = {sentence: len(first) + len(second) for sentence, (first, second) in tokens.items()}
    for sentence in sorted(lengths, key=lambda sentence: lengths[sentence]):
        if (len(batch) + 1) * lengths[sentence] > BATCH_TOKENS and batch:
            yield batch
            batch = []
        batch.append(sentence)
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
