"""The table `reviews`: what users decided of findings, by the fingerprint of their sentence."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from ..scan_names import display_name
from ..schemas import RISK, Review, ReviewFields, Risk
from . import Database, Executor, Row
from .drivers import ForeignKeyViolation
from .rows import TokenRevoked, to_utc, utc_now
from .users import LOCK_USER


class NewReview(NamedTuple):
    """A review to store, of finding `number` of a scan."""

    fingerprint: str
    scan_id: str
    number: int
    fields: ReviewFields


class StoredReview(NamedTuple):
    """A review, and the name and time of the scan in which it was made, if that still exists."""

    fingerprint: str
    review: Review
    number: int
    scan_name: str | None
    scanned_at: datetime.datetime | None


class ConfirmedRisk(NamedTuple):
    """A confirmed risk: its review and the finding that it was made of, None if its scan was deleted."""

    stored: StoredReview
    risk: Risk | None


class OpenRisk(NamedTuple):
    """A finding without a review, `number` of its scan."""

    scan_id: str
    scan_name: str
    number: int
    risk: Risk


class OpenScan(NamedTuple):
    """A scan with findings that have no review."""

    scan_id: str
    name: str
    created_at: datetime.datetime
    open_count: int


LIST_REVIEWS_OF_SCAN = """
SELECT reviews.fingerprint, state, reason, comment, owner, likelihood, impact, response, due,
    reviews.scan_id, number, reviews.updated_at, made_in.title, made_in.filename, made_in.first_words,
    made_in.created_at AS scanned_at
FROM fingerprints
JOIN reviews ON reviews.user_id = fingerprints.user_id AND reviews.fingerprint = fingerprints.fingerprint
LEFT JOIN scans AS made_in ON made_in.id = reviews.scan_id AND made_in.user_id = reviews.user_id
WHERE fingerprints.user_id = :user_id AND fingerprints.scan_id = :scan_id
"""


async def list_reviews_of_scan(db: Executor, user_id: str, scan_id: str) -> dict[str, StoredReview]:
    """Return the user's reviews of the sentences of a scan, by fingerprint."""
    rows = await db.fetch_all(LIST_REVIEWS_OF_SCAN, {"user_id": user_id, "scan_id": scan_id})
    return {row["fingerprint"]: to_stored_review(row) for row in rows}


def to_stored_review(row: Row) -> StoredReview:
    scanned_at = to_utc(row["scanned_at"]) if row["scanned_at"] else None
    name = display_name(row["title"], row["filename"], row["first_words"]) if scanned_at else None
    return StoredReview(row["fingerprint"], to_review(row), row["number"], name, scanned_at)


def to_review(row: Row) -> Review:
    return Review(
        state=row["state"],
        reason=row["reason"],
        comment=row["comment"],
        owner=row["owner"],
        likelihood=row["likelihood"],
        impact=row["impact"],
        response=row["response"],
        due=row["due"],
        scan_id=str(row["scan_id"]),
        updated_at=to_utc(row["updated_at"]),
    )


FIND_REVIEWS_POSTGRESQL = """
SELECT fingerprint, state, reason, comment, owner, likelihood, impact, response, due, scan_id, updated_at
FROM reviews
WHERE user_id = :user_id
    AND fingerprint IN (SELECT json_array_elements_text(CAST(:fingerprints AS json)))
"""
FIND_REVIEWS_SQLITE = """
SELECT fingerprint, state, reason, comment, owner, likelihood, impact, response, due, scan_id, updated_at
FROM reviews
WHERE user_id = :user_id AND fingerprint IN (SELECT value FROM json_each(:fingerprints))
"""


async def find_reviews(db: Executor, user_id: str, fingerprints: Sequence[str]) -> dict[str, Review]:
    """Return the user's reviews of these sentences, by fingerprint."""
    sql = FIND_REVIEWS_SQLITE if db.sqlite else FIND_REVIEWS_POSTGRESQL
    encoded = msgspec.json.encode(fingerprints).decode()
    rows = await db.fetch_all(sql, {"user_id": user_id, "fingerprints": encoded})
    return {row["fingerprint"]: to_review(row) for row in rows}


