"""The command line: `riskscan`, and `python run.py` in a checkout."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import sys
from pathlib import Path

from . import __version__, logs
from .administration.arguments import add_administration
from .ai_service.categories import CATEGORIES
from .ai_service.model.encoder import why_not_used
from .ai_service.sandbox import enter_sandbox, make_undumpable
from .client.arguments import CLIENT_COMMANDS, SCAN_FORMATS, add_client_commands, add_server_argument
from .settings import Settings, SettingsError, environment, find_misspelled_settings

log = logging.getLogger("riskscan")

READER_LEFT = 128 + 13  # as if by SIGPIPE

COMMANDS = {
    "serve": "run the server until SIGTERM (default)",
    "scan": "find the risks in documents, on this machine or through a server",
    "migrate": "apply the database migrations",
    "check": "print the settings in force, with secrets masked",
    "reset-password": "set the password of an account, prompted for or read from standard input",
    "purge": "delete the scans older than SCAN_RETENTION_DAYS",
    "backup": "copy the SQLite database, in use or not, to a new file",
    "restore": "replace the SQLite database by a backup; the server must be stopped",
}

SCAN_HELP = """\
Nothing has to be configured, and without --server nothing leaves this machine: the built-in analyser reads
the documents in processes without a network, and nothing is stored. It points at sentences that are worth
reading; many of them are no risks. Formats: PDF, Word, Excel, PowerPoint, OpenDocument, HTML, email, RTF,
text, Markdown, CSV and, with Tesseract, images.

With --server the documents are sent to a RiskScan server, which keeps the scans in the account of the API
token in RISKSCAN_TOKEN, or of the one that "riskscan login" stored. A request that fails is repeated, and is
scanned once all the same.

Exit status: 0 if all documents were read, 1 if a risk was found that --fail-on names and nobody has
dismissed, 2 if a document or a folder could not be read (the others are scanned all the same), the server
cannot be used or the arguments are wrong, 130 after ^C.

Examples:
  riskscan scan contract.pdf
  riskscan scan documents/ --output risks.xlsx
  riskscan scan "plans/**/*.docx" --fail-on legal --fail-on financial
  pandoc plan.tex --to plain | riskscan scan -
  riskscan scan --server https://risks.example.com --new inbox/
"""


def make_parser() -> argparse.ArgumentParser:
    # its name is the same from a checkout, so that completion and help name what is installed
    parser = argparse.ArgumentParser(
        prog="riskscan", description="RiskScan finds the risks in project documents."
    )
    parser.add_argument("--version", action="version", version=__version__)
    parser.set_defaults(command="serve")
    commands = parser.add_subparsers(metavar="COMMAND")
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary, description=summary.capitalize())
        command.set_defaults(command=name)
        if name == "reset-password":
            command.add_argument("email", metavar="EMAIL", help="the email address of the account")
        if name == "migrate":
            command.add_argument(
                "--check",
                action="store_true",
                help="apply none: name those that are pending, and exit with status 1 if there are any",
            )
        if name in ("backup", "restore"):
            command.add_argument("file", metavar="FILE", type=Path, help="the file of the backup")
        if name == "restore":
            command.add_argument("--force", action="store_true", help="even if the database has accounts")
        if name == "scan":
            add_scan_arguments(command)
    add_client_commands(commands)
    add_administration(commands)
    return parser


def add_scan_arguments(command: argparse.ArgumentParser) -> None:
    """Add the arguments of `scan`; its help is its manual."""
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.epilog = SCAN_HELP
    command.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="a document; a folder, with all documents below it but hidden ones; a pattern in quotes, "
        'such as "**/*.docx"; or - for standard input',
    )
    add_server_argument(command, "send the documents to this server, such as https://risks.example.com")
    command.add_argument(
        "--new", action="store_true", help="leave out documents that the server has, by their SHA-256"
    )
    command.add_argument(
        "--format",
        choices=SCAN_FORMATS,
        help="of the output; without it by the extension of --output, or else text",
    )
    command.add_argument(
        "--output", metavar="FILE", help="write to this file, which is replaced, instead of standard output"
    )
    command.add_argument(
        "--fail-on",
        metavar="CATEGORY",
        type=str.lower,
        choices=("any", *map(str.lower, CATEGORIES)),
        action="append",
        default=[],
        help="exit with status 1 if a risk of this category is found: any, "
        f"{', '.join(map(str.lower, CATEGORIES))}; can be given several times",
    )


def main(default_data_dir: Path | None = None) -> int:
    """Run the command line; return the exit status: 1 for a failure, 2 for a setting that cannot be used.

    Without DATA_DIR the data is stored in `default_data_dir`, or else in the platform's user data folder.
    """
    try:
        try:
            return run(default_data_dir)
        finally:  # also after --help, which ends by SystemExit
            if sys.stdout:
                sys.stdout.flush()
    except BrokenPipeError:
        # the reader of the output has left; Python would complain when it closes the streams
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.dup2(nowhere, sys.stderr.fileno())
        return READER_LEFT


def run(default_data_dir: Path | None) -> int:
    """Run the command that the arguments name; return the exit status."""
    arguments = make_parser().parse_args()
    make_undumpable()  # a document that takes over its reader must not get at the secrets
    if arguments.command == "scan" or arguments.command in CLIENT_COMMANDS:
        return run_without_settings(arguments)
    os.umask(0o077)  # the database holds what only its owner should read
    try:
        environ = environment(Path())
        data_dir = Path(environ.get("DATA_DIR") or default_data_dir or user_data_dir()).absolute()
        settings = Settings.from_env(environ, data_dir)
    except SettingsError as exc:
        print(f"riskscan: {exc}", file=sys.stderr)
        return 2
    logs.configure(settings.log_level, settings.log_format)
    for name, setting in find_misspelled_settings(environ).items():
        log.warning("%s is not a setting: did you mean %s?", name, setting)
    if arguments.command == "check":
        return check(settings, data_dir)
    if arguments.command != "serve":
        return administer(settings, arguments)
    gc.disable()  # until the workers serve: saves 0.1 of 0.9 s to start, as loading modules makes no garbage
    from .server import supervisor

    try:
        return supervisor.run(settings, environ)
    except OSError as exc:
        port = "" if settings.socket_path else f" PORT={settings.port}"
        print(f"riskscan: cannot listen on HOST={settings.host}{port}: {exc}", file=sys.stderr)
        return 1


def run_without_settings(arguments: argparse.Namespace) -> int:
    """Run `scan`, or a command that speaks to a server; return the exit status."""
    if arguments.command == "completion":
        from .client_commands.completion import make_script

        print(make_script(make_parser(), arguments.shell))
        return 0
    if arguments.command == "scan":
        from .scan_command.command import run
    else:
        from .client_commands.command import run
    return run(arguments)


def check(settings: Settings, data_dir: Path) -> int:
    """Print whether the embedded AI service's processes have no network, if it is used, and the settings."""
    if not settings.ai_service_url:
        confined = enter_sandbox()  # this process needs no network either
        reason = "can reach the network: this system has no seccomp filter for them"
        print(f"document readers: {'no network' if confined else reason}")
        print(f"sentence encoder: {why_not_used() or 'used'}")
    for name, value in [*settings.as_table(), ("DATA_DIR", data_dir)]:
        print(f"{name}={value}")
    return 0


