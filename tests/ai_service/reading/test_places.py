"""Where a sentence stands in its document."""

from riskscan.ai_service.reading.blocks import Block, Place
from riskscan.ai_service.reading.sentences import split_into_units
from tests.ai_service.documents import read


def test_a_sentence_knows_its_paragraph_and_the_headings_above_it() -> None:
    reading = read("plan.md", "# Pier\n\nThe pier is old.\n\n## Costs\n\nSteel is dear. Wood is dear too.\n")
    assert [(unit.text, unit.place.headings, unit.place.paragraph) for unit in reading.units] == [
        ("The pier is old.", ("Pier",), 2),
        ("Steel is dear.", ("Pier", "Costs"), 4),
        ("Wood is dear too.", ("Pier", "Costs"), 4),
    ]


def test_a_sentence_that_goes_on_over_a_page_break_stands_on_the_first_page() -> None:
    pages = [
        Block("text", ["The harbour master has not yet answered our letter"], place=Place(page=1)),
        Block("text", ["about the new pier.\n\nHe is ill."], place=Place(page=2)),
    ]
    assert [(unit.text, unit.place.page) for unit in split_into_units(pages)] == [
        ("The harbour master has not yet answered our letter about the new pier.", 1),
        ("He is ill.", 2),
    ]


def test_a_row_has_the_names_of_its_columns() -> None:
    rows = [["ID", "Risk"], ["1", "The pier may sink."]]
    reading = read("register.csv", "\n".join(",".join(row) for row in rows))
    assert [(block.texts, block.names) for block in reading.blocks] == [(rows[1], ("ID", "Risk"))]
