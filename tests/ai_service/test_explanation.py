"""What the words of a sentence contribute to its score."""

import pytest

from riskscan.ai_service.model import encoder
from riskscan.ai_service.model.explanation import MAX_WORDS, MIN_WEIGHT, WHOLE, Cue, explain
from riskscan.ai_service.model.features import extract_features
from riskscan.ai_service.model.linear import load_model
from riskscan.ai_service.model.risk_model import Judgement, judge

TEXTS = [
    "Nobody has tested whether the backup of the patient records can be restored.",
    "The **pump** won’t be re-tested: it may__ fail, it may fail, it may fail.",
    "The library opens at nine on weekdays and at ten on Saturdays.",
    "Le pont est fermé. Ремонт 5 % (東京) ½ naïve ŉ İ ﬁn",
    "គ្មាន\u200bនរណា\u200bបាន សាកល្បង\u200bប្រព័ន្ធ ទេ ហើយ វា អាច នឹង ខូច។",
    "Loss-of-data-and-late-and-broken-and-not-tested",
    "` ** __",
    "",
]


def explain_alone(text: str, count: int = 100) -> tuple[Judgement, list[Cue]]:
    (judgement,) = judge([text], count)
    return judgement, explain(text, judgement, judgement.score)


@pytest.mark.parametrize("text", TEXTS)
def test_contributions_add_up_to_the_score(text: str) -> None:
    for count in (1, 100, 10_000):
        judgement, cues = explain_alone(text, count)
        assert sum(cue.weight for cue in cues) == pytest.approx(judgement.score, abs=0.006)


@pytest.mark.parametrize("text", TEXTS)
def test_words_stand_where_the_cue_says_and_none_twice(text: str) -> None:
    _, cues = explain_alone(text)
    located = [cue for cue in cues if cue.start is not None]
    assert [cue.text for cue in located] == [text[c.start : (c.start or 0) + len(c.text)] for c in located]
    places = [place for c in located for place in range(c.start or 0, (c.start or 0) + len(c.text))]
    assert len(places) == len(set(places))


def test_the_words_that_make_a_risk_come_first() -> None:
    _, cues = explain_alone(TEXTS[0])
    assert cues[0].text == "Nobody"
    assert {"tested", "has"} <= {cue.text for cue in cues if cue.weight > 0}
    assert cues[-1].text == WHOLE


def test_khmer_is_explained_by_the_linear_model() -> None:
    judgement, cues = explain_alone(TEXTS[4])
    assert judgement.reading is None
    assert {"គ្មាន\u200bនរណា", "ខូច"} <= {cue.text for cue in cues if cue.weight > 0}


@pytest.mark.parametrize("text", TEXTS[:6])
def test_what_the_linear_model_makes_of_words_is_all_theirs(text: str) -> None:
    model, features = load_model(), extract_features(text)
    score = model.risk_score(features)
    whole = sum(
        model.contribution(name, value)
        for name, value in {**features, "": 1.0}.items()
        # of several words at once, of the length, and the bias
        if name.startswith(("c:", "len:", "open-end", "short-open-end")) or not name
    )
    words = [cue.weight for cue in explain(text, Judgement(score, features), score) if cue.start is not None]
    assert sum(words) == pytest.approx(score - whole, abs=MIN_WEIGHT * len(text.split()) + 0.05)


def test_a_word_that_no_feature_knows_contributes_nothing() -> None:
    text = "The zzyzx is late."
    cues = explain(text, Judgement(0, extract_features(text)), 0)
    assert {cue.text for cue in cues} >= {"late", WHOLE}
    assert "zzyzx" not in {cue.text for cue in cues}


def test_the_encoder_says_which_words_count() -> None:
    loaded = encoder.load_encoder()
    assert loaded
    text = "Nobody has tested the backup of the records."
    (reading,) = loaded.read([text])
    without_encoder = explain(text, Judgement(0, extract_features(text), None, 0), 0)
    with_encoder = explain(text, Judgement(0, extract_features(text), reading, 0), 0)
    assert [cue.text for cue in without_encoder] == [WHOLE]
    assert with_encoder[0].text == "Nobody"


def test_a_long_sentence_has_a_limit_of_cues_and_still_adds_up() -> None:
    text = "The supplier may not be late and nobody is liable for any loss. " * 20
    judgement, cues = explain_alone(text)
    assert len(cues) <= MAX_WORDS + 1
    assert sum(cue.weight for cue in cues) == pytest.approx(judgement.score, abs=0.006)


def test_what_the_document_says_of_the_sentence_is_no_word_of_it() -> None:
    (judgement,) = judge(["The pump may fail."], 1)
    cues = explain("The pump may fail.", judgement, judgement.score + 1, "risks")
    assert [cue for cue in cues if cue.start is None][:-1] == [
        Cue("one of a few sentences", 1.6, None),
        Cue("stands where risks are listed", 1.0, None),
    ]
    assert sum(cue.weight for cue in cues) == pytest.approx(judgement.score + 1, abs=0.006)
