#!/usr/bin/env python3
"""Takes the screenshots for the README: `python -m tests.screenshots`.

Starts `run.py` with default settings in a temporary folder, registers, scans a sample
contract and saves docs/scan.png (the scan page) and docs/report.png (a scan result).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.async_api import FilePayload

from tests.support.browser import launch_browser, register, visit
from tests.support.postgres import free_port

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
TEXT = "Milestone 3 depends on a data agreement that has not been signed."
CONTRACT = """Supply and support agreement, draft 3

The Supplier shall deliver the meters by 1 March. The delivery date has not been confirmed by the factory.
Invoices not paid within 14 days bear interest at three per cent per month, compounded.
The Supplier may change its prices at any time by giving notice on its website.
The Supplier's total liability shall in no case exceed the fees of one calendar month.
The budget covers phase one only, and no reserve has been set aside for phase two.
Two weeks have been planned for the test of all four interfaces, although the last release needed five.
Only one engineer knows the billing scripts, and she is on leave until February.
The operating permit expires in January and its renewal has not been requested.
Meetings take place on the first Tuesday of each month.
"""


@contextmanager
def run_server() -> Iterator[str]:
    """Run `run.py` on a free port with an empty database; yield its URL."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        environ = {"PATH": os.environ["PATH"], "PORT": str(port), "DATA_DIR": folder}
        process = subprocess.Popen(
            [sys.executable, ROOT / "run.py"], env=environ, cwd=folder, stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout
            line = process.stdout.readline()
            assert line, "run.py exited before it listened"
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


async def main() -> None:
    DOCS.mkdir(exist_ok=True)
    with run_server() as url:
        async with (
            launch_browser() as browser,
            visit(browser, url, viewport={"width": 1120, "height": 800}) as visitor,
        ):
            page = await register(visitor, "maria@example.com")
            contract: FilePayload = {
                "name": "Supply contract (draft 3).txt",
                "mimeType": "text/plain",
                "buffer": CONTRACT.encode(),
            }
            video: FilePayload = {"name": "Holiday.mov", "mimeType": "video/quicktime", "buffer": b"x" * 4000}
            await page.get_by_label("Add files").set_input_files([contract, video])
            await page.get_by_label("Paste text").fill(TEXT)
            await page.get_by_role("button", name="Find risks").click()
            await page.get_by_role("link", name="View result: Pasted text").wait_for()
            await page.locator(":focus").blur()
            await page.mouse.move(0, 0)
            await page.screenshot(path=DOCS / "scan.png", full_page=True)
            await page.get_by_role("link", name="View result: Supply contract").click()
            await page.get_by_role("article").first.wait_for()
            await page.set_viewport_size({"width": 1120, "height": 980})
            await page.screenshot(path=DOCS / "report.png")


if __name__ == "__main__":
    asyncio.run(main())
