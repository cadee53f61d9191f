"""Menus and password fields in Chromium, with and without JavaScript."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.application import Server
from tests.support.browser import (
    Visitor,
    accessibility_violations,
    horizontal_overflow,
    register,
    visit,
)
from tests.support.client import PASSWORD

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

JAVASCRIPT = pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])


async def open_scan(visitor: Visitor) -> Page:
    """Register, scan a text and open its page."""
    page = await register(visitor)
    scanned = await page.request.post(f"{visitor.url}/api/scan", data={"text": "The budget is tight."})
    await page.goto(f"{visitor.url}/scans/{(await scanned.json())['scan_id']}")
    return page


async def test_menus_close_by_escape_a_click_elsewhere_and_a_download(
    browser: Browser, server: Server
) -> None:
    async with visit(browser, server.url) as visitor:
        page = await open_scan(visitor)
        scan = page.url
        for path in (scan, f"{visitor.url}/scans"):
            await page.goto(path)
            menu = page.locator(".menu").first
            summary = menu.locator("summary").first
            await summary.click()
            await expect(menu).to_have_attribute("open", "")
            await page.keyboard.press("Tab")
            await expect(menu.get_by_role("link").first).to_be_focused()
            await page.keyboard.press("Escape")
            await expect(menu).not_to_have_attribute("open", "")
            await expect(summary).to_be_focused()
            await summary.click()
            await page.get_by_role("heading", level=1).click()
            await expect(menu).not_to_have_attribute("open", "")
            await summary.click()
            async with page.expect_download():
                await menu.get_by_role("link", name="CSV", exact=True).click()
            await expect(menu).not_to_have_attribute("open", "")
            await expect(summary).to_be_focused()
        await page.goto(scan)
        await page.get_by_text("More", exact=True).click()
        await page.get_by_text("Rename", exact=True).click()  # within the menu, which stays open
        await expect(page.get_by_label("Title")).to_be_visible()
        await page.get_by_role("heading", level=1).click()
        await expect(page.get_by_text("Rename", exact=True)).to_be_hidden()


async def test_one_menu_is_open_at_a_time_without_javascript(browser: Browser, server: Server) -> None:
    async with visit(browser, server.url, java_script_enabled=False) as visitor:
        page = await open_scan(visitor)
        for menu in ("Export", "More"):
            await page.locator("summary", has_text=menu).click()
            await expect(page.locator(".menu[open] > summary")).to_have_text([menu])


async def test_open_menus_and_questions_are_accessible(browser: Browser, server: Server) -> None:
    violations = []
    viewport = {"width": 390, "height": 800}  # where menus cover most
    # axe needs bypass_csp; a transition in a closed menu would never finish
    options = {"bypass_csp": True, "reduced_motion": "reduce", "viewport": viewport}
    async with visit(browser, server.url, **options) as visitor:
        page = await open_scan(visitor)
        scan = page.url
        for _ in range(2):
            await page.request.post(
                f"{visitor.url}/account/tokens", form={"name": "Nightly import"}, max_redirects=0
            )
        for path, opened in (
            (scan, "Export"),
            (scan, "More"),
            (f"{visitor.url}/scans", "Export"),
            (f"{visitor.url}/account", "Delete token Nightly import"),
        ):
            await page.goto(path)
            await page.locator("summary", has_text=opened).first.click()
            for scheme, forced in (("light", "none"), ("dark", "none"), ("light", "active")):
                await page.emulate_media(color_scheme=scheme, forced_colors=forced)  # type: ignore[arg-type]
                found = await accessibility_violations(page)
                violations += [f"{path} {opened} {scheme} {forced}: {line}" for line in found]
            assert await horizontal_overflow(page) <= 0
    assert violations == []


@JAVASCRIPT
async def test_a_password_can_be_shown_while_it_is_typed(
    browser: Browser, server: Server, javascript: bool
) -> None:
    async with visit(browser, server.url, java_script_enabled=javascript) as visitor:
        page = await visitor.open("/register")
        await page.get_by_label("Email").fill("ana")
        await page.get_by_label("Password").fill("short")
        await page.get_by_role("button", name="Create account").click()
        await expect(page.get_by_label("Email")).to_be_focused()
        await expect(page.get_by_text("Enter a valid email address.")).to_be_visible()
        await expect(page.get_by_label("Password")).to_have_accessible_description(
            "6–128 characters. A short phrase works well. A password has 6 to 128 characters."
        )
        show = page.locator("[data-show-password]")
        await page.get_by_label("Email").fill("ana@example.com")
        await page.get_by_label("Password").fill(PASSWORD)
        if javascript:
            await expect(show).to_have_attribute("aria-pressed", "false")
            await show.click()
            await expect(show).to_have_attribute("aria-pressed", "true")
            await expect(page.get_by_label("Password")).to_have_attribute("type", "text")
            await show.click()
            await expect(page.get_by_label("Password")).to_have_attribute("type", "password")
            await show.click()
        else:
            await expect(show).to_be_hidden()
        await page.get_by_role("button", name="Create account").click()
        await page.wait_for_url("**/scan")
        await page.goto(f"{visitor.url}/account")
        await expect(page.locator("[data-show-password]")).to_have_count(3)
        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_text("Forgotten? Ask whoever runs this server.")).to_be_visible()
        await expect(page.locator("[data-show-password]")).to_be_visible(visible=javascript)
