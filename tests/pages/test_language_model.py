"""What the pages say of the language model."""

from __future__ import annotations

import pytest

from tests.pages.test_start import SQLITE_ONLY, log_in_with_cookie, page
from tests.support.ai import Ai
from tests.support.client import Person


@SQLITE_ONLY
@pytest.mark.parametrize(
    ("info", "offered"),
    [
        ({"llm_configured": False}, False),
        ({"llm_configured": True}, True),
        ({"llm_configured": "no"}, True),
        ([0] * 100_000, True),  # too large to be read
    ],
)
async def test_language_model_is_offered_unless_the_ai_service_has_none(
    guest: Person, ai: Ai, info: object, offered: bool
) -> None:
    ai.info = info
    ai.findings = {"data": [], "source": "model"}
    await log_in_with_cookie(guest)
    scanned = await guest.post("/scan", data={"text": "All is well."})
    for _ in range(2):
        for path in ("/scan", scanned.headers["Location"]):
            shown = (await page(guest, path)).partition('id="sentences"')[0]  # not what scripts may say
            assert ("the language model" in shown) == offered
    assert ai.probes == 1  # remembered, not asked for each page
