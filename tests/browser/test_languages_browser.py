"""The language of the pages, chosen in Chromium with and without JavaScript."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.support.application import Server
from tests.support.browser import (
    accessibility_violations,
    follow,
    horizontal_overflow,
    register,
    visit,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("scripted", [True, False])
async def test_a_language_is_chosen_on_a_page_and_kept(
    browser: Browser, server: Server, scripted: bool
) -> None:
    # axe sets styles, which the policy of the pages forbids
    options = {"viewport": {"width": 320, "height": 700}, "bypass_csp": True}
    async with (
        visit(browser, server.url, **options, has_touch=True, java_script_enabled=scripted) as visitor,
    ):
        page = await register(visitor)
        button = page.get_by_role("form", name="Language").get_by_role("button", name="ខ្មែរ")
        box = await button.bounding_box()
        assert box
        assert min(box["width"], box["height"]) >= 44
        await follow(button)
        await expect(page.locator("html")).to_have_attribute("lang", "km")
        assert page.url == f"{server.url}/scan"
        await expect(page.get_by_role("navigation").get_by_role("link", name="ប្រវត្តិ")).to_be_visible()
        if scripted:
            assert await horizontal_overflow(page) == 0
            assert await accessibility_violations(page) == []
            await page.locator("#scan [type=submit]").click()
            await expect(page.locator("#text-error")).to_have_text("សូមបិទភ្ជាប់អត្ថបទ ឬបន្ថែមឯកសារជាមុនសិន។")
            # Chromium has no names of months in Khmer
            assert await page.evaluate("formatTime(new Date('2026-11-30T01:02:03Z'))") == "30/11/2026, 08:02"
        await page.get_by_role("button", name="English").click()
        await expect(page.locator("html")).to_have_attribute("lang", "en")
