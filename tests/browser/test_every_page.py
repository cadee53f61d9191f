"""Every page in Chromium: accessibility and layout."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Page, expect

from tests.support.ai import NOTES, RISKS, Ai
from tests.support.application import Server
from tests.support.browser import (
    SCHEMES,
    Visitor,
    accessibility_violations,
    follow,
    horizontal_overflow,
    queue_rows,
    register,
    sample_file,
    scan_text,
    visit,
)

# test_journey.py visits the pages on both databases
pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


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
