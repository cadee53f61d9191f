"""The arguments of `riskscan users`, `riskscan tokens` and `riskscan audit`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

USERS = {
    "list": "list the accounts",
    "add": "create an account; its password is prompted for or read from standard input",
    "disable": "refuse log-ins to an account, and revoke its sessions and tokens; its data stays",
    "enable": "allow log-ins to a disabled account again",
    "delete": "delete an account with its scans and reviews, after a question",
    "log-out": "end all sessions and access tokens of an account; its API tokens stay",
}
TOKENS = {"list": "list the API tokens", "revoke": "delete an API token"}
ADMINISTRATION = {
    "users": "list, create, disable, delete and log out accounts",
    "tokens": "list and revoke API tokens",
    "audit": "print the audit log, newest entry first",
}


def add_administration(commands: Subparsers) -> None:
    """Add the commands and their actions."""
    for name, actions in (("users", USERS), ("tokens", TOKENS)):
        command = add_command(commands, name, ADMINISTRATION[name])
        command.set_defaults(command=name)
        subparsers = command.add_subparsers(metavar="ACTION", dest="action", required=True)
        for action, summary in actions.items():
            parser = add_command(subparsers, action, summary)
            if action == "list":
                add_format(parser, "table", "json")
            elif name == "users":
                parser.add_argument("email", metavar="EMAIL", help="the email address of the account")
            else:
                parser.add_argument("id", metavar="ID", help="the ID of the token, from the list")
            if action == "delete":
                parser.add_argument("--yes", action="store_true", help="do not ask")
            if (name, action) == ("tokens", "list"):
                parser.add_argument("--user", metavar="EMAIL", default="", help="only of this account")
    audit = add_command(commands, "audit", ADMINISTRATION["audit"])
    audit.set_defaults(command="audit")
    audit.add_argument("--user", metavar="EMAIL", default="", help="only of this account")
    audit.add_argument("--since", metavar="TIME", default="", help="from this date or RFC 3339 time on (UTC)")
    add_format(audit, "table", "json", "csv")


def add_command(commands: Subparsers, name: str, summary: str) -> argparse.ArgumentParser:
    return commands.add_parser(name, help=summary, description=summary.capitalize())


def add_format(parser: argparse.ArgumentParser, *formats: str) -> None:
    parser.add_argument("--format", choices=formats, default=formats[0], help="of the output")
