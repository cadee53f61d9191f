"""What the pages weigh in Chromium on a first visit, that nothing jumps, and that Pico is cut right."""

from __future__ import annotations

import collections
import itertools
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Route

from riskscan.assets import read_asset
from tests import cut_pico
from tests.ai_service.drafts import read_contracts
from tests.support.ai import Ai
from tests.support.application import Server
from tests.support.browser import register, visit

pytestmark = pytest.mark.slow
SQLITE_ONLY = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

KB = 1000
PAGE, API_DOCS = 28 * KB, 500 * KB
CATEGORIES = ("Schedule", "Financial", "Legal", "Operational", "Compliance")
SENTENCES = list(itertools.chain(*read_contracts().values()))
# two each, as long as the sentences of real contracts
QUOTES = list(map(" ".join, zip(SENTENCES[::2], SENTENCES[1::2], strict=False)))
# the layout shifts of a page, also those before the script that asks
LAYOUT_SHIFTS = """
() => new Promise((resolve) => {
  const shifts = [];
  const add = (list) => { for (const entry of list.getEntries()) shifts.push(entry.value); };
  const observer = new PerformanceObserver(add);
  observer.observe({type: "layout-shift", buffered: true});
  requestAnimationFrame(() => requestAnimationFrame(() => {
    observer.takeRecords().forEach((entry) => shifts.push(entry.value));
    resolve(shifts);
  }));
})
"""
# the kinds of element that look different once the whole of Pico replaces what is cut from it, and in what
DIFFERENCES = """
async () => {
  const name = (one) => one && `${one.tagName}.${one.className}.${one.type}`;
  const kinds = new Map([...document.querySelectorAll("*")].map((element) =>
    [`${name(element.parentElement)} ${name(element)}`, element]));
  const parts = [null, "::before", "::after", "::marker", "::placeholder", "::file-selector-button"];
  const properties = [...getComputedStyle(document.body)].filter((name) => !name.startsWith("--"));
  const list = (style) => properties.map((name) => `${name}: ${style.getPropertyValue(name)}`);
  const read = () => [...kinds].flatMap(([kind, element]) =>
    parts.map((part) => [kind, part, list(getComputedStyle(element, part))]));
  const cut = read();
  const link = document.querySelector("link[href*='style.css']");
  await new Promise((resolve) => {
    link.addEventListener("load", resolve);
    link.href = "/static/whole.css";
  });
  const differs = (value, index, at) => value !== cut[index][2][at];
  return read()
    .map(([kind, part, style], index) => [kind, part, style.filter((value, at) => differs(value, index, at))])
    .filter(([, , different]) => different.length);
}
"""


def make_findings(number: int) -> dict[str, Any]:
    """Return an answer of the AI service with that many findings, each with place, score and reasons."""
    data = [
        {
            "risk": quote,
            "category": category,
            "context": quote,
            "place": f"p. {index + 1} · 4.{index} Terms",
            "score": 0.6 + index / 100,
            "why": [{"text": word, "weight": 0.4, "start": None} for word in quote.split()[:6]],
        }
        for index, (quote, category) in enumerate(
            zip(QUOTES[:number], itertools.cycle(CATEGORIES), strict=False)
        )
    ]
    return {"data": data, "source": "model"}


async def record_bytes(page: Page) -> collections.Counter[str]:
    """Return a counter of the bytes that a page receives over the wire, headers included, by type."""
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    types: dict[str, str] = {}
    received: collections.Counter[str] = collections.Counter()
    session.on("Network.responseReceived", lambda event: types.update({event["requestId"]: event["type"]}))
    session.on(
        "Network.loadingFinished",
        lambda event: received.update({types[event["requestId"]]: int(event["encodedDataLength"])}),
    )
    return received


