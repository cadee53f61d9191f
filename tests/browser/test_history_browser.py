"""The history in Chromium: filters, deletion and exports, with JavaScript and without."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.ai import RISKS, Ai
from tests.support.application import Server
from tests.support.browser import (
    Visitor,
    register,
    sample_file,
    visit,
)

# test_journey.py visits the pages on both databases
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


async def scan_two_files(page: Page, ai: Ai) -> None:
    """Scan a plan without risks and a contract with two."""
    for name, risks in (("plan.txt", []), ("contract.txt", list(RISKS))):
        ai.findings = {"data": risks, "source": "model"}
        await page.goto(urljoin(page.url, "/scan"))
        await page.get_by_label("Add files").set_input_files([sample_file(name)])
        await page.get_by_role("button", name="Find risks").click()
        await page.wait_for_url("**/scans/*")


async def filter_history(page: Page) -> None:
    """Use every filter on the history that scan_two_files() creates."""
    await expect(page.get_by_label("Category", exact=True)).to_be_hidden()
    await page.get_by_role("searchbox", name="Search").fill("DEADL contr")
    await page.get_by_text("More filters").click()
    await page.get_by_label("Category", exact=True).select_option("Financial")
    await page.get_by_label("Analysed by").select_option("Built-in analyser")
    await page.get_by_label("From", exact=True).fill("2026-01-01")
    await page.get_by_role("button", name="Search").click()
    await expect(page.get_by_text("1 scan found")).to_be_visible()
    await expect(page.get_by_role("link", name="contract.txt")).to_be_visible()
    await expect(page.get_by_text("1 Financial of 2", exact=True)).to_be_visible()
    await expect(page.get_by_role("link", name="plan.txt")).to_have_count(0)
    await expect(page.get_by_role("searchbox", name="Search")).to_have_value("DEADL contr")
    await expect(page.get_by_label("Category", exact=True)).to_have_value("Financial")
    await expect(page.get_by_label("Analysed by")).to_have_value("model")
    await expect(page.get_by_label("From", exact=True)).to_have_value("2026-01-01")
    await page.get_by_label("Analysed by").select_option("Language model")
    await page.get_by_role("button", name="Search").click()
    await expect(page.get_by_role("heading", name="No matching scans")).to_be_visible()
    await page.get_by_label("To", exact=True).fill("2025-01-01")
    await page.get_by_role("button", name="Search").click()
    await expect(page.get_by_label("From", exact=True)).to_be_focused()
    await expect(page.get_by_text("Must not be later than the end.")).to_be_visible()
    await page.get_by_role("link", name="Clear filters").click()
    await expect(page.get_by_text("2 scans", exact=True)).to_be_visible()
    await page.get_by_role("navigation", name="Sort").get_by_role("link", name="Name").click()
    await expect(page.get_by_role("heading", level=2)).to_have_text(["contract.txt", "plan.txt"])


async def test_history_filters_and_overview_work_without_javascript(
    browser: Browser, server: Server, ai: Ai
) -> None:
    async with visit(browser, server.url) as scripted:
        page = await register(scripted)
        await scan_two_files(page, ai)
        state = await scripted.context.storage_state()
    async with visit(browser, server.url, java_script_enabled=False, storage_state=state) as visitor:
        page = await visitor.open("/scans")
        await filter_history(page)
        await page.get_by_role("link", name="Chart").click()
        figure = page.get_by_role("figure")
        await expect(figure).to_contain_text("2 risks in 2 scans")
        await figure.get_by_text("Show as table").click()
        await expect(figure.get_by_role("columnheader")).to_have_text(["Month", "Financial", "Schedule"])
        await expect(figure.get_by_role("row").last).to_have_text(re.compile(r"^[A-Z][a-z]{2} \d{4}11$"))
        await figure.get_by_role("link", name="Schedule").click()
        await expect(page.get_by_text("1 scan found")).to_be_visible()
        await page.get_by_role("link", name="Chart").click()
        await expect(page.get_by_role("figure")).to_contain_text("1 risk in 1 scan")
        await page.get_by_role("link", name="← History").click()
        await expect(page.get_by_label("Category", exact=True)).to_have_value("Schedule")
        await page.get_by_role("link", name="Clear filters").click()
        await page.get_by_role("checkbox", name="plan.txt").check()
        await page.get_by_role("checkbox", name="contract.txt").check()
        await page.get_by_role("button", name="Delete").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Delete these scans?")
        await expect(page.get_by_role("listitem").filter(has_text="plan.txt")).to_be_visible()
        await page.get_by_role("button", name="Delete scans").click()
        await expect(page.get_by_role("status")).to_have_text("Scans deleted.")
        await expect(page.get_by_role("heading", level=2)).to_have_text("No scans yet")


async def test_deletion_can_be_undone_for_some_seconds(visitor: Visitor, ai: Ai) -> None:
    ai.findings = {"data": [], "source": "model"}
    page = await register(visitor)
    files = [sample_file(f"{name}.txt") for name in ("one", "two", "three", "four", "five")]
    for file in files:
        await page.request.post(f"{visitor.url}/api/scan", multipart={"file": file})
    # stands still but for run_for(): a busy machine needs some seconds to press Undo
    await page.clock.install(time=0)
    await page.clock.pause_at(1_000)
    await page.goto(f"{visitor.url}/scans")
    rows, notice = page.get_by_role("heading", level=2), page.get_by_role("status")
    for width, height in ((390, 844), (1280, 800)):  # the list begins on the first screen
        await page.set_viewport_size({"width": width, "height": height})
        box = await page.locator(".history li").nth(2).bounding_box()
        assert box
        assert box["y"] + box["height"] < height

    async def count() -> int:
        total: int = (await (await page.request.get(f"{visitor.url}/api/scans")).json())["total"]
        return total

    async def delete(*names: str) -> None:
        for name in names:
            await page.get_by_role("checkbox", name=f"{name}.txt").check()
        await page.get_by_role("button", name="Delete").click()

    await delete()
    await expect(notice).to_have_text("Choose the scans to delete.")
    await delete("one", "two")
    await expect(rows).to_have_text(["five.txt", "four.txt", "three.txt"])
    await expect(notice).to_contain_text("Scans deleted: 2.")
    await page.clock.run_for(7_000)
    await page.get_by_role("button", name="Undo").click()
    await expect(notice).to_have_text("Nothing was deleted.")
    await expect(page.get_by_role("checkbox", name="two.txt")).to_be_focused()
    await page.clock.run_for(20_000)
    await expect(rows).to_have_count(5)
    assert await count() == 5
    await delete("one", "two")
    await page.get_by_role("button", name="Undo").focus()
    await page.clock.run_for(20_000)  # who is at the button has time
    assert await count() == 5
    await page.get_by_role("link", name="five.txt").focus()
    await page.clock.run_for(8_000)
    await expect(page.get_by_text("3 scans", exact=True)).to_be_visible()
    await expect(notice).to_have_text("")
    assert await count() == 3
    # with pages, the rows that move up are shown: those after them are on the next page
    await page.goto(f"{visitor.url}/scans?limit=2")
    await delete("five")
    await page.clock.run_for(8_000)
    await expect(rows.locator("visible=true")).to_have_text(["four.txt", "three.txt"])
    await expect(page.get_by_role("checkbox", name="three.txt")).not_to_be_checked()
    await expect(page.locator(".history time").last).not_to_contain_text("UTC")
    await expect(page.get_by_role("navigation", name="History pages")).to_have_count(0)
    await page.request.post(f"{visitor.url}/api/scan", multipart={"file": sample_file("five.txt")})
    await page.goto(f"{visitor.url}/scans")
    # leaving deletes before the next page is shown
    await delete("three")
    async with page.expect_navigation():  # the rows are hidden on this page already
        await page.get_by_role("navigation", name="Main").get_by_role("link", name="History").click()
    await expect(rows).to_have_text(["five.txt", "four.txt"])
    # another tab was faster: nothing is deleted, and all is shown again
    await delete("four")
    scans = (await (await page.request.get(f"{visitor.url}/api/scans")).json())["scans"]
    await page.request.delete(f"{visitor.url}/api/scans/{scans[1]['scan_id']}")
    await page.clock.run_for(8_000)
    await expect(notice).to_contain_text("Nothing was deleted")
    await expect(rows).to_have_count(2)
    await delete("five")
    again = await visitor.open("/scans")
    await page.close(run_before_unload=True)
    for _ in range(100):
        await again.reload()
        if await again.get_by_text("No scans yet").count():
            break
    await expect(again.get_by_role("heading", level=2)).to_have_text("No scans yet")


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])
async def test_export_menus_download_files_and_keep_the_filter(
    browser: Browser, server: Server, ai: Ai, javascript: bool
) -> None:
    ai.findings = {"data": [{**RISKS[0], "risk": "ថវិកាមិនគ្រប់"}], "source": "model"}
    async with visit(browser, server.url, java_script_enabled=javascript) as visitor:
        page = await register(visitor)
        await page.get_by_label("Paste text").fill("The budget is tight.")
        await page.get_by_role("button", name="Find risks").click()
        await page.wait_for_url("**/scans/*")
        for prefix in ("riskscan-The budget is tight-", "riskscan-register-"):
            for label, suffix in (("CSV", ".csv"), ("Excel", ".xlsx"), ("CISO Assistant (Excel)", ".xlsx")):
                if not await page.locator(".exports[open]").count():  # with JavaScript a download closes it
                    await page.locator("summary", has_text="Export").click()
                async with page.expect_download() as download_info:
                    await page.get_by_role("link", name=label, exact=True).click()
                download = await download_info.value
                assert download.suggested_filename.startswith(prefix)
                assert download.suggested_filename.endswith(suffix)
                content = (await download.path()).read_bytes()
                assert content.startswith(b"PK") if suffix == ".xlsx" else "ថវិកាមិនគ្រប់" in content.decode()
            await page.goto(f"{server.url}/scans?category=Financial&source=&limit=20")
        links = page.locator(".menu a[href^='/scans/export']")
        assert await links.count() == 7
        for link in await links.all():
            href = await link.get_attribute("href") or ""
            assert href.startswith("/scans/export?format=")
            assert href.endswith("&category=Financial")
