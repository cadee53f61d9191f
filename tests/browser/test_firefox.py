"""The main journey in Firefox: register, scan a text, review a finding, export, log out."""

from __future__ import annotations

import pytest

from tests.support.ai import EXPLAINED, Ai
from tests.support.application import Server
from tests.support.firefox import launch_firefox

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]


async def test_main_journey_works_in_firefox(server: Server, ai: Ai) -> None:
    ai.findings = {"data": EXPLAINED, "source": "model"}
    async with launch_firefox(f"{server.url}/register") as firefox:
        await firefox.press("textbox", "Email")
        await firefox.type("ana@example.com")
        await firefox.press(css="[name=password]")
        await firefox.type("correct horse")
        await firefox.press("button", "Create account")
        await firefox.press("textbox", "Paste text")
        await firefox.type("The budget is tight.")
        await firefox.press("button", "Find risks")
        await firefox.find("article", "Costs may rise")
        await firefox.press("button", "Confirm")
        await firefox.press("button", "Undo")
        await firefox.find(css="#finding-3[data-state=open]")
        await firefox.type("jk?")
        await firefox.press("button", "Close")
        await firefox.type("c")
        await firefox.find(css="#finding-3[data-state=confirmed]")
        await firefox.type("e")
        link = await firefox.find(css=".exports[open] a")
        exported = await firefox.call("(link) => fetch(link.href).then((answer) => answer.text())", link)
        assert "Steel may cost more." in exported
        await firefox.press("button", "Log out")
        await firefox.find("heading", "Log in")
