"""The database: `databases` with connections that stay open, and a bound on every wait."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Awaitable, Sequence
from typing import Any, Protocol

import asyncpg
import databases
from aiohttp import web
from databases.core import Connection
from sqlalchemy.sql import ClauseElement

from .. import server_timing
from ..concurrency import half, overloaded
from ..errors import ApiError, unavailable
from ..settings import Settings, is_sqlite
from .drivers import (
    BIND,
    SQLITE_CONNECTIONS,
    STATEMENT_SECONDS,
    WAIT_SECONDS,
    Values,
    backend_options,
    database_unavailable,
    error_name,
    is_open,
    is_storage_error,
    to_positional_binds,
    to_sqlite_values,
    translate_error,
)

# elsewhere it is a view
FIND_EMAILS_TABLE = "SELECT 1 AS one FROM pg_class WHERE oid = to_regclass('emails') AND relkind <> 'v'"
Row = Any  # an asyncpg.Record or a sqlite3.Row: columns by name
DEADLOCK_ATTEMPTS = 3
# what a statement gets for a while after one got no response, where the tables are distributed: those for a
# node that hangs would hold all connections
HURRIED_SECONDS = 0.5
HURRY_SECONDS = 10


class Executor(Protocol):
    """A Database or its low-priority view: anything that runs statements."""

    sqlite: bool

    async def fetch_all(
        self,
        query: str,
        values: Values | None = None,
        *,
        first: Sequence[str] = (),
        custom_plan: bool = False,
    ) -> list[Row]: ...

    async def fetch_one(self, query: str, values: Values | None = None) -> Row | None: ...

    async def execute(self, query: str, values: Values | None = None) -> None: ...

    async def is_distributed(self) -> bool: ...


class Database(databases.Database):
    """`databases.Database` with connections that stay open and a direct path to the driver.

    As it comes, `databases` takes 380 to 560 µs of CPU for a statement that returns a row, while a whole
    request takes 285 to 430; the overrides take 70 to 170. Its own pool waits for a connection forever and
    leaks one when a query is cancelled (encode/databases #340, #467); on SQLite it opens a connection per
    statement. Without the overrides, LowPriority, the gauges of metrics.py, `ready`, the translation of
    errors and SQLite's timestamps would need replacing as well.
    """

    def __init__(self, settings: Settings) -> None:
        url, options = backend_options(settings)
        super().__init__(url, **options)
        self.sqlite = is_sqlite(url)
        self.size = settings.database_pool_size
        if self.sqlite:
            self.size = min(self.size, SQLITE_CONNECTIONS)
        self.in_use = 0
        self.ready = False  # set when the tables are up to date
        self.write_error = ""  # why the last write failed, until `check_write` succeeds
        self._slots = asyncio.Semaphore(self.size)
        self._idle: list[Connection] = []
        self._closing: set[asyncio.Task[None]] = set()
        self._distributed: bool | None = False if self.sqlite else None  # None: not asked yet
        self._hurry_until = 0.0
        self._completed = 0  # statements, to tell a busy database from an unavailable one
        low = asyncio.Semaphore(half(self.size))
        lowest = asyncio.Semaphore(max(1, half(self.size) - 1))
        self.low_priority = LowPriority(self, (low, self._slots))
        self.lowest_priority = LowPriority(self, (lowest, low, self._slots))

    async def disconnect(self) -> None:
        """Close the connections as soon as the running statements have ended."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS + STATEMENT_SECONDS):
                for _ in range(self.size):
                    await self._slots.acquire()
        while self._idle:
            self._discard(self._idle.pop())
        if self._closing:
            await asyncio.wait(self._closing, timeout=WAIT_SECONDS)
        await super().disconnect()

    def connection(self) -> Connection:
        # iterate() and transaction() could wait forever: the idle connections here may be all that the
        # pool of the driver allows
        raise NotImplementedError("write one statement for fetch_all, fetch_one or execute")

    async def fetch_all(
        self,
        query: ClauseElement | str,
        values: Values | None = None,
        *,
        lock: str = "",
        first: Sequence[str] = (),
        custom_plan: bool = False,
        before_migration: bool = False,
    ) -> list[Row]:
        """Run one statement and return its rows.

        With `lock` PostgreSQL runs that statement before it, in one transaction; SQLite, which has one writer
        at a time, does not need it. With `first` both run these before it, in one transaction. With
        `custom_plan` PostgreSQL plans it for these values. With `before_migration` it runs although the
        tables are not up to date. Raises ApiError 503 `database_unavailable` or, if it answers but has too
        much to do, `overloaded` within 5 s, UniqueViolation and ForeignKeyViolation if a constraint refuses a
        row.
        """
        return await self._run(
            query,
            values,
            (self._slots,),
            lock=lock,
            first=first,
            custom_plan=custom_plan,
            before_migration=before_migration,
        )

    async def fetch_one(self, query: ClauseElement | str, values: Values | None = None) -> Row | None:
        """Run one statement and return its first row, if any; raises what `fetch_all` raises."""
        rows = await self._run(query, values, (self._slots,))
        return rows[0] if rows else None

    async def execute(self, query: ClauseElement | str, values: Values | None = None) -> None:
        """Run one statement that returns no rows; raises what `fetch_all` raises."""
        await self._run(query, values, (self._slots,))

    async def is_distributed(self) -> bool:
        """Return whether the tables are distributed by user (deploy/citus.sql), and have no triggers."""
        if self._distributed is None:
            self._distributed = bool(await self.fetch_all(FIND_EMAILS_TABLE))
        return self._distributed

    async def _run(
        self,
        query: ClauseElement | str,
        values: Values | None,
        semaphores: Sequence[asyncio.Semaphore],
        *,
        lock: str = "",
        first: Sequence[str] = (),
        custom_plan: bool = False,
        before_migration: bool = False,
    ) -> list[Row]:
        assert isinstance(query, str)
        if not self.ready and not before_migration:
            raise database_unavailable()
        before = [*([lock] if lock and not self.sqlite else []), *first]
        begin = time.perf_counter()
        attempts = 0
        try:
            while True:
                attempts += 1
                try:
                    return await self._run_once(query, values or {}, semaphores, before, custom_plan)
                except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError):  # it was rolled back
                    if attempts == DEADLOCK_ATTEMPTS:
                        raise
        except Exception as exc:
            if is_storage_error(exc):
                self.write_error = error_name(exc)
            if error := translate_error(exc):
                raise error from exc
            if self._distributed and isinstance(exc, asyncpg.InternalServerError):
                raise database_unavailable() from exc  # a node was lost in a transaction of two
            raise
        finally:
            server_timing.add("db", time.perf_counter() - begin)

    async def _run_once(
        self,
        sql: str,
        values: Values,
        semaphores: Sequence[asyncio.Semaphore],
        before: Sequence[str],
        custom_plan: bool,
    ) -> list[Row]:
        connection = await self._acquire(semaphores)
        self.in_use += 1
        reusable = False
        try:
            rows = await self._fetch(connection.raw_connection, sql, values, before, custom_plan)
            reusable = True
            self._completed += 1
            return rows
        except TimeoutError as exc:
            self._hurry_until = time.monotonic() + HURRY_SECONDS
            # where the tables are distributed, a node may be lost
            if isinstance(exc, SlowStatement) and not self._distributed:
                raise too_many_scans() from exc
            raise
        except (asyncpg.PostgresError, sqlite3.IntegrityError):  # a response: the connection works
            reusable = not before  # or its transaction is still open
            raise
        finally:
            if reusable:
                self._idle.append(connection)
            else:  # cancelled, timed out or broken: in an unknown state
                self._discard(connection)
            self.in_use -= 1
            for semaphore in semaphores:
                semaphore.release()

    def _fetch(
        self,
        raw: Any,
        sql: str,
        values: Values,
        before: Sequence[str],
        custom_plan: bool,
    ) -> Awaitable[list[Row]]:
        rows: Awaitable[list[Row]]
        if before:
            if self.sqlite:
                return fetch_in_sqlite_transaction(raw, [*before, sql], to_sqlite_values(values))
            return fetch_in_transaction(raw, [*before, sql], values, self._time_limit())
        if self.sqlite:
            rows = raw.execute_fetchall(sql, to_sqlite_values(values))
            return rows
        sql, names = to_positional_binds(sql)
        binds = [values[name] for name in names]
        if custom_plan:
            return fetch_with_custom_plan(raw, sql, binds, self._time_limit())
        rows = raw.fetch(sql, *binds, timeout=self._time_limit())
        return rows

    def _time_limit(self) -> float:
        """Return how many seconds a statement of PostgreSQL gets."""
        hurried = self._distributed and time.monotonic() < self._hurry_until
        return HURRIED_SECONDS if hurried else STATEMENT_SECONDS

    async def _acquire(self, semaphores: Sequence[asyncio.Semaphore]) -> Connection:
        """Return an idle connection or a new one.

        After WAIT_SECONDS raises 503 `overloaded` if others were completed meanwhile, else TimeoutError.
        """
        # without asyncio.timeout, which takes 10 µs, if there is nothing to wait for
        for semaphore in semaphores:
            if semaphore.locked():
                break
        else:
            if connection := self._pop_idle():
                for semaphore in semaphores:
                    await semaphore.acquire()
                return connection
        acquired: list[asyncio.Semaphore] = []
        completed = self._completed
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                for semaphore in semaphores:
                    await semaphore.acquire()
                    acquired.append(semaphore)
                return self._pop_idle() or await self._open()
        except BaseException as exc:
            for semaphore in acquired:
                semaphore.release()
            busy = len(acquired) < len(semaphores) and self._completed > completed
            if busy and isinstance(exc, TimeoutError):
                raise overloaded("database connections") from exc
            raise

    def _pop_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if self.sqlite or is_open(connection):
                return connection
            self._discard(connection)
        return None

    async def _open(self) -> Connection:
        # not by super().connection(), which ties a connection to the task that opened it
        connection = Connection(self, self._backend)
        await connection.__aenter__()
        return connection

    def _discard(self, connection: Connection) -> None:
        if not self.sqlite and is_open(connection):
            connection.raw_connection.terminate()
        task = asyncio.ensure_future(connection.__aexit__())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


