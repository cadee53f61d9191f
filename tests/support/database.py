"""The application's database, opened by a test itself or with shorter timeouts."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from riskscan import database
from riskscan.database import Database
from riskscan.settings import Settings

PATIENT_SECONDS = 60
TIMEOUTS = (
    "database.drivers.WAIT_SECONDS",
    "database.drivers.STATEMENT_SECONDS",
    "database.WAIT_SECONDS",
    "database.STATEMENT_SECONDS",
    "auth.authentication.WAIT_SECONDS",
)


def wait_patiently() -> None:
    """Lengthen the database's timeouts: on a busy machine they would decide what a test finds."""
    patch = pytest.MonkeyPatch()
    for name in TIMEOUTS:
        patch.setattr(f"riskscan.{name}", PATIENT_SECONDS)


@contextlib.asynccontextmanager
async def connected_database(settings: Settings) -> AsyncIterator[Database]:
    """Connect to a database that is already migrated."""
    db = Database(settings)
    await db.connect()
    db.ready = True
    try:
        yield db
    finally:
        await db.disconnect()


@contextlib.contextmanager
def short_timeouts() -> Iterator[None]:
    """Shorten the database's timeouts in the block, for statements that get no response."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "WAIT_SECONDS", 0.5)
        patch.setattr(database, "STATEMENT_SECONDS", 0.2)
        yield
