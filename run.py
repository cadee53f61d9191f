#!/usr/bin/env python3
"""Run RiskScan: `run.py` serves; `run.py --help` names the other commands."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
from pathlib import Path

from riskscan import __version__, logs
from riskscan.settings import Settings, SettingsError, environment

ROOT = Path(__file__).resolve().parent


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="RiskScan finds the risks in project documents.")
    parser.add_argument("--version", action="version", version=__version__)
    parser.set_defaults(command="serve")
    commands = parser.add_subparsers(metavar="COMMAND")
    for name, what in (
        ("serve", "serve, until SIGTERM; what is done without a command"),
        ("migrate", "bring the tables up to date"),
        ("check", "print the settings in force, secrets masked"),
        ("reset-password", "set the password of an account, asked for or read from standard input"),
        ("purge", "delete the scans that are older than SCAN_RETENTION_DAYS"),
    ):
        command = commands.add_parser(name, help=what, description=what.capitalize())
        command.set_defaults(command=name)
        if name == "reset-password":
            command.add_argument("email", metavar="EMAIL", help="the address of the account")
    return parser.parse_args()


def main() -> int:
    given = arguments()
    os.umask(0o077)  # the database holds what only its owner should read
    try:
        environ = environment(ROOT)
        data_dir = Path(environ.get("DATA_DIR") or ROOT / "data")
        settings = Settings.from_env(environ, data_dir)
    except SettingsError as exc:
        print(f"riskscan: {exc}", file=sys.stderr)
        return 2
    logs.configure(settings.log_level, settings.log_format)
    if given.command == "check":
        for name, value in [*settings.as_table(), ("DATA_DIR", data_dir)]:
            print(f"{name}={value}")
        return 0
    if given.command != "serve":
        return administer(settings, given)
    gc.disable()  # until the workers serve: to load a program makes no garbage
    from riskscan.server import supervisor

    try:
        return supervisor.run(settings)
    except OSError as exc:
        print(f"riskscan: cannot listen on HOST={settings.host} PORT={settings.port}: {exc}", file=sys.stderr)
        return 1


def administer(settings: Settings, given: argparse.Namespace) -> int:
    """Do one thing to the database; return the exit status."""
    from riskscan import commands
    from riskscan.database.migrate import DatabaseUnavailable, migrate

    try:
        if given.command == "migrate":
            print(f"{migrate(settings.database_url)} migrations applied")
        elif given.command == "purge":
            print(f"{asyncio.run(commands.purge(settings))} scans deleted")
        else:
            password = commands.read_password()
            asyncio.run(commands.reset_password(settings, given.email, password))
            print("The password is set. Every session and token of the account has ended.")
    except DatabaseUnavailable as exc:
        print(f"riskscan: the database cannot be reached: {exc}", file=sys.stderr)
        return 1
    except commands.CommandError as exc:
        print(f"riskscan: {exc}", file=sys.stderr)
        return 1
    except SettingsError as exc:
        print(f"riskscan: {exc}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
