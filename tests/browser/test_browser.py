"""Journeys of users in Chromium, with and without JavaScript, and how results are shown."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, expect

from tests.support.ai import FINDINGS, NOTES, RISKS, Ai
from tests.support.application import Server
from tests.support.browser import (
    SCHEMES,
    Visitor,
    accessibility_violations,
    queue_rows,
    register,
    sample_file,
    scan_text,
    visit,
)
from tests.support.client import PASSWORD

# test_journey.py visits the pages on both databases
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


async def test_user_journey_without_javascript(browser: Browser, server: Server, ai: Ai) -> None:
    narrow = {"width": 390, "height": 800}
    async with visit(browser, server.url, java_script_enabled=False, viewport=narrow) as visitor:
        page = await register(visitor)
        await page.get_by_role("button", name="Find risks").click()
        await expect(page.get_by_label("Paste text")).to_be_focused()
        await expect(page.get_by_text("Paste some text or add a file first.")).to_be_visible()
        await expect(page.get_by_label("Paste text")).to_have_accessible_description(
            "Paste some text or add a file first."
        )
        await page.get_by_label("Or choose a file").set_input_files(sample_file("film.mp4"))
        await page.get_by_label("Paste text").fill("Kept all the same")
        await page.get_by_role("button", name="Find risks").click()
        await expect(page.get_by_label("Or choose a file")).to_be_focused()
        await expect(page.get_by_label("Paste text")).to_have_value("Kept all the same")
        await page.get_by_label("Paste text").fill("")
        await page.get_by_label("Or choose a file").set_input_files(sample_file())
        await page.get_by_label("Use the language model").check()
        await page.get_by_role("button", name="Find risks").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("contract.txt")
        await expect(page.locator("time")).to_contain_text("UTC")
        await expect(page.get_by_role("button", name="Print")).to_be_hidden()
        assert ai.calls[-1].parts["force_llm"].body == b"true"
        await page.get_by_role("link", name="Financial 1 risk").click()
        await expect(page.get_by_role("article")).to_have_count(1)
        await page.get_by_text("More", exact=True).click()
        await page.get_by_text("Delete this scan").click()
        await page.get_by_role("button", name="Delete scan").click()
        await expect(page.get_by_role("status")).to_have_text("Scan deleted.")
        await page.get_by_role("link", name="Scan", exact=True).click()
        await page.get_by_label("Paste text").fill("A text that took an hour")
        await visitor.context.clear_cookies()
        await page.get_by_role("button", name="Find risks").click()
        await page.get_by_label("Email").fill("ana@example.com")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Log in").click()
        await expect(page.get_by_label("Paste text")).to_have_value("A text that took an hour")
        await page.get_by_role("button", name="Find risks").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("A text that took an hour")
        await page.get_by_role("link", name="Account").click()
        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


async def test_user_journey_by_keyboard(visitor: Visitor) -> None:
    page = await visitor.open("/register")
    keyboard = page.keyboard

    async def tab_to(name: str) -> None:
        for _ in range(40):
            await keyboard.press("Tab")
            focused = page.locator(":focus")
            if await focused.count() and name in (
                await focused.get_attribute("aria-label") or await focused.text_content() or ""
            ):
                assert await focused.evaluate("element => getComputedStyle(element).outlineStyle") == "solid"
                return
        raise AssertionError(f"the keyboard does not reach {name!r}")

    await expect(page.get_by_label("Email")).to_be_focused()
    await keyboard.press("Tab")
    await keyboard.press("Shift+Tab")
    await keyboard.type("ana@example.com")
    await keyboard.press("Tab")
    await keyboard.type(PASSWORD)
    await keyboard.press("Enter")
    await page.wait_for_url("**/scan")
    await keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    await keyboard.press("Enter")
    await keyboard.press("Tab")
    await expect(page.get_by_label("Paste text")).to_be_focused()
    await keyboard.type("The budget is tight.")
    await keyboard.press("Control+Enter")
    await page.wait_for_url("**/scans/*")
    await tab_to("More")
    await keyboard.press("Enter")
    await tab_to("Delete this scan")
    await keyboard.press("Enter")
    await tab_to("Delete scan")
    await keyboard.press("Enter")
    await page.wait_for_url("**/scans?done=scan")
    await tab_to("Log out")
    await keyboard.press("Enter")
    await page.wait_for_url("**/login?done=logout")


async def test_times_are_local_with_the_exact_time_as_tooltip(visitor: Visitor) -> None:
    page = await register(visitor)
    await page.clock.install()
    await scan_text(page)
    await page.wait_for_url("**/scans/*")
    time = page.locator("time")
    moment = await time.get_attribute("datetime")
    expected = await page.evaluate(
        "moment => new Intl.DateTimeFormat('en-GB', {dateStyle: 'medium', timeStyle: 'short',"
        " timeZone: 'Asia/Phnom_Penh'}).format(new Date(moment))",
        moment,
    )
    await expect(time).to_have_text(expected)
    assert re.search(r"\d\d:\d\d:\d\d GMT\+7", await time.get_attribute("title") or "")


async def test_scripts_in_filenames_and_findings_do_not_run(visitor: Visitor, ai: Ai) -> None:
    attack = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    ai.findings = {"data": [dict.fromkeys(("risk", "category", "context"), attack)], "source": "model"}
    page = await register(visitor)
    page.on("dialog", lambda dialog: visitor.problems.append(f"dialog: {dialog.message}"))
    name = "<img src=x onerror=alert(3)>.txt"
    await page.get_by_label("Add files").set_input_files(sample_file(name))
    await page.get_by_role("button", name="Find risks").click()
    await page.wait_for_url("**/scans/*")
    await expect(page.get_by_role("heading", level=1)).to_have_text(name)
    await expect(page.get_by_role("article")).to_contain_text(attack)
    await page.get_by_role("navigation", name="Risks by category").get_by_role("link").last.click()
    await page.wait_for_url("**category=*")
    await expect(page.get_by_role("article")).to_contain_text(attack)
    await expect(page.locator("main img, main script:not(#sentences):not(#sentences)")).to_have_count(0)
    await page.get_by_role("link", name="History", exact=True).click()
    await expect(page.get_by_role("heading", level=2)).to_have_text(name)
    await expect(page.locator("main img, main script:not(#sentences):not(#sentences)")).to_have_count(0)


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])
async def test_notes_are_shown_with_the_result(
    browser: Browser, server: Server, ai: Ai, javascript: bool
) -> None:
    attack = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    ai.findings = {**FINDINGS, "notes": [*NOTES, attack]}
    async with visit(browser, server.url, java_script_enabled=javascript) as visitor:
        page = await register(visitor)
        page.on("dialog", lambda dialog: visitor.problems.append(f"dialog: {dialog.message}"))
        await scan_text(page)
        if javascript:
            await page.wait_for_url("**/scans/*")
            await page.go_back()
            notes = queue_rows(page).get_by_role("note", name="Notes").get_by_role("paragraph")
            await expect(notes).to_have_text([*NOTES, attack])
            ai.findings = FINDINGS
            await scan_text(page, "The deadline is aggressive.")
            await page.wait_for_url("**/scans/*")
            await page.go_back()
            await expect(queue_rows(page).last).to_contain_text("2 risks found")
            await expect(page.get_by_role("note")).to_have_count(1)
            await queue_rows(page).first.get_by_role("link").click()
        notes = page.get_by_role("region", name="Notes").get_by_role("listitem")
        await expect(notes).to_have_text([*NOTES, attack])
        await expect(page.locator("main img, main script:not(#sentences):not(#sentences)")).to_have_count(0)


async def test_arabic_text_is_displayed_right_to_left(visitor: Visitor, ai: Ai) -> None:
    arabic = {"risk": "قد يتأخر الترخيص", "category": "قانوني", "context": "لم يصدر الترخيص بعد"}
    ai.findings = {"data": [arabic, RISKS[0]], "source": "model"}
    page = await register(visitor)
    await scan_text(page, "لم يصدر الترخيص بعد")
    await page.wait_for_url("**/scans/*")
    direction = "element => getComputedStyle(element).direction"
    assert await page.get_by_text(arabic["risk"]).evaluate(direction) == "rtl"
    quotes = page.get_by_text(arabic["context"])  # the first words of a text are its name, too
    assert [await each.evaluate(direction) for each in await quotes.all()] == ["rtl", "rtl"]
    assert await page.get_by_text("Budget may run out").evaluate(direction) == "ltr"


async def test_print_layout_contains_only_the_report(visitor: Visitor, ai: Ai) -> None:
    ai.findings = {**FINDINGS, "notes": NOTES}
    page = await register(visitor)
    await scan_text(page, "Notes of the board")
    await page.wait_for_url("**/scans/*")
    await page.emulate_media(media="print", color_scheme="dark")
    for hidden in (
        "Log out",
        "Export",
        "Share",
        "More",
        "Print",
        "Delete this scan",
        "Rename",
        "Compare with …",
        "← History",
        "API documentation",
    ):
        await expect(page.get_by_text(hidden, exact=True).locator("visible=true")).to_have_count(0)
    await expect(page.get_by_role("button", name="Confirm")).to_have_count(0)
    for visible in (
        "Notes of the board",
        *NOTES,
        "Budget may run out",
        "The budget is tight.",
        "Risks by category",
    ):
        await expect(page.get_by_text(visible, exact=True)).to_be_visible()
    assert (
        await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        == "rgb(255, 255, 255)"
    )
    assert (await page.pdf(prefer_css_page_size=True)).startswith(b"%PDF-")


async def test_api_docs_page_authorizes_and_runs_an_operation(browser: Browser, server: Server) -> None:
    async with visit(browser, server.url) as visitor:
        await register(visitor)
        await visitor.context.clear_cookies()
        page = await visitor.open("/api/docs")
        for scheme in SCHEMES:
            await page.emulate_media(color_scheme=scheme)
            await page.reload()  # Swagger UI asks for the scheme once
            await expect(page.get_by_role("heading", name="accounts")).to_be_visible()
            await expect(page.locator("[aria-level='2']", has_text="accounts")).to_be_visible()  # by docs.js
            assert await accessibility_violations(page) == []
        await page.get_by_role("button", name="Authorize").click()
        await page.locator("#oauth_username, [name=username]").first.fill("ana@example.com")
        await page.locator("#oauth_password, [name=password]").first.fill(PASSWORD)
        await (
            page.locator(".auth-btn-wrapper")
            .get_by_role("button", name="Apply given OAuth2 credentials")
            .click()
        )
        await expect(page.get_by_role("button", name="Remove authorization")).to_be_visible()
        await page.locator(".auth-btn-wrapper").get_by_role("button", name="Close").first.click()
        await visitor.context.clear_cookies()  # leaves only the access token
        operation = page.locator("#operations-accounts-accounts_me")
        await operation.locator(".opblock-summary-control").click()
        await operation.get_by_role("button", name="Try it out").click()
        await operation.get_by_role("button", name="Execute").click()
        await expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text(
            "200"
        )
        await expect(operation.locator(".live-responses-table")).to_contain_text("ana@example.com")
