"""Names of scans: which are of drafts of one document, and what a scan is called."""

from __future__ import annotations

import pytest

from riskscan.scan_names import display_name, draft_name, extract_first_words

DRAFTS = [
    ("Contract.docx", "contract v2.pdf", "Contract_final.odt", "Copy of Contract (1).pdf", "CONTRACT-6.md"),
    ("Lease Street 430 – draft 3.docx", "lease street 12 (29 Nov 2026).pdf", "Lease.Street.430.final.v2.odt"),
    ("កិច្ចសន្យា ១.pdf", "កិច្ចសន្យា ២ final.pdf"),
    ("2026-11 report.pdf", "report 2nd revision.docx"),
]  # fmt: skip
OTHERS = [
    ("Contract.docx", "Contact.docx"),
    ("Lease A.pdf", "Lease B.pdf"),
    ("IMG_1234.jpg", "IMG_1235.jpg"),
    ("scan 1.pdf", "scan 2.pdf"),
    ("2026-11-28.pdf", "2026-11-29.pdf"),
    ("final v2.docx", "final v3.docx"),
]


@pytest.mark.parametrize("names", DRAFTS)
def test_names_of_drafts_are_the_same_but_for_numbers_and_words_of_drafts(names: tuple[str, ...]) -> None:
    assert len({draft_name(name) for name in names}) == 1


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_names_of_other_documents_differ(one: str, other: str) -> None:
    assert draft_name(one) != draft_name(other)


def test_first_words_are_a_name_without_an_extension() -> None:
    assert draft_name(None, "Service Agreement of 3 March.") == draft_name(
        None, "SERVICE AGREEMENT of 12 May:"
    )
    assert draft_name(None, "see notes.md") != draft_name(None, "see notes")
    assert draft_name("notes.md") == draft_name(None, "Notes")
    assert draft_name(None, "") is None


@pytest.mark.parametrize("name", [" .pdf", ".", "–", "1", "\u200b", " ", "a" * 255])
def test_every_file_has_a_draft_name(name: str) -> None:
    assert draft_name(name)


def test_a_scan_is_called_by_its_title_else_its_file_name_else_its_first_words() -> None:
    assert display_name("Lease", "a.pdf", "") == "Lease"
    assert display_name(None, "a.pdf", "") == "a.pdf"
    assert display_name(None, None, "This Agreement…") == "This Agreement…"
    assert display_name(None, None, "") == "Pasted text"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("The budget is tight.", "The budget is tight."),
        ("\n \nMinutes of 3 May\nThe budget is tight.", "Minutes of 3 May"),
        ("a\u202eb\tc", "a b c"),
        ("word " * 20, "word " * 11 + "word…"),
        ("x" * 80, "x" * 59 + "…"),
        (" \n", ""),
    ],
)
def test_first_words_are_whole_words_of_the_first_line(text: str, name: str) -> None:
    assert extract_first_words(text) == name
