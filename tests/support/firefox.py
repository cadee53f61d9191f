"""Firefox, driven by WebDriver BiDi (https://w3c.github.io/webdriver-bidi/) over its own WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import re
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

COMMAND = ("firefox-esr", "--headless", "--no-remote", "--remote-debugging-port", "0", "--profile")
WAIT_SECONDS = 60  # a busy machine is slow, and only a failing test waits so long


class Firefox:
    """A tab of Firefox; `problems` lists the errors that its console shows."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket, self.ids, self.problems = socket, itertools.count(1), list[str]()
        self.tab: dict[str, str] = {}

    async def send(self, method: str, **params: Any) -> Any:
        """Send a command; return its result. Raises RuntimeError if Firefox refuses it."""
        number = next(self.ids)
        await self.socket.send_json({"id": number, "method": method, "params": params})
        while (message := await self.socket.receive_json()).get("id") != number:
            if message.get("method") == "log.entryAdded" and message["params"]["level"] == "error":
                self.problems.append(message["params"]["text"])
        if message["type"] == "error":
            raise RuntimeError(f"{method}: {message['error']}: {message['message']}")
        return message["result"]

    async def find(self, role: str = "", name: str = "", css: str = "") -> Any:
        """Wait for an element with a role and a name in the accessibility tree, or of a CSS selector.

        The page is complete then: its scripts have run.
        """
        value: Any = css or {"role": role, "name": name}
        locator, found = {"type": "css" if css else "accessibility", "value": value}, dict[str, Any]()
        async with asyncio.timeout(WAIT_SECONDS):
            while not found.get("nodes"):
                with contextlib.suppress(RuntimeError):  # the page is just being left
                    if await self.call("() => document.readyState") == "complete":
                        found = await self.send("browsingContext.locateNodes", locator=locator, **self.tab)
        return found["nodes"][0]

    async def press(self, role: str = "", name: str = "", css: str = "") -> None:
        """Wait for an element and click it; find it again if the page replaces it meanwhile."""
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                node = await self.find(role, name, css)
                with contextlib.suppress(RuntimeError):  # it is gone
                    return await self.click(node)

    async def click(self, node: Any) -> None:
        await self.call("(node) => node.scrollIntoView({block: 'center'})", node)
        point = {"x": 0, "y": 0, "origin": {"type": "element", "element": node}}
        buttons = [{"type": kind, "button": 0} for kind in ("pointerDown", "pointerUp")]
        source = {"type": "pointer", "id": "mouse", "actions": [{"type": "pointerMove", **point}, *buttons]}
        await self.send("input.performActions", actions=[source], **self.tab)

    async def type(self, text: str) -> None:
        """Press the keys of a text in the element that has the focus."""
        keys = [{"type": kind, "value": key} for key in text for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": keys}
        await self.send("input.performActions", actions=[source], **self.tab)

    async def call(self, function: str, *nodes: Any) -> Any:
        """Call a JavaScript function with elements; return the text that it returns."""
        params = {"functionDeclaration": function, "arguments": nodes, "awaitPromise": True}
        return (await self.send("script.callFunction", target=self.tab, **params))["result"].get("value")


@contextlib.asynccontextmanager
async def launch_firefox(start: str) -> AsyncIterator[Firefox]:
    """Start Firefox with an empty profile on a page; on exit, assert that its console showed no error."""
    async with contextlib.AsyncExitStack() as stack:
        profile = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        process = await asyncio.create_subprocess_exec(*COMMAND, profile, stdout=DEVNULL, stderr=PIPE)
        assert process.stderr
        stack.push_async_callback(process.wait)
        stack.callback(process.kill)
        while not (address := re.search(rb"ws://\S+", await process.stderr.readline())):
            assert process.returncode is None
        drain = asyncio.create_task(process.stderr.read())  # else Firefox waits once the pipe is full
        stack.callback(drain.cancel)
        session = await stack.enter_async_context(aiohttp.ClientSession())
        firefox = Firefox(await session.ws_connect(f"{address[0].decode()}/session"))
        await firefox.send("session.new", capabilities={})
        await firefox.send("session.subscribe", events=["log.entryAdded"])
        tree = await firefox.send("browsingContext.getTree")
        firefox.tab = {"context": tree["contexts"][0]["context"]}
        await firefox.send("browsingContext.navigate", url=start, wait="complete", **firefox.tab)
        yield firefox
    assert firefox.problems == []
