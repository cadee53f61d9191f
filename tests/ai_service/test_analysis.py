"""From text to findings: units, sections, alike sentences and titles."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from riskscan.ai_service import findings, titles
from riskscan.ai_service.categories import CATEGORIES
from riskscan.ai_service.reading import sentences
from riskscan.ai_service.reading.blocks import Block
from riskscan.ai_service.reading.layout import parse_text
from riskscan.ai_service.reading.sentences import Unit, number_units
from tests.ai_service.documents import read

DANGLING = {"the", "a", "an", "of", "to", "and", "or", "but", "is", "are", "not", "that", "which", "will"}
SENTENCES = Path(__file__).parents[2] / "training" / "sentences"


def units(text: str) -> list[Unit]:
    return list(sentences.split_into_units([Block("text", [text])]))


def texts(text: str) -> list[str]:
    return [unit.text for unit in units(text)]


def find_risks(text: str) -> list[dict[str, Any]]:
    its = units(text)
    return findings.select_findings(findings.score_units(number_units(its), len(its))).findings


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        # wrapped lines are one sentence, paragraphs are not
        (
            "The pump was taken out of\nservice in May. It leaks.\n\nTea was served.",
            ["The pump was taken out of service in May.", "It leaks.", "Tea was served."],
        ),
        # bullets and numbers go, abbreviations and decimals stay
        (
            "- The fee is 3.5 million.\n* Dr. Lim, Mr. Ou and L. Sok agreed.\n"
            "2.1 The Lessor pays, cf. Art. 4.\n(a) Goods e.g. timber are dear.",
            [
                "The fee is 3.5 million.",
                "Dr. Lim, Mr. Ou and L. Sok agreed.",
                "The Lessor pays, cf. Art. 4.",
                "Goods e.g. timber are dear.",
            ],
        ),
        ("ទឹកឡើង។ ផ្លូវលិច។\n១. ភាគី ក បង់ប្រាក់។", ["ទឹកឡើង។", "ផ្លូវលិច។", "ភាគី ក បង់ប្រាក់។"]),
        # short lines of a list stand for themselves
        (
            "Rising prices of steel\nLate delivery of tiles",
            ["Rising prices of steel", "Late delivery of tiles"],
        ),
        # headings and code are not scored
        (
            "RISK ANALYSIS\n\n# All risks\n\n```\nraise an error now\n```\nThe wall is wet.",
            ["The wall is wet."],
        ),
        ("| Risk | Owner |\n| --- | --- |\n| The wall is wet | Ana Lim |", ["The wall is wet"]),
    ],
)
def test_text_is_split_into_sentences_and_items(text: str, pieces: list[str]) -> None:
    assert texts(text) == pieces


def test_a_list_of_dependencies_is_no_list_of_risks() -> None:
    assert [
        unit.section for unit in units("# Build dependencies\n\nIt needs a compiler of the year 2020.")
    ] == [""]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("### Water", 3),
        ("Water\n=====", 1),
        ("Water\n-----", 2),
        ("WATER AND ICE\nIt rose.", 7),
        ("**Water**\nIt rose.", 8),
        ("Water:\nIt rose.", 8),
        ("1. Water\n1.1 It rose.", 8),
        ("1. Water\n\nIt rose.", 8),
        ("Water\n- It rose.", 8),
        ("Water\n\nIt rose in March.", 8),
        ("Water rose.\n\nIt rose in March.", 0),
        ("Water of the upper and of the lower basin:\n- It rose.", 0),
        ("Owner: Ana\n- It rose.", 0),
        ("- Water\n- It rose.", 0),
        ("1. Water\n\n2. Ice", 0),
        ("1.1 Water\n2. It rose.", 0),
        ("1. Water", 0),
        ("water\n- It rose.", 0),
        ("Water of the upper and lower basin\n- It rose.", 0),
        ("Water\nIt rose in March.", 0),
        ("Water", 0),
    ],
)
def test_the_first_line_is_a_heading_of_this_level(text: str, level: int) -> None:
    first = next(parse_text([Block("text", [text])]))
    assert (first.kind == "heading", first.level) == (level > 0, level)


def test_headings_decide_the_section_of_the_lines_below() -> None:
    text = (
        "# Report\n\n## Done\n\n- The wall is dry.\n\n## Risks\n\n### Water\n\n- The wall is wet.\n\n"
        "## Agenda\n\n- The wall is new.\n\nConcerns\n* The wall is old.\n\nThe wall is red, as it was."
    )
    assert [(unit.text, unit.section) for unit in units(text)] == [
        ("The wall is dry.", "closed"),
        ("The wall is wet.", "risks"),
        ("The wall is new.", "neutral"),
        ("The wall is old.", "risks"),
        ("The wall is red, as it was.", "neutral"),
    ]


def test_closed_rows_and_other_columns_are_skipped() -> None:
    rows = [
        ["No", "Issue", "Mitigation", "Status"],
        ["1", "The crane may tip over.", "A survey may fail", "Open"],
        ["2", "The mast may break.", "None", "closed on 3 May"],
    ]
    cut = list(sentences.split_into_units(Block("row", row) for row in rows))
    assert cut == [Unit("The crane may tip over.", "cell", "risks")]


def test_what_stands_in_the_risk_column_of_a_register_is_a_risk() -> None:
    cells = ["Loss of the crane", "Monsoon rains", "Low turnout", "Theft", "Wrong paint"]
    rows = "\n".join(f"{number},{cell},Open" for number, cell in enumerate(cells))
    its = read(
        "register.csv", f"No,Risk,Status\n{rows}\n9,[name of the risk],Open\n10,None,\n11,High,\n"
    ).units
    found = findings.select_findings(findings.score_units(number_units(its), len(its))).findings
    assert [item["context"] for item in found] == cells
    assert all(item["category"] in CATEGORIES for item in found)


def test_a_neutral_document_has_no_findings() -> None:
    lines = [
        "The choir met on Tuesday.",
        "Fourteen members were present.",
        "The accounts were read and approved.",
        "The hall was painted in May.",
        "The piano was tuned last week.",
        "All music has been paid for.",
        "The summer concert takes place on 4 July.",
        "Ms Brandt will print the programme.",
        "The chair thanked the helpers.",
        "No complaints were received.",
        "The next meeting is on 6 June.",
    ]
    assert find_risks("\n\n".join(lines)) == []


@pytest.mark.parametrize(
    "other",
    [
        "The supplier may fail to deliver the pumps!",
        "the  Supplier may fail, to DELIVER the pumps",
        "A supplier may fail to deliver pumps",
    ],
)
def test_sentences_that_differ_in_case_blanks_punctuation_and_articles_are_one_finding(other: str) -> None:
    once = "The supplier may fail to deliver the pumps."
    found = find_risks(f"{once}\n\nTea was served.\n\n{other}\n\n{once}")
    assert len(found) == 1
    assert sorted([found[0]["position"], *found[0]["alike"]]) == [0, 2, 3]


def test_of_alike_sentences_the_first_in_the_document_is_the_finding() -> None:
    scores = [1.0, 1.1, 0.9]
    candidates = [
        findings.Finding(i, "", "Legal", "The dam may break.", score) for i, score in enumerate(scores)
    ]
    assert [(finding.position, finding.alike) for finding in findings.merge_alike(candidates)] == [
        (0, (1, 2))
    ]


@pytest.mark.parametrize(
    "other",
    [
        "The supplier may fail to deliver the 30 pumps of the upper and of the lower basin on time.",
        "The supplier may fail to deliver the 20 pumps of the upper and of the lower basin on demand.",
        "The supplier Sok may fail to deliver the 20 pumps of the upper and of the lower basin on time.",
        "The supplier A may fail to deliver the 20 pumps of the upper and of the lower basin on time.",
        "The supplier may not fail to deliver the 20 pumps of the upper and of the lower basin on time.",
        "The supplier may fail to deliver the 20 % pumps of the upper and of the lower basin on time.",
        "The supplier may fail to deliver the −20 pumps of the upper and of the lower basin on time.",
    ],
)
def test_sentences_that_differ_in_a_number_a_name_or_a_word_are_two_findings(other: str) -> None:
    once = "The supplier may fail to deliver the 20 pumps of the upper and of the lower basin on time."
    candidates = [findings.Finding(i, "", "Legal", text, 1.0) for i, text in enumerate([once, other])]
    assert [(finding.context, finding.alike) for finding in findings.merge_alike(candidates)] == [
        (once, ()),
        (other, ()),
    ]


def test_two_risks_of_a_sentence_that_stands_twice_are_two_findings() -> None:
    text = "Project has tight budget and aggressive deadline"
    found = find_risks(f"{text}\n\nTea was served.\n\n{text}.")
    assert [(item["risk"], item["category"], len(item["alike"])) for item in found] == [
        ("Project has tight budget", "Financial", 1),
        ("Aggressive deadline", "Schedule", 1),
    ]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("The lessee pays the rent on the first day of each month.", 0),
        ("The lessee shall pay the rent within ten days of the invoice.", 0),
        ("The lessee cannot pay the rent on the first day of the month.", 1),
        ("The lessee pays a penalty on each day of delay.", 1),
    ],
)
def test_that_somebody_pays_on_a_stated_day_is_no_risk(text: str, found: int) -> None:
    assert len(find_risks(text)) == found


def test_at_most_two_hundred_findings_in_document_order() -> None:
    lines = [f"Crane {n} may fall into the harbour because bolt {n * 7} is broken." for n in range(300)]
    contexts = [item["context"] for item in find_risks("\n\n".join(lines))]
    assert len(contexts) == findings.MAX_FINDINGS
    assert contexts == [line for line in lines if line in contexts]


@pytest.mark.parametrize(
    "text",
    [
        "The main risk is that the dam may break.",
        "The **dam** may break!",
        "4.2 FTE and 2.5 Gbit/s are missing.",
        "2.5 Million euros are missing.",
        "3 pumps are missing.",
        "(Both) pumps are missing.",
        "10.1. or 10.2. is missing.",
        "There is a serious risk that the upper dam of the old mill and the lower one may break in May.",
        "ថវិកាគម្រោងមិនគ្រប់គ្រាន់ទេ។",
    ],
)
def test_the_title_of_a_short_sentence_is_the_sentence(text: str) -> None:
    assert titles.derive_title(text) == text


def test_a_long_sentence_with_what_was_made_unreadable_has_a_title() -> None:
    text = (
        "The fee was **agreed** with the other party in the letter of *** and will rise in May of each year."
    )
    assert titles.derive_title(text) == "The fee was agreed with the other party in the letter of ***…"


@pytest.mark.parametrize("number", ["4.2 ", "4.2. ", "4. ", "(a) ", "(iv) ", "(12) "])
def test_no_title_begins_with_the_number_of_its_clause(number: str) -> None:
    text = "The **dam** may break!"
    assert titles.derive_title(number + text) == text
    long = "The costs that are not covered by the insurer in the first year of the lease can grow in May."
    assert titles.derive_title(number + long) == long
    assert titles.derive_title("(ii) the dam may break") == "The dam may break"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        (
            "The dam may break after heavy rain, which the station on the hill has measured in each year.",
            "The dam may break after heavy rain…",
        ),
        (
            "Since May of last year the mill has had no owner, and the old dam may break in heavy rain.",
            "…the old dam may break in heavy rain",
        ),
        (
            "Also, the mason has not brought the stones for the pier because the quarry has none of it left.",
            "The mason has not brought the stones for the pier…",
        ),
        # before "can" there is no main clause
        (
            "The costs that are not covered by the insurer in the first year of the lease can grow in May.",
            "The costs that are not covered by the insurer in the first year of the lease can grow in May.",
        ),
        (
            "4.2 The Lessor may end the lease at any time if the Lessee has not paid the rent in May.",
            "The Lessor may end the lease at any time…",
        ),
        (
            "3.5 million euros are missing because the insurer of the mill has not paid for the dam in May.",
            "3.5 million euros are missing…",
        ),
        (
            "បំពង់ជ័រចំនួនបួនរយម៉ែត្រ មិនទាន់មកដល់ការដ្ឋាននៅឡើយទេ ដោយសារក្រុមហ៊ុនដឹកជញ្ជូនបានក្ស័យធនកាលពីខែមុន។",
            "បំពង់ជ័រចំនួនបួនរយម៉ែត្រ មិនទាន់មកដល់ការដ្ឋាននៅឡើយទេ…",
        ),
    ],
)
def test_the_title_of_a_long_sentence_is_a_whole_phrase_of_it(text: str, title: str) -> None:
    assert titles.derive_title(text) == title


@pytest.mark.parametrize("name", ["projects.txt", "negatives_office.txt", "contracts.txt"])
def test_no_title_ends_in_the_middle_of_a_phrase(name: str) -> None:
    lines = (SENTENCES / name).read_text("utf-8").splitlines()
    texts = [line.split(" ", 1)[1] for line in lines if " " in line and not line.startswith("#")]
    # two sentences with a comma between them are as long as those of contracts
    long_texts = [f"{one.rstrip('.')}, and {other}" for one, other in pairwise(texts[::7])]
    made = [(text, titles.derive_title(text)) for text in texts + long_texts]
    cut = [title for text, title in made if title != text]
    assert len(cut) > 10
    assert all(len(title.split()) <= 15 for title in cut)
    assert all(
        title.removeprefix("…").removesuffix("…").lower() in text.replace("**", "").lower()
        for text, title in made
    )
    assert {title.removesuffix("…").split()[-1].lower() for title in cut}.isdisjoint(DANGLING)
    assert {title.removeprefix("…").split()[0].lower() for title in cut}.isdisjoint(
        DANGLING - {"the", "a", "an"}
    )


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("**Dam** may break,\n after rain.", "Dam may break, after rain"),
        ("the DAM may break after heavy rain", "The dam may break after heavy rain."),
        ("There is a risk that the dam may break after heavy rain", "The dam may break after heavy rain."),
        ("Break of the", "The dam may break after heavy rain."),
        ("Of the dam", "The dam may break after heavy rain."),
        ("Rain " * 16, "The dam may break after heavy rain."),
        ("Visit evil.example", "The dam may break after heavy rain."),
    ],
)
def test_names_of_a_language_model_are_whole_phrases_in_the_words_of_the_sentence(
    name: str, title: str
) -> None:
    assert findings.verify_name(name, "The dam may break after heavy rain.") == title
