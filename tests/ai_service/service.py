"""The embedded AI service as RiskScan runs it: a real process on a real socket."""

import contextlib
import io
import os
import select
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

STARTS_WITHIN_SECONDS = 60


class Service(NamedTuple):
    """A running service: its URL, its process with standard input, and its standard error."""

    url: str
    process: subprocess.Popen[bytes]
    stderr: IO[bytes]

    def log(self) -> str:
        self.stderr.seek(0)
        return self.stderr.read().decode()


@contextlib.contextmanager
def run_service(**env: str) -> Iterator[Service]:
    """Start the service as RiskScan does, on an inherited socket; closing its stdin stops it."""
    without_llm = {name: value for name, value in os.environ.items() if not name.startswith("LLM_")}
    with tempfile.TemporaryFile() as stderr:
        with socket.create_server(("127.0.0.1", 0)) as sock:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "riskscan.ai_service"),
                    *("--fd", str(sock.fileno()), "--stop-with-stdin"),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                pass_fds=[sock.fileno()],
                env=without_llm | env,
            )
            url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        try:
            yield Service(url, process, stderr)
        finally:
            process.kill()
            with process:
                pass


def install_tesseract(folder: Path, script: str) -> str:
    """Write a shell script that readers run as Tesseract; return the PATH on which it comes first."""
    program = folder / "tesseract"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    return os.pathsep.join([str(folder), os.environ["PATH"]])


class EndlessTesseract:
    """A program that readers run as Tesseract, and that does not end; `path` is the PATH it is found on."""

    def __init__(self, folder: Path) -> None:
        os.mkfifo(folder / "started")
        self._started = os.open(folder / "started", os.O_RDWR)
        self.path = install_tesseract(folder, f"printf x > {folder}/started; exec sleep 1000")

    def wait_for_starts(self, number: int) -> None:
        for _ in range(number):
            assert select.select([self._started], [], [], STARTS_WITHIN_SECONDS)[0]
            os.read(self._started, 1)

    def close(self) -> None:
        os.close(self._started)


def read_sample(name: str) -> tuple[str, bytes]:
    return name, (SAMPLES / name).read_bytes()


async def scan(
    http: aiohttp.ClientSession, service: Service, file: tuple[str, bytes] | None = None, **fields: str
) -> tuple[int, Any]:
    """Post a scan and return the status and the JSON of the response."""
    form = aiohttp.FormData(quote_fields=False, default_to_multipart=True)
    if file:
        name, data = file
        form.add_field("file", io.BytesIO(data), filename=name)
    for name, value in fields.items():
        form.add_field(name, value)
    async with http.post(service.url + "/scan", data=form) as response:
        return response.status, await response.json()


async def scan_sample(http: aiohttp.ClientSession, service: Service, name: str) -> list[dict[str, Any]]:
    """Scan a sample, check the shape of the response and return the findings."""
    status, answer = await scan(http, service, read_sample(name))
    assert status == 200, answer
    assert set(answer) == {"data", "source"}
    assert answer["source"] == "model"
    data: list[dict[str, Any]] = answer["data"]
    for finding in data:
        assert set(finding) - {"place"} == {"risk", "category", "context", "score", "why"}
        assert finding["category"] in CATEGORIES
        assert finding["risk"]
        assert len(finding["risk"].split()) <= 15 or finding["risk"] == finding["context"]
    return data


def contexts(findings: list[dict[str, Any]]) -> list[str]:
    return [finding["context"] for finding in findings]


async def assert_refused(
    http: aiohttp.ClientSession,
    service: Service,
    status: int,
    file: tuple[str, bytes] | None = None,
    **fields: str,
) -> str:
    """Check the status and the shape of an error response; return its sentence."""
    actual, answer = await scan(http, service, file, **fields)
    assert actual == status, answer
    assert set(answer) == {"error", "detail"}
    assert answer["detail"].endswith(".")
    return str(answer["detail"])
