"""The pages in Chromium on both databases: from the start page to the end of an account."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect

from riskscan.handlers.start import load_sample
from tests.support.ai import Ai
from tests.support.application import Server
from tests.support.browser import follow, queue_rows, scan_text, visit
from tests.support.client import PASSWORD

pytestmark = pytest.mark.slow


async def test_user_journey_from_registration_to_account_deletion(
    browser: Browser, server: Server, ai: Ai
) -> None:
    async with visit(browser, server.url) as visitor:
        release = ai.hold_responses()
        page = await visitor.open("/")
        await page.get_by_role("link", name="Try it with a sample contract").click()
        await expect(page.get_by_role("article")).to_have_count(len(load_sample().findings))
        await page.get_by_role("main").get_by_role("link", name="Create account").click()
        await page.get_by_label("Email").fill("ana@example.com")
        await page.get_by_label("Password").fill(PASSWORD)
        await follow(page.get_by_role("button", name="Create account"))
        await scan_text(page)
        await expect(queue_rows(page)).to_have_count(1)
        await expect(queue_rows(page)).to_contain_text("Pasted text")
        await expect(queue_rows(page)).to_contain_text(re.compile(r"Analysing… [1-9]\d* s"))
        await expect(page.get_by_role("status")).to_have_text("Pasted text: uploaded, analysing.")
        release.set()
        await expect(page.get_by_role("heading", level=1)).to_have_text("The budget is tight.")
        await expect(page.get_by_role("article")).to_have_count(2)
        chart = page.get_by_role("navigation", name="Risks by category")
        await chart.get_by_role("link", name="Schedule 1 risk", exact=True).click()
        await expect(page.get_by_role("article")).to_have_count(1)
        await expect(page.get_by_role("article")).to_contain_text("Deadline is aggressive")
        await page.get_by_role("link", name="History", exact=True).click()
        await expect(page.get_by_role("heading", level=2)).to_have_text("The budget is tight.")
        await page.get_by_role("link", name="The budget is tight.").click()
        await page.get_by_text("More", exact=True).click()
        await page.get_by_text("Delete this scan").click()
        await page.get_by_role("button", name="Delete scan").click()
        await expect(page.get_by_role("status")).to_have_text("Scan deleted.")
        await expect(page.get_by_role("heading", level=2)).to_have_text("No scans yet")
        await page.get_by_role("link", name="Account").click()
        await page.get_by_label("Current password").fill(PASSWORD)
        await page.get_by_label("New password").fill("quite another")
        await page.get_by_role("button", name="Update password").click()
        await expect(page.get_by_role("status")).to_contain_text("Password changed.")
        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_role("status")).to_have_text("You've been logged out.")
        await page.goto(f"{visitor.url}/account")
        await page.get_by_label("Email").fill("ana@example.com")
        await page.get_by_label("Password").fill("quite another")
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Account")
        await page.get_by_text("Delete my account").click()
        await page.get_by_label("Confirm with your password").fill("quite another")
        await page.get_by_role("button", name="Delete account permanently").click()
        await expect(page.get_by_role("status")).to_contain_text("have been deleted")
