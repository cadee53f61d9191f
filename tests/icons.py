#!/usr/bin/env python3
"""Draws static/icon-*.png, which phones need, from static/icon.svg: `python -m tests.icons`."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.support.browser import launch_browser

STATIC = Path(__file__).resolve().parent.parent / "riskscan" / "static"
# name, size, and what of the side the drawing takes: a launcher may cut 10 % off each side of a maskable icon
ICONS = (("icon-192", 192, 0.8), ("icon-512", 512, 0.8), ("icon-maskable-512", 512, 0.55))


async def main() -> None:
    async with launch_browser() as browser:
        for name, size, part in ICONS:
            page = await browser.new_page(viewport={"width": size, "height": size})
            await page.set_content((STATIC / "icon.svg").read_text())
            await page.add_style_tag(
                content="body { display: grid; place-items: center; height: 100vh; margin: 0;"
                f" background: #e4f0f2 }} svg {{ width: {part * 100}vw }}"
            )
            await page.screenshot(path=STATIC / f"{name}.png")


if __name__ == "__main__":
    asyncio.run(main())
