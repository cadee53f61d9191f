"""The Scan page in Chromium: uploads, drafts of texts, and what goes wrong meanwhile."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, Route, expect

from tests.auth.test_trusted_user import create_account
from tests.support.ai import RISKS, Ai
from tests.support.application import MakeSettings, Server, serve
from tests.support.browser import (
    WAIT_MILLISECONDS,
    Visitor,
    follow,
    queue_rows,
    register,
    sample_file,
    scan_text,
    visit,
)
from tests.support.client import PASSWORD

# test_journey.py visits the pages on both databases
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


@asynccontextmanager
async def slow_uploads(page: Page) -> AsyncIterator[None]:
    """Let the page upload 50 KB a second in the block."""
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    conditions = {"offline": False, "latency": 0, "downloadThroughput": -1}
    await session.send("Network.emulateNetworkConditions", {**conditions, "uploadThroughput": 50_000})
    yield
    await session.send("Network.emulateNetworkConditions", {**conditions, "uploadThroughput": -1})


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
