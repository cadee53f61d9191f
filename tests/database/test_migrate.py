"""Migrations of existing rows."""

from __future__ import annotations

import datetime
import uuid

from riskscan.database.migrate import migrate
from riskscan.database.rows import TokenSubject, utc_now
from riskscan.database.scan_queries import compute_stats, list_scans
from riskscan.database.users import insert_user
from riskscan.schemas import CategoryRisks, Filter
from tests.support.application import make_test_settings
from tests.support.database import connected_database

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


async def test_migration_indexes_and_counts_existing_scans(database_url: str) -> None:
    async with connected_database(make_test_settings(database_url)) as db:
        owner = (await insert_user(db, "ana@example.com", "hash")).user.id
        for number in range(SCANS):
            values = {
                "id": str(uuid.uuid4()),
                "user_id": owner,
                "filename": f"plan {number}.txt",
                "data": DATA,
                "created_at": utc_now() - datetime.timedelta(days=number // 700),
            }
            await db.fetch_all(OLD, values)
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
