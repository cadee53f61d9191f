"""Measure the model on labelled texts that it was not trained on: `python -m training.evaluate FOLDER`.

FOLDER holds sets of whole documents (see evaluate_documents.py), or dev.jsonl (sentences: text, label,
category, also, lang) and docs/ (NAME.md with NAME.gold.json). Prints each figure for
the model and, as a baseline, for a list of 70 words.
"""

import contextlib
import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from riskscan.ai_service import findings
from riskscan.ai_service.categories import CATEGORIES
from riskscan.ai_service.document_kind import recognize_kind
from riskscan.ai_service.errors import ServiceError
from riskscan.ai_service.khmer import KHMER
from riskscan.ai_service.reading import documents, sentences
from training.evaluate_documents import print_figures

SAMPLES = Path(__file__).parents[1] / "tests" / "ai_service" / "samples"
Finding = dict[str, str]
Finder = Callable[[list[sentences.Unit]], list[Finding]]

# the baseline: 70 words that one would list in ten minutes, ten for each category
KEYWORDS = {
    "Financial": "budget cost price fund funding loan invoice payment overspend inflation expensive",
    "Schedule": "delay deadline late schedule behind overdue slip postponed milestone tight",
    "Technical": "bug crash failure system server data security software technical outage vulnerability",
    "Legal": "liable liability penalty terminate breach dispute claim lawsuit indemnify contract",
    "Operational": "staff shortage supplier training resign accident single capacity vacant key",
    "Compliance": "permit licence regulation audit compliance fine law certificate violation",
    "Other": "risk may could reputation flood oppose weather competitor unclear",
}


def find_by_model(units: list[sentences.Unit]) -> list[Finding]:
    """Return the findings of the service."""
    kind = recognize_kind([unit.text for unit in units])
    return findings.select_findings(
        findings.score_units(sentences.number_units(units), len(units), kind)
    ).findings


def find_by_keywords(units: list[sentences.Unit]) -> list[Finding]:
    """Return every unit with a listed word, in the category with the most of them."""
    found = []
    for unit in units:
        words = re.findall(r"[a-z]+", unit.text.lower())
        hits = {name: sum(word in listed.split() for word in words) for name, listed in KEYWORDS.items()}
        best = max(hits, key=lambda name: hits[name])
        if hits[best]:
            found.append({"risk": unit.text, "category": best, "context": unit.text})
    return found


def split_passage(passage: str, name: str = "text.txt") -> list[sentences.Unit]:
    """Split a passage into units as the service does."""
    return list(sentences.split_into_units(documents.read_blocks(name, passage.encode(), [])))


def f1(hits: float, found: float, wanted: float) -> tuple[float, float, float]:
    """Return precision, recall and F1."""
    precision, recall = hits / found if found else 0.0, hits / wanted if wanted else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if hits else 0.0


def measure_sentences(lines: list[dict[str, Any]], find: Finder) -> dict[str, float]:
    """Measure detection and category on single sentences."""
    figures: dict[str, float] = {}
    categories: list[tuple[str, str]] = []  # of the hits: labelled, found
    for language in ("en", "km"):
        answers = [
            (line, find(split_passage(line["text"]))) for line in lines if line.get("lang", "en") == language
        ]
        risks = [found for line, found in answers if line["label"]]
        negatives = [found for line, found in answers if not line["label"]]
        hits, alarms = sum(map(bool, risks)), sum(map(bool, negatives))
        categories += [_compare_category(line, found) for line, found in answers if line["label"] and found]
        if not risks:
            continue
        precision, recall, balance = f1(hits, hits + alarms, len(risks))
        rate = alarms / max(1, len(negatives))
        figures[f"{language} precision"] = precision
        figures[f"{language} recall"] = recall
        figures[f"{language} F1"] = balance
        figures[f"{language} false alarms on negatives"] = rate
        # precision depends on the share of risks in the set: the same for the usual 30 % of a document
        figures[f"{language} F1 at 30 % risks"] = f1(0.3 * recall, 0.3 * recall + 0.7 * rate, 0.3)[2]
    figures["category accuracy"] = sum(a == b for a, b in categories) / max(1, len(categories))
    scores = []
    for name in CATEGORIES:
        labelled, found_as = [a for a, _ in categories if a == name], [b for _, b in categories if b == name]
        if labelled:
            scores.append(f1(categories.count((name, name)), len(found_as), len(labelled))[2])
    figures["category macro-F1"] = sum(scores) / max(1, len(scores))
    return figures


