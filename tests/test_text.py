"""The normal form of text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskscan.text import HAS_UNSPACED, WORD, normalize


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("Budget", "budget"),
        ("Straße ΣΊΣΥΦΟΣ", "strasse σίσυφοσ"),
        ("ﬁx Ⅻ ½ Ｂ", "fix xii 1⁄2 b"),
        ("cafe\u0301", "café"),
        ("İIıi", "iiii"),
        ("soft\u00adhyphen zero\u200bwidth \u202eright\u202c ⚠\ufe0f", "softhyphen zerowidth right ⚠"),
        ("\ud800\0", "\ud800\0"),
    ],
)
def test_text_is_normalized(text: str, normalized: str) -> None:
    assert normalize(text) == normalized


@given(st.text(max_size=100))
def test_normal_form_is_stable(text: str) -> None:
    assert normalize(normalize(text)) == normalize(text)


@pytest.mark.parametrize("text", ["ក", "ไทย", "ລາວ", "မြန်မာ", "漢", "𠀀", "かな", "カナ", "ㄅ", "ᦀ", "ᨠ"])
def test_scripts_without_spaces_are_known(text: str) -> None:
    assert HAS_UNSPACED.fullmatch(text[0])


@pytest.mark.parametrize("text", ["a", "й", "ا", "ह", "한", "7", "។", "。", " "])
def test_other_scripts_and_punctuation_are_not_unspaced(text: str) -> None:
    assert HAS_UNSPACED.match(text) is None


def test_words_keep_their_marks() -> None:
    assert WORD.findall("हिन्दी_قَلَم x2") == ["हिन्दी", "قَلَم", "x2"]
