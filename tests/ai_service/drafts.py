"""Drafts of a contract: edits that change sentences, typography and formats that do not."""

from __future__ import annotations

import csv
import html
import io
import random
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import docx

from riskscan.ai_service.reading.sentences import split_sentences
from riskscan.fingerprints import compute_fingerprint
from tests.ai_service.documents import read

CONTRACTS = Path(__file__).parents[2] / "training" / "documents" / "legal.txt"
PARTIES = (
    ("Lessor", "Lessee"), ("Landlord", "Tenant"), ("Supplier", "Customer"), ("Seller", "Buyer"),
    ("Licensor", "Licensee"), ("Employer", "Contractor"), ("Employer", "Employee"), ("Client", "Consultant"),
    ("Company", "Distributor"), ("Lender", "Borrower"), ("Party", "Guarantor"),
)  # fmt: skip
NUMBERS = ("two", "three", "five", "ten", "fourteen", "thirty", "sixty", "ninety", "half", "twice")
INSERTED = (
    "Each party keeps records of its work under this clause for the auditor.",
    "The records are shown on request within office hours.",
    "Costs of the audit are borne by whoever asked for it.",
)
CLAUSE_LENGTH = 4
Edit = Callable[[str, random.Random], str | None]


class Draft(NamedTuple):
    """The sentences of a draft, those of the contract that it still has, and those that it has changed."""

    sentences: list[str]
    untouched: list[str]
    changed: list[str]


def read_contracts() -> dict[str, list[str]]:
    """Return the sentences of invented contracts by title, without headings and fragments."""
    contracts: dict[str, list[str]] = {}
    sentences: list[str] = []
    for line in CONTRACTS.read_text("utf-8").splitlines():
        label, _, text = line.partition(" ")
        if label == "#":
            sentences = contracts[text] = []
        elif is_sentence(text) and text not in sentences:
            sentences.append(text)
    return {title: sentences for title, sentences in contracts.items() if len(sentences) >= 15}


def is_sentence(text: str) -> bool:
    """Return whether this is one whole sentence of five words or more."""
    return bool(re.fullmatch(r'["“]?[A-Z](?!\.)(?:\S* ){4}.*[.]', text)) and list(split_sentences(text)) == [
        text
    ]


def change_number(sentence: str, chance: random.Random) -> str | None:
    """Change a digit, or a number in words."""
    digits = [match.start() for match in re.finditer(r"\d", sentence)]
    words = [match for match in re.finditer(r"\w+", sentence) if match[0] in NUMBERS]
    if digits:
        position = chance.choice(digits)
        digit = chance.choice([each for each in "123456789" if each != sentence[position]])
        return sentence[:position] + digit + sentence[position + 1 :]
    if words:
        word = chance.choice(words)
        other = chance.choice([each for each in NUMBERS if each != word[0]])
        return sentence[: word.start()] + other + sentence[word.end() :]
    return None


def change_negation(sentence: str, chance: random.Random) -> str | None:
    """Remove a "not", or add one."""
    if re.search(r" not\b", sentence):
        return re.sub(r" not\b", "", sentence, count=1)
    verbs = list(re.finditer(r"\b(?:shall|may|must|will|is|are|was|has|have|can)\b", sentence))
    if not verbs:
        return None
    end = chance.choice(verbs).end()
    return f"{sentence[:end]} not{sentence[end:]}"


def change_party(sentence: str, chance: random.Random) -> str | None:
    """Put another party's name in place of one."""
    named = [
        (one, other)
        for pair in PARTIES
        for one, other in (pair, pair[::-1])
        if re.search(rf"\b{one}\b", sentence)
    ]
    if not named:
        return None
    one, other = chance.choice(named)
    return re.sub(rf"\b{one}\b", other, sentence, count=1)


def reword(sentence: str, chance: random.Random) -> str | None:
    """Leave a word of five or more letters out."""
    words = list(re.finditer(r" [a-z]{5,}", sentence))
    if not words:
        return None
    word = chance.choice(words)
    return sentence[: word.start()] + sentence[word.end() :]


EDITS: tuple[Edit, ...] = (
    change_number,
    change_negation,
    change_party,
    reword,
)