def _compare_category(line: dict[str, Any], found: list[Finding]) -> tuple[str, str]:
    """Return the labelled category and the one found; the same if any found one is acceptable."""
    names = {item["category"] for item in found}
    if names & {line["category"], *line.get("also", ())}:
        return line["category"], line["category"]
    return line["category"], min(names)


def measure_documents(folder: Path, find: Finder, show: bool = False) -> dict[str, float]:
    """Measure the findings of whole documents against their gold lists; `show` prints the errors."""
    totals = {"English": [0, 0, 0], "Khmer": [0, 0, 0]}  # hits, found, wanted
    verbatim = items = duplicates = clean_alarms = clean_words = 0
    for path in sorted(folder.glob("*.md")):
        passage = path.read_text("utf-8")
        gold = json.loads(path.with_suffix(".gold.json").read_text("utf-8"))
        found = find(split_passage(passage, path.name))
        flat = " ".join(passage.split())
        verbatim += sum(" ".join(item["context"].split()) in flat for item in found)
        items += len(found)
        hits, alarms, missed, doubles = _compare(found, gold)
        duplicates += doubles
        if show:
            for item in alarms:
                print(f"   false in {path.stem}: [{item['category']}] {item['context']}")
            for risk in missed:
                print(f"   missed in {path.stem}: {risk}")
        if not gold["risks"]:
            clean_alarms += len(alarms)
            clean_words += len(passage.split())
        counts = totals["Khmer" if KHMER.search(passage) else "English"]
        for i, count in enumerate((hits, hits + len(alarms), len(gold["risks"]))):
            counts[i] += count
    return {
        **{f"{language} documents F1": f1(*counts)[2] for language, counts in totals.items()},
        "false positives per 1,000 words, clean": 1000 * clean_alarms / max(1, clean_words),
        "contexts verbatim": verbatim / max(1, items),
        "duplicates": duplicates / max(1, items),
    }


def _compare(found: list[Finding], gold: dict[str, Any]) -> tuple[int, list[Finding], list[str], int]:
    """Return the number of hits, the false alarms, the missed risks and the number of duplicates.

    A finding that matches an optional risk counts as neither hit nor false alarm.
    """
    missed = [risk["text"] for risk in gold["risks"]]
    matched: list[str] = []
    alarms = []
    duplicates = 0
    for item in found:
        texts = [*missed, *gold["optional"], *matched]
        best = max(texts, key=lambda text: _overlap(text, item["context"]), default="")
        if not best or _overlap(best, item["context"]) < 0.5:
            alarms.append(item)
        elif best in missed:
            missed.remove(best)
            matched.append(best)
        elif best in matched:
            duplicates += 1
    return len(matched), alarms, missed, duplicates


def _overlap(one: str, other: str) -> float:
    """Return the Jaccard similarity of the texts' words."""
    a, b = findings.extract_terms(one), findings.extract_terms(other)
    return len(a & b) / max(1, len(a | b))


def readable_formats() -> str:
    """Return which of the sample files can be read on this machine; images need Tesseract."""
    readable = set()
    paths = sorted(SAMPLES.iterdir())
    for path in paths:
        with contextlib.suppress(ServiceError):
            if list(sentences.split_into_units(documents.read_blocks(path.name, path.read_bytes(), []))):
                readable.add(path.suffix)
    return f"{len(readable)} of {len({path.suffix for path in paths})} ({' '.join(sorted(readable))})"


def main() -> None:
    """Print the figures; --show lists the errors in the documents."""
    folder, show = Path(sys.argv[1]), "--show" in sys.argv
    if not (folder / "dev.jsonl").exists():
        print_figures(folder, all_repositories="--all" in sys.argv)
        return
    lines = [json.loads(line) for line in (folder / "dev.jsonl").read_text("utf-8").splitlines()]
    columns = []
    for find in (find_by_model, find_by_keywords):
        documents = measure_documents(folder / "docs", find, show and find is find_by_model)
        columns.append(measure_sentences(lines, find) | documents)
    print(f"{'':44}{'model':>8}{'70 words':>10}")
    for name in columns[0]:
        form = "{:8.1f}" if "per 1,000" in name else "{:8.1%}"
        print(f"{name:44}" + "  ".join(form.format(column[name]) for column in columns))
    passage = "\n\n".join(lines[i % len(lines)]["text"] for i in range(1000))
    started = time.process_time()
    find_by_model(split_passage(passage))
    seconds = time.process_time() - started
    print(f"{'a document of 1,000 sentences, s of CPU':44}{seconds:8.2f}")
    print(f"{'milliseconds a sentence':44}{seconds:8.2f}")
    print(f"{'formats read':44}{readable_formats():>8}")


if __name__ == "__main__":
    main()
