"""The table `scans`."""

from __future__ import annotations

import asyncio
import collections
import datetime
import functools
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from ..scan_names import display_name, draft_name
from ..schemas import DETAILS, Detail, Findings, Risk, Scan
from ..search_terms import ScanTerms, index_terms
from . import Database, Executor, Row
from .distributed import (
    COUNT_REVIEWED_FINDINGS,
    COUNT_SCAN,
    DELETE_FINGERPRINTS,
    INDEX_FINGERPRINTS,
    UNCOUNT_SCANS,
)
from .drivers import ForeignKeyViolation, UniqueViolation
from .rows import TokenRevoked, TokenSubject, to_utc
from .users import LOCK_USER


class FingerprintOnly(msgspec.Struct):
    """The fingerprint of a finding, without the rest of its details."""

    fingerprint: str = ""


FINGERPRINTS = msgspec.json.Decoder(list[FingerprintOnly])
decode_notes = msgspec.json.Decoder(list[str]).decode
MAX_INDEXED_ON_LOOP = 50_000  # bytes of findings

STORE_SCAN = """
INSERT INTO scans (
    id, user_id, filename, data, digest, risk_count, categories, words, terms, terms_title, source, notes,
    details, first_words, draft_name, created_at
)
VALUES (
    :id, :user_id, :filename, :data, :digest, :risk_count, :categories, :words, :terms, '', :source, :notes,
    :details, :first_words, :draft_name, :created_at
)
"""
LIKE_SCAN = """(
    SELECT id FROM scans AS previous
    WHERE user_id = :user_id AND draft_name = :draft_name AND (created_at, id) < (:created_at, :id)
    ORDER BY created_at DESC, id DESC LIMIT 1
) AS same_name, (
    SELECT id FROM scans AS previous
    WHERE user_id = :user_id AND digest = :digest AND (created_at, id) < (:created_at, :id)
    ORDER BY created_at DESC, id DESC LIMIT 1
) AS same_bytes, EXISTS (SELECT 1 FROM reviews WHERE user_id = :user_id) AS has_reviews
"""
INSERT_SCAN = f"{STORE_SCAN}RETURNING {LIKE_SCAN}"
FIND_LIKE_SCAN = f"SELECT {LIKE_SCAN}"  # where RETURNING cannot have subqueries


class InsertedScan(NamedTuple):
    """The IDs of the latest scans with the same bytes and the same draft name, with `same bytes` or `same
    name`, and whether the user has reviews."""

    previous: dict[str, str]
    has_reviews: bool


async def insert_scan(
    db: Executor,
    user_id: str,
    scan: Scan,
    findings: Findings,
    digest: str | None = None,
    first_words: str = "",
) -> InsertedScan | None:
    """Store a scan with the details of its findings.

    Returns None if a scan with this ID already exists. Raises TokenRevoked if the account was deleted.
    """
    values = {
        "id": scan.scan_id,
        "user_id": user_id,
        "filename": scan.filename,
        "data": bytes(scan.data).decode(),
        "risk_count": scan.risk_count,
        "categories": msgspec.json.encode(
            collections.Counter(risk.category for risk in findings.data)
        ).decode(),
        **(await index_scan(scan, first_words, findings.data))._asdict(),
        "digest": digest,
        "source": scan.source,
        "notes": msgspec.json.encode(scan.notes).decode(),
        "details": msgspec.json.encode(findings.details).decode(),
        "first_words": first_words,
        "draft_name": draft_name(scan.filename, first_words),
        "created_at": scan.created_at,
    }
    sql, first = INSERT_SCAN, list[str]()
    if await db.is_distributed():
        sql, first = FIND_LIKE_SCAN, [COUNT_SCAN, STORE_SCAN, INDEX_FINGERPRINTS, COUNT_REVIEWED_FINDINGS]
    try:
        (row,) = await db.fetch_all(sql, values, first=first)
    except UniqueViolation:
        return None
    except ForeignKeyViolation:
        raise TokenRevoked from None
    matches = (row["same_name"], "same name"), (row["same_bytes"], "same bytes")
    previous = {str(scan_id): match for scan_id, match in matches if scan_id is not None}
    return InsertedScan(previous, bool(row["has_reviews"]))