def make_draft(contract: Sequence[str], chance: random.Random) -> Draft:
    """Change some sentences, delete one, insert a clause, and move two paragraphs."""
    sentences: list[str] = list(contract)
    changed: list[str] = []
    for edit in EDITS:
        for position in chance.sample(range(len(sentences)), len(sentences)):
            sentence = sentences[position]
            edited = edit(sentence, chance) if sentence in contract else None
            if edited and edited not in contract:
                sentences[position] = edited
                changed.append(sentence)
                break
    kept = [sentence for sentence in sentences if sentence in contract]
    deleted = chance.choice(kept)
    sentences.remove(deleted)
    changed.append(deleted)
    start = chance.randrange(len(sentences) - 1)
    moved = sentences[start : start + 2]
    del sentences[start : start + 2]
    place = chance.randrange(len(sentences))
    sentences[place:place] = moved
    place = chance.randrange(len(sentences))
    sentences[place:place] = INSERTED
    return Draft(sentences, [sentence for sentence in kept if sentence != deleted], changed)


def curl_quotes(text: str, chance: random.Random) -> str:
    return re.sub(r'"([^"]*)"', "“\\1”", text).replace("'", "’")


def straighten_quotes(text: str, chance: random.Random) -> str:
    return text.translate(str.maketrans("“”‘’", "\"\"''"))


def change_hyphens(text: str, chance: random.Random) -> str:
    text = re.sub(r"(?<=[a-z])-(?=[a-z])", chance.choice("\u2010\u2011"), text)
    return re.sub(" [-–—] ", f" {chance.choice('-–—')} ", text)


def keep_together(text: str, chance: random.Random) -> str:
    """Put non-breaking blanks after numbers and elsewhere."""
    return re.sub(r"(?<=\d) | (?=\d)", "\xa0", text).replace(" of ", " of\xa0")


def double_blanks(text: str, chance: random.Random) -> str:
    return re.sub(" ", lambda match: " " * chance.choice((1, 1, 2)), text)


def capitalize(text: str, chance: random.Random) -> str:
    """Write one sentence in five in capitals; the reader knows abbreviations such as "Mr." in lower case."""
    return text.upper() if chance.random() < 0.2 and "." not in text[:-1] else text


TYPOGRAPHY: tuple[Callable[[str, random.Random], str], ...] = (
    curl_quotes,
    straighten_quotes,
    change_hyphens,
    keep_together,
    double_blanks,
    capitalize,
)


def number_clauses(sentences: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the number and the text of headings and sentences; a heading's number has no full stop."""
    for position, sentence in enumerate(sentences):
        clause, paragraph = divmod(position, CLAUSE_LENGTH)
        if paragraph == 0:
            yield f"{clause + 1}", f"General terms, part {'ABCDEFGHIJKLMNOPQRSTUVWXYZ'[clause % 26]}"
        yield f"{clause + 1}.{paragraph + 1}", sentence


def to_text(sentences: Sequence[str]) -> str:
    lines = [
        textwrap.fill(f"{number}. {text}", 76, break_long_words=False, break_on_hyphens=False)
        for number, text in number_clauses(sentences)
    ]
    return "\n\n".join(lines)


def to_markdown(sentences: Sequence[str]) -> str:
    numbered = number_clauses(sentences)
    return "\n\n".join(
        f"{number}. {text}" if "." in number else f"## {number}. {text}" for number, text in numbered
    )


def to_html(sentences: Sequence[str]) -> str:
    numbered = [(number, html.escape(text)) for number, text in number_clauses(sentences)]
    lines = [
        f"<p>{number} {text}</p>" if "." in number else f"<h2>{number}. {text}</h2>"
        for number, text in numbered
    ]
    return "<!doctype html><title>Contract</title>" + "\n".join(lines)


def to_word(sentences: Sequence[str]) -> bytes:
    document = docx.Document()
    for number, text in number_clauses(sentences):
        if "." in number:
            document.add_paragraph(f"{number} {text}")
        else:
            document.add_heading(f"{number}. {text}", 2)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def to_csv(sentences: Sequence[str]) -> str:
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(("No.", "Clause"))
    writer.writerows((number, text) for number, text in number_clauses(sentences) if "." in number)
    return file.getvalue()


FORMATS: dict[str, Callable[[Sequence[str]], str | bytes]] = {
    "draft.txt": to_text,
    "draft.md": to_markdown,
    "draft.html": to_html,
    "draft.docx": to_word,
    "draft.csv": to_csv,
}


def read_fingerprints(name: str, sentences: Sequence[str]) -> dict[str, str]:
    """Write sentences to a file and read it; return the units by fingerprint."""
    return {compute_fingerprint(text): text for text in read(name, FORMATS[name](sentences)).texts}
