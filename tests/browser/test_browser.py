"""The HTML pages in Chromium: user journeys with and without JavaScript, accessibility and layout."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin

import pytest
from aiohttp import web
from playwright.async_api import Browser, FilePayload, Locator, Page, Route, expect

from tests.auth.test_trusted_user import create_account
from tests.support.ai import FINDINGS, NOTES, RISKS, Ai
from tests.support.application import MakeSettings, Server, serve
from tests.support.browser import (
    WAIT_MILLISECONDS,
    Visitor,
    accessibility_violations,
    follow,
    horizontal_overflow,
    register,
    visit,
)
from tests.support.client import PASSWORD

# test_journey.py visits the pages on both databases
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


def sample_file(name: str = "contract.txt", content: bytes = b"The budget is tight.") -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def queue_rows(page: Page) -> Locator:
    return page.locator("#queue li")


async def scan_text(page: Page, text: str = "The budget is tight.") -> None:
    await page.get_by_label("Paste text").fill(text)
    await page.get_by_role("button", name="Find risks").click()


@asynccontextmanager
async def slow_uploads(page: Page) -> AsyncIterator[None]:
    """Let the page upload 50 KB a second in the block."""
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    conditions = {"offline": False, "latency": 0, "downloadThroughput": -1}
    await session.send("Network.emulateNetworkConditions", {**conditions, "uploadThroughput": 50_000})
    yield
    await session.send("Network.emulateNetworkConditions", {**conditions, "uploadThroughput": -1})


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


async def test_upload_shows_its_progress(visitor: Visitor, ai: Ai) -> None:
    release = ai.hold_responses()
    page = await register(visitor)
    sample = page.get_by_role("button", name="Scan the sample contract")
    await expect(sample).to_be_visible()
    await page.get_by_label("Add files").set_input_files(sample_file(content=b"x" * 1_500_000))
    await expect(queue_rows(page)).to_contain_text("1.4 MB")
    await expect(sample).to_be_hidden()  # whoever has documents needs none
    await expect(queue_rows(page)).to_contain_text("Ready")
    async with slow_uploads(page):
        await page.get_by_role("button", name="Find risks").click()
        await expect(queue_rows(page)).to_contain_text(re.compile(r"Uploading… [1-9]\d?%"))
        bar = page.get_by_role("progressbar", name="Uploading contract.txt")
        assert 0 < float(await bar.get_attribute("value") or 0) < 100
    await expect(queue_rows(page)).to_contain_text(re.compile(r"Analysing… \d+ s"))
    release.set()
    await page.wait_for_url("**/scans/*")
    assert len(ai.calls[0].parts["file"].body) == 1_500_000


async def test_files_are_uploaded_one_at_a_time(
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
                sample_file("first.txt"),
                sample_file("film.mp4"),
                sample_file("locked.md", b"locked"),
                sample_file("empty.txt", b""),
                sample_file("huge.txt", b"x" * (1024 * 1024 + 1)),
                sample_file("removed.txt"),
            ]
        )
        await page.get_by_label("Add files").set_input_files(sample_file("last.txt"))
        await page.get_by_role("button", name="Remove: removed.txt").click()
        release = ai.hold_responses()
        await page.get_by_role("button", name="Find risks").click()
        await expect(queue_rows(page).filter(has_text="first.txt")).to_contain_text("Analysing…")
        for queued in ("locked.md", "last.txt"):
            await expect(queue_rows(page).filter(has_text=queued)).to_contain_text("Queued")
        await ai.arrived.wait()
        assert len(ai.calls) == 1
        ai.handler = answer
        release.set()
        results = {
            "first.txt": "2 risks found",
            "film.mp4": "This file type isn't supported.",
            "locked.md": "This file is <b>locked</b>.",
            "empty.txt": "The file is empty.",
            "huge.txt": "This file is too large. The limit is 1 MB.",
            "last.txt": "2 risks found",
        }
        await expect(queue_rows(page)).to_have_count(len(results))
        for name, result in results.items():
            await expect(queue_rows(page).filter(has_text=name)).to_contain_text(result)
        assert [len(call.parts["file"].body) for call in ai.calls] == [20, 6, 20]
        await page.get_by_role("link", name="View result: last.txt").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("last.txt")


async def test_too_long_text_is_not_uploaded(browser: Browser, make_settings: MakeSettings, ai: Ai) -> None:
    async with (
        serve(make_settings(max_upload_bytes=128 * 1024)) as server,
        visit(browser, server.url) as visitor,
    ):
        page = await register(visitor)
        await page.get_by_label("Paste text").fill(("ក" * 60 + "\n") * 800)
        await page.get_by_role("button", name="Find risks").click()
        message = "This text is too large. The limit is 0.125 MB."
        await expect(queue_rows(page)).to_contain_text(message)
        assert ai.calls == []


async def test_file_dropped_outside_the_drop_zone_is_added(visitor: Visitor) -> None:
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
    await expect(queue_rows(page)).to_contain_text("dropped.txt")
    await page.get_by_role("button", name="Find risks").click()
    await page.wait_for_url("**/scans/*")


async def drop_files(page: Page, *paths: Path) -> None:
    """Drop files and folders from the disk."""
    session = await page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for event in ("dragEnter", "dragOver", "drop"):
        await session.send("Input.dispatchDragEvent", {"type": event, "x": 50, "y": 200, "data": data})


async def test_dropped_folder_adds_its_supported_files(visitor: Visitor, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    (folder / "deep" / "deeper").mkdir(parents=True)
    for name in ("plan.txt", "deep/deeper/minutes.md", "film.mp4", ".hidden.txt"):
        (folder / name).write_text("The budget is tight.")
    page = await register(visitor)
    await drop_files(page, folder)
    await expect(page.get_by_role("status")).to_have_text("Files added: 2. Files of other types left out: 1.")
    await expect(queue_rows(page).locator(".name")).to_have_text(["plan.txt", "minutes.md"])
    for number in range(100):
        (folder / f"{number}.txt").write_text("The deadline is aggressive.")
    await page.reload()
    await drop_files(page, folder)
    await expect(page.get_by_role("status")).to_contain_text("Only the first 100 files were read.")


async def test_finished_rows_stay_and_are_exported_together(visitor: Visitor, ai: Ai) -> None:
    page = await register(visitor)
    await visitor.context.request.post(f"{visitor.url}/api/scan", data={"text": "Another scan"})
    add, scan = page.get_by_label("Add files"), page.get_by_role("button", name="Find risks")
    await add.set_input_files([sample_file("a.txt", b"a"), sample_file("b.txt", b"b")])
    await add.set_input_files([sample_file("a.txt", b"a"), sample_file("b.txt", b"c")])
    await expect(queue_rows(page).nth(2)).to_contain_text("in the list already")
    await scan.click()
    await expect(queue_rows(page).get_by_text("2 risks found")).to_have_count(3)
    assert [call.parts["file"].body for call in ai.calls[1:]] == [b"a", b"b", b"c"]
    await queue_rows(page).get_by_role("link", name="View result: b.txt").first.click()
    await page.wait_for_url("**/scans/*")
    await page.go_back()
    await page.reload()
    await expect(queue_rows(page).locator(".name")).to_have_text(["a.txt", "b.txt", "b.txt"])
    await add.set_input_files(sample_file("a.txt", b"a"))
    await page.get_by_role("button", name="Scan it again: a.txt").click()
    await page.wait_for_url("**/scans/*")  # the only one that was sent, and nothing is left to do
    await page.go_back()
    await page.get_by_text("Export these").click()
    async with page.expect_download() as download_info:
        await page.get_by_role("link", name="CSV", exact=True).click()
    exported = (await (await download_info.value).path()).read_text()
    files = [line.split(",")[2] for line in exported.splitlines()[1:]]
    assert files == [name for name in ("a.txt", "b.txt", "b.txt", "a.txt") for _ in RISKS]
    await page.get_by_role("link", name="Open in History").click()
    await page.wait_for_url("**/scans")
    await page.go_back()
    await page.get_by_role("button", name="Clear list").click()
    await page.reload()
    await expect(page.get_by_role("heading", name="Uploads")).to_be_hidden()


async def test_finished_rows_are_not_shown_to_the_next_user(visitor: Visitor) -> None:
    page = await register(visitor)
    for email in ("ben@example.com", "cho@example.com"):
        await page.goto(f"{visitor.url}/scan")
        await scan_text(page)
        await page.wait_for_url("**/scans/*")
        await page.goto(f"{visitor.url}/scan")
        await expect(queue_rows(page)).to_have_count(1)
        if email == "ben@example.com":
            await follow(page.get_by_role("button", name="Log out"))
        else:
            await visitor.context.clear_cookies()  # the session expired
        await page.goto(f"{visitor.url}/register")
        await page.get_by_label("Email").fill(email)
        await page.get_by_label("Password").fill(PASSWORD)
        await page.get_by_role("button", name="Create account").click()
        await page.wait_for_url("**/scan")
        await expect(queue_rows(page)).to_have_count(0)


async def test_error_of_the_language_model_offers_a_scan_without_it(visitor: Visitor, ai: Ai) -> None:
    ai.respond_with(503, {"error": "llm_not_configured", "detail": "This server has no language model."})
    page = await register(visitor)
    await page.get_by_label("Use the language model").check()
    await scan_text(page)
    await expect(queue_rows(page)).to_contain_text("This server has no language model.")
    await expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    ai.handler = ai.return_findings
    await page.get_by_role("button", name="Scan without the language model: Pasted text").click()
    await page.wait_for_url("**/scans/*")
    assert ["force_llm" in call.parts for call in ai.calls] == [True, False]


async def test_failed_scans_show_the_error_and_can_be_retried(
    visitor: Visitor, server: Server, ai: Ai
) -> None:
    visitor.cuts_connections = True
    page = await register(visitor)
    await page.get_by_role("button", name="Find risks").click()
    await expect(page.get_by_label("Paste text")).to_be_focused()
    await expect(page.get_by_label("Paste text")).to_have_accessible_description(
        "Paste some text or add a file first."
    )
    retry = page.get_by_role("button", name="Try again: Pasted text")

    ai.respond_with(500, {"detail": "The model is out of breath."})
    await scan_text(page, "My text")
    await expect(queue_rows(page)).to_contain_text("The model is out of breath.")
    ai.respond_with(200, b"no JSON")
    await retry.click()
    await expect(queue_rows(page)).not_to_contain_text("out of breath")
    await expect(queue_rows(page)).to_contain_text("analysis service")
    await page.route("**/api/scan", lambda route: route.abort("connectionreset"))
    await retry.click()
    await expect(queue_rows(page)).to_contain_text("Connection lost.")
    await page.unroute("**/api/scan")

    cookies = await visitor.context.cookies()
    await visitor.context.clear_cookies()
    await retry.click()
    await expect(queue_rows(page)).to_contain_text("Your session has expired.")
    async with visitor.context.expect_page() as opening:
        await queue_rows(page).get_by_role("link", name="Log in").click()
    tab = await opening.value
    await tab.get_by_label("Email").fill("ana@example.com")
    await tab.get_by_label("Password").fill(PASSWORD)
    await tab.get_by_role("button", name="Log in").click()
    await tab.wait_for_url("**/scan")
    assert await visitor.context.cookies() != cookies
    ai.handler = ai.return_findings
    await expect(page.get_by_label("Paste text")).to_have_value("My text")
    await retry.click()
    await page.wait_for_url("**/scans/*")
    await page.go_back()
    await expect(page.get_by_label("Paste text")).to_have_value("")


@pytest.mark.settings(oidc_issuer="http://localhost:9", oidc_client_id="x", oidc_client_secret="x")
async def test_text_of_an_expired_session_survives_a_log_in_elsewhere(
    visitor: Visitor, server: Server
) -> None:
    await create_account(server, "ana@example.com")
    page = await visitor.open("/login")
    async with page.expect_navigation():
        await page.evaluate("""() => {
            const form = document.forms[0];
            Object.assign(form, {action: "/share", enctype: "multipart/form-data"});
            form.innerHTML = "<textarea name=text>A clause</textarea>";
            form.submit();
        }""")
    await expect(page.get_by_role("link", name="Log in with localhost")).to_be_visible()
    await expect(page.get_by_label("Your text")).to_be_hidden()
    api = visitor.context.request
    reply = await api.post(f"{server.url}/login", form={"username": "ana@example.com", "password": PASSWORD})
    assert reply.ok
    await page.goto(f"{server.url}/scan")  # where the provider leads
    await expect(page.get_by_label("Paste text")).to_have_value("A clause")


async def test_draft_survives_reload_and_login_but_not_logout(visitor: Visitor) -> None:
    page = await register(visitor)
    text = page.get_by_label("Paste text")
    await text.fill("Not sent yet")
    await page.reload()
    await expect(text).to_have_value("Not sent yet")
    # what the server puts there, such as a shared text, is the draft from then on
    await page.evaluate("document.querySelector('#scan').setAttribute('action', '/share')")
    await page.evaluate("document.querySelector('#text').value = 'Shared'")
    async with page.expect_navigation():
        await page.evaluate("document.querySelector('#scan').submit()")
    await expect(text).to_have_value("Shared")
    await follow(page.get_by_role("link", name="Scan", exact=True))
    await expect(text).to_have_value("Shared")
    await text.fill("Not sent yet")
    await visitor.context.clear_cookies()
    await follow(page.get_by_role("link", name="Scan", exact=True))
    await page.get_by_label("Email").fill("ana@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(text).to_have_value("Not sent yet")
    await follow(page.get_by_role("button", name="Log out"))
    await page.goto(f"{visitor.url}/login?next=/scan")
    await page.get_by_label("Email").fill("ana@example.com")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(text).to_have_value("")


async def test_text_resent_after_a_reload_creates_one_scan(visitor: Visitor, ai: Ai) -> None:
    release = ai.hold_responses()
    page = await register(visitor)
    await page.get_by_label("Paste text").fill("My text")
    for status in ("Analysing…", "still running"):
        await page.reload()
        await page.get_by_role("button", name="Find risks").click()
        await expect(queue_rows(page)).to_contain_text(status)
        await ai.arrived.wait()  # the first has its key
    release.set()
    ai.handler = ai.return_findings
    for _ in range(100):
        async with page.expect_response("**/api/scan") as response_info:
            await page.get_by_role("button", name="Find risks").click()
        if (await response_info.value).status == 200:
            break
        await expect(queue_rows(page)).to_contain_text("still running")
    await page.wait_for_url("**/scans/*")
    assert len(ai.calls) == 1
    await page.goto(f"{visitor.url}/scan")
    await scan_text(page, "My text")  # once it is saved, the same text is a new scan
    await page.wait_for_url("**/scans/*")
    assert len(ai.calls) == 2


async def test_scan_completes_after_leaving_the_page(visitor: Visitor, ai: Ai) -> None:
    release = ai.hold_responses()
    page = await register(visitor)
    await page.get_by_label("Add files").set_input_files(sample_file())
    await page.get_by_role("button", name="Find risks").click()
    await expect(queue_rows(page)).to_contain_text("Analysing…")
    # the upload is complete, so no dialog asks for confirmation
    await page.get_by_role("link", name="History", exact=True).first.click()
    await expect(page.get_by_role("heading", level=2)).to_have_text("No scans yet")
    release.set()
    scan = page.get_by_role("heading", level=2, name="contract.txt")
    for _ in range(100):
        await page.reload()
        if await scan.count():
            break
    await expect(scan).to_be_visible()


async def test_leaving_during_an_upload_asks_for_confirmation(visitor: Visitor) -> None:
    page = await register(visitor)
    await page.get_by_label("Add files").set_input_files(sample_file(content=b"x" * 3_000_000))
    async with slow_uploads(page):
        await page.get_by_role("button", name="Find risks").click()
        await expect(queue_rows(page)).to_contain_text("Uploading…")
        async with page.expect_event("dialog") as dialog_info:
            await page.close(run_before_unload=True)
        dialog = await dialog_info.value
        assert dialog.type == "beforeunload"
        await dialog.dismiss()


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


async def scan_two_files(page: Page, ai: Ai) -> None:
    """Scan a plan without risks and a contract with two."""
    for name, risks in (("plan.txt", []), ("contract.txt", list(RISKS))):
        ai.findings = {"data": risks, "source": "model"}
        await page.goto(urljoin(page.url, "/scan"))
        await page.get_by_label("Add files").set_input_files([sample_file(name)])
        await page.get_by_role("button", name="Find risks").click()
        await page.wait_for_url("**/scans/*")


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


async def visit_every_page(visitor: Visitor, ai: Ai) -> AsyncIterator[Page]:
    """Yield a tab on each page in turn, also with errors and with data, once its style sheets are there."""
    async for page in walk_through_pages(visitor, ai):
        await page.wait_for_load_state()
        yield page


async def walk_through_pages(visitor: Visitor, ai: Ai) -> AsyncIterator[Page]:
    """Yield the tab whenever another page is being loaded, or this one has changed."""
    long = "A-name-without-any-place-to-break-it-" * 6
    page = await visitor.open("/")
    yield page
    await page.goto(f"{visitor.url}/sample")
    await page.get_by_text("Read the contract").click()
    yield page
    await page.goto(f"{visitor.url}/login?next=/scans")
    yield page
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_label("Email")).to_be_focused()
    yield page
    await page.get_by_label("Email").fill("nobody@example.com")
    await page.get_by_label("Password").fill("nothing")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("alert")).to_be_visible()
    yield page
    await follow(page.get_by_role("navigation").get_by_role("link", name="Create account"))
    yield page
    await page.close()
    page = await register(visitor)
    await page.goto(f"{visitor.url}/scans")
    yield page
    await follow(page.get_by_role("link", name="New scan"))
    ai.findings["data"] = [*RISKS, {"risk": long, "category": long[:80], "context": long}]
    ai.findings["notes"] = [*NOTES, long]
    await page.get_by_label("Add files").set_input_files(
        [sample_file("film.mp4"), sample_file(f"{long}.txt")]
    )
    yield page
    await page.get_by_role("button", name="Find risks").click()
    await expect(page.get_by_role("link", name=f"View result: {long}")).to_be_visible()
    ai.findings["data"] = ai.findings["notes"] = []
    await scan_text(page)
    await expect(queue_rows(page).filter(has_text="No risks found")).to_be_visible()
    yield page
    await follow(page.get_by_role("link", name="View result: Pasted text"))
    await expect(page.get_by_role("heading", level=2)).to_have_text("No risks found")
    yield page
    await page.goto(f"{visitor.url}/scans")
    yield page
    await page.get_by_text("More filters").click()
    await page.get_by_role("checkbox").first.check()
    yield page
    await page.get_by_role("button", name="Delete").click()
    await page.get_by_role("button", name="Undo").focus()  # else the scan is deleted in 8 seconds
    yield page
    await page.get_by_role("button", name="Undo").click()
    await page.goto(
        f"{visitor.url}/scans/delete?scan={await page.get_by_role('checkbox').first.get_attribute('value')}"
    )
    yield page
    await page.goto(f"{visitor.url}/scans/overview?q=name")
    await page.get_by_text("Show as table").click()
    yield page
    for query in ("q=nothing", "q=!&from=2026-11-02&to=2026-11-01", "from=2026-11-02&to=2026-11-01"):
        await page.goto(f"{visitor.url}/scans?{query}")
        yield page
    await page.goto(f"{visitor.url}/scans?q=name")
    await follow(page.get_by_role("link", name=long).first)
    await page.get_by_text("More", exact=True).click()
    await page.get_by_text("Delete this scan").click()
    scan = page.url
    yield page
    await page.goto(f"{page.url}?category=Nothing")
    yield page
    await page.goto(f"{visitor.url}/account")
    await page.get_by_role("button", name="Create token").click()
    await expect(page.get_by_label("Token name")).to_be_focused()
    yield page
    await page.get_by_label("Token name").fill("Nightly import")
    await page.get_by_label("Expires (optional)").fill("2099-12-31")
    await page.get_by_role("button", name="Create token").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your new API token")
    yield page
    await follow(page.get_by_role("link", name="Back to Account"))
    yield page
    await page.request.post(
        f"{scan}/findings/1/review",
        form={"state": "confirmed", "owner": long[:100], "likelihood": 4, "impact": 5, "comment": long},
        max_redirects=0,
    )
    async for tab in visit_pages_of_reviews(page, scan):
        yield tab
    await page.goto(f"{visitor.url}/account")
    await page.get_by_text("Remove all my reviews").click()
    yield page
    await page.get_by_text("Delete my account").click()
    await page.get_by_role("button", name="Delete account permanently").click()
    await expect(page.get_by_label("Confirm with your password")).to_be_focused()
    yield page
    for path in ("/scans?offset=100", "/nowhere", "/scans?limit=0"):
        await page.goto(visitor.url + path)
        yield page


async def visit_pages_of_reviews(page: Page, scan: str) -> AsyncIterator[Page]:
    """Yield a tab on each page for the reviews of a scan, of which one finding is confirmed."""
    url = scan.partition("/scans/")[0]
    await page.goto(f"{url}/scans/overview")
    await page.get_by_role("region", name="Risk matrix").get_by_text("Show as table").click()
    yield page
    for path in (f"{scan}/drafts", f"{scan}/mark", f"{url}/reviews/import"):
        await page.goto(path)
        yield page
    exported = await (await page.request.get(f"{url}/scans/export?format=csv")).text()
    edited = exported.replace("confirmed", "open").encode()
    await page.get_by_label("Edited export").set_input_files([sample_file("reviews.csv", edited)])
    await page.get_by_role("button", name="Show changes").click()
    await expect(page.get_by_role("heading", name="row will change")).to_be_visible()
    yield page
    await page.goto(f"{scan}/shares")
    await page.get_by_role("button", name="Create link").click()
    address = await page.locator("#link").inner_text()
    yield page
    await follow(page.get_by_role("link", name="Back to the links"))
    await page.get_by_role("region", name="Links").wait_for()
    yield page
    await page.goto(address)
    yield page


async def test_every_page_is_accessible(browser: Browser, server: Server, ai: Ai) -> None:
    ai.findings = {"data": list(RISKS), "source": "llm"}
    violations = []
    # axe-core injects styles, which the CSP forbids; the next test visits every page under the CSP
    # without motion: a transition in a closed menu, which the change of the scheme starts, would never finish
    async with visit(browser, server.url, bypass_csp=True, reduced_motion="reduce") as visitor:
        async for page in visit_every_page(visitor, ai):
            for scheme in SCHEMES:
                await page.emulate_media(color_scheme=scheme)
                dark = (
                    await page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
                    != "rgb(250, 249, 247)"
                )
                assert dark == (scheme == "dark")
                violations += [f"{page.url} {scheme} {line}" for line in await accessibility_violations(page)]
    assert violations == []


async def test_no_page_scrolls_horizontally(visitor: Visitor, ai: Ai) -> None:
    ai.findings = {"data": list(RISKS), "source": "model"}
    overflow = {}
    async for page in visit_every_page(visitor, ai):
        for width in (320, 390, 768, 1920):
            await page.set_viewport_size({"width": width, "height": 800})
            overflow[page.url, width] = await horizontal_overflow(page)
    assert {key: pixels for key, pixels in overflow.items() if pixels > 0} == {}


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])
async def test_pressing_enter_twice_creates_one_scan(
    browser: Browser, server: Server, ai: Ai, javascript: bool
) -> None:
    release = ai.hold_responses()
    async with visit(browser, server.url, java_script_enabled=javascript) as visitor:
        page = await register(visitor)
        posted: list[str] = []
        page.on("request", lambda request: posted.append(request.url) if request.method == "POST" else None)
        await page.get_by_label("Paste text").fill("The budget is tight.")
        await page.get_by_role("button", name="Find risks").focus()
        await page.keyboard.press("Enter")
        await ai.arrived.wait()
        async with asyncio.timeout(WAIT_MILLISECONDS / 1000):
            while len(posted) < (1 if javascript else 2):  # without JavaScript the form is submitted again
                await page.keyboard.press("Enter")
        if javascript:
            await expect(queue_rows(page)).to_have_count(1)
            await expect(page.get_by_text("Paste some text or add a file")).to_have_count(0)
        release.set()
        await expect(page.get_by_role("heading", level=1)).to_have_text("The budget is tight.")
        await page.goto(f"{visitor.url}/scans")
        await expect(page.get_by_role("main").get_by_role("heading", level=2)).to_have_count(1)
    assert len(ai.calls) == 1


async def test_retry_after_a_lost_response_does_not_scan_twice(visitor: Visitor, ai: Ai) -> None:
    visitor.cuts_connections = True
    page = await register(visitor)

    async def drop_response(route: Route) -> None:
        await route.fetch()
        await route.abort("connectionreset")

    await page.route("**/api/scan", drop_response)
    await scan_text(page)
    await expect(queue_rows(page)).to_contain_text("Connection lost.")
    await page.unroute("**/api/scan")
    await page.get_by_role("button", name="Try again: Pasted text").click()
    await page.wait_for_url("**/scans/*")
    assert len(ai.calls) == 1


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


async def test_slow_ai_service_times_out_with_a_retry_button(
    browser: Browser, make_settings: MakeSettings, ai: Ai
) -> None:
    ai.hold_responses()
    async with (
        serve(make_settings(ai_timeout_seconds=1)) as server,
        visit(browser, server.url) as visitor,
    ):
        page = await register(visitor)
        await scan_text(page)
        await expect(queue_rows(page)).to_contain_text("analysis service is not available")
        await expect(page.get_by_role("button", name="Try again: Pasted text")).to_be_visible()
        await expect(page.get_by_label("Paste text")).to_have_value("The budget is tight.")