async def index_scan(scan: Scan, first_words: str, risks: Sequence[Risk]) -> ScanTerms:
    """Return the search terms of a scan with these risks, of a large one from a thread: 50 KB take 5 ms."""
    index = functools.partial(index_terms, (scan.title, scan.filename, first_words), risks)
    return await asyncio.to_thread(index) if len(bytes(scan.data)) > MAX_INDEXED_ON_LOOP else index()


FIND_SCAN = """
SELECT scans.id, filename, data, source, risk_count, reviewed_count, notes, title, scans.created_at
FROM users
LEFT JOIN scans ON scans.id = :id AND user_id = :user_id
WHERE users.id = :user_id AND token_version = :token_version
"""


async def find_scan(db: Executor, subject: TokenSubject, scan_id: str) -> Scan | None:
    """Return a scan of the user, None if it does not exist. Raises TokenRevoked."""
    row = await db.fetch_one(FIND_SCAN, {"id": scan_id, **subject._asdict()})
    if row is None:
        raise TokenRevoked
    return to_scan(row) if row["id"] else None


class ScanOfPage(NamedTuple):
    """A scan with the details of its findings, none if an earlier version stored it, and its name."""

    scan: Scan
    details: list[Detail]
    name: str


FIND_SCAN_OF_PAGE = """
SELECT scans.id, filename, data, source, risk_count, reviewed_count, notes, title, scans.created_at, details,
    first_words
FROM users
LEFT JOIN scans ON scans.id = :id AND user_id = :user_id
WHERE users.id = :user_id AND token_version = :token_version
"""


async def find_scan_of_page(db: Executor, subject: TokenSubject, scan_id: str) -> ScanOfPage | None:
    """Return a scan of the user with what its page shows, in one statement in place of three.

    Returns None if it does not exist. Raises TokenRevoked.
    """
    row = await db.fetch_one(FIND_SCAN_OF_PAGE, {"id": scan_id, **subject._asdict()})
    if row is None:
        raise TokenRevoked
    if not row["id"]:
        return None
    name = display_name(row["title"], row["filename"], row["first_words"])
    return ScanOfPage(to_scan(row), DETAILS.decode(row["details"]), name)


def to_scan(row: Row) -> Scan:
    created_at = to_utc(row["created_at"])
    return Scan(
        scan_id=str(row["id"]),
        filename=row["filename"],
        data=msgspec.Raw(row["data"].encode()),
        source=row["source"],
        risk_count=row["risk_count"],
        created_at=created_at,
        timestamp=created_at,
        notes=decode_notes(row["notes"]),
        title=row["title"],
        open_count=row["risk_count"] - row["reviewed_count"],
    )


FIND_DIGEST = "SELECT digest FROM scans WHERE id = :id AND user_id = :user_id"


async def find_digest(db: Executor, user_id: str, scan_id: str) -> str | None:
    """Return the SHA-256 of the file or text of a scan, None if it is not known."""
    row = await db.fetch_one(FIND_DIGEST, {"id": scan_id, "user_id": user_id})
    return row["digest"] if row else None


FIND_DETAILS = "SELECT details FROM scans WHERE id = :id AND user_id = :user_id"


async def find_details(db: Executor, user_id: str, scan_id: str) -> list[Detail]:
    """Return the details of the findings of a scan; none if an earlier version stored it, or if it does not
    exist or belongs to another user."""
    row = await db.fetch_one(FIND_DETAILS, {"id": scan_id, "user_id": user_id})
    return DETAILS.decode(row["details"]) if row else []


FIND_FINGERPRINTS_POSTGRESQL = """
SELECT scans.id, risk_count, details
FROM json_array_elements_text(CAST(:prefixes AS json)) AS prefix
JOIN scans ON user_id = :user_id AND scans.id BETWEEN CAST(prefix || '-0000-000000000000' AS uuid)
    AND CAST(prefix || '-ffff-ffffffffffff' AS uuid)
"""
# the unary + keeps SQLite from an index that begins with user_id: it would read all scans of the user for
# each prefix
FIND_FINGERPRINTS_SQLITE = """
SELECT scans.id, risk_count, details
FROM json_each(:prefixes) AS prefix
CROSS JOIN scans ON +user_id = :user_id AND scans.id BETWEEN prefix.value || '-0000-000000000000'
    AND prefix.value || '-ffff-ffffffffffff'
"""


class Fingerprints(NamedTuple):
    """The fingerprints of the findings of a scan; none if an earlier version stored it."""

    scan_id: str
    risk_count: int
    fingerprints: list[str]