class SlowStatement(TimeoutError):
    """The database has answered, but takes too long for a statement."""


def too_many_scans() -> ApiError:
    """503: a filter or an order, for which all scans of the user are read, takes too long.

    Clients that wait a few seconds and send the request again would wait for the same.
    """
    return unavailable(
        "overloaded",
        "You have too many scans to search or sort in time. Choose a shorter period.",
        retry_seconds=300,
    )


async def fetch_in_sqlite_transaction(raw: Any, statements: Sequence[str], values: Values) -> list[Row]:
    """Run statements in one transaction and return the rows of the last."""
    rows: list[Row] = []
    await raw.execute_fetchall("BEGIN IMMEDIATE")
    for sql in statements:
        rows = await raw.execute_fetchall(sql, {name: values[name] for name in BIND.findall(sql)})
    await raw.execute_fetchall("COMMIT")
    return rows


async def fetch_in_transaction(
    raw: Any, statements: Sequence[str], values: Values, seconds: float
) -> list[Row]:
    """Run statements in one transaction and return the rows of the last."""
    rows: list[Row] = []
    async with asyncio.timeout(seconds):
        await raw.execute("BEGIN")
        for sql in statements:
            positional, names = to_positional_binds(sql)
            rows = await raw.fetch(positional, *[values[name] for name in names])
        await raw.execute("COMMIT")
    return rows


