"""Keys, and what a screen reader gets of the history and of a scan, in Chromium."""

from __future__ import annotations

import itertools

import pytest
from playwright.async_api import Page, expect

from tests.support.ai import EXPLAINED, Ai
from tests.support.browser import Visitor, register

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

# elements that stand above, or on their line before, the element that is read before them
READ_OUT_OF_ORDER = """(selector) => {
    const seen = [...document.querySelectorAll(selector)]
        .filter((each) => each.checkVisibility() && each.textContent.trim());
    const boxes = seen.map((each) => each.getBoundingClientRect());
    return boxes.slice(1).filter((box, index) => {
        const before = boxes[index];
        return box.bottom <= before.top || (box.top < before.bottom && box.right <= before.left);
    }).length;
}"""


@pytest.fixture
def visitor(visitor: Visitor, ai: Ai) -> Visitor:
    ai.findings = {"data": EXPLAINED, "source": "model"}
    return visitor


async def scan_texts(visitor: Visitor, *texts: str) -> list[str]:
    """Register and scan the texts; return the addresses of the scans."""
    page = await register(visitor)
    paths = []
    for text in texts:
        answer = await page.request.post(f"{visitor.url}/api/scan", form={"text": text})
        paths.append(f"/scans/{(await answer.json())['scan_id']}")
    return paths


async def press(page: Page, *keys: str) -> None:
    for key in keys:
        await page.keyboard.press(key)


async def test_history_is_used_by_keys_alone(visitor: Visitor) -> None:
    older, newer = await scan_texts(visitor, "Older text", "Newer text")
    page = await visitor.open("/scans")
    links = page.get_by_role("list").get_by_role("link", name="text")
    await press(page, "j")
    await expect(links.nth(0)).to_be_focused()
    await press(page, "Control+j", "Alt+j", "j", "x")
    await expect(links.nth(1)).to_be_focused()
    await expect(page.get_by_role("checkbox", name="Older text")).to_be_checked()
    await press(page, "e")
    await expect(page.locator(".exports a").first).to_be_focused()
    await press(page, "Escape")
    await expect(page.locator(".exports a").first).to_be_hidden()
    await expect(links.nth(1)).to_be_focused()
    await press(page, "k", "Enter")
    await page.wait_for_url(f"**{newer}")
    await page.goto(f"{visitor.url}/scans")
    await press(page, "/")
    await page.keyboard.type("older?jxe")
    await expect(page.get_by_role("searchbox")).to_have_value("older?jxe")
    await press(page, "Escape", "?")
    await page.get_by_role("dialog", name="Keyboard shortcuts").get_by_label("Use these shortcuts").uncheck()
    await press(page, "Escape", "j")
    await expect(links.nth(0)).not_to_be_focused()
    await page.get_by_role("button", name="Keyboard shortcuts").click()
    await page.get_by_label("Use these shortcuts").check()
    await press(page, "Escape", "j", "j", "Enter")
    await page.wait_for_url(f"**{older}")


async def test_scan_exports_by_a_key_and_returns_to_its_finding(visitor: Visitor) -> None:
    (path,) = await scan_texts(visitor, "x")
    page = await visitor.open(path)
    await press(page, "j", "j", "e")
    await expect(page.locator(".exports a").first).to_be_focused()
    await press(page, "Escape")
    await expect(page.locator("#finding-2")).to_be_focused()


async def test_filters_and_reviews_are_announced(visitor: Visitor) -> None:
    (path,) = await scan_texts(visitor, "x")
    page = await visitor.open(path)
    status = page.get_by_role("status")
    await expect(status).to_have_count(1)  # a region that comes with its first message is not announced
    await page.get_by_role("link", name="Financial").click()
    await expect(status).to_have_text("2 findings are listed.")
    await page.get_by_role("searchbox").fill("steel")
    await page.get_by_role("searchbox").press("Enter")
    await expect(status).to_have_text("1 finding is listed.")
    await press(page, "Escape", "j", "c")
    await expect(status).to_have_text("Confirmed. Undo")
    await press(page, "u")
    await expect(status).to_have_text("Undone.")


async def test_findings_are_read_in_the_order_in_which_they_are_seen(visitor: Visitor) -> None:
    (path,) = await scan_texts(visitor, "x")
    page = await visitor.open(path)

    async def check_order(*parts: str) -> None:
        for part, width in itertools.product(parts, (1280, 390)):
            await page.set_viewport_size({"width": width, "height": 800})
            assert await page.evaluate(READ_OUT_OF_ORDER, part) == 0, (part, width)

    await press(page, "j", "j", "j", "c")
    await expect(page.get_by_role("status")).to_contain_text("Confirmed.")
    await expect(page.locator("#report")).to_match_aria_snapshot("""
        - navigation "Reviews":
          - list
        - navigation "Order":
          - list
        - search "Findings":
          - searchbox "Words in findings"
        - navigation "Risks by category":
          - list
        - region "Findings":
          - article "Costs may rise":
            - paragraph: Financial
            - heading "Costs may rise" [level=3]
            - blockquote: “Steel may cost more.”
            - button "Confirm"
            - group: Dismiss
          - article "Deadline is aggressive"
          - article "Finding 1":
            - paragraph: Financial p. 7 · § 4.2 Payment
            - heading "Finding 1" [level=3]
            - blockquote: “The budget is tight.”
            - paragraph: Confirmed on
            - button "Reopen"
            - group: Dismiss
            - group: Owner, due date
            - group: Why
    """)
    await check_order(
        "#report > *",
        "#report .toolbar > *",
        ".finding",
        "#finding-1 > *",
        "#finding-1 .about > *",
        "#finding-1 .bar :is(button, summary)",
    )
    await page.get_by_role("link", name="Table").click()
    await page.wait_for_url("**view=table")
    await check_order("#report > *", ".finding", "#finding-1 > *")
