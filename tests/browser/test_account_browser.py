"""The Account page in Chromium, with JavaScript and without."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.support.application import Server
from tests.support.browser import (
    follow,
    register,
    visit,
)

# test_journey.py visits the pages on both databases
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])
async def test_reviews_are_removed_on_the_account_page(
    browser: Browser, server: Server, javascript: bool
) -> None:
    async with visit(browser, server.url, java_script_enabled=javascript) as visitor:
        page = await register(visitor)
        scanned = await page.request.post(f"{visitor.url}/api/scan", data={"text": "The budget is tight."})
        path = f"/scans/{(await scanned.json())['scan_id']}/findings/1/review"
        reply = await page.request.post(visitor.url + path, form={"state": "confirmed"}, max_redirects=0)
        assert reply.status == 303
        await page.goto(f"{visitor.url}/account")
        await expect(page.get_by_text("1 review kept.")).to_be_visible()
        await page.get_by_text("Remove all my reviews").click()
        await page.get_by_role("button", name="Remove all reviews").click()
        await expect(page.get_by_role("status")).to_have_text("All reviews have been removed.")
        await expect(page.get_by_text("No reviews yet.")).to_be_visible()


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])
async def test_api_token_is_created_shown_once_and_deleted(
    browser: Browser, server: Server, javascript: bool
) -> None:
    permissions = ["clipboard-read", "clipboard-write"]
    async with visit(browser, server.url, java_script_enabled=javascript, permissions=permissions) as visitor:
        page = await register(visitor)
        await page.goto(f"{visitor.url}/account")
        await page.get_by_label("Expires (optional)").fill("2020-01-01")
        await page.get_by_role("button", name="Create token").click()
        await expect(page.get_by_label("Token name")).to_be_focused()
        await expect(page.get_by_text("Enter a name.")).to_be_visible()
        await expect(page.get_by_text("Must be in the future.")).to_be_visible()
        await expect(page.get_by_label("Expires (optional)")).to_have_value("2020-01-01")
        await page.get_by_label("Token name").fill("Nightly import")
        await page.get_by_label("Permissions").select_option("Scan only")
        await page.get_by_label("Expires (optional)").fill("2099-12-31")
        await page.get_by_role("button", name="Create token").click()
        token = await page.locator("#token").inner_text()
        await expect(page.get_by_role("definition").last).to_have_text("31 Dec 2099 (end of the day, UTC)")
        copy = page.get_by_role("button", name="Copy token")
        if javascript:
            await copy.click()
            await expect(page.get_by_role("status")).to_have_text("Copied.")
            assert await page.evaluate("navigator.clipboard.readText()") == token
        else:
            await expect(copy).to_be_hidden()
        await expect(page.locator("pre").last).to_contain_text(f'"Authorization: Bearer {token}"')
        assert token not in page.url
        await follow(page.get_by_role("link", name="Back to Account"))
        await expect(page.get_by_role("listitem").filter(has_text="Nightly import")).to_contain_text("Scan ·")
        assert token not in await page.content()
        await page.locator("summary", has_text="Delete token Nightly import").click()
        await page.get_by_role("button", name="Delete token", exact=True).click()
        await expect(page.get_by_role("status")).to_have_text("API token deleted.")
        await expect(page.get_by_text("No tokens yet.")).to_be_visible()
