"""Migrations of existing rows."""

from __future__ import annotations

import asyncio
import datetime
import uuid

import psycopg
import pytest

from riskscan.database import Database
from riskscan.database.migrate import DatabaseUnavailable, migrate
from riskscan.database.reviews import NewReview, list_reviews_of_scan, save_reviews
from riskscan.database.rows import TokenSubject, utc_now
from riskscan.database.scan_queries import compute_stats, list_scans
from riskscan.database.scans import delete_scan, find_details, find_scan, store_details
from riskscan.database.users import insert_user
from riskscan.fingerprints import compute_fingerprint
from riskscan.schemas import CategoryRisks, Detail, Filter, ReviewFields
from riskscan.settings import database_url as normalize_url
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


TRIGGERS_ON_SCANS = ("scans_fingerprinted", "scans_fingerprinted_later", "scans_fingerprints_deleted")
COLUMNS_OF_REVIEWS = ("details", "title", "first_words", "reviewed_count")
UNDO_REVIEWS = """
DELETE FROM _yoyo_migration WHERE migration_id IN (
    '0010.reviews', '0011.fingerprints', '0014.late-scans', '0017.search-sentences'
)
"""
UNDO_FINGERPRINTS = "DELETE FROM _yoyo_migration WHERE migration_id = '0011.fingerprints'"
FINGERPRINTS = [
    Detail(compute_fingerprint(text))
    for text in ("The budget is tight.", "Time is short.", "A budget is tight")
]


async def undo_reviews(db: Database) -> None:
    """Make the schema that of the version before reviews."""
    for trigger in TRIGGERS_ON_SCANS:
        await db.execute(f"DROP TRIGGER {trigger}{'' if db.sqlite else ' ON scans'}")
    for table in ("reviews", "fingerprints"):
        await db.execute(f"DROP TABLE {table}")
    for index in ("scans_late", "scans_to_index"):
        await db.execute(f"DROP INDEX {index}")
    for column in COLUMNS_OF_REVIEWS:
        await db.execute(f"ALTER TABLE scans DROP COLUMN {column}")
    await db.execute(UNDO_REVIEWS)


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


REVIEWED_DATA = """[
    {"risk": "a", "category": "Legal", "context": "The budget is tight."},
    {"risk": "b", "category": "Zeit", "context": "Time is short."},
    {"risk": "c", "category": "Legal", "context": " a BUDGET is tight"}
]"""


async def test_scans_of_the_version_before_get_their_fingerprints(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.database.test_migrate.DATA", REVIEWED_DATA)
    async with connected_database(make_test_settings(database_url)) as db:
        owner = (await insert_user(db, "ana@example.com", "hash")).user.id
        await undo_reviews(db)
        before = [
            await insert_old_scan(
                db, owner, f"plan {number}.txt", utc_now() - datetime.timedelta(number // 700)
            )
            for number in range(SCANS)
        ]
        assert migrate(database_url) == 4
        during = await insert_old_scan(db, owner, "during.txt", utc_now())
        await save_reviews(
            db, owner, [NewReview(FINGERPRINTS[0].fingerprint, before[0], 1, ReviewFields("confirmed"))]
        )
        assert await list_reviewed_counts(db, owner, [*before, during]) == [2] * SCANS + [0]
        await db.execute(UNDO_FINGERPRINTS)
        assert (
            migrate(database_url) == 1
        )  # finds what processes of the version before inserted, and nothing else
        assert await list_reviewed_counts(db, owner, [*before, during]) == [2] * SCANS + [2]
        late = await insert_old_scan(db, owner, "late.txt", utc_now())
        for _ in range(2):  # of two who see it first, one stores them
            await store_details(db, owner, late, FINGERPRINTS)
        assert await list_reviewed_counts(db, owner, [late]) == [2]
        for scan_id in (before[-1], during, late):
            assert await find_details(db, owner, scan_id) == FINGERPRINTS
            assert set(await list_reviews_of_scan(db, owner, scan_id)) == {FINGERPRINTS[0].fingerprint}
            assert await delete_scan(db, owner, scan_id)
        (left,) = await db.fetch_all("SELECT count(*) AS rows FROM fingerprints")
        assert left["rows"] == 2 * (SCANS - 1)


async def list_reviewed_counts(db: Database, owner: str, scan_ids: list[str]) -> list[int]:
    counts = []
    for scan_id in scan_ids:
        scan = await find_scan(db, TokenSubject(owner, 0), scan_id)
        assert scan is not None
        counts.append(scan.risk_count - scan.open_count)
    return counts


COUNT_WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""


async def test_migration_survives_a_deadlock_with_a_process_of_the_version_before(postgres: Postgres) -> None:
    with postgres.migrated_database() as url:
        async with connected_database(make_test_settings(normalize_url(url))) as db:
            owner = (await insert_user(db, "ana@example.com", "hash")).user.id
            await db.execute(UNDO_FINGERPRINTS)
            last = await insert_old_scan(db, owner, "last.txt", utc_now() - datetime.timedelta(1))
            first = await insert_old_scan(db, owner, "first.txt", utc_now())
            with psycopg.connect(url) as deletion:
                # the deletion holds a scan, the migration the user; then each wants the other
                deletion.execute("SELECT id FROM scans WHERE id = %s FOR UPDATE", (last,))
                migration = asyncio.create_task(asyncio.to_thread(migrate, url))
                while not migration.done():
                    with psycopg.connect(url) as watcher:
                        (waiting,) = watcher.execute(COUNT_WAITING).fetchone() or (0,)
                    if waiting:
                        break
                    await asyncio.sleep(0)
                deletion.execute("SELECT id FROM users WHERE id = %s FOR UPDATE", (owner,))
            assert await migration == 1
            for scan_id in (first, last):
                assert len(await find_details(db, owner, scan_id)) == 3


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
