"""The pages on a phone: one line of navigation, targets for fingers, and installing them."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, Page, ViewportSize, expect

from tests.browser.test_weight import open_pages
from tests.support.ai import Ai
from tests.support.application import Server
from tests.support.browser import (
    accessibility_violations,
    horizontal_overflow,
    register,
    visit,
)

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]
TARGET = 44
# what can be touched, but links in a sentence, and boxes smaller than their label
TARGETS = """
() => [...document.querySelectorAll("a, button, summary, input, select, textarea")].filter((element) =>
    element.checkVisibility({visibilityProperty: true}) && element.type !== "hidden"
    && !(element.matches("a") && element.closest("p:not(.back, .aside), li:not(nav li), td, dd, label")
      && !element.matches(".button, .anchor")))
  .map((element) => {
    const target = element.type === "checkbox" && element.labels.length ? element.labels[0] : element;
    const {width, height} = target.getBoundingClientRect();
    return {text: element.outerHTML.slice(0, 80), width: Math.round(width), height: Math.round(height)};
  })
"""
# in how many lines the tags of the rows of the history are
TAG_LINES = """
() => {
  const shownIn = (tags) => [...tags.querySelectorAll(".tag")].filter((tag) => tag.checkVisibility());
  const linesOf = (tags) => new Set(shownIn(tags).map((tag) => tag.offsetTop)).size;
  return [...new Set([...document.querySelectorAll(".history .tags")].map(linesOf))];
}
"""


async def small_targets(page: Page) -> list[str]:
    targets = await page.evaluate(TARGETS)
    assert targets
    return [
        f"{one['width']} x {one['height']}: {one['text']}"
        for one in targets
        if one["height"] < TARGET or one["width"] < TARGET
    ]


async def has_one_line_of_navigation(page: Page) -> bool:
    """Return whether the middles of the header's links and buttons are at the same height."""
    middles = await page.evaluate(
        "[...document.querySelectorAll('body > header :is(a, button)')].filter((a) => a.checkVisibility())"
        ".map((a) => a.getBoundingClientRect()).map(({y, height}) => y + height / 2)"
    )
    return bool(max(middles) - min(middles) < TARGET / 2)


async def test_a_phone_has_one_line_of_navigation_and_targets_for_fingers(
    browser: Browser, server: Server, ai: Ai
) -> None:
    wide, narrow = (ViewportSize(width=width, height=700) for width in (390, 320))
    async with visit(browser, server.url, viewport=wide, has_touch=True, is_mobile=True) as visitor:
        page = await register(visitor)

        async def check(*paths: str) -> None:
            for path in paths:
                await page.goto(server.url + path)
                for viewport in (wide, narrow):
                    await page.set_viewport_size(viewport)
                    assert await has_one_line_of_navigation(page), path
                    assert await small_targets(page) == [], path
                    assert await horizontal_overflow(page) == 0, path
                    assert await accessibility_violations(page) == [], path

        paths = await open_pages(visitor.context, server.url, ai)
        await check(*paths.values(), "/account", "/scans/compare", "/reviews/import")
        await page.goto(server.url + paths["history"])
        assert await page.evaluate(TAG_LINES) == [1]
        await page.goto(server.url + paths["result"])
        chips = page.get_by_role("navigation", name="Risks by category")
        last = chips.get_by_role("link").last
        await last.scroll_into_view_if_needed()
        await expect(last).to_be_in_viewport()
        assert await horizontal_overflow(page) == 0
        await page.goto(f"{server.url}/account")
        await page.get_by_role("button", name="Log out").click()
        await page.wait_for_url("**/login?done=logout")
        await check("/login", "/register")


async def test_the_pages_can_be_installed(browser: Browser, server: Server) -> None:
    async with visit(browser, server.url) as visitor:
        page = await visitor.open("/login")
        session = await visitor.context.new_cdp_session(page)
        manifest = await session.send("Page.getAppManifest")
        assert manifest["errors"] == []
        assert manifest["url"].startswith(f"{server.url}/static/manifest.webmanifest?v=")
        problems = await session.send("Page.getInstallabilityErrors")
        # this browser's window is private
        ids = {problem["errorId"] for problem in problems["installabilityErrors"]}
        assert ids <= {"in-incognito"}