# one statement for any number of reviews; the databases differ in how they read a JSON list
UPSERT_REVIEWS_POSTGRESQL = """
INSERT INTO reviews (
    user_id, fingerprint, state, reason, comment, owner, likelihood, impact, response, due, scan_id, number,
    updated_at
)
SELECT :user_id, fingerprint, state, reason, comment, owner, likelihood, impact, response, due, scan_id,
    number, :now
FROM json_to_recordset(CAST(:reviews AS json)) AS review (
    fingerprint text, state text, reason text, comment text, owner text, likelihood integer, impact integer,
    response text, due text, scan_id uuid, number integer
)
ON CONFLICT (user_id, fingerprint) DO UPDATE SET
    state = excluded.state, reason = excluded.reason, comment = excluded.comment, owner = excluded.owner,
    likelihood = excluded.likelihood, impact = excluded.impact, response = excluded.response,
    due = excluded.due, scan_id = excluded.scan_id, number = excluded.number,
    updated_at = excluded.updated_at
RETURNING fingerprint
"""
UPSERT_REVIEWS_SQLITE = """
INSERT INTO reviews (
    user_id, fingerprint, state, reason, comment, owner, likelihood, impact, response, due, scan_id, number,
    updated_at
)
SELECT :user_id, value ->> 'fingerprint', value ->> 'state', value ->> 'reason', value ->> 'comment',
    value ->> 'owner', value ->> 'likelihood', value ->> 'impact', value ->> 'response', value ->> 'due',
    value ->> 'scan_id', value ->> 'number', :now
FROM json_each(:reviews)
WHERE TRUE
ON CONFLICT (user_id, fingerprint) DO UPDATE SET
    state = excluded.state, reason = excluded.reason, comment = excluded.comment, owner = excluded.owner,
    likelihood = excluded.likelihood, impact = excluded.impact, response = excluded.response,
    due = excluded.due, scan_id = excluded.scan_id, number = excluded.number,
    updated_at = excluded.updated_at
RETURNING fingerprint
"""


# before reviews are stored: the sentences that have one already do not change how many findings are reviewed
COUNT_SAVED_POSTGRESQL = """
UPDATE scans SET reviewed_count = reviewed_count + changed.findings
FROM (
    SELECT scan_id, sum(findings) AS findings FROM fingerprints
    WHERE user_id = :user_id
        AND fingerprint IN (SELECT json_array_elements_text(CAST(:saved AS json)))
        AND NOT EXISTS (
            SELECT 1 FROM reviews
            WHERE reviews.user_id = :user_id AND reviews.fingerprint = fingerprints.fingerprint
        )
    GROUP BY scan_id
) AS changed
WHERE user_id = :user_id AND id = changed.scan_id
"""
# without INDEXED BY and the sign, all fingerprints and scans of the user would be read
COUNT_SAVED_SQLITE = """
UPDATE scans SET reviewed_count = reviewed_count + changed.findings
FROM (
    SELECT scan_id, sum(findings) AS findings
    FROM fingerprints INDEXED BY fingerprints_user_id_fingerprint
    WHERE user_id = :user_id
        AND fingerprint IN (SELECT value FROM json_each(:saved))
        AND NOT EXISTS (
            SELECT 1 FROM reviews
            WHERE reviews.user_id = :user_id AND reviews.fingerprint = fingerprints.fingerprint
        )
    GROUP BY scan_id
) AS changed
WHERE +user_id = :user_id AND id = changed.scan_id
"""


