"""The built-in pages in Chromium: whole journeys, with and without JavaScript, accessibility and layout."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from playwright.async_api import Browser, FilePayload, Locator, Page, Route, expect

from tests.support.ai import RISKS, Ai
from tests.support.application import MakeSettings, Server, serve
from tests.support.browser import (
    Visitor,
    accessibility_violations,
    horizontal_overflow,
    launch_browser,
    register,
    visit,
)
from tests.support.client import PASSWORD

expect.set_options(timeout=15_000)
SQLITE_ONLY = pytest.mark.parametrize(
    "database_url", ["sqlite"], indirect=True
)  # for what no database can change
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with launch_browser() as started:
        yield started


@pytest.fixture
async def visitor(browser: Browser, server: Server) -> AsyncIterator[Visitor]:
    """A person with JavaScript at a window of 1280 by 800."""
    async with visit(browser, server.url, viewport={"width": 1280, "height": 800}) as person:
        yield person


def sample(name: str = "contract.txt", content: bytes = b"The budget is tight.") -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def rows(page: Page) -> Locator:
    return page.locator("#queue li")


async def scan_text(page: Page, text: str = "The budget is tight.") -> None:
    await page.get_by_label("Paste text").fill(text)
    await page.get_by_role("button", name="Find risks").click()


async def throttle_uploads(page: Page, bytes_per_second: int) -> None:
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_per_second},
    )


async def test_the_whole_journey(visitor: Visitor, ai: Ai) -> None:
    go = ai.hold_responses()
    page = await visitor.open("/")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    await page.get_by_role("main").get_by_role("link", name="Create an account").click()
    await page.get_by_label("Email").fill("ana@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create account").click()
    await scan_text(page)
    await expect(rows(page)).to_have_count(1)
    await expect(rows(page)).to_contain_text("Pasted text")
    await expect(rows(page)).to_contain_text(re.compile(r"Analysing… [1-9]\d* s"))
    await expect(page.get_by_role("status")).to_have_text("Pasted text: uploaded, analysing.")
    go.set()
    await expect(rows(page)).to_contain_text("2 risks found")
    await expect(page.get_by_label("Paste text")).to_have_value("")
    await rows(page).get_by_role("link", name="View result: Pasted text").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Pasted text")
    await expect(page.get_by_role("article")).to_have_count(2)
    chart = page.get_by_role("navigation", name="Risks by category")
    await chart.get_by_role("link", name="Schedule 1 risk", exact=True).click()
    await expect(page.get_by_role("article")).to_have_count(1)
    await expect(page.get_by_role("article")).to_contain_text("Deadline is aggressive")
    await page.get_by_role("link", name="History", exact=True).click()
    await expect(page.get_by_role("heading", level=2)).to_have_text("Pasted text")
    await page.get_by_role("link", name="Pasted text").click()
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


async def test_the_whole_journey_without_javascript(browser: Browser, server: Server, ai: Ai) -> None:
    narrow = {"width": 390, "height": 800}
    async with visit(browser, server.url, java_script_enabled=False, viewport=narrow) as visitor:
        page = await register(visitor)
        await page.get_by_role("button", name="Find risks").click()
        await expect(page.get_by_label("Paste text")).to_be_focused()
        await expect(page.get_by_text("There is nothing to scan.")).to_be_visible()
        await expect(page.get_by_label("Paste text")).to_have_accessible_description(
            "There is nothing to scan."
        )
        await page.get_by_label("Or choose a file").set_input_files(sample("film.mp4"))
        await page.get_by_label("Paste text").fill("Kept all the same")
        await page.get_by_role("button", name="Find risks").click()
        await expect(page.get_by_label("Or choose a file")).to_be_focused()
        await expect(page.get_by_label("Paste text")).to_have_value("Kept all the same")
        await page.get_by_label("Paste text").fill("")
        await page.get_by_label("Or choose a file").set_input_files(sample())
        await page.get_by_label("Use the language model").check()
        await page.get_by_role("button", name="Find risks").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("contract.txt")
        await expect(page.locator("time")).to_contain_text("UTC")
        await expect(page.get_by_role("button", name="Print")).to_be_hidden()
        assert ai.calls[-1].parts["force_llm"].body == b"true"
        await page.get_by_role("link", name="Financial 1 risk").click()
        await expect(page.get_by_role("article")).to_have_count(1)
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
        await expect(page.get_by_role("heading", level=1)).to_have_text("Pasted text")
        await page.get_by_role("button", name="Log out").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Log in")


async def test_the_whole_journey_by_keyboard(visitor: Visitor) -> None:
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
    await tab_to("Find risks")
    await keyboard.press("Enter")
    await expect(rows(page)).to_contain_text("2 risks found")
    await tab_to("View result: Pasted text")
    await keyboard.press("Enter")
    await page.wait_for_url("**/scans/*")
    await tab_to("Delete this scan")
    await keyboard.press("Enter")
    await tab_to("Delete scan")
    await keyboard.press("Enter")
    await page.wait_for_url("**/scans?done=scan")
    await tab_to("Log out")
    await keyboard.press("Enter")
    await page.wait_for_url("**/login?done=logout")


async def test_an_upload_shows_how_far_it_is(visitor: Visitor, ai: Ai) -> None:
    go = ai.hold_responses()
    page = await register(visitor)
    await page.get_by_label("Add files").set_input_files(sample(content=b"x" * 1_500_000))
    await expect(rows(page)).to_contain_text("1.4 MB")
    await expect(rows(page)).to_contain_text("Ready")
    await throttle_uploads(page, 500_000)
    await page.get_by_role("button", name="Find risks").click()
    await expect(rows(page)).to_contain_text(re.compile(r"Uploading… [1-9]\d?%"))
    bar = page.get_by_role("progressbar", name="Uploading contract.txt")
    assert 0 < float(await bar.get_attribute("value") or 0) < 100
    await expect(rows(page)).to_contain_text(re.compile(r"Analysing… \d+ s"))
    go.set()
    await expect(rows(page)).to_contain_text("2 risks found")
    assert len(ai.calls[0].parts["file"].body) == 1_500_000


async def test_several_files_are_sent_one_after_the_other(
    browser: Browser, make_settings: MakeSettings, ai: Ai
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        if b"locked" in ai.calls[-1].parts["file"].body:
            return web.json_response({"detail": "This file is <b>locked</b>."}, status=422)
        return await ai.return_findings(request)

    async with (
        serve(make_settings(max_upload_bytes=1024 * 1024)) as server,
        visit(browser, server.url) as visitor,
    ):
        page = await register(visitor)
        await page.get_by_label("Add files").set_input_files(
            [
                sample("first.txt"),
                sample("film.mp4"),
                sample("locked.md", b"locked"),
                sample("empty.txt", b""),
                sample("huge.txt", b"x" * (1024 * 1024 + 1)),
                sample("unwanted.txt"),
            ]
        )
        await page.get_by_label("Add files").set_input_files(sample("last.txt"))
        await page.get_by_role("button", name="Remove: unwanted.txt").click()
        go = ai.hold_responses()
        await page.get_by_role("button", name="Find risks").click()
        await expect(rows(page).filter(has_text="first.txt")).to_contain_text("Analysing…")
        for queued in ("locked.md", "last.txt"):
            await expect(rows(page).filter(has_text=queued)).to_contain_text("Queued")
        assert len(ai.calls) == 1
        ai.handler = answer
        go.set()
        words = {
            "first.txt": "2 risks found",
            "film.mp4": "This file type isn't supported.",
            "locked.md": "This file is <b>locked</b>.",
            "empty.txt": "This file is empty.",
            "huge.txt": "This file is too large. The limit is 1 MB.",
            "last.txt": "2 risks found",
        }
        await expect(rows(page)).to_have_count(len(words))
        for name, said in words.items():
            await expect(rows(page).filter(has_text=name)).to_contain_text(said)
        assert [len(call.parts["file"].body) for call in ai.calls] == [20, 6, 20]
        await page.get_by_role("link", name="View result: last.txt").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("last.txt")


async def test_a_file_dropped_beside_the_zone_is_added(visitor: Visitor) -> None:
    page = await register(visitor)
    dropped = await page.evaluate_handle(
        """() => {
            const transfer = new DataTransfer();
            transfer.items.add(new File(["The budget is tight."], "dropped.txt"));
            return transfer;
        }"""
    )
    await page.dispatch_event("h1", "dragover", {"dataTransfer": dropped})
    await page.dispatch_event("h1", "drop", {"dataTransfer": dropped})
    await expect(rows(page)).to_contain_text("dropped.txt")
    await page.get_by_role("button", name="Find risks").click()
    await expect(rows(page)).to_contain_text("2 risks found")


async def test_errors_are_said_in_words_and_can_be_tried_again(
    visitor: Visitor, server: Server, ai: Ai
) -> None:
    page = await register(visitor)
    await page.get_by_role("button", name="Find risks").click()
    await expect(page.get_by_label("Paste text")).to_be_focused()
    await expect(page.get_by_label("Paste text")).to_have_accessible_description(
        "Paste some text or add a file first."
    )
    again = page.get_by_role("button", name="Try again: Pasted text")

    ai.respond_with(500, {"detail": "The model is out of breath."})
    await scan_text(page, "My text")
    await expect(rows(page)).to_contain_text("The model is out of breath.")
    ai.respond_with(200, b"no JSON")
    await again.click()
    await expect(rows(page)).not_to_contain_text("out of breath")
    await expect(rows(page)).to_contain_text("analysis service")
    await page.route("**/api/scan", lambda route: route.abort("connectionreset"))
    await again.click()
    await expect(rows(page)).to_contain_text("Connection lost.")
    await page.unroute("**/api/scan")
    visitor.problems.clear()  # Chromium notes the lost connection as an error, and rightly

    cookies = await visitor.context.cookies()
    await visitor.context.clear_cookies()
    await again.click()
    await expect(rows(page)).to_contain_text("Your session has expired.")
    async with visitor.context.expect_page() as opening:
        await rows(page).get_by_role("link", name="Log in").click()
    tab = await opening.value
    await tab.get_by_label("Email").fill("ana@example.com")
    await tab.get_by_label("Password").fill(PASSWORD)
    await tab.get_by_role("button", name="Log in").click()
    await tab.wait_for_url("**/scan")
    assert await visitor.context.cookies() != cookies
    ai.handler = ai.return_findings
    await expect(page.get_by_label("Paste text")).to_have_value("My text")
    await again.click()
    await expect(rows(page)).to_contain_text("2 risks found")
    await expect(page.get_by_label("Paste text")).to_have_value("")


async def test_typed_text_survives_a_reload_and_a_log_in_but_not_a_log_out(visitor: Visitor) -> None:
    page = await register(visitor)
    text = page.get_by_label("Paste text")
    await text.fill("Not sent yet")
    await page.reload()
    await expect(text).to_have_value("Not sent yet")
    await visitor.context.clear_cookies()
    await page.get_by_role("link", name="Scan", exact=True).click()
    await page.get_by_label("Email").fill("ana@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(text).to_have_value("Not sent yet")
    await page.get_by_role("button", name="Log out").click()
    await page.goto(f"{visitor.url}/login?next=/scan")
    await page.get_by_label("Email").fill("ana@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(text).to_have_value("")


async def test_a_text_that_is_sent_again_after_a_reload_is_one_scan(visitor: Visitor, ai: Ai) -> None:
    go = ai.hold_responses()
    page = await register(visitor)
    await page.get_by_label("Paste text").fill("My text")
    for said in ("Analysing…", "still being made"):
        await page.reload()
        await page.get_by_role("button", name="Find risks").click()
        await expect(rows(page)).to_contain_text(said)
    go.set()
    ai.handler = ai.return_findings
    for _ in range(100):
        await page.get_by_role("button", name="Find risks").click()
        await expect(rows(page)).to_contain_text(re.compile("still being made|2 risks found"))
        if await rows(page).get_by_text("2 risks found").count():
            break
    assert len(ai.calls) == 1
    await page.reload()
    await scan_text(page, "My text")  # later it is another one
    await expect(rows(page)).to_contain_text("2 risks found")
    assert len(ai.calls) == 2


async def test_a_scan_that_was_sent_outlives_its_page(visitor: Visitor, ai: Ai) -> None:
    go = ai.hold_responses()
    page = await register(visitor)
    await page.get_by_label("Add files").set_input_files(sample())
    await page.get_by_role("button", name="Find risks").click()
    await expect(rows(page)).to_contain_text("Analysing…")
    await page.get_by_role(
        "link", name="History", exact=True
    ).first.click()  # and nobody asks whether to stay
    await expect(page.get_by_role("heading", level=2)).to_have_text("No scans yet")
    go.set()
    scan = page.get_by_role("heading", level=2, name="contract.txt")
    for _ in range(100):
        await page.reload()
        if await scan.count():
            break
    await expect(scan).to_be_visible()


async def test_leaving_before_a_file_is_sent_asks_first(visitor: Visitor) -> None:
    page = await register(visitor)
    await throttle_uploads(page, 50_000)
    await page.get_by_label("Add files").set_input_files(sample(content=b"x" * 1_000_000))
    await page.get_by_role("button", name="Find risks").click()
    await expect(rows(page)).to_contain_text("Uploading…")
    async with page.expect_event("dialog") as asking:
        await page.close(run_before_unload=True)
    dialog = await asking.value
    assert dialog.type == "beforeunload"
    await dialog.accept()


async def test_times_are_local_and_exact_on_hover(visitor: Visitor) -> None:
    page = await register(visitor)
    await page.clock.install()
    await scan_text(page)
    await rows(page).get_by_role("link").click()
    time = page.locator("time")
    moment = await time.get_attribute("datetime")
    expected = await page.evaluate(
        "moment => new Intl.DateTimeFormat('en-GB', {dateStyle: 'medium', timeStyle: 'short',"
        " timeZone: 'Asia/Phnom_Penh'}).format(new Date(moment))",
        moment,
    )
    await expect(time).to_have_text(expected)
    assert re.search(r"\d\d:\d\d:\d\d GMT\+7", await time.get_attribute("title") or "")


async def test_hostile_names_and_findings_do_nothing(visitor: Visitor, ai: Ai) -> None:
    attack = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    ai.findings = {"data": [dict.fromkeys(("risk", "category", "context"), attack)], "source": "model"}
    page = await register(visitor)
    page.on("dialog", lambda dialog: visitor.problems.append(f"dialog: {dialog.message}"))
    name = "<img src=x onerror=alert(3)>.txt"
    await page.get_by_label("Add files").set_input_files(sample(name))
    await page.get_by_role("button", name="Find risks").click()
    await expect(rows(page)).to_contain_text(name)
    await rows(page).get_by_role("link").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(name)
    await expect(page.get_by_role("article")).to_contain_text(attack)
    await page.get_by_role("navigation", name="Risks by category").get_by_role("link").last.click()
    await expect(page.get_by_role("article")).to_contain_text(attack)
    await expect(page.locator("main img, main script")).to_have_count(0)
    await page.get_by_role("link", name="History", exact=True).click()
    await expect(page.get_by_role("heading", level=2)).to_have_text(name)
    await expect(page.locator("main img, main script")).to_have_count(0)


@SQLITE_ONLY
async def test_right_to_left_text_runs_from_the_right(visitor: Visitor, ai: Ai) -> None:
    arabic = {"risk": "قد يتأخر الترخيص", "category": "قانوني", "context": "لم يصدر الترخيص بعد"}
    ai.findings = {"data": [arabic, RISKS[0]], "source": "model"}
    page = await register(visitor)
    await scan_text(page, "لم يصدر الترخيص بعد")
    await rows(page).get_by_role("link").click()
    direction = "element => getComputedStyle(element).direction"
    assert await page.get_by_text(arabic["risk"]).evaluate(direction) == "rtl"
    assert await page.get_by_text(arabic["context"]).evaluate(direction) == "rtl"
    assert await page.get_by_text("Budget may run out").evaluate(direction) == "ltr"


@SQLITE_ONLY
async def test_print_makes_a_report(visitor: Visitor) -> None:
    page = await register(visitor)
    await scan_text(page)
    await rows(page).get_by_role("link").click()
    await page.emulate_media(media="print", color_scheme="dark")
    for gone in ("Log out", "Print", "Delete this scan", "← History", "API documentation"):
        await expect(page.get_by_text(gone, exact=True)).to_be_hidden()
    for kept in ("Pasted text", "Budget may run out", "The budget is tight.", "Risks by category"):
        await expect(page.get_by_text(kept, exact=True)).to_be_visible()
    assert (
        await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
        == "rgb(255, 255, 255)"
    )
    assert (await page.pdf(prefer_css_page_size=True)).startswith(b"%PDF-")


async def search_history(page: Page) -> None:
    """Use every filter of a history with a contract of two risks and a plan without any."""
    await page.get_by_label("Search").fill("DEADL contr")
    await page.get_by_label("Category", exact=True).fill("financial")
    await page.get_by_label("Analysed by").select_option("Built-in analyser")
    await page.get_by_label("From", exact=True).fill("2026-01-01")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.get_by_text("1 scan found")).to_be_visible()
    await expect(page.get_by_role("link", name="contract.txt")).to_be_visible()
    await expect(page.get_by_role("link", name="plan.txt")).to_have_count(0)
    await expect(page.get_by_label("Search")).to_have_value("DEADL contr")
    await expect(page.get_by_label("Category", exact=True)).to_have_value("financial")
    await expect(page.get_by_label("Analysed by")).to_have_value("model")
    await expect(page.get_by_label("From", exact=True)).to_have_value("2026-01-01")
    await page.get_by_label("Analysed by").select_option("Language model")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.get_by_role("heading", name="No matching scans")).to_be_visible()
    await page.get_by_label("To", exact=True).fill("2025-01-01")
    await page.get_by_role("button", name="Filter").click()
    await expect(page.get_by_label("From", exact=True)).to_be_focused()
    await expect(page.get_by_text("This is later than the end.")).to_be_visible()
    await page.get_by_role("link", name="Clear filters").click()
    await expect(page.get_by_text("2 scans", exact=True)).to_be_visible()


async def scan_two_files(page: Page, ai: Ai) -> None:
    for name, risks in (("plan.txt", []), ("contract.txt", list(RISKS))):
        ai.findings = {"data": risks, "source": "model"}
        await page.get_by_label("Add files").set_input_files([sample(name)])
        await page.get_by_role("button", name="Find risks").click()
        await page.get_by_role("link", name=f"View result: {name}").wait_for()


async def test_the_history_is_searched(visitor: Visitor, ai: Ai) -> None:
    page = await register(visitor)
    await scan_two_files(page, ai)
    await page.goto(f"{visitor.url}/scans")
    await search_history(page)
    figure = page.get_by_role("figure")
    await expect(figure).to_contain_text("2 risks in 2 scans")
    assert await page.locator("datalist option").count() == 2
    await figure.get_by_text("Show as table").click()
    await expect(figure.get_by_role("columnheader")).to_have_text(["Month", "Financial", "Schedule"])
    await expect(figure.get_by_role("row").last).to_have_text(re.compile(r"^\d{4}-\d\d11$"))
    await figure.get_by_role("link", name="Schedule").click()
    await expect(page.get_by_text("1 scan found")).to_be_visible()
    await expect(page.get_by_label("Category", exact=True)).to_have_value("Schedule")
    await expect(page.get_by_role("figure")).to_contain_text("1 risk in 1 scan")


async def test_the_history_is_searched_without_javascript(browser: Browser, server: Server, ai: Ai) -> None:
    async with visit(browser, server.url) as scripted:
        page = await register(scripted)
        await scan_two_files(page, ai)
        state = await scripted.context.storage_state()
    async with visit(browser, server.url, java_script_enabled=False, storage_state=state) as visitor:
        page = await visitor.open("/scans")
        await search_history(page)
        await page.get_by_role("link", name="Risks by category over time").click()
        await expect(page.get_by_role("figure")).to_contain_text("2 risks in 2 scans")
        await page.get_by_role("link", name="Schedule").click()
        await expect(page.get_by_text("1 scan found")).to_be_visible()
        await page.get_by_role("link", name="Risks by category over time").click()
        await expect(page.get_by_role("figure")).to_contain_text("1 risk in 1 scan")
        await page.get_by_role("link", name="← History").click()
        await expect(page.get_by_label("Category", exact=True)).to_have_value("Schedule")


async def visit_every_page(visitor: Visitor, ai: Ai) -> AsyncIterator[Page]:
    """Yield a tab on each page in turn, with errors and with data too."""
    long = "A-name-without-any-place-to-break-it-" * 6
    page = await visitor.open("/login?next=/scans")
    yield page
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_label("Email")).to_be_focused()
    yield page
    await page.get_by_label("Email").fill("nobody@example.com")
    await page.get_by_label("Password").fill("nothing")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    yield page
    await page.get_by_role("navigation").get_by_role("link", name="Create account").click()
    yield page
    await page.close()
    page = await register(visitor)
    await page.goto(f"{visitor.url}/scans")
    yield page
    await page.get_by_role("link", name="New scan").click()
    ai.findings["data"] = [*RISKS, {"risk": long, "category": long[:80], "context": long}]
    await page.get_by_label("Add files").set_input_files([sample("film.mp4"), sample(f"{long}.txt")])
    yield page
    await page.get_by_role("button", name="Find risks").click()
    await expect(page.get_by_role("link", name=f"View result: {long}")).to_be_visible()
    ai.findings["data"] = []
    await scan_text(page)
    await expect(rows(page).filter(has_text="No risks found")).to_be_visible()
    yield page
    await page.get_by_role("link", name="View result: Pasted text").click()
    await expect(page.get_by_role("heading", level=2)).to_have_text("No risks found")
    yield page
    await page.goto(f"{visitor.url}/scans")
    yield page
    await page.get_by_text("Show as table").click()
    yield page
    await page.goto(f"{visitor.url}/scans/overview?q=name")
    await page.get_by_text("Show as table").click()
    yield page
    for query in ("q=nothing", "q=!&from=2026-11-02&to=2026-11-01", "from=2026-11-02&to=2026-11-01"):
        await page.goto(f"{visitor.url}/scans?{query}")
        yield page
    await page.goto(f"{visitor.url}/scans?q=name")
    await page.get_by_role("link", name=long).first.click()
    await page.get_by_text("Delete this scan").click()
    yield page
    await page.goto(f"{page.url}?category=Nothing")
    yield page
    await page.goto(f"{visitor.url}/account")
    await page.get_by_role("button", name="Create token").click()
    await expect(page.get_by_label("Token name")).to_be_focused()
    await page.wait_for_load_state()
    yield page
    await page.get_by_label("Token name").fill("Nightly import")
    await page.get_by_label("Expires (optional)").fill("2099-12-31")
    await page.get_by_role("button", name="Create token").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your new API token")
    await page.wait_for_load_state()
    yield page
    await page.get_by_role("link", name="Back to Account").click()
    await page.wait_for_url("**/account#tokens")
    yield page
    await page.get_by_text("Delete my account").click()
    await page.get_by_role("button", name="Delete account permanently").click()
    await expect(page.get_by_label("Confirm with your password")).to_be_focused()
    yield page
    for path in ("/scans?offset=100", "/nowhere", "/scans?limit=0"):
        await page.goto(visitor.url + path)
        yield page


@SQLITE_ONLY
@SCHEMES
async def test_every_page_is_readable_for_all(browser: Browser, server: Server, ai: Ai, scheme: str) -> None:
    ai.findings = {"data": list(RISKS), "source": "llm"}
    found = []
    # axe-core brings styles of its own; without it no page breaks its policy (the next test sees all of them)
    async with visit(browser, server.url, color_scheme=scheme, bypass_csp=True) as visitor:
        async for page in visit_every_page(visitor, ai):
            await page.wait_for_load_state()  # without its style it has no colour
            dark = (
                await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
                != "rgb(250, 249, 247)"
            )
            assert dark == (scheme == "dark")
            found += [f"{page.url} {line}" for line in await accessibility_violations(page)]
    assert found == []


@SQLITE_ONLY
async def test_no_page_scrolls_sideways(visitor: Visitor, ai: Ai) -> None:
    ai.findings = {"data": list(RISKS), "source": "model"}
    wide = {}
    async for page in visit_every_page(visitor, ai):
        for width in (320, 390, 768, 1920):
            await page.set_viewport_size({"width": width, "height": 800})
            wide[page.url, width] = await horizontal_overflow(page)
    assert {place: pixels for place, pixels in wide.items() if pixels > 0} == {}


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "none"])
async def test_a_double_click_is_one_scan(browser: Browser, server: Server, ai: Ai, scripts: bool) -> None:
    go = ai.hold_responses()
    async with visit(browser, server.url, java_script_enabled=scripts) as visitor:
        page = await register(visitor)
        sent: list[str] = []
        page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
        await page.get_by_label("Paste text").fill("The budget is tight.")
        await page.get_by_role("button", name="Find risks").focus()
        await page.keyboard.press("Enter")
        await ai.arrived.wait()
        async with asyncio.timeout(15):
            while len(sent) < (1 if scripts else 2):  # without a script the button sends the form again
                await page.keyboard.press("Enter")
        go.set()
        if scripts:
            await expect(rows(page)).to_have_count(1)
            await expect(rows(page)).to_contain_text("2 risks found")
            await expect(page.get_by_text("Paste some text or add a file")).to_have_count(0)
        else:
            await expect(page.get_by_role("heading", level=1)).to_have_text("Pasted text")
        await page.goto(f"{visitor.url}/scans")
        await expect(page.get_by_role("main").get_by_role("heading", level=2)).to_have_count(1)
    assert len(ai.calls) == 1


async def test_a_lost_answer_is_fetched_and_not_made_again(visitor: Visitor, ai: Ai) -> None:
    page = await register(visitor)

    async def lose(route: Route) -> None:
        await route.fetch()
        await route.abort("connectionreset")

    await page.route("**/api/scan", lose)
    await scan_text(page)
    await expect(rows(page)).to_contain_text("Connection lost.")
    await page.unroute("**/api/scan")
    visitor.problems.clear()  # Chromium notes the lost connection as an error, and rightly
    await page.get_by_role("button", name="Try again: Pasted text").click()
    await expect(rows(page)).to_contain_text("2 risks found")
    assert len(ai.calls) == 1


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "none"])
async def test_an_api_token_is_made_copied_and_deleted(
    browser: Browser, server: Server, scripts: bool
) -> None:
    async with visit(browser, server.url, java_script_enabled=scripts) as visitor:
        page = await register(visitor)
        await page.goto(f"{visitor.url}/account")
        await page.get_by_label("Token name").fill("Nightly import")
        await page.get_by_label("Permissions").select_option("Scan only")
        await page.get_by_role("button", name="Create token").click()
        token = await page.locator("#token").inner_text()
        await expect(page.locator("pre").last).to_contain_text(f'"Authorization: Bearer {token}"')
        assert token not in page.url
        await page.get_by_role("link", name="Back to Account").click()
        await expect(page.get_by_role("listitem").filter(has_text="Nightly import")).to_contain_text("Scan ·")
        assert token not in await page.content()
        await page.get_by_role("button", name="Delete token Nightly import").click()
        await expect(page.get_by_role("status")).to_have_text("API token deleted.")
        await expect(page.get_by_text("No tokens yet.")).to_be_visible()


@SQLITE_ONLY
@SCHEMES
async def test_the_api_page_logs_in_and_tries_an_operation(
    browser: Browser, server: Server, scheme: str
) -> None:
    async with visit(browser, server.url, color_scheme=scheme) as visitor:
        await register(visitor)
        await visitor.context.clear_cookies()
        page = await visitor.open("/api/docs")
        await expect(page.get_by_role("heading", name="accounts")).to_be_visible()
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
        await visitor.context.clear_cookies()  # it is the token that counts
        operation = page.locator("#operations-accounts-accounts_me")
        await operation.locator(".opblock-summary-control").click()
        await operation.get_by_role("button", name="Try it out").click()
        await operation.get_by_role("button", name="Execute").click()
        await expect(operation.locator(".live-responses-table .response-col_status").last).to_contain_text(
            "200"
        )
        await expect(operation.locator(".live-responses-table")).to_contain_text("ana@example.com")


@pytest.mark.parametrize("script", [True, False])
async def test_the_risks_are_downloaded(browser: Browser, server: Server, ai: Ai, script: bool) -> None:
    ai.findings = {"data": [{**RISKS[0], "risk": "ថវិកាមិនគ្រប់"}], "source": "model"}
    async with visit(browser, server.url, java_script_enabled=script) as visitor:
        page = await register(visitor)
        await page.get_by_label("Paste text").fill("The budget is tight.")
        await page.get_by_role("button", name="Find risks").click()
        if script:
            await rows(page).get_by_role("link", name="View result: Pasted text").click()
        await page.wait_for_url("**/scans/*")
        for begin in ("riskscan-text-", "riskscan-register-"):
            await page.get_by_text("Export", exact=True).click()
            for link, end in (("CSV", ".csv"), ("Excel", ".xlsx"), ("CISO Assistant (Excel)", ".xlsx")):
                async with page.expect_download() as downloading:
                    await page.get_by_role("link", name=link, exact=True).click()
                download = await downloading.value
                assert download.suggested_filename.startswith(begin)
                assert download.suggested_filename.endswith(end)
                content = (await download.path()).read_bytes()
                assert content.startswith(b"PK") if end == ".xlsx" else "ថវិកាមិនគ្រប់" in content.decode()
            await page.goto(f"{server.url}/scans?category=Financial&source=&limit=20")
        links = page.locator(".menu a")
        assert await links.count() == 6
        for one in await links.all():
            address = await one.get_attribute("href") or ""
            assert address.startswith("/scans/export?format=")
            assert address.endswith("&category=Financial")


async def test_a_slow_service_is_waited_for_in_bounded_time(
    browser: Browser, make_settings: MakeSettings, ai: Ai
) -> None:
    ai.hold_responses()
    async with (
        serve(make_settings(ai_timeout_seconds=1)) as server,
        visit(browser, server.url) as visitor,
    ):
        page = await register(visitor)
        await scan_text(page)
        await expect(rows(page)).to_contain_text("analysis service is not available")
        await expect(page.get_by_role("button", name="Try again: Pasted text")).to_be_visible()
        await expect(page.get_by_label("Paste text")).to_have_value("The budget is tight.")
