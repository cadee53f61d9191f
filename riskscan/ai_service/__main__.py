"""The command line: `python -m riskscan.ai_service`."""

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
import threading

from aiohttp import web
from dotenv import load_dotenv

from .. import logs
from .app import create_app
from .model.encoder import why_not_used
from .sandbox import make_undumpable
from .settings import Settings, SettingsError

log = logging.getLogger("riskscan.ai_service")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m riskscan.ai_service", description="Find risks in documents."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8082)
    parser.add_argument("--fd", type=int, help="serve on this inherited, listening socket instead")
    parser.add_argument("--stop-with-stdin", action="store_true", help="exit when standard input is closed")
    return parser.parse_args()


def open_socket(options: argparse.Namespace) -> socket.socket:
    """Return the listening socket; raises OSError."""
    if options.fd is not None:
        return socket.socket(fileno=options.fd)
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    return socket.create_server((options.host, options.port), family=family, backlog=1024)


def exit_with_stdin() -> None:
    """Exit once the parent closes its end of standard input, or dies."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        # the child processes see their own pipes close
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


async def serve(sock: socket.socket, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; active requests get 3 seconds to finish."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(
        create_app(settings),
        access_log=None,
        keepalive_timeout=75,
        shutdown_timeout=3,
        auto_decompress=False,
        handler_cancellation=True,  # nobody reads the findings of a worker that has ended
    )
    await runner.setup()
    await web.SockSite(runner, sock, backlog=1024).start()
    log.info("listening on %s", next(iter(runner.sites)).name)
    await stop.wait()
    await runner.cleanup()


def main() -> int:
    """Run the service and return its exit status."""
    options = parse_arguments()
    make_undumpable()  # here, because executing this program has reset it
    if options.stop_with_stdin:
        exit_with_stdin()
    try:
        if options.fd is None:  # else the parent process passes its own .env on in the environment
            load_dotenv(".env")
        settings = Settings.from_env(os.environ)
        sock = open_socket(options)
    except (SettingsError, OSError, OverflowError) as error:
        print(f"riskscan.ai_service: {error}", file=sys.stderr)
        return 1
    logs.configure(settings.log_level, settings.log_format)
    if reason := why_not_used():
        log.info("the linear model works alone: %s", reason)
    asyncio.run(serve(sock, settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
