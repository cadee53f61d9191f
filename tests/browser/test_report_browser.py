"""The page of a scan in Chromium: reviews, filters, keys and copying."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.async_api import Browser, FilePayload, Locator, Page, Route, expect

from tests.support.ai import EXPLAINED, Ai
from tests.support.application import Server
from tests.support.browser import (
    Visitor,
    accessibility_violations,
    horizontal_overflow,
    register,
    visit,
)

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

CATEGORIES = ("Financial", "Schedule", "Technical", "Operational", "Legal", "Compliance")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


async def open_report(visitor: Visitor, ai: Ai, number: int = 0) -> Page:
    """Scan and open the page: of three explained findings, or of `number` ones."""
    many = [
        {
            **EXPLAINED[0],
            "category": CATEGORIES[each % 6],
            "context": f"Payment {each} may be late.",
            "why": [],
        }
        for each in range(number)
    ]
    ai.findings = {"data": many or EXPLAINED, "source": "model"}
    page = await register(visitor)
    await upload(page)
    return page


async def upload(page: Page) -> None:
    """Scan a file from the scan page, and open its result."""
    await (
        page.get_by_label("Add files")
        .or_(page.get_by_label("Or choose a file"))
        .set_input_files([FilePayload(name="contract.txt", mimeType="text/plain", buffer=b"x")])
    )
    await page.get_by_role("button", name="Find risks").click()
    await page.wait_for_url("**/scans/*")


def finding(page: Page, number: int) -> Locator:
    return page.locator(f"#finding-{number}")


def state_link(page: Page, name: str) -> Locator:
    return page.get_by_role("navigation", name="Reviews").get_by_role("link", name=name, exact=True)


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])
async def test_finding_is_dismissed_confirmed_and_reopened(
    browser: Browser, server: Server, ai: Ai, javascript: bool
) -> None:
    async with visit(browser, server.url, java_script_enabled=javascript) as visitor:
        page = await open_report(visitor, ai)
        await finding(page, 2).get_by_text("Dismiss", exact=True).click()
        await finding(page, 2).get_by_label("Comment").fill("Agreed with Lin")
        await finding(page, 2).get_by_role("button", name="Already handled").click()
        await expect(finding(page, 2)).to_contain_text("Already handled · Comment: Agreed with Lin")
        await expect(finding(page, 2)).to_be_in_viewport()
        await finding(page, 3).get_by_role("button", name="Confirm").click()
        await finding(page, 3).get_by_text("Owner, due date").click()
        await finding(page, 3).get_by_label("Owner").fill("Sok")
        await finding(page, 3).get_by_label("Impact").select_option("Severe")
        await finding(page, 3).get_by_label("Due").fill("2027-01-31")
        await finding(page, 3).get_by_role("button", name="Save").click()
        await expect(finding(page, 3)).to_contain_text("Owner: Sok · Impact: Severe · Due: 31 Jan 2027")
        for count in ("1 open", "1 confirmed", "1 dismissed"):
            await expect(state_link(page, count)).to_be_visible()
        await page.goto(page.url.partition("?")[0].partition("#")[0])
        await expect(finding(page, 2)).to_be_hidden()
        await page.get_by_text("1 dismissed").last.click()
        await finding(page, 2).get_by_role("button", name="Reopen").click()
        await expect(state_link(page, "2 open")).to_be_visible()
        await state_link(page, "1 confirmed").click()
        await expect(page.get_by_role("article")).to_have_count(1)
        await expect(finding(page, 3).get_by_label("Owner")).to_have_value("Sok")


async def test_reviews_are_made_and_undone_by_keys(visitor: Visitor, ai: Ai) -> None:
    page = await open_report(visitor, ai)
    await page.keyboard.press("j")
    await expect(finding(page, 3)).to_be_focused()
    await page.keyboard.press("d")
    await page.keyboard.press("2")
    await expect(finding(page, 3)).to_contain_text("Already handled")
    await expect(finding(page, 2)).to_be_focused()
    await page.keyboard.press("c")
    await expect(finding(page, 2)).to_contain_text("Confirmed on")
    await expect(finding(page, 1)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(finding(page, 1).locator(".sentence")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(finding(page, 1).locator(".sentence")).to_be_hidden()
    await page.keyboard.press("u")
    await expect(page.get_by_role("status")).to_have_text("Undone.")
    await expect(finding(page, 2)).to_be_focused()
    await page.keyboard.press("u")
    await expect(state_link(page, "3 open")).to_be_visible()
    await page.keyboard.press("/")
    await page.keyboard.type("cjd?")
    await expect(page.get_by_role("searchbox")).to_have_value("cjd?")
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await page.reload()
    await expect(state_link(page, "3 open")).to_be_visible()


async def test_reasons_stand_above_the_message_about_the_review_before(visitor: Visitor, ai: Ai) -> None:
    page = await open_report(visitor, ai, 12)
    for number in range(6):
        await page.keyboard.press("j")
        await page.keyboard.press("c")
        await expect(state_link(page, f"{number + 1} confirmed")).to_be_visible()
        await page.keyboard.press("d")
        reasons, message = page.get_by_role("group", name="Reason"), page.locator("#announcement")
        boxes = await reasons.bounding_box(), await message.bounding_box()
        assert boxes[0]
        assert boxes[1]
        assert boxes[0]["y"] + boxes[0]["height"] <= boxes[1]["y"]
        await page.keyboard.press("Escape")


async def test_selected_findings_are_reviewed_together_and_undone(visitor: Visitor, ai: Ai) -> None:
    page = await open_report(visitor, ai)
    await page.get_by_role("link", name="Table").click()
    await page.get_by_label("Select all").check()
    await page.get_by_label("Select finding 2").uncheck()
    await expect(page.get_by_text("2 selected")).to_be_visible()
    await page.locator("#bulk").get_by_text("Dismiss", exact=True).click()
    await page.locator("#bulk").get_by_role("button", name="Duplicate").click()
    await expect(page.get_by_role("status")).to_contain_text("Dismissed: 2 findings.")
    await expect(state_link(page, "2 dismissed")).to_be_visible()
    await page.get_by_role("button", name="Undo").click()
    await expect(page.get_by_role("status")).to_have_text("Undone.")
    await page.reload()
    await expect(state_link(page, "3 open")).to_be_visible()


async def test_failed_review_says_so_and_keeps_what_was_typed(visitor: Visitor, ai: Ai) -> None:
    async def abort(route: Route) -> None:
        await route.abort()

    visitor.cuts_connections = True
    page = await open_report(visitor, ai)
    await finding(page, 1).get_by_text("Dismiss", exact=True).click()
    await finding(page, 1).get_by_label("Comment").fill("Kept")
    for cause, message in (("network", "connection lost"), ("session", "session has expired")):
        if cause == "network":
            await page.route("**/api/**", abort)
        else:
            await page.unroute("**/api/**")
            await visitor.context.clear_cookies()
        await finding(page, 1).get_by_role("button", name="Accepted").click()
        await expect(page.get_by_role("status")).to_contain_text(message)
        await expect(finding(page, 1).get_by_label("Comment")).to_have_value("Kept")
    await expect(state_link(page, "3 open")).to_be_visible()


async def test_filters_keep_the_scroll_position_and_the_back_button(visitor: Visitor, ai: Ai) -> None:
    page = await open_report(visitor, ai, 100)
    await page.evaluate("window.unreloaded = true; scrollTo(0, 150)")
    await page.get_by_role("link", name="Document order").click()
    await page.wait_for_url("**sort=document")
    await expect(page.locator("article").first).to_have_id("finding-1")
    assert await page.evaluate("[window.unreloaded, scrollY]") == [True, 150]
    await page.get_by_role("searchbox").fill("payment 42")
    await page.get_by_role("searchbox").press("Enter")
    await expect(page.get_by_role("article")).to_have_count(1)
    await page.go_back()
    await expect(page.get_by_role("article")).to_have_count(100)
    assert await page.evaluate("window.unreloaded")


async def test_link_and_table_are_copied(visitor: Visitor, ai: Ai) -> None:
    page = await open_report(visitor, ai)
    address = page.url
    await finding(page, 1).get_by_role("link", name="copy link").click()
    await expect(page.get_by_role("status")).to_have_text("Link copied.")
    assert await page.evaluate("navigator.clipboard.readText()") == f"{address}#finding-1"
    await page.get_by_role("button", name="Copy as table").click()
    await expect(page.get_by_role("status")).to_have_text("Copied: 3 findings.")
    lines = (await page.evaluate("navigator.clipboard.readText()")).splitlines()
    assert lines[0] == "No.\tRisk\tCategory\tQuote\tPlace\tReview"
    assert lines[3] == "1\tThe budget is tight.\tFinancial\t\tp. 7 · § 4.2 Payment\tOpen"
    markup = (
        "navigator.clipboard.read().then(([item]) => item.getType('text/html')).then((blob) => blob.text())"
    )
    assert "<td>Costs may rise</td>" in await page.evaluate(markup)


async def test_first_finding_stands_on_the_first_screen_of_a_phone(
    browser: Browser, server: Server, ai: Ai
) -> None:
    async with visit(browser, server.url, viewport={"width": 390, "height": 844}) as visitor:
        await open_report(visitor, ai, 15)
        page = await visitor.open("/scan")
        await upload(page)
        await expect(page.get_by_text("Identical to the file")).to_be_visible()
        await expect(finding(page, 1)).to_be_in_viewport(ratio=1)
        assert await horizontal_overflow(page) <= 0
        await page.get_by_role("link", name="Table").click()
        await page.wait_for_url("**view=table")
        assert await horizontal_overflow(page) <= 0


async def test_report_is_accessible_with_all_opened(browser: Browser, server: Server, ai: Ai) -> None:
    violations = []

    async def check(page: Page) -> None:
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            violations.extend(await accessibility_violations(page))

    # without motion: a transition in a closed menu, which the change of the scheme starts, would never finish
    async with visit(browser, server.url, bypass_csp=True, reduced_motion="reduce") as visitor:
        page = await open_report(visitor, ai)
        await finding(page, 3).get_by_role("button", name="Confirm").click()
        await expect(finding(page, 3)).to_contain_text("Confirmed on")
        await page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
        await check(page)
        await page.keyboard.press("?")  # the open menus cover the button
        await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
        await check(page)
        await page.keyboard.press("Escape")
        await page.get_by_role("link", name="Table").click()
        await page.wait_for_url("**view=table")
        await page.locator("#bulk summary").click()
        await check(page)
    assert violations == []