async def open_pages(context: BrowserContext, url: str, ai: Ai) -> dict[str, str]:
    """Register and scan 20 texts, the last with 23 findings; return the paths of the pages by name."""
    ai.findings = make_findings(4)
    for number in range(20):
        if number == 19:
            ai.findings = make_findings(23)
        reply = await context.request.post(
            f"{url}/scan", form={"text": f"Agreement {number} about meters"}, max_redirects=0
        )
        assert reply.status == 303, await reply.text()
        location = reply.headers["location"]
    return {"scan": "/scan", "history": "/scans", "overview": "/scans/overview", "result": location}


async def weigh(page: Page, address: str, ready: str = "main") -> int:
    """Open a page; return the bytes of its HTML, CSS, JavaScript and what that fetches."""
    received = await record_bytes(page)
    await page.goto(address, wait_until="networkidle")
    await page.locator(ready).first.wait_for()
    await page.close()
    return received.total() - received["Image"] - received["Manifest"] - received["Other"]


@SQLITE_ONLY
async def test_pages_are_light(browser: Browser, server: Server, ai: Ai) -> None:
    async with visit(browser, server.url) as visitor:
        await (await register(visitor)).close()
        paths = await open_pages(visitor.context, server.url, ai)
        weights = {
            name: await weigh(await visitor.context.new_page(), server.url + path)
            for name, path in paths.items()
        }
        docs = await weigh(await visitor.context.new_page(), f"{server.url}/api/docs", ".opblock")
        await visitor.context.clear_cookies()
        for name in ("login", "register"):
            weights[name] = await weigh(await visitor.context.new_page(), f"{server.url}/{name}")
    assert {name: weight for name, weight in weights.items() if weight >= PAGE} == {}
    assert docs < API_DOCS


@SQLITE_ONLY
async def test_nothing_jumps_when_scripts_arrive_late(browser: Browser, server: Server, ai: Ai) -> None:
    shifts: dict[tuple[str, int], list[float]] = {}
    async with visit(browser, server.url) as visitor:
        await (await register(visitor)).close()
        paths = await open_pages(visitor.context, server.url, ai)
        page = await visitor.context.new_page()
        session = await visitor.context.new_cdp_session(page)
        slow = {"offline": False, "latency": 100, "downloadThroughput": 50 * KB, "uploadThroughput": 50 * KB}
        await session.send("Network.enable")
        await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
        await session.send("Network.emulateNetworkConditions", slow)

        async def record_shifts(*paths: str) -> None:
            for path, width in itertools.product(paths, (390, 1280)):
                await page.set_viewport_size({"width": width, "height": 800})
                await page.goto(server.url + path, wait_until="networkidle")
                shifts[path, width] = await page.evaluate(LAYOUT_SHIFTS)

        await record_shifts(*paths.values(), "/account")
        await visitor.context.clear_cookies()
        await record_shifts("/login", "/register")
    assert {key: values for key, values in shifts.items() if values} == {}


@SQLITE_ONLY
async def test_pages_look_the_same_with_the_whole_of_pico(browser: Browser, server: Server, ai: Ai) -> None:
    style = read_asset("style.css").decode().replace(cut_pico.CUT.read_text(), "")
    pico = cut_pico.GROUP.sub("role=none", cut_pico.WHOLE.read_text())
    whole = f"@layer pico {{{pico}}}\n{style}"

    async def send_whole(route: Route) -> None:
        await route.fulfill(body=whole, content_type="text/css")

    differences = {}
    async with visit(browser, server.url) as visitor:
        page = await register(visitor)
        paths = await open_pages(visitor.context, server.url, ai)
        await page.route("**/static/whole.css", send_whole)
        for path in [*paths.values(), "/account", "/scans/compare", "/reviews/import", "/nope"]:
            await page.goto(server.url + path)
            differences[path] = await page.evaluate(DIFFERENCES)
    assert {path: kinds for path, kinds in differences.items() if kinds} == {}


def test_pico_is_cut_from_the_whole() -> None:
    assert cut_pico.CUT.read_text() == cut_pico.cut(), "run python -m tests.cut_pico"
