"""The labelled sentences that the models are trained on, and what is kept out to measure them.

In the repository: sentences/*.txt, lone sentences, and documents/*.txt, whole documents in order, each
below a line `# kind, title`; held_out/*.txt, such documents that no model learns from. A line is a label
and a sentence; the label is `-` for no risk, `?` for a debatable sentence, or the letters of its
categories, the best one first (F S T L O C X in the order of CATEGORIES). Outside the repository: a folder
of documents that others wrote, see read_outside(), and public.jsonl, the labels of public ones (public.py).
"""

import hashlib
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from riskscan.ai_service.categories import CATEGORIES
from riskscan.ai_service.model.encoder import Context, join_headings
from riskscan.ai_service.reading.documents import read_blocks
from riskscan.ai_service.reading.sentences import number_units, split_into_units, split_sentences
from training import public

FOLDER = Path(__file__).parent
LEARNED_FOLDERS = ("sentences", "documents")
LETTERS = "FSTLOCX"
# at most so many risks of each open set of contracts and terms, and other sentences for each of them: there
# are more than of all others
LEGAL_RISKS = 400
LEGAL_NEGATIVES = 2.5
SEED = 7
# of the words of the shorter one, for a piece of a document to stand on a labelled sentence
MIN_OVERLAP = 0.8
# fewer words stand on a sentence that begins with them
MIN_WORDS = 4
# the parts of OutsideSet
TRAINING, VALIDATION, HELD_OUT = range(3)


class Example(NamedTuple):
    """A labelled sentence with indexes of CATEGORIES, none where it is no risk."""

    text: str
    categories: tuple[int, ...]
    document: str = ""
    context: Context = Context()


def read_examples(*folders: str) -> list[Example]:
    """Read the labelled sentences of folders beside this file in a fixed order, by default the learned."""
    chosen = folders or LEARNED_FOLDERS
    paths = [path for folder in chosen for path in sorted((FOLDER / folder).glob("*.txt"))]
    return [example for path in paths for example in _read_file(path)]


def _read_file(path: Path) -> Iterator[Example]:
    document = ""
    for line in path.read_text("utf-8").splitlines():
        label, _, text = line.partition(" ")
        if label == "#" and path.parent.name != "sentences":
            document = f"{path.stem}: {text}"
        elif label and label not in "#?":
            yield Example(text, tuple(LETTERS.index(letter) for letter in label if letter != "-"), document)


class OutsideSet(NamedTuple):
    """Documents that others wrote, apart by repository.

    `validation` sets the threshold (a quarter or so of what is not held out), `held_out` measures (a third).
    Of contracts and terms, only what is trained on is here: `legal`. `public` is trained on, too: the
    documents of public.py, but for those in `validation`.
    """

    training: list[Example]
    validation: list[Example]
    held_out: list[Example]
    legal: list[Example]
    public: list[Example]


def read_outside(folder: Path) -> OutsideSet:
    """Read the folders projects and prose (sentences), mufc (of terms), cuad (spans), and public."""
    result = OutsideSet([], [], [], [], [])
    for path in sorted(folder.glob("*/*/sentences.jsonl")):
        name = path.parent.parent.name
        if name in ("projects", "prose"):
            meta = json.loads((path.parent / "meta.json").read_text("utf-8"))
            result[choose_part(meta["repo"])].extend(_read_units(path.parent))
    documents = public.read_list()
    validated = {one.source for one in documents if choose_part(one.source) == VALIDATION}
    for document in documents:
        part = result.validation if document.source in validated else result.public
        try:
            part.extend(_read_public(document, folder))
        except ValueError:
            print(f"{document.source}, {document.path}: sentences read otherwise today, left out")
        except FileNotFoundError:
            print(f"{document.source}, {document.path}: not to be had, left out")
    # those of the validation part set the bar for contracts; there are too few terms to spare any
    names = {path.name for path in folder.glob("mufc/*/") if choose_part(path.name) != HELD_OUT} - validated
    terms = [folder / "mufc" / name for name in sorted(names)]
    contracts = [path for path in sorted(folder.glob("cuad/*/")) if choose_part(path.name) == TRAINING]
    legal = _sample([one for path in terms for one in _read_sentences(path / "sentences.jsonl")])
    legal += _sample([one for path in contracts for one in _read_contract(path)])
    return result._replace(legal=legal)


