"""Measure the analyser on a labelled set it was not trained on: `python training/evaluate.py FOLDER`.

FOLDER holds dev.jsonl (sentences: text, label, category, also, lang) and docs/ (NAME.md with
NAME.gold.json). Prints each figure for the model and for a list of 70 words.
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
from riskscan.ai_service.errors import ServiceError
from riskscan.ai_service.khmer import KHMER
from riskscan.ai_service.reading import documents, sentences

SAMPLES = Path(__file__).parents[1] / "tests" / "ai_service" / "samples"
Finding = dict[str, str]
Finder = Callable[[list[sentences.Unit]], list[Finding]]

# what one would write down in ten minutes: category by category, seventy in all
KEYWORDS = {
    "Financial": "budget cost price fund funding loan invoice payment overspend inflation expensive",
    "Schedule": "delay deadline late schedule behind overdue slip postponed milestone tight",
    "Technical": "bug crash failure system server data security software technical outage vulnerability",
    "Legal": "liable liability penalty terminate breach dispute claim lawsuit indemnify contract",
    "Operational": "staff shortage supplier training resign accident single capacity vacant key",
    "Compliance": "permit licence regulation audit compliance fine law certificate violation",
    "Other": "risk may could reputation flood oppose weather competitor unclear",
}


def by_model(units: list[sentences.Unit]) -> list[Finding]:
    """Find what the service would answer."""
    candidates, expected = findings.score_units(units)
    return findings.select_findings(candidates, expected, len(units))


def by_keywords(units: list[sentences.Unit]) -> list[Finding]:
    """Find every unit with a listed word; the category with most of them wins."""
    found = []
    for unit in units:
        words = re.findall(r"[a-z]+", unit.text.lower())
        hits = {name: sum(word in listed.split() for word in words) for name, listed in KEYWORDS.items()}
        best = max(hits, key=lambda name: hits[name])
        if hits[best]:
            found.append({"risk": unit.text, "category": best, "context": unit.text})
    return found


def units_of(passage: str, name: str = "text.txt") -> list[sentences.Unit]:
    """Split a passage as the service does."""
    return list(sentences.split_into_units(documents.read_blocks(name, passage.encode())))


def f1(hits: float, found: float, wanted: float) -> tuple[float, float, float]:
    """Return precision, recall and F1."""
    precision, recall = hits / found if found else 0.0, hits / wanted if wanted else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if hits else 0.0


def of_sentences(lines: list[dict[str, Any]], find: Finder) -> dict[str, float]:
    """Measure detection and category sentence by sentence."""
    figures: dict[str, float] = {}
    confusion = {name: [0, 0, 0] for name in CATEGORIES}  # hits, found, wanted
    right = hits_in_all = 0
    for lang in ("en", "km"):
        hits = found = wanted = alarms = negatives = 0
        for line in lines:
            if line.get("lang", "en") != lang:
                continue
            answer = find(units_of(line["text"]))
            wanted += line["label"]
            negatives += not line["label"]
            found += bool(answer)
            if not answer:
                continue
            alarms += not line["label"]
            if line["label"]:
                hits += 1
                names = {item["category"] for item in answer}
                good = names & {line["category"], *line.get("also", ())}
                right += bool(good)
                truth = line["category"]
                guess = truth if good else sorted(names)[0]
                confusion[truth][2] += 1
                confusion[guess][1] += 1
                confusion[truth][0] += guess == truth
        hits_in_all += hits
        if not wanted:
            continue
        recall, rate = hits / wanted, alarms / max(1, negatives)
        precision, recall, balance = f1(hits, found, wanted)
        figures |= {f"{lang} precision": precision, f"{lang} recall": recall, f"{lang} F1": balance}
        figures[f"{lang} false alarms on negatives"] = rate
        # the share of risks in a set decides its precision: the same for a document's usual 30 %
        figures[f"{lang} F1 at 30 % risks"] = f1(0.3 * recall, 0.3 * recall + 0.7 * rate, 0.3)[2]
    figures["category accuracy"] = right / max(1, hits_in_all)
    scores = [f1(*counts)[2] for counts in confusion.values() if counts[2]]
    figures["category macro-F1"] = sum(scores) / max(1, len(scores))
    return figures


def of_documents(folder: Path, find: Finder, show: bool = False) -> dict[str, float]:
    """Measure whole documents against their gold lists."""
    figures: dict[str, float] = {}
    totals = {"English": [0, 0, 0], "Khmer": [0, 0, 0]}
    verbatim = items = doubles = clean_alarms = clean_words = 0
    for path in sorted(folder.glob("*.md")):
        passage = path.read_text("utf-8")
        gold = json.loads(path.with_suffix(".gold.json").read_text("utf-8"))
        answer = find(units_of(passage, path.name))
        flat = " ".join(passage.split())
        verbatim += sum(" ".join(item["context"].split()) in flat for item in answer)
        items += len(answer)
        open_risks = [risk["text"] for risk in gold["risks"]]
        optional = gold["optional"]
        hits = found = 0
        matched: list[str] = []
        for item in answer:
            best = max(
                [*open_risks, *optional, *matched], key=lambda one: _overlap(one, item["context"]), default=""
            )
            if not best or _overlap(best, item["context"]) < 0.5:
                found += 1
                if show:
                    print(f"   false in {path.stem}: [{item['category']}] {item['context']}")
            elif best in open_risks:
                open_risks.remove(best)
                matched.append(best)
                found += 1
                hits += 1
            elif best in matched:
                doubles += 1
        if show:
            for risk in open_risks:
                print(f"   missed in {path.stem}: {risk}")
        if not gold["risks"]:
            clean_alarms += found
            clean_words += len(passage.split())
        lang = "Khmer" if KHMER.search(passage) else "English"
        for i, count in enumerate((hits, found, len(gold["risks"]))):
            totals[lang][i] += count
    for lang, counts in totals.items():
        figures[f"{lang} documents F1"] = f1(*counts)[2]
    figures["false positives per 1,000 words, clean"] = 1000 * clean_alarms / max(1, clean_words)
    figures["contexts verbatim"] = verbatim / max(1, items)
    figures["duplicates"] = doubles / max(1, items)
    return figures


def _overlap(one: str, other: str) -> float:
    a, b = findings.extract_terms(one), findings.extract_terms(other)
    return len(a & b) / max(1, len(a | b))


def formats() -> str:
    """Return which of the sample files can be read here; pictures need Tesseract."""
    read = set()
    paths = sorted(SAMPLES.iterdir())
    for path in paths:
        with contextlib.suppress(ServiceError):
            if list(sentences.split_into_units(documents.read_blocks(path.name, path.read_bytes()))):
                read.add(path.suffix)
    return f"{len(read)} of {len({path.suffix for path in paths})} ({' '.join(sorted(read))})"


def main() -> None:
    """Print the table; --show lists what went wrong with the documents."""
    folder, show = Path(sys.argv[1]), "--show" in sys.argv
    if not (folder / "dev.jsonl").exists():
        sys.exit(f"{folder} holds no labelled texts: it takes dev.jsonl and docs/")
    lines = [json.loads(line) for line in (folder / "dev.jsonl").read_text("utf-8").splitlines()]
    columns = []
    for find in (by_model, by_keywords):
        documents = of_documents(folder / "docs", find, show and find is by_model)
        columns.append(of_sentences(lines, find) | documents)
    print(f"{'':44}{'model':>8}{'70 words':>10}")
    for name in columns[0]:
        form = "{:8.1f}" if "per 1,000" in name else "{:8.1%}"
        print(f"{name:44}" + "  ".join(form.format(column[name]) for column in columns))
    passage = "\n\n".join(lines[i % len(lines)]["text"] for i in range(1000))
    started = time.process_time()
    by_model(units_of(passage))
    seconds = time.process_time() - started
    print(f"{'a document of 1,000 sentences, s of CPU':44}{seconds:8.2f}")
    print(f"{'milliseconds a sentence':44}{seconds:8.2f}")
    print(f"{'formats read':44}{formats():>8}")


if __name__ == "__main__":
    main()
