"""The arguments of the commands that speak to a server; the help of a command is its manual."""

from __future__ import annotations

import argparse

# written out, because the modules that have them would take a third of the time of --help
SORTS, SOURCES, STATES = ("date", "name", "open"), ("llm", "model"), ("open", "confirmed", "dismissed")
REASONS = ("not_a_risk", "already_handled", "accepted", "duplicate")
RESPONSES = ("avoid", "reduce", "transfer", "accept")
SHELLS = ("bash", "zsh", "fish")
EXPORT_FORMATS, LAYOUTS = ("csv", "xlsx", "md", "json"), ("register", "ciso-assistant", "jira")
SCAN_FORMATS = ("text", *EXPORT_FORMATS, "sarif")
SERVER = "the server; by default that of RISKSCAN_SERVER, or else of riskscan login"
CLIENT_COMMANDS = {
    "login": "store the address of a server and an API token for it",
    "list": "list the scans that a server keeps",
    "show": "show the findings of a scan with their reviews",
    "compare": "show which risks are new and which are gone since an earlier scan",
    "review": "confirm, dismiss or reopen findings of a scan",
    "export": "export the risks of scans as a file",
    "completion": "print a script that completes the commands in a shell",
    "mcp": "give an assistant tools to scan, list, read, compare and review",
}
ACCOUNT = """
The server and the account are those of "riskscan login", or of the variables RISKSCAN_SERVER and
RISKSCAN_TOKEN. Exit status: 0, or 2 after an error, which is a sentence on standard error, or 130 after ^C.
"""
HELP = {
    "login": """\
Asks for an API token, which the Account page of the server creates, and reads it without showing it, or from
standard input. The other commands then use this server and this token. They are stored in a file that only
you can read, and that the command names; remove it to log out.

A token with the scope "scan" can scan, with "read" it can list, show, compare and export, and with "review"
it can review findings.

Environment:
  RISKSCAN_TOKEN   an API token, instead of the stored one
  RISKSCAN_SERVER  a server, instead of the stored one
""",
    "list": f"""\
The newest scan is first, unless --sort says otherwise. With --format json the output is an object with
"scans", as in the API, and "total", the number of scans that match.
{ACCOUNT}
Examples:
  riskscan list
  riskscan list supply contract --category legal --sort open
""",
    "show": f"""\
With --format json the output is the scan as in the API, but for "data", in whose place are its "findings".
{ACCOUNT}
Examples:
  riskscan show 6f1f3c3e-9d0c-4a39-8d0f-3f6a6b0f3c11
  riskscan show 6f1f3c3e-9d0c-4a39-8d0f-3f6a6b0f3c11 --state open --format json
""",
    "compare": f"""\
A reworded risk is both new and gone, because wording is compared, not meaning. With --format json the
output is an object with "new", "gone" and "same".
{ACCOUNT}
Example:
  riskscan compare 0b4e3c1a-7f6d-4c2b-9a8e-5d1f0c3b2a49 6f1f3c3e-9d0c-4a39-8d0f-3f6a6b0f3c11
""",
    "review": f"""\
A review holds for the same sentence in all scans of the account, and replaces the review before it.
{ACCOUNT}
Examples:
  riskscan review 6f1f3c3e-9d0c-4a39-8d0f-3f6a6b0f3c11 1 4 --dismiss not_a_risk
  riskscan review 6f1f3c3e-9d0c-4a39-8d0f-3f6a6b0f3c11 2 --confirm --owner "Ana Silva" --due 2026-12-31
  riskscan review 6f1f3c3e-9d0c-4a39-8d0f-3f6a6b0f3c11 2 --reopen
""",
    "export": f"""\
Without a SCAN the file has all scans of the account that match the filters.
{ACCOUNT}
Examples:
  riskscan export --layout register --output risks.xlsx
  riskscan export 6f1f3c3e-9d0c-4a39-8d0f-3f6a6b0f3c11 --state confirmed --format md
""",
    "mcp": """\
Speaks the Model Context Protocol on standard input and output, for a program that runs an assistant. With a
server, which is that of --server, RISKSCAN_SERVER or riskscan login, the assistant can do what the API token
may do, and what it scans is sent there. Without one it can only scan, on this machine, and nothing is stored.

It needs the package mcp: run pip install ".[mcp]" in the folder of RiskScan, best in an environment of its
own.

The configuration of most programs:
  {"mcpServers": {"riskscan": {"command": "riskscan", "args": ["mcp"]}}}
""",
    "completion": """\
Save the script where the shell looks for such scripts, and start a new shell:
  riskscan completion bash > ~/.local/share/bash-completion/completions/riskscan
  riskscan completion zsh > ~/.zfunc/_riskscan     (fpath+=~/.zfunc before compinit in ~/.zshrc)
  riskscan completion fish > ~/.config/fish/completions/riskscan.fish
""",
}