async def find_fingerprints(db: Executor, user_id: str, prefixes: Sequence[str]) -> list[Fingerprints]:
    """Return the fingerprints of the user's scans whose IDs start with one of these 18 characters."""
    sql = FIND_FINGERPRINTS_SQLITE if db.sqlite else FIND_FINGERPRINTS_POSTGRESQL
    encoded = msgspec.json.encode(prefixes).decode()
    rows = await db.fetch_all(sql, {"user_id": user_id, "prefixes": encoded})
    return [
        Fingerprints(
            str(row["id"]),
            row["risk_count"],
            [item.fingerprint for item in FINGERPRINTS.decode(row["details"])],
        )
        for row in rows
    ]


STORE_DETAILS = """
UPDATE scans SET details = :details WHERE id = :id AND user_id = :user_id AND details = '[]'
"""


async def store_details(db: Database, user_id: str, scan_id: str, details: Sequence[Detail]) -> None:
    """Store the details of a scan that has none."""
    encoded = msgspec.json.encode(details).decode()
    values = {"id": scan_id, "user_id": user_id, "details": encoded}
    if await db.is_distributed():
        first = [STORE_DETAILS, INDEX_FINGERPRINTS]
        await db.fetch_all(COUNT_REVIEWED_FINDINGS, values, lock=LOCK_USER, first=first)
    else:
        await db.fetch_all(STORE_DETAILS, values, lock=LOCK_USER)


FIND_FIRST_WORDS = "SELECT first_words FROM scans WHERE id = :id AND user_id = :user_id"


async def find_name(db: Executor, user_id: str, scan: Scan) -> str:
    """Return what a scan of the user is called."""
    first_words = ""
    if not (scan.title or scan.filename):
        row = await db.fetch_one(FIND_FIRST_WORDS, {"id": scan.scan_id, "user_id": user_id})
        first_words = row["first_words"] if row else ""
    return display_name(scan.title, scan.filename, first_words)


# a search finds the title too
RENAME_SCAN = """
UPDATE scans SET title = :title, words = :words, terms = :terms, terms_title = coalesce(:title, '')
WHERE id = :id AND user_id = :user_id
RETURNING id
"""


async def rename_scan(db: Executor, user_id: str, scan: Scan, title: str | None) -> bool:
    """Set the title of a scan of the user; return whether it still exists."""
    row = await db.fetch_one(FIND_FIRST_WORDS, {"id": scan.scan_id, "user_id": user_id})
    first_words = row["first_words"] if row else ""
    terms = await index_scan(msgspec.structs.replace(scan, title=title), first_words, scan.risks)
    values = {"id": scan.scan_id, "user_id": user_id, "title": title, **terms._asdict()}
    return await db.fetch_one(RENAME_SCAN, values) is not None


FIND_PREVIOUS_SCANS = """
SELECT 1 AS same_bytes, by_digest.id FROM (
    SELECT id FROM scans AS previous
    WHERE user_id = :user_id AND (created_at, id) < (:created_at, :id)
        AND digest = (SELECT digest FROM scans WHERE id = :id AND user_id = :user_id)
    ORDER BY created_at DESC, id DESC LIMIT 1
) AS by_digest
UNION ALL
SELECT 0 AS same_bytes, by_name.id FROM (
    SELECT id FROM scans AS previous
    WHERE user_id = :user_id AND (created_at, id) < (:created_at, :id)
        AND draft_name = (SELECT draft_name FROM scans WHERE id = :id AND user_id = :user_id)
    ORDER BY created_at DESC, id DESC LIMIT 1
) AS by_name
"""


async def find_previous_scans(db: Executor, user_id: str, scan: Scan) -> dict[str, str]:
    """Return the IDs of the latest scans before this one with the same draft name and the same bytes, with
    `same bytes` or `same name`, as `insert_scan` does."""
    values = {"id": scan.scan_id, "user_id": user_id, "created_at": scan.created_at}
    rows = await db.fetch_all(FIND_PREVIOUS_SCANS, values)
    # the same bytes override the same name
    return {
        str(row["id"]): "same bytes" if row["same_bytes"] else "same name"
        for row in sorted(rows, key=lambda row: row["same_bytes"])
    }


DELETE_SCAN = "DELETE FROM scans WHERE id = :id AND user_id = :user_id RETURNING id"


