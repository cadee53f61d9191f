"""Measure the analyser on whole documents that others wrote: `make evaluate DATA=folder`.

The folder holds sets of documents, SET/NAME/ with source.* (the file), sentences.jsonl ({"text", "label":
"risk" | "none" | "unclear", "category", "also"}) and, if known, meta.json ({"type", "repo"}). Documents of
a repository that the encoder was trained on (see data.py) are left out, unless --all is given.
"""

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from riskscan.ai_service import findings
from riskscan.ai_service.document_kind import recognize_kind
from riskscan.ai_service.model.risk_model import judge
from riskscan.ai_service.reading import documents, sentences
from training.data import HELD_OUT, choose_part, split_into_words, stands_on

# kinds of document, by the words of their type
KINDS = (
    ("registers, charters, status", re.compile(r"register|charter|status|progress", re.I)),
    ("contracts, terms, tenders", re.compile(r"contract|terms|policy|tender|statement of work", re.I)),
    ("manuals", re.compile(r"manual|readme|handbook", re.I)),
    ("other prose", re.compile("")),
)


class Counts(NamedTuple):
    """What was found in documents: findings on risks and on no risk, risks found, right categories."""

    right: int = 0
    wrong: int = 0
    found: int = 0
    risks: int = 0
    category: int = 0
    words: int = 0
    # the score and whether it is a risk, of each labelled sentence
    scores: tuple[tuple[float, bool], ...] = ()

    def describe(self) -> str:
        """Return the figures as a line of a table."""
        precision = self.right / max(1, self.right + self.wrong)
        recall = self.found / max(1, self.risks)
        balance = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
        return (
            f"{precision:9.1%} {recall:9.1%} {balance:9.1%} {1000 * self.wrong / max(1, self.words):9.1f}"
            f" {self.category / max(1, self.right):9.1%} {average_precision(self.scores):9.3f} {self.risks:6}"
        )


def average_precision(scores: Iterable[tuple[float, bool]]) -> float:
    """Return the area under the curve of precision over recall."""
    hits, total = 0, 0.0
    for rank, (_, is_risk) in enumerate(sorted(scores, reverse=True), 1):
        if is_risk:
            hits += 1
            total += hits / rank
    return total / max(1, hits)


def measure_document(folder: Path) -> Counts:
    """Compare the findings of a document with its labelled sentences."""
    source = next(folder.glob("source.*"))
    labelled = [json.loads(line) for line in (folder / "sentences.jsonl").read_text("utf-8").splitlines()]
    tokens = [split_into_words(one["text"]) for one in labelled]
    units = list(sentences.split_into_units(documents.read_blocks(source.name, source.read_bytes(), [])))
    kind = recognize_kind([unit.text for unit in units])
    found = findings.select_findings(
        findings.score_units(sentences.number_units(units), len(units), kind)
    ).findings
    right = wrong = category = 0
    hit: set[int] = set()
    for finding in found:
        words = split_into_words(finding["context"])
        on = [i for i, others in enumerate(tokens) if stands_on(words, others)]
        hit.update(on)
        risks = [labelled[i] for i in on if labelled[i]["label"] == "risk"]
        if risks:
            right += 1
            category += any(finding["category"] in (one["category"], *one.get("also", ())) for one in risks)
        elif all(labelled[i]["label"] == "none" for i in on):
            wrong += 1
    sure = [one for one in labelled if one["label"] != "unclear"]
    judgements = judge([one["text"] for one in sure], len(labelled), kind)
    return Counts(
        right,
        wrong,
        sum(labelled[i]["label"] == "risk" for i in hit),
        sum(one["label"] == "risk" for one in labelled),
        category,
        sum(map(len, tokens)),
        tuple((judged.score, one["label"] == "risk") for judged, one in zip(judgements, sure, strict=True)),
    )


def find_documents(folder: Path, *, all_repositories: bool) -> Iterator[tuple[str, Path]]:
    """Return the labelled documents, each with its kind."""
    for path in sorted(folder.glob("*/*/sentences.jsonl")):
        meta_file = path.parent / "meta.json"
        meta = json.loads(meta_file.read_text("utf-8")) if meta_file.exists() else {}
        if all_repositories or "repo" not in meta or choose_part(meta["repo"]) == HELD_OUT:
            known = next((name for name, pattern in KINDS if pattern.search(meta.get("type", ""))), "")
            yield known if "type" in meta else path.parent.parent.name, path.parent


def add(one: Counts, other: Counts) -> Counts:
    """Return the sum of two documents' counts."""
    return Counts(*(a + b for a, b in zip(one, other, strict=True)))


def print_figures(folder: Path, *, all_repositories: bool) -> None:
    """Print the figures of each kind of document, and of all."""
    totals: dict[str, Counts] = {}
    for kind, path in find_documents(folder, all_repositories=all_repositories):
        counts = measure_document(path)
        for name in (kind, "all"):
            totals[name] = add(totals.get(name, Counts()), counts)
    heads = ("precision", "recall", "F1", "FP/1000 w", "category", "avg prec.")
    print(f"{'':30}" + " ".join(f"{head:>9}" for head in heads) + f" {'risks':>6}")
    for name, counts in sorted(totals.items(), key=lambda item: item[0] == "all"):
        print(f"{name:30}{counts.describe()}")
