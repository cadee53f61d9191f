"""The analysis takes time in proportion to the text, whatever it says: at most three times that of prose."""

import datetime
import time
from itertools import chain, cycle, islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from riskscan.ai_service import findings, language
from riskscan.ai_service.app import BATCH_CHARS, BATCH_UNITS, split_into_batches
from riskscan.ai_service.document_kind import recognize_kind
from riskscan.ai_service.findings import Finding
from riskscan.ai_service.model.lexicon import KHMER_LEXICON, LEXICON
from riskscan.ai_service.model.phrases import PHRASES
from riskscan.ai_service.reading import sentences
from riskscan.ai_service.reading.blocks import Block
from riskscan.ai_service.reading.sentences import Unit

SENTENCES = Path(__file__).parents[2] / "training" / "sentences"
MAX_RATIO = 3
# one of these must be within MAX_RATIO, because others may disturb a measurement
ROUNDS = 6


def read_prose() -> str:
    """Return sentences as projects write them, every second one a risk."""
    files = [(SENTENCES / name).read_text().splitlines() for name in ("projects.txt", "negatives_office.txt")]
    lines = chain.from_iterable(zip(*files, strict=False))
    return " ".join(line.split(" ", 1)[1] for line in lines if line and not line.startswith("#"))


PROSE = read_prose()


def fill(text: str, size: int) -> str:
    """Repeat a text up to `size` bytes."""
    whole = text * (size // len(text.encode()) + 1)
    return whole.encode()[:size].decode(errors="ignore")


def measure(text: str) -> float:
    """Return the seconds of CPU time that splitting, detecting languages, scoring and selecting take."""
    started = time.process_time()
    units = list(sentences.split_into_units([Block("text", [text])]))
    language.identify_all([unit.text for unit in units])
    kind = recognize_kind([unit.text for unit in units])
    findings.select_findings(findings.score_units(sentences.number_units(units), len(units), kind))
    return time.process_time() - started


def assert_as_fast_as_prose(text: str, size: int) -> None:
    """Fail if the text takes MAX_RATIO times as long as prose of the same size in every round."""
    long_text, prose = fill(text, size), fill(PROSE, size)
    ratios = []
    for _ in range(ROUNDS):
        ratios.append(measure(long_text) / measure(prose))
        if ratios[-1] <= MAX_RATIO:
            return
    raise AssertionError(f"{text[:60]!r}… takes {min(ratios):.1f} times as long as prose")


CUES = st.sampled_from(sorted(LEXICON)) | st.sampled_from(sorted(KHMER_LEXICON))
PIECES = st.one_of(
    CUES,
    CUES.map(str.title),
    st.sampled_from(
        ["the", "of", "a", "x", "Supplier may", "no one", "as well as", "1.2.3", "50%", "$", "…", "ﷺ"]
    ),
    st.text("ab0(['|.-_​កA ", min_size=1, max_size=4),
)
# fmt: off
SEPARATORS = st.sampled_from([
    ", ", " ", "", "; ", ": ", " if ", " because ", " and ", ", and the ", " (", ") ", " - ", ". ", "។ ",
    "\n", "\n\n", "\n- ", "\n# ", " | ", "\t", ",", ";", "-",
])
ENDLESS = [
    "not, ", "no ", "harm; ", "if ", "មិន ", "hold-", "a_", "Fire, theft and no pay. ", "no pay no\n",
    "No xy.\n\n", "x", "0", "1.", "(", "[]", "\n", "|", "- ", "# ", "ក", "ឡមិន", "។", '"', ". ", "--",
    "/a", "a\t", "\u200b", "e\u0301\u0316", "- no staff\n", "# Risk\n", "Risk:\n", "1. Risk\n", "a,b;\n",
    "| no pay ",
    "|" + "Note|" * 1_500 + "\n" + "|a|b|\n" * 1_500,
]
# fmt: on


@given(
    pieces=st.lists(PIECES, min_size=1, max_size=15), separators=st.lists(SEPARATORS, min_size=1, max_size=3)
)
@settings(max_examples=60)
def test_no_mixture_of_cues_takes_longer(pieces: list[str], separators: list[str]) -> None:
    pattern = "".join(chain.from_iterable(zip(pieces, cycle(separators), strict=False)))
    assert_as_fast_as_prose(pattern, 2_500)


def group_words_by_tag() -> dict[str, list[str]]:
    words: dict[str, list[str]] = {}
    for lexicon in (LEXICON, KHMER_LEXICON):
        for word, tags in lexicon.items():
            for tag in tags:
                words.setdefault(f"{tag} {lexicon is LEXICON}", []).append(word)
    return words


WORDS_BY_TAG = group_words_by_tag()


@pytest.mark.parametrize("separator", [", ", " "])
def test_no_kind_of_cue_takes_longer(separator: str) -> None:
    for words in WORDS_BY_TAG.values():
        # spread over all words of the tag
        assert_as_fast_as_prose(separator.join(words[:: len(words) // 100 + 1]) + separator, 2_000)


def test_no_single_cue_takes_longer() -> None:
    day = datetime.datetime.now(datetime.UTC).toordinal()  # each day another word of each tag
    for words in WORDS_BY_TAG.values():
        assert_as_fast_as_prose(words[day % len(words)] + ", ", 2_000)


def test_no_phrase_takes_longer() -> None:
    for pattern in PHRASES.values():
        literals = "".join(letter if letter.isalpha() else " " for letter in pattern).split()
        assert_as_fast_as_prose(", ".join(islice(literals, 80)) + ", ", 1_500)


@pytest.mark.parametrize("text", ENDLESS)
def test_endless_text_of_one_kind_takes_no_longer(text: str) -> None:
    assert_as_fast_as_prose(text, 15_000)


def test_alike_sentences_are_merged_in_the_time_of_prose() -> None:
    contexts = [f"no {first} {second}" for first in PROSE.split()[:20] for second in PROSE.split()[20:40]]
    candidates = [Finding(position, "", "Legal", context) for position, context in enumerate(contexts)]
    candidates += [candidates[-1]._replace(position=position) for position in range(400, 1_000)]
    prose = fill(PROSE, sum(len(finding.context) for finding in candidates))
    ratios = []
    for _ in range(ROUNDS):
        started = time.process_time()
        findings.merge_alike(candidates)
        ratios.append((time.process_time() - started) / measure(prose))
        if ratios[-1] <= 1:
            return
    raise AssertionError(f"alike sentences take {min(ratios):.1f} times as long as prose")


def test_a_batch_is_bounded_in_units_and_in_characters() -> None:
    units = [list(Unit("x" * length, "sentence", "")) for length in [*[10] * 90, *[600] * 25, *[590, 11] * 9]]
    batches = list(split_into_batches(units))
    assert [unit for _, batch in batches for unit in batch] == units
    assert [units[start] is batch[0] for start, batch in batches] == [True] * len(batches)
    assert max(len(batch) for _, batch in batches) == BATCH_UNITS
    assert max(sum(len(unit[0]) for unit in batch) for _, batch in batches) <= BATCH_CHARS