async def save_reviews(
    db: Database, user_id: str, reviews: Sequence[NewReview], removed: Sequence[str] = ()
) -> datetime.datetime:
    """Store reviews, or replace those of the same sentences, all of them or none; return their time.

    Before them the reviews of the fingerprints `removed` are deleted. Of two reviews of one sentence the last
    is stored. Raises TokenRevoked if the account was deleted.
    """
    # one row per fingerprint: a statement cannot update a row twice
    unique = {review.fingerprint: review for review in reviews}
    rows: list[dict[str, Any]] = [
        msgspec.structs.asdict(review.fields)
        | {"fingerprint": review.fingerprint, "scan_id": review.scan_id, "number": review.number}
        for review in unique.values()
    ]
    now = utc_now()
    values = {
        "user_id": user_id,
        "reviews": msgspec.json.encode(rows).decode(),
        "saved": msgspec.json.encode(list(unique)).decode(),
        "removed": msgspec.json.encode(removed).decode(),
        "now": now,
    }
    count, upsert = (
        (COUNT_SAVED_SQLITE, UPSERT_REVIEWS_SQLITE)
        if db.sqlite
        else (COUNT_SAVED_POSTGRESQL, UPSERT_REVIEWS_POSTGRESQL)
    )
    first = [*(remove_statements(db) if removed else []), count]
    try:
        await db.fetch_all(upsert, values, lock=LOCK_USER, first=first)
    except ForeignKeyViolation:
        raise TokenRevoked from None
    return now


COUNT_REMOVED_POSTGRESQL = """
UPDATE scans SET reviewed_count = reviewed_count - changed.findings
FROM (
    SELECT scan_id, sum(findings) AS findings FROM fingerprints
    WHERE user_id = :user_id
        AND fingerprint IN (SELECT json_array_elements_text(CAST(:removed AS json)))
        AND EXISTS (
            SELECT 1 FROM reviews
            WHERE reviews.user_id = :user_id AND reviews.fingerprint = fingerprints.fingerprint
        )
    GROUP BY scan_id
) AS changed
WHERE user_id = :user_id AND id = changed.scan_id
"""
COUNT_REMOVED_SQLITE = """
UPDATE scans SET reviewed_count = reviewed_count - changed.findings
FROM (
    SELECT scan_id, sum(findings) AS findings
    FROM fingerprints INDEXED BY fingerprints_user_id_fingerprint
    WHERE user_id = :user_id
        AND fingerprint IN (SELECT value FROM json_each(:removed))
        AND EXISTS (
            SELECT 1 FROM reviews
            WHERE reviews.user_id = :user_id AND reviews.fingerprint = fingerprints.fingerprint
        )
    GROUP BY scan_id
) AS changed
WHERE +user_id = :user_id AND id = changed.scan_id
"""
REMOVE_REVIEWS_POSTGRESQL = """
DELETE FROM reviews
WHERE user_id = :user_id AND fingerprint IN (SELECT json_array_elements_text(CAST(:removed AS json)))
RETURNING fingerprint
"""
REMOVE_REVIEWS_SQLITE = """
DELETE FROM reviews WHERE user_id = :user_id AND fingerprint IN (SELECT value FROM json_each(:removed))
RETURNING fingerprint
"""


def remove_statements(db: Database) -> tuple[str, str]:
    """Return the statements that count and delete the reviews of the fingerprints `removed`."""
    if db.sqlite:
        return COUNT_REMOVED_SQLITE, REMOVE_REVIEWS_SQLITE
    return COUNT_REMOVED_POSTGRESQL, REMOVE_REVIEWS_POSTGRESQL


async def delete_review(db: Database, user_id: str, fingerprint: str) -> bool:
    """Delete the review of a sentence; return whether there was one."""
    count, remove = remove_statements(db)
    values = {"user_id": user_id, "removed": msgspec.json.encode([fingerprint]).decode()}
    return bool(await db.fetch_all(remove, values, lock=LOCK_USER, first=[count]))


COUNT_NONE_REVIEWED = "UPDATE scans SET reviewed_count = 0 WHERE user_id = :user_id AND reviewed_count > 0"
DELETE_REVIEWS = "DELETE FROM reviews WHERE user_id = :user_id RETURNING fingerprint"


