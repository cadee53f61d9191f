"""The run of a command that speaks to a server: from its arguments to its exit status."""

from __future__ import annotations

import argparse
import asyncio
import io
import sys

from ..client.api import ServerError
from ..client.login import UsageError
from ..scan_command.documents import describe_os_error
from ..scan_command.terminal import to_printable
from .account import log_in
from .exports import export_scans
from .reviews import review_findings
from .scans import compare_scans, list_scans, show_scan

DONE, ERROR, INTERRUPTED = 0, 2, 130


async def serve_tools(arguments: argparse.Namespace) -> None:
    """Serve tools for assistants, if the package for it is there."""
    try:
        from .mcp import serve_tools
    except ModuleNotFoundError as exc:
        raise UsageError(
            f'The package {exc.name} is missing: run pip install ".[mcp]" in the folder of RiskScan.'
        ) from None
    await serve_tools(arguments)


RUN = {
    "list": list_scans,
    "show": show_scan,
    "compare": compare_scans,
    "review": review_findings,
    "export": export_scans,
    "mcp": serve_tools,
}


def run(arguments: argparse.Namespace) -> int:
    """Run the command; return the exit status. An error is one sentence on standard error."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal may not have all characters
    try:
        if arguments.command == "login":
            log_in(arguments)
        else:
            asyncio.run(RUN[arguments.command](arguments))
        sys.stdout.flush()
    except (UsageError, ServerError) as exc:
        print(f"riskscan: {to_printable(str(exc))}", file=sys.stderr)
        return ERROR
    except BrokenPipeError:
        raise  # the reader of the output has left
    except OSError as exc:
        name = getattr(arguments, "output", None) or exc.filename or "standard output"
        print(f"riskscan: {name}: {describe_os_error(exc)}", file=sys.stderr)
        return ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    return DONE
