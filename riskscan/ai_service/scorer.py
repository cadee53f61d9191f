"""The process that splits and scores text: one request per line on standard input, one response per line.

A request is [operation, argument] in JSON; after a bug the response is {"trace"}. The process exits when
standard input is closed.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from . import findings
from .errors import format_trace
from .reading import sentences
from .reading.blocks import Block
from .sandbox import enter_sandbox


def split(text: str) -> list[Any]:
    """Split a text into units."""
    return list(sentences.split_into_units([Block("text", [text])]))


def score(argument: list[Any]) -> tuple[list[Any], float]:
    """Score a batch of units, given with the position of the first."""
    first, units = argument
    found, expected = findings.score_units([sentences.Unit(*unit) for unit in units], first)
    return list(found), expected


def select(argument: list[Any]) -> list[dict[str, str]]:
    """Select the findings of a document: drop doubtful ones and near-duplicates."""
    candidates, expected, count = argument
    return findings.select_findings([findings.Finding(*item) for item in candidates], expected, count)


def verify(named: list[Any]) -> list[dict[str, str]]:
    """Drop near-duplicates among what a language model named, and verify the names of the others."""
    return findings.verify_names(findings.Finding(*item) for item in named)


OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "split": split,
    "score": score,
    "select": select,
    "verify": verify,
}


def respond(line: bytes) -> bytes:
    """Return the response to a request."""
    operation, argument = json.loads(line)
    try:
        result = OPERATIONS[operation](argument)
    except Exception as error:
        result = {"trace": format_trace(error)}
    return json.dumps(result).encode() + b"\n"


def main() -> None:
    """Respond to requests until standard input is closed."""
    os.nice(9)  # as readers do: the workers, which answer everybody, go first
    enter_sandbox()
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(respond(line))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
