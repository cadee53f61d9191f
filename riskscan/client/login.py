"""The server and the API token that commands use: of the environment, or stored by `riskscan login`."""

from __future__ import annotations

import os
import re
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
import platformdirs
from yarl import URL

TOKEN = re.compile(r"[!-~]{1,4096}")  # what a header can hold


class Login(msgspec.Struct, frozen=True):
    """A server and a token for it."""

    server: str
    token: str


class UsageError(Exception):
    """The command cannot be run as it was given; the message is a sentence for people."""


def find_login(server: str | None, environ: Mapping[str, str]) -> Login:
    """Return the login for a server, by default that of RISKSCAN_SERVER or the one that is stored.

    Raises UsageError. A stored token is only for the server that it was stored for.
    """
    token = environ.get("RISKSCAN_TOKEN", "").strip()
    its_server = environ.get("RISKSCAN_SERVER") or None
    if token and server is not None and its_server and parse_server(server) != parse_server(its_server):
        raise UsageError("RISKSCAN_TOKEN is for the server in RISKSCAN_SERVER, which is another one.")
    server = its_server if server is None else server
    stored = None if server is not None and token else load_login()
    if server is None:
        if stored is None:
            raise UsageError("There is no server yet: run riskscan login --server URL.")
        server = stored.server
    server = parse_server(server)
    if not token:
        if stored is None or stored.server != server:
            raise UsageError(f"There is no API token for {server}: run riskscan login --server {server}.")
        token = stored.token
    return Login(server, parse_token(token))


def parse_server(text: str) -> str:
    """Return the address of a server without a slash at its end. Raises UsageError."""
    try:
        url = URL(text.strip())
    except ValueError:
        url = URL()
    others = (url.user, url.password, url.query, url.fragment)
    if url.scheme not in ("http", "https") or not url.host or any(others):
        raise UsageError("The server is an address such as https://risks.example.com.")
    return str(url).rstrip("/")


def parse_token(text: str) -> str:
    """Return a token. Raises UsageError, without the text, if it cannot be one."""
    if not TOKEN.fullmatch(text.strip()):
        raise UsageError("This is not an API token. Create one on the Account page of the server.")
    return text.strip()


def login_file() -> Path:
    return platformdirs.user_config_path("riskscan", appauthor=False) / "login.json"


def load_login() -> Login | None:
    """Return the login that is stored. Raises UsageError if others can read it."""
    path = login_file()
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            if stat.S_IMODE(status.st_mode) & 0o077:
                raise UsageError(f"Others can read your token: run chmod 600 {path}.")
            return msgspec.json.decode(file.read(), type=Login)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}.") from None
    except msgspec.MsgspecError:
        raise UsageError(f"{path} is damaged: run riskscan login again.") from None


def store_login(login: Login) -> Path:
    """Store a login in place of the one before, for its owner alone; return its file. Raises UsageError."""
    path = login_file()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp makes a file of mode 0600
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        with open(handle, "wb") as file:
            file.write(msgspec.json.encode(login))
        os.replace(name, path)
    except OSError as exc:
        raise UsageError(f"{path} cannot be written: {exc.strerror}.") from None
    return path