async def delete_scan(db: Database, user_id: str, scan_id: str) -> bool:
    """Delete a scan of the user; return whether it existed. Reviews of its findings stay."""
    if await db.is_distributed():
        return await delete_scans(db, user_id, [scan_id])
    return bool(await db.fetch_all(DELETE_SCAN, {"id": scan_id, "user_id": user_id}, lock=LOCK_USER))


# deletes nothing unless all are the user's
DELETE_SCANS_POSTGRESQL = """
WITH chosen AS MATERIALIZED (
    SELECT id FROM scans WHERE user_id = :user_id AND id IN (
        SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(:ids AS json)) AS value
    )
)
DELETE FROM scans
WHERE user_id = :user_id AND id IN (SELECT id FROM chosen) AND (SELECT count(*) FROM chosen) = :number
RETURNING id
"""
# the unary + as above
DELETE_SCANS_SQLITE = """
WITH chosen AS MATERIALIZED (
    SELECT id FROM scans WHERE +user_id = :user_id AND id IN (SELECT value FROM json_each(:ids))
)
DELETE FROM scans
WHERE +user_id = :user_id AND id IN (SELECT id FROM chosen) AND (SELECT count(*) FROM chosen) = :number
RETURNING id
"""


async def delete_scans(db: Database, user_id: str, scan_ids: Sequence[str]) -> bool:
    """Delete scans of the user, all of them or none; return whether all of these distinct IDs existed."""
    sql = DELETE_SCANS_SQLITE if db.sqlite else DELETE_SCANS_POSTGRESQL
    ids = msgspec.json.encode(scan_ids).decode()
    values = {"ids": ids, "user_id": user_id, "number": len(scan_ids)}
    first = [UNCOUNT_SCANS, DELETE_FINGERPRINTS] if await db.is_distributed() else ()
    return bool(await db.fetch_all(sql, values, lock=LOCK_USER, first=first))


LIST_NAMES_POSTGRESQL = """
SELECT id, title, filename, first_words FROM scans WHERE user_id = :user_id AND id IN (
    SELECT CAST(value AS uuid) FROM json_array_elements_text(CAST(:ids AS json)) AS value
)
ORDER BY created_at DESC, id DESC
"""
LIST_NAMES_SQLITE = """
SELECT id, title, filename, first_words FROM scans
WHERE +user_id = :user_id AND id IN (SELECT value FROM json_each(:ids))
ORDER BY created_at DESC, id DESC
"""


async def list_names(db: Executor, user_id: str, scan_ids: Sequence[str]) -> dict[str, str]:
    """Return what the scans of the user with these IDs are called, by ID, the newest first."""
    sql = LIST_NAMES_SQLITE if db.sqlite else LIST_NAMES_POSTGRESQL
    ids = msgspec.json.encode(scan_ids).decode()
    rows = await db.fetch_all(sql, {"ids": ids, "user_id": user_id})
    return {str(row["id"]): display_name(row["title"], row["filename"], row["first_words"]) for row in rows}


# the condition on risk_count always holds: it is that of the index scans_created_at
DELETE_SCANS_BEFORE = """
DELETE FROM scans WHERE (user_id, id) IN (
    SELECT user_id, id FROM scans WHERE created_at < :before AND risk_count >= 0 ORDER BY created_at LIMIT 500
)
RETURNING id
"""
LOCK_USERS_OF_SCANS_BEFORE = """
SELECT id FROM users WHERE id IN (
    SELECT user_id FROM scans WHERE created_at < :before AND risk_count >= 0 ORDER BY created_at LIMIT 500
)
ORDER BY id FOR NO KEY UPDATE
"""
# of all nodes
LIST_SCANS_BEFORE = """
SELECT user_id, id FROM scans WHERE created_at < :before AND risk_count >= 0 ORDER BY created_at LIMIT 500
"""


async def delete_scans_before(db: Database, before: datetime.datetime) -> int:
    """Delete up to 500 scans created before a time; return the number deleted."""
    if await db.is_distributed():
        found = collections.defaultdict(list)
        for row in await db.fetch_all(LIST_SCANS_BEFORE, {"before": before}):
            found[str(row["user_id"])].append(str(row["id"]))
        return sum([len(ids) for user_id, ids in found.items() if await delete_scans(db, user_id, ids)])
    rows = await db.fetch_all(DELETE_SCANS_BEFORE, {"before": before}, lock=LOCK_USERS_OF_SCANS_BEFORE)
    return len(rows)
