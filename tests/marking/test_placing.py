"""Where sentences stand in a text: the right one of several, in pieces, and none rather than a wrong one."""

from __future__ import annotations

import pytest

from riskscan.marking.placing import Mark, place_marks, read_page


def place(text: str, *sentences: str) -> list[str]:
    """Return what is marked of a text for each sentence, the pieces joined by a bar."""
    marks = [Mark(number, sentence, 0, "") for number, sentence in enumerate(sentences, 1)]
    return [
        "|".join(text[piece.start : piece.end] for piece in pieces) for pieces in place_marks(text, marks)
    ]


def starts(text: str, *sentences: str) -> list[int]:
    marks = [Mark(number, sentence, 0, "") for number, sentence in enumerate(sentences, 1)]
    return [pieces[0].start if pieces else -1 for pieces in place_marks(text, marks)]


def test_case_blanks_hyphens_and_quotation_marks_do_not_matter() -> None:
    text = "Intro. The “Sup-\nplier”  may be\nLATE. End."
    assert place(text, "The 'supplier' may be late.") == ["The “Sup-\nplier”  may be\nLATE"]


@pytest.mark.parametrize(
    "text",
    [
        "No payment is late.",
        "Payment is lately due.",
        "The payment is late or early.",
        "[Plan - Payment is late](#x)",
        "It is said that payment is late, again and again.",
    ],
)
def test_part_of_another_sentence_is_not_marked(text: str) -> None:
    assert place(text, "Payment is late.") == [""]


@pytest.mark.parametrize("number", ["1.5", "15", "1,500"])
def test_another_number_is_another_sentence(number: str) -> None:
    assert place(f"We owe {number} million.", "We owe 1.50 million.") == [""]
    assert place(f"We owe {number} million.", f"We owe {number} million.") == [f"We owe {number} million"]


def test_sentence_of_its_own_wins_over_part_of_another() -> None:
    text = "No payment is late. Payment is late."
    assert starts(text, "Payment is late.") == [text.index("Payment")]


@pytest.mark.parametrize("before", ["", "4.2 ", "(a) ", "R12 - ", "• ", "Risk: ", "1. ", "| R1 | "])
def test_sentence_stands_behind_the_mark_of_its_item(before: str) -> None:
    assert place(f"Other words\n{before}Payment is late\nMore", "Payment is late") == ["Payment is late"]


def test_repeated_sentence_is_marked_between_its_neighbours() -> None:
    text = "The budget is tight. A is late. Same risk. B is late. Same risk. C is late. Same risk."
    assert starts(text, "B is late.", "Same risk.", "C is late.") == [
        text.index("B is"),
        text.index("Same risk. C"),
        text.index("C is"),
    ]


def test_each_of_equal_sentences_is_marked_once() -> None:
    text = "Same risk. A is late. Same risk. B is late."
    assert starts(text, "Same risk.", "A is late.", "Same risk.") == [0, 11, 22]


def test_two_risks_of_one_sentence_mark_it_twice() -> None:
    assert starts("The budget is tight. End.", "The budget is tight.", "The budget is tight.") == [0, 0]


def test_page_of_the_finding_decides_among_equal_sentences() -> None:
    text = "Same risk.\fSame risk.\fSame risk."
    marks = [Mark(1, "Same risk.", 2, "")]
    (pieces,) = place_marks(text, marks, page_of=lambda index: text.count("\f", 0, index) + 1)
    assert pieces[0].start == text.index("\f") + 1


def test_sentence_across_a_page_is_marked_in_pieces_without_the_footer() -> None:
    text = "The supplier may cancel the order\n\nPage 3 of 9\fConfidential\nwithout any notice at all. End."
    sentence = "The supplier may cancel the order without any notice at all."
    assert place(text, sentence) == ["The supplier may cancel the order|without any notice at all"]


def test_words_inside_a_line_make_another_sentence() -> None:
    text = "The supplier of the servers is not liable for the loss of any data."
    assert place(text, "The supplier of the servers is liable for the loss of any data.") == [""]


def test_piece_of_a_long_sentence_is_marked_unless_it_ends_inside_a_word() -> None:
    piece = "the supplier that runs the servers of the project and of its customers is late"
    assert place(f"We hear that {piece} again.", piece) == [piece]
    assert place(f"We hear that {piece}ly heard.", piece) == [""]


def test_item_of_a_list_wins_over_a_wrapped_line() -> None:
    text = "We fear that\nscope creep\nis near.\n- scope creep\n- More"
    assert starts(text, "scope creep") == [text.rindex("scope")]


def test_scripts_without_spaces_are_placed() -> None:
    text = "កិច្ចប្រជុំ។ថវិកាមិនគ្រប់គ្រាន់។ចប់។"
    assert place(text, "ថវិកាមិនគ្រប់គ្រាន់។") == ["ថវិកាមិនគ្រប់គ្រាន់"]


def test_sentence_without_letters_is_not_placed() -> None:
    assert place("… !? …", "…", "") == ["", ""]


def test_text_of_one_repeated_word_takes_linear_time() -> None:
    text = "late " * 200_000
    assert place(text, *["late " * 20 + "never"] * 50) == [""] * 50


def test_page_is_read_from_the_place() -> None:
    assert [read_page(place) for place in ("p. 7 · 4.2 Payment", "p. 12", "Risks · row 14", "", "p. x")] == [
        7, 12, 0, 0, 0,
    ]  # fmt: skip
