"""The sentence encoder, its tokenizer, and the two models together."""

import hashlib
import json
import os
import subprocess
import sys
from itertools import groupby
from pathlib import Path

import aiohttp
import pytest

from riskscan.ai_service.categories import CATEGORIES
from riskscan.ai_service.model import encoder
from riskscan.ai_service.model.encoder import MAX_BEFORE_TOKENS, MAX_HEADING_TOKENS, Context, encode_context
from riskscan.ai_service.model.risk_model import LONG_DOCUMENT_SENTENCES, judge
from riskscan.ai_service.model.wordpiece import END, START, UNKNOWN, encode, load_vocabulary
from tests.ai_service.service import run_service, scan
from training.data import read_examples

# written for this test, in no set that was trained on
RISKS = """\
The only electrician who knows the pump house retires in March and nobody has been trained to follow her.
We have had no answer from the harbour authority on the mooring licence, and the barge sails on the 12th.
The supplier may change the price of each delivery by written notice of three days.
If the second crane is late, the roof cannot be closed before the monsoon.
The client may terminate this agreement at any time without cause and without compensation.
Nobody has tested whether the backup of the patient records can be restored.
The grant covers 60 % of the cost and the remaining 40 % has not been found.
Our estimate assumes a soil survey that was never made.
The web shop still runs on a version that gets no security updates any more.
Two of the five subcontractors have stopped work because their invoices have not been paid.
The tenant loses the whole deposit if the keys come back one day late.
The permit for night work expired in April and the city refuses to extend it.
Residents have collected four hundred signatures against the new access road.
The provider is not liable for any loss of data, however it is caused.
The programme leaves no float between the delivery of the turbine and the start of the tests.
"""
FACTS = """\
The library opens at nine on weekdays and at ten on Saturdays.
The contractor shall submit a monthly report within five days of the end of the month.
Backups are taken each night and restored on a test server every quarter.
The dispute about the fence was settled in May and both sides have paid.
Either party may give notice in writing to the address above.
The new pump was delivered on time and passed all its tests.
This agreement is governed by the laws of Denmark.
Press the red button for three seconds to reset the machine.
The board thanked Mr Okafor for his work on the summer festival.
If the file cannot be found, the function raises a KeyError.
The course critically examines theories of late modernity.
"Delivery Date" means the date stated in the purchase order.
All the seats were sold within a week.
The risk register is reviewed by the steering group each month.
The walls are painted white and the floor is oak.
"""


def test_the_file_is_the_one_that_was_measured() -> None:
    data = encoder.ENCODER_FILE.read_bytes()
    assert (
        hashlib.sha256(data).hexdigest()
        == json.loads(encoder.ENCODER_FILE.with_suffix(".json").read_text("utf-8"))["sha256"]
    )


def test_risks_are_found_and_facts_are_not() -> None:
    found = [judged.score > 0 for judged in judge(RISKS.splitlines(), 100)]
    flagged = [judged.score > 0 for judged in judge(FACTS.splitlines(), 100)]
    assert sum(found) >= 14
    assert sum(flagged) == 0


# plain risks of many trades, and what minutes and logs say around them
PLAIN_RISKS = """\
The pump leaks badly and may fail.
The server has no backup, so a disk failure would lose all orders.
The brakes of the second truck are worn and it must not be driven.
The auditor found that donor funds were used without receipts.
The lift cable is frayed and the lift is still in use.
The anchor chain is badly corroded and could break.
The firewall is misconfigured and the customer database is open to the internet.
Fuel is stored next to the generator and there is no fire extinguisher.
Two nurses work double shifts and mistakes with medicine are likely.
The union has announced a strike for the week of the opening.
The well water contains arsenic above the permitted limit.
The main customer wants to cancel, which would cost us half of our turnover.
"""
NEUTRAL = (
    "Tea was served.",
    "The minutes were read.",
    "Shift B started at 14:00.",
    "The tank holds 4,000 litres.",
)


def test_a_plain_risk_is_found_whatever_surrounds_it() -> None:
    risks = PLAIN_RISKS.splitlines()
    alone = judge(risks, 100)
    found = 0
    for before in NEUTRAL:
        for risk, judged in zip(
            alone, judge(risks, 100, "", [Context("Minutes", before)] * len(risks)), strict=True
        ):
            assert judged.score > risk.score - 0.5
            found += judged.score > 0
    # 28 of 48; on another CPU, scores differ by 0.3
    assert found >= 24
    neutral = [Context("Minutes", before) for before in (*NEUTRAL[1:], NEUTRAL[0])]
    assert [one.score > 0 for one in judge(NEUTRAL, 100, "", neutral)] == [False] * len(NEUTRAL)


