"""Chromium, driven by Playwright; errors on the pages are recorded."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    FilePayload,
    Locator,
    Page,
    Request,
    Response,
    async_playwright,
)

FLAGS = [
    "--no-sandbox",  # Chromium refuses to run as root with its sandbox
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")
MISSING = "the browser tests need Chromium: apt-get install chromium, or set CHROMIUM to its path"
# Chromium logs this for every status from 400 on; _response() checks those
STATUS_LINE = "Failed to load resource: the server responded with a status of"
CUT_LINE = "Failed to load resource: net::ERR_"
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WAIT_MILLISECONDS = 60_000  # a busy machine is slow, and only a failing test waits so long


def find_chromium() -> str:
    """Return the path of Chromium. Raises RuntimeError if it is not installed."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, EXECUTABLES)), None)
    if not path:
        raise RuntimeError(MISSING)
    return path


@asynccontextmanager
async def launch_browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(), args=FLAGS, timeout=WAIT_MILLISECONDS
        )
        try:
            yield browser
        finally:
            await browser.close()


class Visitor:
    """A browser window with its own cookies; `problems` lists the errors on its pages.

    `cuts_connections` is for a test that does so: Chromium logs each of them.
    """

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context, self.url = context, url
        self.problems: list[str] = []
        self.cuts_connections = False
        context.on("page", self._watch)
        context.set_default_timeout(WAIT_MILLISECONDS)

    def _watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("request", self._request)
        page.on("response", self._response)

    def _console(self, message: ConsoleMessage) -> None:
        ignored = (STATUS_LINE, CUT_LINE) if self.cuts_connections else (STATUS_LINE,)
        if message.type in ("error", "warning") and not message.text.startswith(ignored):
            self.problems.append(f"{message.type}: {message.text}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "data:")):
            self.problems.append(f"foreign request: {request.url}")

    def _response(self, response: Response) -> None:
        if response.status >= 400 and response.request.resource_type not in ("document", "xhr", "fetch"):
            self.problems.append(f"{response.status}: {response.url}")

    async def open(self, path: str) -> Page:
        """Open a path in a new tab."""
        page = await self.context.new_page()
        await page.goto(self.url + path)
        return page


@asynccontextmanager
async def visit(browser: Browser, url: str, **options: Any) -> AsyncIterator[Visitor]:
    """Open a window on the server at `url`; on exit, assert that no page had an error."""
    context = await browser.new_context(locale="en-GB", timezone_id="Asia/Phnom_Penh", **options)
    visitor = Visitor(context, url)
    try:
        yield visitor
    finally:
        await context.close()
    assert visitor.problems == []


async def follow(link: Locator) -> None:
    """Press a link or a button, and wait until the page that it opens is there, with its scripts."""
    async with link.page.expect_navigation():
        await link.click()


async def register(visitor: Visitor, email: str = "ana@example.com", password: str = "correct horse") -> Page:
    """Register on the page; return the tab, which then shows the scan page."""
    page = await visitor.open("/register")
    await page.get_by_label("Email").fill(email)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Create account").click()
    await page.wait_for_url("**/scan")
    return page


@functools.cache
def read_axe_source() -> str:
    spec = importlib.util.find_spec("axe_playwright_python")
    assert spec
    assert spec.origin
    return (Path(spec.origin).parent / "axe.min.js").read_text()


async def accessibility_violations(page: Page) -> list[str]:
    """Return the accessibility violations that axe-core finds on a page, one line each."""
    # a colour in transition has no valid contrast; without painting, transitions never end by themselves
    await page.evaluate("document.getAnimations().forEach((each) => each.finish())")
    if await page.evaluate("typeof axe === 'undefined'"):
        await page.evaluate(read_axe_source())
    violations = await page.evaluate(
        "axe.run({resultTypes: ['violations']}).then((found) => found.violations)"
    )
    return [
        f"{rule['id']}: {json.dumps(node['target'])} {node['failureSummary']}"
        for rule in violations
        for node in rule["nodes"]
    ]


async def horizontal_overflow(page: Page) -> int:
    """Return by how many pixels a page is wider than its viewport."""
    width: int = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return width


def sample_file(name: str = "contract.txt", content: bytes = b"The budget is tight.") -> FilePayload:
    return {"name": name, "mimeType": "application/octet-stream", "buffer": content}


def queue_rows(page: Page) -> Locator:
    return page.locator("#queue li")


async def scan_text(page: Page, text: str = "The budget is tight.") -> None:
    await page.get_by_label("Paste text").fill(text)
    await page.get_by_role("button", name="Find risks").click()