def choose_part(repository: str) -> int:
    """Return to which part of OutsideSet the documents of a repository, or the contract of a name, belong."""
    first, second = hashlib.sha256(repository.encode()).digest()[:2]
    return HELD_OUT if first % 3 == 0 else VALIDATION if second % 4 == 3 else TRAINING


def _read_units(folder: Path) -> Iterator[Example]:
    """Return the units of a document, as the service reads it, with the labels of its sentences."""
    lines = (folder / "sentences.jsonl").read_text("utf-8").splitlines()
    labelled = [(split_into_words(item["text"]), item) for item in map(json.loads, lines)]
    source = next(folder.glob("source.*"))
    units = split_into_units(read_blocks(source.name, source.read_bytes(), []))
    for _, unit, before in number_units(units):
        words = split_into_words(unit.text)
        on = [item for others, item in labelled if stands_on(words, others)]
        risk = next((item for item in on if item["label"] == "risk"), None)
        if risk is None and any(item["label"] == "unclear" for item in on):
            continue
        names = [risk["category"], *risk.get("also", ())] if risk else []
        context = Context(join_headings(unit.place.headings), before)
        yield Example(unit.text, tuple(map(CATEGORIES.index, names)), str(folder), context)


def _read_public(document: public.Labelled, data: Path) -> Iterator[Example]:
    """Return the sentences of a document of public.py that are not debatable."""
    path = document.locate(data)
    name = f"{path.name}.md" if path.suffix == ".rst" else path.name
    units = list(number_units(split_into_units(read_blocks(name, path.read_bytes(), []))))
    for number in public.cut_stretch([unit.text for _, unit, _ in units], document):
        _, unit, before = units[number]
        label = document.labels.get(public.digest(unit.text), "")
        if label != "?":
            # contracts and terms are read without it
            context = Context() if document.is_legal else Context(join_headings(unit.place.headings), before)
            yield Example(unit.text, tuple(map(LETTERS.index, label)), document.source, context)


def split_into_words(text: str) -> list[str]:
    """Return the words of a text, to compare it with another."""
    return re.findall(r"\w+", text.replace("’", "'").casefold())


def stands_on(words: list[str], others: list[str]) -> bool:
    """Return whether one of two texts holds the other, or shares most of the words of the shorter one."""
    shorter, longer = sorted((words, others), key=len)
    if len(shorter) < MIN_WORDS:
        return bool(shorter) and shorter == longer[: len(shorter)] and len(longer) <= 2 * len(shorter)
    if f" {' '.join(shorter)} " in f" {' '.join(longer)} ":
        return True
    overlap = len(set(shorter) & set(longer))
    return overlap >= MIN_OVERLAP * len(set(shorter)) and len(longer) <= 2 * len(shorter)


def _read_sentences(path: Path) -> Iterator[Example]:
    for line in path.read_text("utf-8").splitlines():
        item = json.loads(line)
        if item["label"] != "unclear":
            names = [item["category"], *item.get("also", ())] if item["label"] == "risk" else []
            yield Example(item["text"], tuple(map(CATEGORIES.index, names)), str(path.parent))


def _read_contract(folder: Path) -> Iterator[Example]:
    """Return the sentences of a contract; those within a span, or with one within them, are risks."""
    lines = (folder / "spans.jsonl").read_text("utf-8").splitlines()
    spans = [_fold(json.loads(line)["text"]) for line in lines]
    for paragraph in (folder / "source.txt").read_text("utf-8").split("\n\n"):
        for text in split_sentences(paragraph):
            folded = _fold(text)
            if len(folded) >= 25:
                is_risk = any(folded in span or span in folded for span in spans)
                yield Example(text, (CATEGORIES.index("Legal"),) if is_risk else (), str(folder))


def _fold(text: str) -> str:
    return " ".join(text.split()).lower()


def _sample(examples: list[Example]) -> list[Example]:
    shuffled: list[Example] = random.Random(SEED).sample(examples, len(examples))  # noqa: S311 - no secret
    risks = [one for one in shuffled if one.categories]
    others = [one for one in shuffled if not one.categories]
    risks = risks[:LEGAL_RISKS]
    return risks + others[: round(LEGAL_NEGATIVES * len(risks))]


def describe(examples: list[Any]) -> str:
    """Return how many examples there are, and how many of them are risks."""
    return f"{len(examples)} sentences, {sum(bool(one.categories) for one in examples)} risks"
