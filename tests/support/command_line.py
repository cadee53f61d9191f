"""Runs the commands that speak to a server, in a thread of this process."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

import pytest

from riskscan.__main__ import make_parser, run_without_settings
from riskscan.client.login import login_file
from tests.support.client import Person, create_token

SCOPES = ["scan", "read", "review"]


class CommandLine:
    """The command line of a user with a home folder and a working directory of their own."""

    def __init__(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.folder, self._monkeypatch, self._capsys = folder, monkeypatch, capsys
        monkeypatch.setenv("HOME", str(folder / "home"))
        monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "home"))
        monkeypatch.delenv("RISKSCAN_TOKEN", raising=False)
        monkeypatch.delenv("RISKSCAN_SERVER", raising=False)
        monkeypatch.chdir(folder)

    async def __call__(self, *arguments: str, typed: bytes = b"") -> tuple[int, str, str]:
        """Run a command; return its exit status, output and errors."""
        self._monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(typed)))
        self._capsys.readouterr()
        status = await asyncio.to_thread(run, arguments)
        out, err = self._capsys.readouterr()
        return status, out, err

    def set(self, name: str, value: str) -> None:
        self._monkeypatch.setenv(name, value)

    async def log_in(self, person: Person, url: str = "", scopes: list[str] = SCOPES) -> str:
        """Create an API token and store it with `riskscan login`; return it."""
        token = (await create_token(person, scopes=scopes))["token"]
        status, out, err = await self("login", "--server", url or person.url, typed=f"{token}\n".encode())
        assert (status, err) == (0, ""), out
        assert out.endswith(f"The API token is in {login_file()}.\n")
        return str(token)


def run(arguments: tuple[str, ...]) -> int:
    try:
        return run_without_settings(make_parser().parse_args(arguments))
    except SystemExit as exc:  # wrong arguments, and --help
        return int(exc.code or 0)
