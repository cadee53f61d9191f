"""The stored result of the sample contract."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from riskscan.handlers.start import RESULT
from tests.ai_service.sample import scan_contract
from tests.ai_service.service import Service

# the integers of the encoder differ a little between CPUs: scores, from 0.5 to 1, by less than
# this
MARGIN = 0.2
MAX_OTHER_CATEGORIES = 4


def index(answer: Any) -> dict[tuple[str, str, str], Any]:
    return {(each["risk"], each["place"], each["context"]): each for each in answer["data"]}


@pytest.mark.slow
async def test_stored_result_is_what_the_analyser_finds(
    http: aiohttp.ClientSession, service: Service
) -> None:
    found, stored = index(await scan_contract(http, service)), index(json.loads(RESULT.read_bytes()))
    both = found.keys() & stored.keys()
    only_in_one = [answer[key] for answer in (found, stored) for key in answer.keys() - both]
    help_text = "the analyser has changed: make sample"
    assert [each for each in only_in_one if each["score"] > 0.5 + MARGIN] == [], help_text
    shifts = {key: abs(found[key]["score"] - stored[key]["score"]) for key in both}
    assert {key: shift for key, shift in shifts.items() if shift > MARGIN} == {}, help_text
    others = [key for key in both if found[key]["category"] != stored[key]["category"]]
    assert len(others) <= MAX_OTHER_CATEGORIES, help_text
    assert len(both) > 20
