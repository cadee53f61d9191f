"""The database connections: a bounded number, kept open, each lent to one statement at a time.

`databases` opens them and speaks each database's dialect. It lends them itself too, but waits for one
without end, loses one whose statement was cancelled, and on SQLite opens one for every statement.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import datetime
import functools
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from typing import Any

import asyncpg
import databases
from aiohttp import web
from databases.core import Connection

from .. import server_timing
from ..concurrency import half
from ..errors import ApiError, unavailable
from ..settings import SQLITE, Settings, is_sqlite, sqlite_path


async def ping(db: Database) -> bool:
    """Tell whether the database answers."""
    return bool(await db.fetch_one("SELECT 1 AS up", {}))


Row = Any  # an asyncpg.Record or a sqlite3.Row: columns by name
Values = Mapping[str, Any]

# together under 5 s, in which a request is answered whatever the database does
WAIT_SECONDS = 2.5  # for a connection
STATEMENT_SECONDS = 2.4
SQLITE_CONNECTIONS = 4
DEADLOCK_TRIES = 3
# the statement was undone whole, so that it can be tried again
ROLLED_BACK = contextlib.suppress(asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
BIND = re.compile(r"(?<!:):([a-z_]+)")
# connection, resources, operator, the system below, authorisation, no such database; 25006: a replica
CONNECTION_SQLSTATES = ("08", "53", "57", "58", "28", "3D", "25006")
CONNECTION_SQLITE_ERRORS = ("BUSY", "LOCKED", "IOERR", "CANTOPEN", "FULL", "READONLY", "CORRUPT", "NOTADB")

# whether the statements of this task share one half of the connections
LOW_PRIORITY: ContextVar[bool] = ContextVar("SHARES_HALF", default=False)

UNIQUE, FOREIGN_KEY = ("CONSTRAINT_UNIQUE", "CONSTRAINT_PRIMARYKEY"), ("CONSTRAINT_FOREIGNKEY",)


class UniqueViolation(Exception):
    """A statement broke a unique constraint."""


class ForeignKeyViolation(Exception):
    """A statement named a row of another table that is not there."""


class Places:
    """A bounded number of places; who waits longest for one is next."""

    def __init__(self, most: int) -> None:
        self.free = most
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()

    async def take(self) -> None:
        """Take a place; wait until there is one."""
        if self.free:  # nobody waits, or it would have been handed on
            self.free -= 1
            return
        place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        try:
            await place
        except asyncio.CancelledError:
            if not place.cancelled():  # it came at the same moment
                self.leave()
            raise

    def leave(self) -> None:
        """Hand a place on to who waits, if anybody does."""
        while self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                return
        self.free += 1


@contextlib.contextmanager
def low_priority() -> Iterator[None]:
    """Have the statements of the block take one half of the connections, so that others find one free."""
    token = LOW_PRIORITY.set(True)
    try:
        yield
    finally:
        LOW_PRIORITY.reset(token)


class SqliteConnection(sqlite3.Connection):
    """A connection with the PRAGMAs that SQLite forgets with each."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row_factory = sqlite3.Row
        self.execute("PRAGMA foreign_keys = ON")


