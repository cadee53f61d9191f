"""Paragraphs cut into sentences."""

import pytest

from riskscan.ai_service.reading.sentences import MAX_UNIT_CHARS, MIN_PIECE_CHARS, split_sentences
from tests.ai_service.documents import read


@pytest.mark.parametrize(
    "sentences",
    [
        [
            "The Acme Inc. pier is closed.",
            "See Art. 5 and Fig. 3 vs. No. 7, e.g. the lamps, approx. 3.5 m long.",
        ],
        ["It was built by Acme Inc.", "The harbour pays.", "We met at 9 a.m.", "They left."],
        ["J. R. Smith and Dr. Vell are ill.", "Mr. Prem is not."],
        ["The U.S. Government pays.", "It was made in the U.S.", "It is late."],
        ["He said: “The pier is closed.”", "(It was not.)", "“Is it?”", "Yes!"],
        ["Really?!", "No way…", "The pump stopped... and then it rained.", "Version 2.1.3 is out."],
        ["The shop is closed.", "iPhone users wait.", "eBay is down."],
        ["The rent is late.[1]", "The mill is closed."],
        [
            "The lessor may: (a) raise the rent; (b) end the lease; and (c) keep the deposit.",
            "The lessee pays.",
        ],
        ["a. The rent is late.", "b. The mill is closed.", "(c) The oven is cold."],
        ["The rent rises in 2026.", "2027 is open."],
        ["ថវិកាមិនគ្រប់គ្រាន់ទេ។", "ការងារត្រូវពន្យារ៕", "ឧបករណ៍៖ ម៉ាស៊ីន គ្រឿងចក្រ ។ល។"],
        ["預算不足。", "工期延誤！", "誰負責？"],
        ["बजट कम है।", "समय भी कम है।"],
        ["الميزانية غير كافية.", "هل الوقت قصير؟", "نعم هو قصير."],
        ["Бюджета не хватает.", "Срок сорван!"],
        ["Über uns ist nichts.", "Ärger kommt, z.B. im Mai."],
    ],
)
def test_paragraphs_are_cut_where_sentences_end(sentences: list[str]) -> None:
    assert [sentence.strip() for sentence in split_sentences(" ".join(sentences))] == sentences


def test_a_sentence_begins_without_a_space_where_one_was_forgotten() -> None:
    assert list(split_sentences("See the PWS.The mill is in Node.js and example.Com.")) == [
        "See the PWS.",
        "The mill is in Node.js and example.Com.",
    ]


def test_a_long_sentence_is_cut_between_its_clauses() -> None:
    clauses = [
        f"({letter}) the lessee pays, on the first day of each month, the rent of the pier and its lamps"
        for letter in "abcdefghij"
    ]
    sentence = "The parties agree that: " + "; ".join(clauses) + "."
    pieces = list(split_sentences(sentence))
    assert " ".join(pieces) == sentence
    assert len(pieces) > 1
    assert all(MIN_PIECE_CHARS <= len(piece) <= MAX_UNIT_CHARS for piece in pieces)
    assert all(piece.startswith("(") for piece in pieces[1:])


def test_a_long_sentence_without_clauses_is_cut_between_words() -> None:
    sentence = "pier " * 300
    pieces = list(split_sentences(sentence))
    assert " ".join(pieces) == sentence.strip()
    assert all(len(piece) <= MAX_UNIT_CHARS for piece in pieces)


def test_short_sentences_in_scripts_without_spaces_are_units() -> None:
    assert read("a.txt", "項目預算不足。工期已延誤！\n").texts == ["項目預算不足。", "工期已延誤！"]
