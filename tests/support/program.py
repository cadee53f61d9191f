"""Runs the real program with its worker processes, and sends requests with curl."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.process_log import ProcessLog

ROOT = Path(__file__).parents[2]
STOPS_WITHIN_SECONDS = 10
# the settings of a program under load: no rate limits, fast passwords, no line per request
FOR_LOAD = {
    "ACCESS_TOKEN_EXPIRE_MINUTES": "1000",
    "BCRYPT_COST": "4",
    "LOGIN_LIMIT": "off",
    "REGISTER_LIMIT": "off",
    "SCAN_LIMIT": "off",
    "LOG_LEVEL": "warning",
}

needs_access_to_processes = pytest.mark.skipif(
    sys.platform == "linux" and os.geteuid() != 0, reason="only root can look into undumpable processes"
)


class Program:
    """A started `run.py` with its log."""

    def __init__(self, data: Path, environ: dict[str, str], script: Path = ROOT / "run.py") -> None:
        inherited = {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG", "VIRTUAL_ENV") if name in os.environ
        }
        self.process = subprocess.Popen(
            [sys.executable, script],
            env={**inherited, "DATA_DIR": str(data), "PORT": "0", **environ},
            cwd=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._output = ProcessLog(self.process)
        self.wait_for = self._output.wait_for
        self.url = self.wait_for(r"RiskScan is on (\S+)")

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    @property
    def log(self) -> str:
        return self._output.text

    def children(self) -> list[psutil.Process]:
        children: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return children

    def worker(self) -> psutil.Process:
        """Return the oldest worker."""
        return self.workers()[0]

    def workers(self) -> list[psutil.Process]:
        """Return the workers, oldest first; they have the same command line as their parent."""
        command_line = psutil.Process(self.process.pid).cmdline()
        workers = [child for child in self.children() if command_line_of(child) == command_line]
        return sorted(workers, key=psutil.Process.create_time)

    def ai_service(self) -> psutil.Process:
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if "--fd" in command_line_of(child))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait()

    def kill(self) -> None:
        """Kill all processes of the program, none of which restarts or outlives another."""
        self.process.send_signal(signal.SIGSTOP)
        children = self.children()
        for process in (*children, self.process):
            process.kill()
        psutil.wait_procs(children)
        self.process.wait()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)  # it removes its socket once its children are gone
            with contextlib.suppress(psutil.NoSuchProcess):
                for child in self.children():
                    child.kill()
            try:
                self.process.wait(STOPS_WITHIN_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._output.close()


Start = Callable[..., Program]


def command_line_of(process: psutil.Process) -> list[str]:
    """Return the command line of a process; empty if it has ended meanwhile."""
    try:
        line: list[str] = process.cmdline()
    except psutil.NoSuchProcess:
        return []
    return line


def curl(*arguments: str | Path) -> Any:
    """Run curl and return its output, parsed as JSON."""
    return json.loads(run_curl(*arguments))


def run_curl(*arguments: str | Path) -> str:
    """Run curl and return its output."""
    return subprocess.run(["curl", "-sS", *arguments], capture_output=True, text=True, check=True).stdout


def register_and_log_in(url: str, email: str = "test@test.com") -> str:
    """Register and log in as in the README; return the access token."""
    account = json.dumps({"email": email, "password": "test123"})
    registered = curl(
        "-X", "POST", f"{url}/api/auth/register", "-H", "Content-Type: application/json", "-d", account
    )
    assert registered["email"] == email
    login = curl("-X", "POST", f"{url}/api/auth/login", "-d", f"username={email}&password=test123")
    token: str = login["access_token"]
    return token


def scan_command(url: str, token: str, field: str) -> list[str]:
    """Return a curl command that scans, for tests that run it in the background."""
    return ["curl", "-sS", f"{url}/api/scan", "-H", f"Authorization: Bearer {token}", "-F", field]


def scan(url: str, token: str, *fields: str) -> Any:
    form_arguments = [argument for field in fields for argument in ("-F", field)]
    return curl("-X", "POST", f"{url}/api/scan", "-H", f"Authorization: Bearer {token}", *form_arguments)


def get(url: str, token: str, path: str) -> Any:
    return curl(f"{url}{path}", "-H", f"Authorization: Bearer {token}")


def run_command(*arguments: str, typed: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "run.py"), *arguments]
    return subprocess.run(command, env=environ, input=typed, capture_output=True, text=True, check=False)