def to_sqlite_timestamp(time: datetime.datetime) -> str:
    """Return a time as SQLite keeps it: UTC, to the microsecond, so that text sorts as time does."""
    return time.astimezone(datetime.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def to_sqlite_values(values: Values) -> Values:
    # not by sqlite3.register_adapter(): yoyo registers one of its own, for the whole process
    return {
        name: to_sqlite_timestamp(value) if isinstance(value, datetime.datetime) else value
        for name, value in values.items()
    }


@functools.cache
def to_positional_binds(sql: str) -> tuple[str, tuple[str, ...]]:
    """Return a statement with `:name` binds as PostgreSQL's `$1`, and the names in their order."""
    names = tuple(dict.fromkeys(BIND.findall(sql)))
    return BIND.sub(lambda bind: f"${names.index(bind[1]) + 1}", sql), names


def is_connection_error(exc: BaseException) -> bool:
    """Tell whether the database can't be reached; a wrong statement is a bug instead."""
    if isinstance(exc, asyncpg.PostgresError):
        return (exc.sqlstate or "").startswith(CONNECTION_SQLSTATES)
    if isinstance(exc, asyncpg.InterfaceError):
        return "closed" in str(exc)
    if isinstance(exc, sqlite3.Error):
        return is_sqlite_error(exc, CONNECTION_SQLITE_ERRORS)
    return isinstance(exc, OSError)  # TimeoutError, refused, no such host


def is_protocol_error(exc: BaseException) -> bool:
    """Tell whether asyncpg made no sense of what came; it says so by IndexError, SystemError and others."""
    return not isinstance(exc, asyncpg.PostgresError | asyncpg.InterfaceError)


def is_sqlite_error(exc: BaseException, names: tuple[str, ...]) -> bool:
    return getattr(exc, "sqlite_errorname", "").removeprefix("SQLITE_").startswith(names)


def is_open(connection: Connection) -> bool:
    """Tell whether a connection to PostgreSQL is still there; asyncpg's pool takes a lost one back."""
    raw: Any = connection.raw_connection
    try:
        return not raw.is_closed()
    except asyncpg.InterfaceError:
        return False


class Database:
    """The connections to one database; `fetch` runs a statement on one of them."""

    def __init__(self, settings: Settings) -> None:
        url = settings.database_url
        self.sqlite = is_sqlite(url)
        if self.sqlite:
            self.size = min(settings.database_pool_size, SQLITE_CONNECTIONS)
            self._database = databases.Database(
                f"{SQLITE}{sqlite_path(url)}", timeout=STATEMENT_SECONDS, factory=SqliteConnection
            )
        else:
            self.size = settings.database_pool_size
            options: dict[str, Any] = {
                # asyncpg reads the URL itself: `databases` would drop sslmode without a word
                "dsn": url,
                "database": None,
                "min_size": 0,
                "max_size": self.size,
                "timeout": WAIT_SECONDS,
                "statement_cache_size": settings.database_statement_cache,
            }
            self._database = databases.Database("postgresql:///", **options)
        self.ready = False  # set when the tables are up to date
        self._places, self._half = Places(self.size), Places(half(self.size))
        self._idle: list[Connection] = []
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def in_use(self) -> int:
        """Return how many connections are lent."""
        return self.size - self._places.free

    async def connect(self) -> None:
        """Make ready; no connection is opened before the first statement."""
        await self._database.connect()

    async def disconnect(self) -> None:
        """Close the connections, as soon as the statements under way have ended."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(WAIT_SECONDS + STATEMENT_SECONDS):
                for _ in range(self.size):
                    await self._places.take()
        while self._idle:
            self._discard(self._idle.pop())
        if self._closing:
            await asyncio.wait(self._closing, timeout=WAIT_SECONDS)
        await self._database.disconnect()

    async def fetch_all(
        self, sql: str, values: Values, *, custom_plan: bool = False, before_migration: bool = False
    ) -> Sequence[Row]:
        """Run one statement and return its rows.

        `custom_plan` makes PostgreSQL plan it for these values, since the best plan may depend on them.
        `before_migration` runs it although the tables are not up to date.
        Raises ApiError 503 `database_unavailable` within 5 s where the database can't be reached,
        Conflict and Orphan where a constraint refuses the row.
        """
        if not self.ready and not before_migration:
            raise database_unavailable()
        begin = time.perf_counter()
        if self.sqlite:
            bound: Any = to_sqlite_values(values)
        else:
            sql, names = to_positional_binds(sql)
            bound = [values[name] for name in names]
        try:
            for _ in range(DEADLOCK_TRIES):
                with ROLLED_BACK:
                    return await self._fetch(sql, bound, custom_plan)
            return await self._fetch(sql, bound, custom_plan)
        except Exception as exc:
            if is_connection_error(exc) or (not self.sqlite and is_protocol_error(exc)):
                raise database_unavailable() from exc
            if isinstance(exc, asyncpg.UniqueViolationError) or is_sqlite_error(exc, UNIQUE):
                raise UniqueViolation from exc
            if isinstance(exc, asyncpg.ForeignKeyViolationError) or is_sqlite_error(exc, FOREIGN_KEY):
                raise ForeignKeyViolation from exc
            raise
        finally:
            server_timing.add("db", time.perf_counter() - begin)

    async def fetch_one(self, sql: str, values: Values) -> Row | None:
        """Run one statement and return its first row, if any; raises as `fetch` does."""
        rows = await self.fetch_all(sql, values)
        return rows[0] if rows else None

    async def _fetch(self, sql: str, bound: Any, custom_plan: bool) -> Sequence[Row]:
        shares = LOW_PRIORITY.get()
        connection = await self._take(shares)
        well = False
        try:
            raw: Any = connection.raw_connection
            if self.sqlite:
                rows: Sequence[Row] = await raw.execute_fetchall(sql, bound)
            elif custom_plan:  # a statement without a name is not kept, and its plan neither
                async with asyncio.timeout(STATEMENT_SECONDS):
                    rows = await (await raw.prepare(sql, name="")).fetch(*bound)
            else:
                rows = await raw.fetch(sql, *bound, timeout=STATEMENT_SECONDS)
            well = True
            return rows
        except (asyncpg.PostgresError, sqlite3.IntegrityError):  # the database has answered
            well = True
            raise
        finally:
            if well:
                self._idle.append(connection)
            else:  # cancelled, timed out or broken: nobody knows what state it is in
                self._discard(connection)
            self._places.leave()
            if shares:
                self._half.leave()

    async def _take(self, shares: bool) -> Connection:
        """Lend a connection, one that is open if there is one."""
        if self._places.free and (self._half.free or not shares) and (connection := self._pop_idle()):
            self._places.free -= 1
            self._half.free -= shares
            return connection
        async with asyncio.timeout(WAIT_SECONDS):
            with contextlib.ExitStack() as places:
                if shares:
                    await self._half.take()
                    places.callback(self._half.leave)
                await self._places.take()
                places.callback(self._places.leave)
                connection = self._pop_idle() or await self._open_one()
                places.pop_all()
                return connection

    def _pop_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if self.sqlite or is_open(connection):
                return connection
            self._discard(connection)
        return None

    async def _open_one(self) -> Connection:
        # its own Connection: Database.connection() would tie it to the task that opened it
        connection = Connection(self._database, self._database._backend)
        try:
            await connection.__aenter__()
        except asyncpg.InterfaceError as exc:  # no misuse of ours: what came made no sense
            raise ConnectionError from exc
        return connection

    def _discard(self, connection: Connection) -> None:
        if not self.sqlite and is_open(connection):
            connection.raw_connection.terminate()
        task = asyncio.ensure_future(connection.__aexit__())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


def database_unavailable() -> ApiError:
    """503: the database can't be reached."""
    return unavailable("database_unavailable", "The database cannot be reached right now.", retry_seconds=2)


DATABASE = web.AppKey("DATABASE", Database)
