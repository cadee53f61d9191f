"""The embedded AI service as RiskScan runs it: a real process on a real socket."""

import contextlib
import io
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

import aiohttp

SAMPLES = Path(__file__).parent / "samples"
CATEGORIES = {"Financial", "Schedule", "Technical", "Legal", "Operational", "Compliance", "Other"}


class Service(NamedTuple):
    """A running service: its address, the process with its standard input, and what it logs."""

    url: str
    process: subprocess.Popen[bytes]
    stderr: IO[bytes]

    def log(self) -> str:
        self.stderr.seek(0)
        return self.stderr.read().decode()


@contextlib.contextmanager
def running(**env: str) -> Iterator[Service]:
    """Start the service as RiskScan does, on an inherited socket; its end of stdin stops it."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LLM_")}
    with tempfile.TemporaryFile() as stderr:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            command = [
                sys.executable,
                "-m",
                "riskscan.ai_service",
                "--fd",
                str(sock.fileno()),
                "--stop-with-stdin",
            ]
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                pass_fds=[sock.fileno()],
                env=clean | env,
            )
            url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        try:
            yield Service(url, process, stderr)
        finally:
            process.kill()
            with process:
                pass


def sample(path: Path) -> tuple[str, bytes]:
    return path.name, path.read_bytes()


async def scan(
    http: aiohttp.ClientSession, service: Service, file: Path | tuple[str, bytes] | None = None, **fields: str
) -> tuple[int, Any]:
    """Post a scan and return the status and the answer."""
    form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    if isinstance(file, Path):
        file = sample(file)
    if file:
        name, data = file
        form.add_field("file", io.BytesIO(data), filename=name)
    for name, value in fields.items():
        form.add_field(name, value)
    async with http.post(service.url + "/scan", data=form) as response:
        return response.status, await response.json()


async def found(http: aiohttp.ClientSession, service: Service, file: Path) -> list[dict[str, str]]:
    """Scan a sample and return its findings."""
    status, answer = await scan(http, service, file)
    assert status == 200, answer
    assert set(answer) == {"data", "source"}
    assert answer["source"] == "model"
    data: list[dict[str, str]] = answer["data"]
    for item in data:
        assert set(item) == {"risk", "category", "context"}
        assert item["category"] in CATEGORIES
        assert item["risk"]
        assert len(item["risk"].split()) <= 12
    return data


def contexts(data: list[dict[str, str]]) -> list[str]:
    return [item["context"] for item in data]


async def refused(
    http: aiohttp.ClientSession,
    service: Service,
    status: int,
    file: Path | tuple[str, bytes] | None = None,
    **fields: str,
) -> str:
    """Check that a scan is refused in words and return them."""
    answered, answer = await scan(http, service, file, **fields)
    assert answered == status, answer
    assert set(answer) == {"error", "detail"}
    assert answer["detail"].endswith(".")
    return str(answer["detail"])
