"""Search terms: tokenization, normalization and prefix matching."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskscan.schemas import Risk
from riskscan.search_terms import (
    MAX_CATEGORIES,
    MAX_INDEXED_CHARACTERS,
    MAX_TERM_LENGTH,
    category_term,
    index_terms,
    order_khmer,
    parse_query,
    tokenize,
)

LETTERS = st.text(st.characters(categories=["Lu", "Ll"], max_codepoint=0x24F), min_size=1, max_size=20)
HAN = st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=1, max_size=20)


def matches(query: str, text: str) -> bool:
    """Match as both databases do: each query word is a prefix of a word of the text."""
    kept, sought = tokenize(text), tokenize(query)
    return bool(sought) and all(any(word.startswith(begin) for word in kept) for begin in sought)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Supply_contract (draft 3).PDF", ["supply", "contract", "draft", "3", "pdf"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("İIıi", ["iiii"]),
        ("ﬁx Ⅻ ½", ["fix", "xii", "1", "2"]),
        ("cafe\u0301", ["café"]),
        ("soft\u00adhyphen zero\u200bwidth", ["softhyphen", "zerowidth"]),
        ("契約書v2", ["契約", "約書", "書", "v2"]),
        ("書", ["書"]),
        ("ក្រសួង", ["ក្រសួ", "សួង", "ង"]),
        ("हिन्दी", ["हिन्दी"]),
        ("… !? \0 \ud800", []),
        ("x" * 100, ["x" * 60]),
    ],
)
def test_text_is_split_into_normalized_words(text: str, expected: list[str]) -> None:
    assert tokenize(text) == expected


@given(st.text(max_size=200))
def test_words_are_safe_for_both_databases(text: str) -> None:
    found = tokenize(text)
    for word in found:
        assert 0 < len(word) <= MAX_TERM_LENGTH
        assert not re.search(r"[\s'\\\\:&|!()<>*=\"\0_]", word)
        word.encode()


@given(st.text(max_size=100))
def test_text_matches_itself(text: str) -> None:
    assert matches(text, text) or not tokenize(text)


@given(st.lists(LETTERS, min_size=1, max_size=5), st.data())
def test_word_is_found_by_its_prefix_in_any_case(parts: list[str], data: st.DataObject) -> None:
    part = data.draw(st.sampled_from(parts))
    begin = part[: data.draw(st.integers(1, len(part)))]
    for query in (begin, begin.casefold()):
        assert matches(query, " ".join(parts))


@given(HAN, st.data())
def test_text_without_spaces_matches_any_substring(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    assert matches(text[start:end], text)


@given(st.text(max_size=100))
def test_category_word_matches_no_search(category: str) -> None:
    word = category_term(category)
    assert word.startswith("=")
    assert len(word) <= MAX_TERM_LENGTH
    assert not re.search(r"[\s'\\\\:]", word)
    assert word not in tokenize(category)


def test_a_scan_of_any_size_has_a_bounded_number_of_words() -> None:
    # some characters are many once they are normalized
    risks = [Risk("", f"kind{number}", f"{number} \ufdfa") for number in range(30_000)]
    words, terms = index_terms(("a.txt",), risks)
    assert words.startswith("=kind0 =kind1 ")
    assert sum(word.startswith("=") for word in words.split()) == MAX_CATEGORIES
    assert terms.startswith("a txt  0 صلى الله")
    assert MAX_INDEXED_CHARACTERS - 100 < len(terms) <= 2 * MAX_INDEXED_CHARACTERS
    assert index_terms((None,), []) == ("", "")


def test_terms_are_stored_in_order_and_a_title_that_its_sentence_has_once() -> None:
    risks = [
        Risk("The budget is …", "Legal", "The budget is tight."),
        Risk("Delay", "Legal", "Steel is late."),
        Risk("art", "Legal", "Part 5 is missing."),
    ]
    assert index_terms((None, "a.txt"), risks) == (
        "=legal a txt delay art the budget is tight steel late part 5 missing",
        "a txt  delay  art  the budget is tight  steel is late  part 5 is missing",
    )


def test_query_has_terms_and_quoted_phrases() -> None:
    query = "Tight Bud “the budget is” the"
    assert parse_query(query) == (("tight", "the", "budget", "is"), ("the budget is ",))
    assert parse_query('"cost" costs 5" pipe') == (("costs", "5", "pipe"), ("cost ",))
    assert parse_query('«ក្រសួង» „“ ""') == (("ក្រសួ", "សួង", "ង"), ("ក្រសួ សួង ង",))
    assert parse_query('" … " "') == ((), ())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u1780\u17d2\u179a\u17bb", "\u1780\u17bb\u17d2\u179a"),  # subscript, vowel
        ("\u179f\u17d2\u178f\u17d2\u179a\u17b8", "\u179f\u17d2\u179a\u17d2\u178f\u17b8"),  # subscript ro last
        ("\u1798\u17c9\u17b6\u17c6", "\u1798\u17c6\u17b6\u17c9"),  # register, vowel, sign
        ("\u1792\u17cc\u17d2\u1798\u17b6", "\u1792\u17d2\u1798\u17b6\u17cc"),  # robat first
        ("\u1780\u17d2\u1781\u17d2\u1782", "\u1780\u17d2\u1781\u17d2\u1782"),  # two subscripts as they are
    ],
)
def test_khmer_letters_are_found_in_any_order_of_typing(one: str, other: str) -> None:
    assert order_khmer(one) == order_khmer(other) == one
    assert tokenize(f"ក{one}ម") == tokenize(f"ក{other}ម")
    assert matches(other, f"ក{one}ម")


@given(st.text(st.characters(min_codepoint=0x1780, max_codepoint=0x17FF), max_size=20))
def test_order_of_khmer_loses_nothing_and_is_final(text: str) -> None:
    ordered = order_khmer(text)
    assert sorted(ordered) == sorted(text)
    assert order_khmer(ordered) == ordered
