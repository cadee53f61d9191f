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

from riskscan.ai_service.app import create_app
from riskscan.ai_service.settings import Settings, SettingsError

log = logging.getLogger("riskscan.ai_service")


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m riskscan.ai_service", description="Find risks in documents."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8082)
    parser.add_argument("--fd", type=int, help="serve on this inherited, listening socket instead")
    parser.add_argument("--stop-with-stdin", action="store_true", help="end when standard input does")
    return parser.parse_args()


def listening(options: argparse.Namespace) -> socket.socket:
    """Return the socket to serve on; raises OSError."""
    if options.fd is not None:
        return socket.socket(fileno=options.fd)
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    return socket.create_server((options.host, options.port), family=family, backlog=1024)


def stop_with_stdin() -> None:
    """End this process once the parent's end of standard input is closed."""

    def wait() -> None:
        while os.read(0, 4096):
            pass
        # the children see their own pipes close
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


async def serve(sock: socket.socket, settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT; what is in flight gets a few seconds."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(
        create_app(settings), access_log=None, keepalive_timeout=75, shutdown_timeout=3, auto_decompress=False
    )
    await runner.setup()
    await web.SockSite(runner, sock, backlog=1024).start()
    host, port = sock.getsockname()[:2]
    log.info("listening on %s port %d", host, port)
    await stop.wait()
    await runner.cleanup()


def main() -> int:
    """Run the service and return its exit status."""
    options = arguments()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="ai-service %(levelname)s %(message)s")
    if options.stop_with_stdin:
        stop_with_stdin()
    try:
        load_dotenv(".env")
        settings = Settings.from_env(os.environ)
        sock = listening(options)
    except (SettingsError, OSError, OverflowError) as error:
        log.error("%s", error)
        return 1
    asyncio.run(serve(sock, settings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
