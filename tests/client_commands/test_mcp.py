"""`riskscan mcp`, driven by a client of the Model Context Protocol over standard input and output."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp.client import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp_types import TextContent

from tests.support.client import Person, create_token
from tests.support.program import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)]

RISK = "The budget is tight."


class Assistant:
    """A session of an assistant with the tools."""

    def __init__(self, session: ClientSession) -> None:
        self._session = session

    async def list_tools(self) -> dict[str, bool | None]:
        """Return the names of the tools, and whether they only read."""
        tools = (await self._session.list_tools()).tools
        return {tool.name: tool.annotations.read_only_hint for tool in tools if tool.annotations}

    async def call(self, tool: str, **arguments: Any) -> Any:
        """Return the result of a tool, or the sentence of its error."""
        result = await self._session.call_tool(tool, arguments)
        if result.is_error:
            [content] = result.content
            assert isinstance(content, TextContent)
            return content.text.removeprefix(f"Error executing tool {tool}: ")
        return result.structured_content


@contextlib.asynccontextmanager
async def start_assistant(folder: Path, *arguments: str, **environ: str) -> AsyncIterator[Assistant]:
    """Start the command with a home folder of its own, and connect to it."""
    homes = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    parameters = StdioServerParameters(
        command=sys.executable,
        args=[str(ROOT / "run.py"), "mcp", *arguments],
        env={**homes, **environ},
        cwd=folder,
    )
    assert sys.__stderr__  # pytest replaces sys.stderr
    async with stdio_client(parameters, sys.__stderr__) as streams, ClientSession(*streams) as session:
        await session.initialize()
        yield Assistant(session)


async def test_an_assistant_works_under_an_api_token(tmp_path: Path, alice: Person) -> None:
    (tmp_path / "plan.txt").write_text(RISK)
    token = (await create_token(alice, scopes=["scan", "read", "review"]))["token"]
    environ = {"RISKSCAN_SERVER": alice.url, "RISKSCAN_TOKEN": token}
    async with start_assistant(tmp_path, **environ) as assistant:
        assert await assistant.list_tools() == {
            "scan": False,
            "list": True,
            "read": True,
            "compare": True,
            "review": False,
        }
        scan = await assistant.call("scan", path="plan.txt")
        assert (scan["filename"], scan["risk_count"]) == ("plan.txt", 2)
        assert scan["findings"][0]["context"] == RISK
        text = await assistant.call("scan", text="x")
        listed = await assistant.call("list", limit=1)
        assert ([one["scan_id"] for one in listed["scans"]], listed["total"]) == ([text["scan_id"]], 2)
        changes = await assistant.call("compare", earlier=scan["scan_id"], later=text["scan_id"])
        assert (changes["new"], changes["gone"], len(changes["same"])) == ([], [], 2)
        reviewed = await assistant.call(
            "review", scan_id=scan["scan_id"], number=1, state="dismissed", reason="accepted"
        )
        assert reviewed == {"number": 1, "state": "dismissed"}
        first, second = (await assistant.call("read", scan_id=text["scan_id"]))["findings"]
        assert (first["review"]["reason"], second["review"]) == ("accepted", None)
        await assistant.call("review", scan_id=scan["scan_id"], number=1, state="open")
        read = await assistant.call("read", scan_id=scan["scan_id"])
        assert read["findings"][0]["review"] is None
        # errors are the sentences of the API
        unknown = "0b4e3c1a-7f6d-4c2b-9a8e-5d1f0c3b2a49"
        said = "Scan not found. It may have been deleted, or belong to another account."
        assert await assistant.call("read", scan_id=unknown) == said
        assert "reason" in await assistant.call(
            "review", scan_id=scan["scan_id"], number=1, state="dismissed"
        )
        assert await assistant.call("scan", path="no.txt") == "No such file or directory."
        assert await assistant.call("scan") == "Give either path or text."


async def test_an_assistant_can_do_no_more_than_its_token(tmp_path: Path, alice: Person) -> None:
    token = (await create_token(alice, scopes=["read"]))["token"]
    scan = await alice.scan(text=RISK)
    environ = {"RISKSCAN_SERVER": alice.url, "RISKSCAN_TOKEN": token}
    async with start_assistant(tmp_path, **environ) as assistant:
        assert (await assistant.call("list"))["total"] == 1
        assert "scope" in await assistant.call("scan", text=RISK)
        review = {"scan_id": scan["scan_id"], "number": 1, "state": "confirmed"}
        assert "scope" in await assistant.call("review", **review)


async def test_without_a_server_an_assistant_scans_on_this_machine(tmp_path: Path, alice: Person) -> None:
    (tmp_path / "plan.txt").write_text(f"Tea was served.\n{RISK}\n")
    environ = {"RISKSCAN_SERVER": alice.url, "RISKSCAN_TOKEN": "rsk_unused"}
    for arguments, variables in (((), {}), (("--local",), environ)):
        async with start_assistant(tmp_path, *arguments, **variables) as assistant:
            assert await assistant.list_tools() == {"scan": True}
            [finding] = (await assistant.call("scan", path="plan.txt"))["findings"]
            assert (finding["category"], finding["context"]) == ("Financial", RISK)
    assert (await alice.get("/api/scans")).json["total"] == 0


async def test_a_missing_package_is_named(tmp_path: Path, alice: Person) -> None:
    (tmp_path / "mcp.py").write_text("raise ModuleNotFoundError(name='mcp')\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from riskscan.__main__ import main; main()"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, "mcp", "--local", cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert (
        err.decode()
        == 'riskscan: The package mcp is missing: run pip install ".[mcp]" in the folder of RiskScan.\n'
    )
