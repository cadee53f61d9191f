"""The process that splits and scores text: one request per line on standard input, one response per line.

A request is [operation, argument] in JSON; after a bug the response is {"trace"}. The process exits when
standard input is closed.
"""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from . import findings, language
from .errors import format_trace
from .notes import READ_LANGUAGES
from .reading import sentences
from .reading.blocks import Block, Place
from .sandbox import NICENESS, enter_sandbox


def split(text: str) -> list[Any]:
    """Split a text into units."""
    return list(sentences.split_into_units([Block("text", [text])]))


def identify(argument: list[Any]) -> list[str]:
    """Return the language of each text of a batch.

    The argument: the texts and, but for the first batch, the language of the text before.
    """
    return language.identify_all(*argument)


def score(argument: list[Any]) -> list[Any]:
    """Score a batch of units.

    The argument: position of the first; text, kind, section and headings of each; their languages; the text
    before them; number of units and kind of the document. Returns candidates; units in languages that are not
    read have none.
    """
    first, items, languages, before, count, kind = argument
    units = [
        sentences.Unit(text, kind_of_unit, section, Place(headings=tuple(headings)))
        for text, kind_of_unit, section, headings in items
    ]
    numbered = zip(sentences.number_units(units, first, before), languages, strict=True)
    read = (unit for unit, its_language in numbered if its_language in READ_LANGUAGES)
    return list(findings.score_units(read, count, kind))


def select(candidates: list[Any]) -> findings.Selection:
    """Select the findings of a document: merge alike sentences, drop what is beyond the cap."""
    return findings.select_findings(findings.Finding(*item) for item in candidates)


def verify(named: list[Any]) -> findings.Selection:
    """Merge alike sentences among what a language model named, and verify their names."""
    return findings.verify_names(findings.Finding(*item) for item in named)


OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "split": split,
    "identify": identify,
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
    os.nice(NICENESS)
    enter_sandbox()
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(respond(line))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