async def delete_reviews(db: Database, user_id: str) -> int:
    """Delete all reviews of the user; return their number."""
    values = {"user_id": user_id}
    return len(await db.fetch_all(DELETE_REVIEWS, values, lock=LOCK_USER, first=[COUNT_NONE_REVIEWED]))


COUNT_REVIEWS = "SELECT count(*) AS reviews FROM reviews WHERE user_id = :user_id"


async def count_reviews(db: Executor, user_id: str) -> int:
    """Return the number of the user's reviews."""
    row = await db.fetch_one(COUNT_REVIEWS, {"user_id": user_id})
    return row["reviews"] if row else 0


# `->` with a number is an element of a list, in jsonb and in SQLite; only of those listed, as each reads all
# findings of its scan
LIST_CONFIRMED_RISKS = """
SELECT fingerprint, state, reason, comment, owner, likelihood, impact, response, due, scan_id, number,
    updated_at, title, filename, first_words, scans.created_at AS scanned_at, data -> (number - 1) AS finding
FROM (
    SELECT * FROM reviews
    WHERE user_id = :user_id AND state = 'confirmed' AND (CAST(:owner AS text) = '' OR owner = :owner)
    ORDER BY coalesce(likelihood * impact, 0) DESC, coalesce(due, '9999'), updated_at DESC
    LIMIT :limit
) AS listed
LEFT JOIN scans ON scans.id = scan_id AND scans.user_id = :user_id
ORDER BY coalesce(likelihood * impact, 0) DESC, coalesce(due, '9999'), updated_at DESC
"""


async def list_confirmed_risks(db: Executor, user_id: str, owner: str, limit: int) -> list[ConfirmedRisk]:
    """Return the user's confirmed risks, the gravest first, then those that are due first.

    With an owner, only theirs.
    """
    values = {"user_id": user_id, "owner": owner, "limit": limit}
    rows = await db.fetch_all(LIST_CONFIRMED_RISKS, values)
    return [
        ConfirmedRisk(to_stored_review(row), RISK.decode(row["finding"]) if row["finding"] else None)
        for row in rows
    ]


COUNT_CONFIRMED_RISKS = """
SELECT likelihood, impact, count(*) AS risks FROM reviews
WHERE user_id = :user_id AND state = 'confirmed' GROUP BY likelihood, impact
"""


async def count_confirmed_risks(db: Executor, user_id: str) -> dict[tuple[int | None, int | None], int]:
    """Return the numbers of the user's confirmed risks by likelihood and impact, None where not given."""
    rows = await db.fetch_all(COUNT_CONFIRMED_RISKS, {"user_id": user_id})
    return {(row["likelihood"], row["impact"]): row["risks"] for row in rows}


LIST_OWNERS = """
SELECT owner, count(*) AS risks FROM reviews
WHERE user_id = :user_id AND state = 'confirmed' AND owner IS NOT NULL
GROUP BY owner ORDER BY owner
"""


async def list_owners(db: Executor, user_id: str) -> dict[str, int]:
    """Return the number of the user's confirmed risks of each owner."""
    rows = await db.fetch_all(LIST_OWNERS, {"user_id": user_id})
    return {row["owner"]: row["risks"] for row in rows}


