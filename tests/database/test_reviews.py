"""Reviews, scans and deletions of one user at once: the number of reviewed findings stays exact."""

from __future__ import annotations

import asyncio
import datetime

import msgspec
import pytest

from riskscan.database import Database
from riskscan.database.reviews import NewReview, count_reviews, delete_review, delete_reviews, save_reviews
from riskscan.database.rows import utc_now
from riskscan.database.scans import delete_scan, delete_scans_before, insert_scan, store_details
from riskscan.database.users import insert_user
from riskscan.schemas import Detail, Findings, ReviewFields, Risk, Scan
from tests.support.application import make_scan, make_test_settings
from tests.support.database import connected_database

SENTENCES = [f"fingerprint {number}" for number in range(12)]
DETAILS = [Detail(fingerprint) for fingerprint in (*SENTENCES, *SENTENCES[:3])]  # three of them twice
FINDINGS = Findings([Risk("r", "Legal", "c")] * len(DETAILS), "model", details=DETAILS)
WITHOUT_DETAILS = msgspec.structs.replace(FINDINGS, details=[])
COUNTS = """
SELECT scans.id, scans.reviewed_count AS kept, (
    SELECT coalesce(sum(findings), 0) FROM fingerprints
    JOIN reviews ON reviews.user_id = fingerprints.user_id AND reviews.fingerprint = fingerprints.fingerprint
    WHERE fingerprints.scan_id = scans.id AND fingerprints.user_id = scans.user_id
) AS counted
FROM scans
"""
ORPHANS = "SELECT scan_id FROM fingerprints WHERE scan_id NOT IN (SELECT id FROM scans)"
LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
ROUNDS, AT_ONCE = 40, 8


def make_review(scan: Scan, number: int) -> NewReview:
    return NewReview(SENTENCES[number], scan.scan_id, number, ReviewFields("confirmed"))


class Work:
    """What users do at the same time, each in another order of sentences and scans."""

    def __init__(self, db: Database, owner: str) -> None:
        self.db, self.owner = db, owner
        self.scans = [make_scan() for _ in range(10)]
        self.unread = [make_scan() for _ in range(ROUNDS)]
        self.old = [msgspec.structs.replace(make_scan(), created_at=LONG_AGO) for _ in range(ROUNDS)]

    async def prepare(self) -> None:
        for scan in (*self.scans, *self.old):
            await insert_scan(self.db, self.owner, scan, FINDINGS)
        for scan in self.unread:
            await insert_scan(self.db, self.owner, scan, WITHOUT_DETAILS)

    async def do(self, turn: int) -> None:
        reviews = [make_review(self.scans[turn % 10], number) for number in range(len(SENTENCES))]
        step = -1 if turn % 2 else 1
        await asyncio.gather(
            save_reviews(self.db, self.owner, reviews[::step]),
            save_reviews(self.db, self.owner, [reviews[turn % 12]]),
            save_reviews(self.db, self.owner, [reviews[turn % 7]], [SENTENCES[turn % 5]] * 2 + ["unknown"]),
            delete_review(self.db, self.owner, SENTENCES[(turn + 5) % 12]),
            insert_scan(self.db.low_priority, self.owner, make_scan(), FINDINGS),
            delete_scan(self.db, self.owner, self.scans[turn % 10].scan_id),
            store_details(self.db, self.owner, self.unread[turn].scan_id, DETAILS),
            delete_scan(self.db, self.owner, self.old[turn].scan_id),
            *([delete_reviews(self.db, self.owner)] if turn % 10 == 3 else []),
            *([delete_scans_before(self.db, utc_now() - datetime.timedelta(days=1))] if turn == 20 else []),
        )


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "distributed"], indirect=True)
async def test_reviewed_counts_stay_exact_while_scans_and_reviews_change(database_url: str) -> None:
    async with connected_database(make_test_settings(database_url, database_pool_size=16)) as db:
        work = Work(db, (await insert_user(db, "ana@example.com", "hash")).user.id)
        await work.prepare()
        for first in range(0, ROUNDS, AT_ONCE):
            await asyncio.gather(*(work.do(turn) for turn in range(first, first + AT_ONCE)))
        await save_reviews(db, work.owner, [make_review(work.unread[0], number) for number in range(6)])
        rows = await db.fetch_all(COUNTS)
        assert [row["id"] for row in rows if row["kept"] != row["counted"]] == []
        assert len(rows) == ROUNDS + ROUNDS  # those without details, and the new ones
        assert await db.fetch_all(ORPHANS) == []
        deleted = await delete_reviews(db, work.owner)
        assert deleted >= 6
        assert await count_reviews(db, work.owner) == 0
        assert {row["kept"] for row in await db.fetch_all(COUNTS)} == {0}