async def fetch_with_custom_plan(raw: Any, sql: str, binds: list[Any], seconds: float) -> list[Row]:
    deadline = asyncio.get_running_loop().time() + seconds
    async with asyncio.timeout_at(deadline):
        # an unnamed statement is planned anew for its values
        statement = await raw.prepare(sql, name="")
    try:
        async with asyncio.timeout_at(deadline):
            rows: list[Row] = await statement.fetch(*binds)
    except TimeoutError as exc:
        raise SlowStatement from exc
    return rows


class LowPriority:
    """Runs statements on at most half of the connections; the rest stay free for reads.

    Scans are saved at the low priority and begun at the lowest: only a few of its statements are let into the
    queue of the low ones, which therefore hardly wait for them.
    """

    def __init__(self, db: Database, semaphores: Sequence[asyncio.Semaphore]) -> None:
        self.sqlite = db.sqlite
        self._db = db
        self._semaphores = semaphores

    async def fetch_all(
        self,
        query: str,
        values: Values | None = None,
        *,
        first: Sequence[str] = (),
        custom_plan: bool = False,
    ) -> list[Row]:
        """Run one statement as `Database.fetch_all` does."""
        return await self._db._run(query, values, self._semaphores, first=first, custom_plan=custom_plan)

    async def fetch_one(self, query: str, values: Values | None = None) -> Row | None:
        """Run one statement as `Database.fetch_one` does."""
        rows = await self.fetch_all(query, values)
        return rows[0] if rows else None

    async def execute(self, query: str, values: Values | None = None) -> None:
        """Run one statement as `Database.execute` does."""
        await self.fetch_all(query, values)

    async def is_distributed(self) -> bool:
        return await self._db.is_distributed()


async def ping(db: Executor) -> None:
    """Run a trivial statement. Raises 503 `database_unavailable`."""
    await db.fetch_one("SELECT 1 AS up")


DATABASE = web.AppKey("DATABASE", Database)