# reads the details of only as many scans as have enough open findings, and then the data of the findings
# listed: `->` with a number reads all findings of a scan. A subquery, because PostgreSQL would compare each
# finding of NOT EXISTS with all reviews of the user. The databases differ in how they read a JSON list
LIST_OPEN_RISKS_POSTGRESQL = """
WITH open_scans AS (
    SELECT id, created_at,
        sum(risk_count - reviewed_count) OVER (ORDER BY created_at DESC, id DESC) AS findings,
        risk_count - reviewed_count AS own_findings
    FROM (
        SELECT id, created_at, risk_count, reviewed_count FROM scans
        WHERE user_id = :user_id AND reviewed_count < risk_count
        ORDER BY created_at DESC, id DESC LIMIT :limit
    ) AS newest
), listed AS (
    SELECT scans.id, scans.created_at, place FROM open_scans
    JOIN scans ON scans.id = open_scans.id AND scans.user_id = :user_id
    CROSS JOIN json_array_elements(CAST(details AS json)) WITH ORDINALITY AS detail (value, place)
    WHERE findings - own_findings < :limit AND (
        SELECT state FROM reviews WHERE user_id = :user_id AND fingerprint = detail.value ->> 'fingerprint'
    ) IS NULL
    ORDER BY scans.created_at DESC, scans.id DESC, place LIMIT :limit
)
SELECT scans.id, title, filename, first_words, place AS number,
    data -> CAST(place - 1 AS integer) AS finding
FROM listed JOIN scans ON scans.id = listed.id AND scans.user_id = :user_id
ORDER BY scans.created_at DESC, scans.id DESC, place
"""
LIST_OPEN_RISKS_SQLITE = """
WITH open_scans AS (
    SELECT id, created_at,
        sum(risk_count - reviewed_count) OVER (ORDER BY created_at DESC, id DESC) AS findings,
        risk_count - reviewed_count AS own_findings
    FROM (
        SELECT id, created_at, risk_count, reviewed_count FROM scans
        WHERE user_id = :user_id AND reviewed_count < risk_count
        ORDER BY created_at DESC, id DESC LIMIT :limit
    ) AS newest
), listed AS MATERIALIZED (
    SELECT scans.id, scans.created_at, detail.key + 1 AS place FROM open_scans
    JOIN scans ON scans.id = open_scans.id AND scans.user_id = :user_id
    CROSS JOIN json_each(details) AS detail
    WHERE findings - own_findings < :limit AND (
        SELECT state FROM reviews WHERE user_id = :user_id AND fingerprint = detail.value ->> 'fingerprint'
    ) IS NULL
    ORDER BY scans.created_at DESC, scans.id DESC, place LIMIT :limit
)
SELECT scans.id, title, filename, first_words, place AS number, data -> (place - 1) AS finding
FROM listed JOIN scans ON scans.id = listed.id AND scans.user_id = :user_id
ORDER BY scans.created_at DESC, scans.id DESC, place
"""


async def list_open_risks(db: Executor, user_id: str, limit: int) -> list[OpenRisk]:
    """Return the user's findings without a review, those of the newest scan first, in document order."""
    sql = LIST_OPEN_RISKS_SQLITE if db.sqlite else LIST_OPEN_RISKS_POSTGRESQL
    rows = await db.fetch_all(sql, {"user_id": user_id, "limit": limit})
    return [
        OpenRisk(
            str(row["id"]),
            display_name(row["title"], row["filename"], row["first_words"]),
            row["number"],
            RISK.decode(row["finding"]),
        )
        for row in rows
    ]


COUNT_OPEN_RISKS = """
SELECT sum(risk_count - reviewed_count) AS risks FROM scans
WHERE user_id = :user_id AND reviewed_count < risk_count
"""


async def count_open_risks(db: Executor, user_id: str) -> int:
    """Return the number of the user's findings without a review."""
    row = await db.fetch_one(COUNT_OPEN_RISKS, {"user_id": user_id})
    return (row["risks"] if row else None) or 0


LIST_OPEN_SCANS = """
SELECT id, title, filename, first_words, created_at, risk_count - reviewed_count AS open_count FROM scans
WHERE user_id = :user_id AND reviewed_count < risk_count
ORDER BY created_at DESC, id DESC LIMIT :limit
"""


async def list_open_scans(db: Executor, user_id: str, limit: int) -> list[OpenScan]:
    """Return the user's newest scans that have findings without a review."""
    rows = await db.fetch_all(LIST_OPEN_SCANS, {"user_id": user_id, "limit": limit})
    return [
        OpenScan(
            str(row["id"]),
            display_name(row["title"], row["filename"], row["first_words"]),
            to_utc(row["created_at"]),
            row["open_count"],
        )
        for row in rows
    ]
