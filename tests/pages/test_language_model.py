"""What the pages say of the language model."""

from __future__ import annotations

import pytest

from riskscan.ai_client import AI_PROBE, FRESH_SECONDS, MODEL_FRESH_SECONDS
from tests.pages.test_start import SQLITE_ONLY, log_in_with_cookie, page
from tests.support.ai import Ai
from tests.support.application import Server
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


@SQLITE_ONLY
async def test_pages_do_not_wait_for_an_ai_service_that_hangs(guest: Person, ai: Ai, server: Server) -> None:
    probe = server.app[AI_PROBE]
    ai.info = {"llm_configured": False}
    await log_in_with_cookie(guest)
    await page(guest, "/scan")
    ai.answers_probes.clear()
    probe.probed_at -= MODEL_FRESH_SECONDS
    assert "the language model" not in (await page(guest, "/scan")).partition('id="sentences"')[0]
    assert probe.running
    assert not probe.running.done()
    # nor does the health check, whose last answer is still good
    probe.probed_at += MODEL_FRESH_SECONDS - FRESH_SECONDS
    assert (await guest.get("/api/health")).json["ai_service_healthy"] is True
    assert not probe.running.done()
    ai.info = {"llm_configured": True}
    ai.answers_probes.set()
    await probe.running
    assert "the language model" in (await page(guest, "/scan")).partition('id="sentences"')[0]
    assert ai.probes == 2
