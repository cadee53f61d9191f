"""The notes of the embedded service."""

from collections import Counter

import pytest

from riskscan.ai_service.notes import (
    HELP_AFTER_FAILURE,
    HELP_WITHOUT_MODEL,
    MAX_NOTE_CHARS,
    MAX_NOTES,
    describe_foreign_parts,
    describe_left_out,
    limit_notes,
)


def describe(sentences: dict[str, int], help_with_languages: str = HELP_WITHOUT_MODEL) -> list[str]:
    """Return the note on a document with so many sentences of 50 characters in each language."""
    chars = {language: 50 * count for language, count in sentences.items()}
    return describe_foreign_parts(Counter(sentences), chars, help_with_languages)


def test_a_document_in_another_language_gets_a_note_that_says_what_helps() -> None:
    assert describe({"German": 3}) == [
        "This document is in German and was not searched for risks: the built-in analyser reads only"
        " English and Khmer. A language model can read it: ask whoever runs this server to set LLM_BASE_URL."
    ]
    assert describe({"Thai": 1}, HELP_AFTER_FAILURE) == [
        "This document is in Thai and was not searched for risks: the built-in analyser reads only"
        " English and Khmer. The language model can read it but failed this time:"
        " scan the document again later."
    ]


def test_parts_in_other_languages_get_a_note_that_names_the_languages() -> None:
    assert describe({"English": 20, "German": 8})[0].startswith(
        "Parts of this document are in German and were not searched for risks: "
    )
    assert describe({"English": 5, "German": 9})[0].startswith(
        "Most of this document is in German and was not searched for risks: "
    )
    assert "are in Thai and French and were" in describe({"English": 20, "French": 8, "Thai": 9})[0]


def test_a_language_that_few_sentences_were_taken_for_is_not_named() -> None:
    assert "is in Danish and was" in describe({"Danish": 18, "Norwegian": 2})[0]


def test_the_longest_note_fits() -> None:
    languages = dict.fromkeys(
        ["Indonesian or Malay", "Portuguese", "Vietnamese", "Ukrainian", "Hungarian"], 90
    )
    note = describe({"English": 90, "Khmer": 90, **languages}, HELP_AFTER_FAILURE)[0]
    assert "Indonesian or Malay, Portuguese, Vietnamese and other languages" in note
    assert len(note) <= MAX_NOTE_CHARS


@pytest.mark.parametrize(
    "sentences",
    [{"English": 3}, {"Khmer": 3, "English": 1}, {"English": 5, "German": 1}, {"English": 200, "German": 9}],
)
def test_a_quoted_sentence_gives_no_note(sentences: dict[str, int]) -> None:
    assert describe(sentences) == []


@pytest.mark.parametrize(
    "sentences", [{"English": 2, "German": 1}, {"English": 15, "German": 2}, {"English": 2000, "German": 10}]
)
def test_an_annex_in_another_language_gives_a_note(sentences: dict[str, int]) -> None:
    assert len(describe(sentences)) == 1


def test_the_note_on_findings_that_were_left_out_says_how_many() -> None:
    assert describe_left_out(200, 0, False, "surest") == []
    assert describe_left_out(200, 1231, False, "surest") == [
        "Only the surest 200 findings are shown; 1,231 more were left out."
    ]
    assert describe_left_out(200, 800, True, "first") == [
        "Only the first 200 findings are shown; more than 800 others were left out."
    ]
    assert describe_left_out(3, 0, True, "surest") == [
        "Only the surest 3 findings are shown; others were left out."
    ]


def test_notes_are_cut_to_what_the_contract_allows() -> None:
    assert limit_notes(["Page 3 was not read.", "Page 3 was not read."]) == ["Page 3 was not read."]
    assert limit_notes(["x" * 300, "y" * 301]) == ["x" * 300, "y" * 299 + "…"]
    many = limit_notes([f"Page {number} was not read." for number in range(30)])
    assert len(many) == MAX_NOTES
    assert many[-2:] == ["Page 18 was not read.", "11 more notes were left out."]
