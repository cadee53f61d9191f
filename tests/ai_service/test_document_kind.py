"""What kind a document is, and what follows from it."""

import pytest

from riskscan.ai_service.document_kind import SAMPLE, recognize_kind
from riskscan.ai_service.model.risk_model import judge
from training.data import read_examples

CONTRACT = [
    "This Agreement is made between the Harbour Board and Rope & Sons Ltd.",
    "The Contractor shall hereby dredge the inner basin to a depth of four metres.",
    "The Board shall pay the price within thirty days of the invoice.",
    "Either party may give notice in writing to the address above.",
    "The works are described in the first schedule to this deed.",
]
TERMS = [
    "These terms apply each time you open our parking app.",
    "You choose a password and keep it to yourself.",
    "We are not liable for a fine that you get while the app is down.",
    "We send you a receipt for each hour that you park.",
    "The app shows you which streets are free on Sundays.",
]
REPORT = [
    "The team met in the library on the second of March.",
    "The new shelves were delivered and put up in a day.",
    "You can see the plan of the reading room on page four.",
    "The licence of the catalogue software was renewed for a year.",
    "The next meeting is on the ninth of April.",
]


@pytest.mark.parametrize(("texts", "kind"), [(CONTRACT, "contract"), (TERMS, "terms"), (REPORT, "")])
def test_the_kind_of_a_document_is_told_by_its_words(texts: list[str], kind: str) -> None:
    assert recognize_kind(texts * 3) == kind
    assert recognize_kind([text for text in texts for _ in range(SAMPLE)]) == kind
    # headings and cells do not tell, nor does a sentence that somebody pastes
    assert recognize_kind([*texts * 3, *["Fees"] * 30]) == kind
    assert recognize_kind(texts) == ""


def test_invented_documents_are_told_apart() -> None:
    documents: dict[str, list[str]] = {}
    for example in read_examples():
        if example.document:
            documents.setdefault(example.document, []).append(example.text)
    kinds = {name: recognize_kind(texts) for name, texts in documents.items()}
    others = [name for name in documents if name.startswith(("prose", "work", "khmer"))]
    assert [name for name in others if kinds[name]] == []
    assert sum(kind == "contract" for kind in kinds.values()) >= 15


def test_a_contract_has_a_lower_bar_and_terms_a_higher_one() -> None:
    text = "The Contractor shall hold the Employer harmless from all claims, whatever their cause."
    contract, terms, other = (judge([text], 100, kind)[0].score for kind in ("contract", "terms", ""))
    assert contract > other > terms
