"""`riskscan login`: stores the API token of an account on a server."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import sys

from yarl import URL

from ..client.api import Api, ServerError
from ..client.login import Login, parse_server, parse_token, store_login
from ..schemas import User


def log_in(arguments: argparse.Namespace) -> None:
    """Ask for an API token, try it and store it."""
    server = parse_server(arguments.server)
    if server.startswith("http:") and URL(server).host not in ("localhost", "127.0.0.1", "::1"):
        print(f"riskscan: {server} is not encrypted: others can read the token on its way.", file=sys.stderr)
    login = Login(server, parse_token(read_token(server)))
    # after the prompt: asyncio would keep ^C from ending it
    email = asyncio.run(find_email(login))
    path = store_login(login)
    print(f"Logged in to {server}{f' as {email}' if email else ''}. The API token is in {path}.")


def read_token(server: str) -> str:
    """Return a line from the terminal, without showing it, or from standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline()
    try:
        return getpass.getpass(f"API token for {server}: ")
    except EOFError:
        return ""


async def find_email(login: Login) -> str:
    """Return the email of the account; empty if the token is valid, but must not read."""
    async with Api(login.server, login.token) as api:
        try:
            return (await api.get("/api/auth/me", User)).email
        except ServerError as error:
            if error.status == 403:
                return ""
            raise