def add_client_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    for name, summary in CLIENT_COMMANDS.items():
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=HELP[name],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(command=name)
        if name == "login":
            add_server_argument(command, "the address of the server, such as https://risks.example.com", True)
        elif name == "completion":
            command.add_argument("shell", choices=SHELLS, help="your shell")
        else:
            ADD_ARGUMENTS[name](command)
            add_server_argument(command, SERVER)


def add_server_argument(command: argparse.ArgumentParser, text: str, required: bool = False) -> None:
    command.add_argument("--server", metavar="URL", help=text, required=required)


def add_list_arguments(command: argparse.ArgumentParser) -> None:
    words = "a word of the name or of a risk of the scan, by its beginning"
    command.add_argument("words", metavar="WORD", nargs="*", help=words)
    add_filters(command)
    command.add_argument("--sort", choices=SORTS, help="newest first, by name, or most open first")
    command.add_argument("--limit", type=int, default=20, metavar="N", help="at most this many scans (20)")
    add_format(command)


def add_show_arguments(command: argparse.ArgumentParser) -> None:
    add_scan(command, "scan", "SCAN")
    add_state(command)
    add_format(command)


def add_compare_arguments(command: argparse.ArgumentParser) -> None:
    add_scan(command, "earlier", "EARLIER")
    add_scan(command, "later", "LATER")
    add_format(command)


def add_review_arguments(command: argparse.ArgumentParser) -> None:
    add_scan(command, "scan", "SCAN")
    command.add_argument("numbers", metavar="NUMBER", type=int, nargs="+", help="the number of a finding")
    decision = command.add_mutually_exclusive_group(required=True)
    decision.add_argument(
        "--confirm", dest="state", action="store_const", const="confirmed", help="it is a risk"
    )
    decision.add_argument("--dismiss", dest="reason", metavar="REASON", choices=REASONS, help=one_of(REASONS))
    decision.add_argument(
        "--reopen", dest="state", action="store_const", const="open", help="undo the review"
    )
    command.add_argument("--comment", metavar="TEXT", help="at most 500 characters")
    confirmed = command.add_argument_group("for a confirmed finding")
    confirmed.add_argument("--owner", metavar="NAME", help="who takes care of it")
    confirmed.add_argument("--likelihood", type=int, metavar="N", help="from 1, rare, to 5, almost certain")
    confirmed.add_argument("--impact", type=int, metavar="N", help="from 1, negligible, to 5, severe")
    confirmed.add_argument("--response", metavar="RESPONSE", choices=RESPONSES, help=one_of(RESPONSES))
    confirmed.add_argument("--due", metavar="DATE", help="a date, as 2026-12-31")


def add_export_arguments(command: argparse.ArgumentParser) -> None:
    add_scan(command, "scans", "SCAN", nargs="*")
    command.add_argument("--q", metavar="WORDS", help="words of the scans or, with one SCAN, of its findings")
    add_filters(command)
    add_state(command)
    command.add_argument(
        "--format", choices=EXPORT_FORMATS, help="without it by the extension of --output, or else csv"
    )
    command.add_argument("--layout", metavar="LAYOUT", choices=LAYOUTS, help=f"columns: {one_of(LAYOUTS)}")
    command.add_argument(
        "--output", metavar="FILE", help="write to this file, which is replaced, instead of standard output"
    )


def add_mcp_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument("--local", action="store_true", help="use no server, even if there is one")


def add_scan(command: argparse.ArgumentParser, name: str, metavar: str, nargs: str | None = None) -> None:
    text = "the ID of a scan, as riskscan list shows it, or the address of its page"
    command.add_argument(name, metavar=metavar, nargs=nargs, help=text)


def add_filters(command: argparse.ArgumentParser) -> None:
    command.add_argument("--category", metavar="CATEGORY", help="scans with a risk of this category")
    command.add_argument("--source", choices=SOURCES, help="language model or built-in analyser")
    command.add_argument("--from", metavar="DATE", help="scans of this date (UTC) or later")
    command.add_argument("--to", metavar="DATE", help="scans of this date (UTC) or earlier")


def add_state(command: argparse.ArgumentParser) -> None:
    command.add_argument("--state", choices=STATES, help="only findings in this state")


def add_format(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--format", choices=("text", "json"), default="text", help="for people, or for programs"
    )


def one_of(values: tuple[str, ...]) -> str:
    return f"{', '.join(values[:-1])} or {values[-1]}"


ADD_ARGUMENTS = {
    "list": add_list_arguments,
    "show": add_show_arguments,
    "compare": add_compare_arguments,
    "review": add_review_arguments,
    "export": add_export_arguments,
    "mcp": add_mcp_arguments,
}