def user_data_dir() -> Path:
    """Return the platform's folder for an application's data, such as ~/.local/share/riskscan."""
    import platformdirs

    return platformdirs.user_data_path("riskscan", appauthor=False)


def administer(settings: Settings, arguments: argparse.Namespace) -> int:
    """Run a command on the database; return the exit status."""
    from .commands import CommandError
    from .database.backups import BackupError
    from .database.migrate import DatabaseUnavailable, SchemaTooNew

    try:
        return run_command(settings, arguments)
    except DatabaseUnavailable as exc:
        print(f"riskscan: the database cannot be reached: {exc}", file=sys.stderr)
        return 1
    except (CommandError, BackupError, SchemaTooNew) as exc:
        print(f"riskscan: {exc}", file=sys.stderr)
        return 1
    except SettingsError as exc:
        print(f"riskscan: {exc}", file=sys.stderr)
        return 2


def run_command(settings: Settings, arguments: argparse.Namespace) -> int:
    """Run a command on the database and print its result; return the exit status."""
    from . import commands
    from .database.backups import back_up, restore
    from .database.migrate import migrate

    if arguments.command == "migrate" and arguments.check:
        pending = asyncio.run(commands.list_pending_migrations(settings))
        print("\n".join(pending) or "no migrations are pending")
        return 1 if pending else 0
    if arguments.command == "migrate":
        print(f"{migrate(settings.database_url)} migrations applied")
    elif arguments.command == "purge":
        print(f"{asyncio.run(commands.purge(settings))} scans deleted")
    elif arguments.command == "backup":
        scans, accounts, secret = back_up(settings, arguments.file)
        print(f"{scans} scans of {accounts} accounts in {arguments.file}")
        print(f"JWT_SECRET in {secret}" if secret else "JWT_SECRET is set, and not in the backup")
    elif arguments.command == "restore":
        scans, accounts, secret = restore(settings, arguments.file, force=arguments.force)
        print(f"{scans} scans of {accounts} accounts restored{' with JWT_SECRET' if secret else ''}")
    elif arguments.command == "audit":
        from .administration.audit import run_audit

        asyncio.run(run_audit(settings, arguments))
    elif arguments.command in ("users", "tokens"):
        from .administration.accounts import run as run_administration

        run_administration(settings, arguments)
    else:
        password = commands.read_password()
        asyncio.run(commands.reset_password(settings, arguments.email, password))
        print("Password set. All sessions and tokens of the account are revoked.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