def test_documents_that_no_model_learned_from_are_read_as_well_as_measured() -> None:
    reported = right = categories_right = risks = 0
    for _, group in groupby(read_examples("held_out"), lambda example: example.document):
        examples = list(group)
        contexts = [Context("", before) for before in ["", *(one.text for one in examples[:-1])]]
        judgements = judge([one.text for one in examples], len(examples), "", contexts)
        for one, judged in zip(examples, judgements, strict=True):
            risks += bool(one.categories)
            if judged.score > 0:
                reported += 1
                right += bool(one.categories)
                categories_right += CATEGORIES.index(judged.category) in one.categories
    # 58, 31 and 74 %; by the linear model alone 48, 48 and 60 %
    assert right / reported > 0.50
    assert right / risks > 0.27
    assert categories_right / right > 0.68


def test_a_pasted_sentence_is_reported_where_a_document_would_not_have_it() -> None:
    text = "The well water contains arsenic above the permitted limit."
    assert judge([text], 100)[0].score < 0 < judge([text], 1)[0].score


def test_a_sentence_scores_about_the_same_in_any_batch() -> None:
    lines = RISKS.splitlines()
    read = encoder.load_encoder()
    assert read
    alone = [read.read([line])[0].risk for line in lines]
    together = [reading.risk for reading in read.read(lines)]
    # the weights and activations have 8 bits
    assert together == pytest.approx(alone, abs=0.8)


def test_what_stands_before_a_sentence_counts() -> None:
    text = "The second mirror is not checked for old files."
    chosen, mended = Context("Known limitations"), Context("What went well : Fixed in this release")
    judgements = judge([text] * 2, 100, "", [chosen, mended])
    assert judgements[0].score > judgements[1].score
    assert dict(judgements[0].circumstances).keys() == {"what stands before it"}


@pytest.mark.parametrize(
    ("count", "kind"), [(100, "contract"), (100, "terms"), (LONG_DOCUMENT_SENTENCES + 1, "")]
)
def test_neither_a_contract_nor_a_long_document_is_read_in_context(count: int, kind: str) -> None:
    text = "The supplier may change the price of each delivery by written notice of three days."
    alone = judge([text], count, kind)[0]
    assert judge([text], count, kind, [Context("Risks", "We do not know the supplier.")])[0] == alone


def test_the_context_is_the_heading_and_the_end_of_the_sentence_before() -> None:
    names = {number: piece for piece, number in load_vocabulary().items()}
    pieces = encode_context(Context("4 Risks : Money", "first " * 50 + "the tide is high."))
    words = " ".join(names[number] for number in pieces)
    assert words.startswith("4 risks : money ; first first ")
    assert words.endswith(" first the tide is high . [SEP]")
    assert (
        len(encode_context(Context("word " * 500, "word " * 500))) == MAX_HEADING_TOKENS + MAX_BEFORE_TOKENS
    )
    assert encode_context(Context()) == []


def test_words_are_cut_into_known_pieces() -> None:
    names = {number: piece for piece, number in load_vocabulary().items()}
    pieces = " ".join(names[number] for number in encode("Naïve re-moorings, 東京 £5!", 96))
    assert pieces == "[CLS] naive re - moor ##ings , 東 京 £5 ! [SEP]"


def test_unknown_words_are_one_piece_and_long_texts_are_cut() -> None:
    assert encode("x" * 101, 96) == [START, UNKNOWN, END]
    assert encode("ក", 96) == [START, UNKNOWN, END]
    assert len(encode("word " * 500, 96)) == 96
    assert encode("", 96) == [START, END]


@pytest.mark.parametrize(("setting", "limit"), [("off", 34_000), ("on", 140_000)])
def test_a_scorer_is_small(setting: str, limit: int) -> None:
    code = (
        "import sys\n"
        "from riskscan.ai_service import scorer\n"
        "scorer.score([0, [['The dam may break.', 'sentence', '', []]], ['English'], '', 1, ''])\n"
        "print(sorted({'numpy', 'sklearn', 'torch', 'docx', 'PIL', 'aiohttp'} & set(sys.modules)))\n"
        "print(open('/proc/self/status').read().split('VmRSS:')[1].split()[0])"
    )
    env = {**os.environ, "AI_ENCODER": setting}
    ran = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    loaded, kilobytes = ran.stdout.splitlines()
    assert loaded == ("[]" if setting == "off" else "['numpy']")
    assert int(kilobytes) < limit


@pytest.mark.slow
async def test_the_log_says_that_the_encoder_is_off(http: aiohttp.ClientSession) -> None:
    with run_service(AI_ENCODER="off") as service:
        status, _ = await scan(http, service, text="The tide is high.")
        assert (status, "the linear model works alone: AI_ENCODER is off" in service.log()) == (200, True)


def test_without_onnxruntime_the_linear_model_works_alone() -> None:
    code = (
        "from riskscan.ai_service import scorer\n"
        "from riskscan.ai_service.model.encoder import why_not_used\n"
        "unit = ['Nobody has tested the backup.', 'sentence', '', []]\n"
        "found = scorer.score([0, [unit], ['English'], '', 1, ''])\n"
        "print(why_not_used(), len(found))"
    )
    # -S leaves out all that was installed
    ran = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout == "onnxruntime is not installed 1\n"
