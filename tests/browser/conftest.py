"""One Chromium for the tests of this folder; they and their servers share its event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.support.ai import Ai
from tests.support.application import MakeSettings, Server, serve
from tests.support.browser import WAIT_MILLISECONDS, Visitor, launch_browser, visit

expect.set_options(timeout=WAIT_MILLISECONDS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("asyncio"):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with launch_browser() as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def ai() -> AsyncIterator[Ai]:
    service = Ai()
    stop = await service.serve()
    yield service
    await stop()


@pytest_asyncio.fixture(loop_scope="session")
async def server(make_settings: MakeSettings) -> AsyncIterator[Server]:
    async with serve(make_settings()) as started:
        yield started


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browser: Browser, server: Server) -> AsyncIterator[Visitor]:
    """A browser window with JavaScript that may use the clipboard."""
    permissions = ["clipboard-read", "clipboard-write"]
    size = {"width": 1280, "height": 800}
    async with visit(browser, server.url, viewport=size, permissions=permissions) as person:
        yield person
