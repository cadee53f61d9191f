"""Migrations of existing rows."""

from __future__ import annotations

import datetime
import uuid

import psycopg
import pytest

from riskscan.database import Database
from riskscan.database.migrate import DatabaseUnavailable, migrate
from riskscan.database.rows import TokenSubject, utc_now
from riskscan.database.scan_queries import compute_stats, list_scans
from riskscan.database.scans import find_scan
from riskscan.database.users import insert_user
from riskscan.schemas import CategoryRisks, Filter
from tests.support.application import make_test_settings
from tests.support.database import connected_database
from tests.support.postgres import Postgres, database_name

SCANS = 1203  # more than two batches
OLD = """
INSERT INTO scans (id, user_id, filename, data, risk_count, categories, source, created_at)
VALUES (:id, :user_id, :filename, :data, 3, '["Legal", "Zeit"]', 'model', :created_at)
"""
DATA = """[
    {"risk": "Straße number", "category": "Legal", "context": "c"},
    {"risk": "b", "category": "Zeit", "context": "c"},
    {"risk": "d", "category": "Legal", "context": "c"}
]"""
UNDO = """
DELETE FROM _yoyo_migration WHERE migration_id = '0004.find-scans'
"""
DROP_NOTES = "ALTER TABLE scans DROP COLUMN notes"
UNDO_NOTES = "DELETE FROM _yoyo_migration WHERE migration_id = '0009.notes'"


async def insert_old_scan(db: Database, owner: str, filename: str, created_at: datetime.datetime) -> str:
    """Insert a scan as the first version did; return its ID."""
    scan_id = str(uuid.uuid4())
    values = {
        "id": scan_id,
        "user_id": owner,
        "filename": filename,
        "data": DATA,
        "created_at": created_at,
    }
    await db.fetch_all(OLD, values)
    return scan_id


async def test_migration_indexes_and_counts_existing_scans(database_url: str) -> None:
    async with connected_database(make_test_settings(database_url)) as db:
        owner = (await insert_user(db, "ana@example.com", "hash")).user.id
        for number in range(SCANS):
            created_at = utc_now() - datetime.timedelta(days=number // 700)
            await insert_old_scan(db, owner, f"plan {number}.txt", created_at)
        await db.fetch_all(UNDO, {})
        assert migrate(database_url) == 1
        stats = await compute_stats(db, TokenSubject(owner, 0))
        assert stats.scans == SCANS
        assert stats.by_category == [CategoryRisks("Legal", 2 * SCANS), CategoryRisks("Zeit", SCANS)]
        listed = await list_scans(
            db, TokenSubject(owner, 0), 2, scan_filter=Filter(words=("strasse", "1200"))
        )
        assert (listed.total, listed.scans[0].filename) == (1, "plan 1200.txt")
        by_category = await list_scans(db, TokenSubject(owner, 0), 2, scan_filter=Filter(category="=zeit"))
        assert by_category.total == SCANS


async def test_scans_of_the_version_before_have_no_notes(database_url: str) -> None:
    async with connected_database(make_test_settings(database_url)) as db:
        owner = (await insert_user(db, "ana@example.com", "hash")).user.id
        await db.execute(DROP_NOTES)
        await db.execute(UNDO_NOTES)
        before = await insert_old_scan(db, owner, "before.txt", utc_now())
        assert migrate(database_url) == 1
        # a process that was started before the migration goes on with the same connections
        during = await insert_old_scan(db, owner, "during.txt", utc_now())
        for scan_id in (before, during):
            scan = await find_scan(db, TokenSubject(owner, 0), scan_id)
            assert scan is not None
            assert (scan.notes, scan.risk_count) == ([], 3)


async def test_migration_does_not_make_others_wait_for_a_long_transaction(postgres: Postgres) -> None:
    """A backup reads the table for hours; all statements behind a waiting ALTER TABLE would wait for it."""
    with postgres.migrated_database() as url:
        name = database_name(url)
        for statement in (DROP_NOTES, UNDO_NOTES):
            postgres.execute(statement, name)
        with psycopg.connect(url) as backup:
            backup.execute("SELECT count(*) FROM scans")
            with pytest.raises(DatabaseUnavailable, match="lock timeout"):
                migrate(url)
        assert migrate(url) == 1
