"""Runs the operator's commands in this process, on the database of a server."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest

from riskscan.administration.accounts import confirm, run_tokens, run_users
from riskscan.administration.arguments import add_administration
from riskscan.administration.audit import run_audit
from riskscan.audit import AUDIT_LOG
from riskscan.settings import SETTINGS
from tests.support.application import Server

COMMANDS = {"users": run_users, "tokens": run_tokens, "audit": run_audit}


class Operator:
    """The operator of a server; a call returns what the command prints."""

    def __init__(self, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
        self._app, self._capsys = server.app, capsys

    async def __call__(self, *arguments: str) -> str:
        parser = argparse.ArgumentParser()
        add_administration(parser.add_subparsers())
        parsed = parser.parse_args(arguments)
        await self._app[AUDIT_LOG].drain()
        self._capsys.readouterr()
        if parsed.command == "users":
            confirm(parsed)
        await COMMANDS[parsed.command](self._app[SETTINGS], parsed)
        return self._capsys.readouterr().out

    async def json(self, *arguments: str) -> Any:
        return json.loads(await self(*arguments, "--format", "json"))
