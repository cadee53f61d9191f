"""Search terms: tokenization, normalization and prefix matching."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskscan.schemas import Risk
from riskscan.search_terms import MAX_TERM_LENGTH, MAX_TERMS, category_term, index_terms, tokenize

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
        ("Straße STRASSE", ["strasse"]),
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
    assert len(set(found)) == len(found)
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
    risks = [Risk(f"risk{number}", f"kind{number}", "") for number in range(3000)]
    found = index_terms(("a.txt",), risks).split(" ")
    assert len(found) == MAX_TERMS
    assert found[:2] == ["=kind0", "=kind1"]
    assert index_terms((None,), []) == ""
