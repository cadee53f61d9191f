"""Lists and statistics of a user's scans.

Statements are complete and can be pasted into psql or sqlite3. A NULL parameter disables its condition, which
PostgreSQL then removes, because it plans a filtered statement for its values (`custom_plan`).
"""

from __future__ import annotations

import collections
import datetime
from typing import Any, NamedTuple

import msgspec

from ..scan_names import display_name
from ..schemas import ALL_SCANS, CategoryRisks, Filter, MonthRisks, ScanSummary, Sort, Stats
from ..search_terms import category_term
from . import Executor, Row
from .rows import TokenRevoked, TokenSubject, to_utc


class ScanPage(NamedTuple):
    """A page of `total` scans.

    Parallel to them, `categories` has the risks per category of each, as a JSON object, and `names` what each
    is called.
    """

    total: int
    scans: list[ScanSummary]
    categories: list[str]
    names: list[str]


class CursorPosition(NamedTuple):
    """The scan in a user's list after which a page starts."""

    created_at: datetime.datetime
    scan_id: str


EARLIEST = datetime.datetime(1, 1, 1, tzinfo=datetime.UTC)
LATEST = datetime.datetime(9999, 12, 31, tzinfo=datetime.UTC)
BEFORE_ALL_SCANS = CursorPosition(LATEST, "ffffffff-ffff-ffff-ffff-ffffffffffff")

# each statement starts at the user's row: no row means a revoked token, a row without an id no scans
LIST_NEWEST_SCANS = """
SELECT scan_count, page.* FROM users
LEFT JOIN (
    SELECT id, filename, title, first_words, source, risk_count, reviewed_count, categories, created_at
    FROM scans
    WHERE user_id = :user_id
    ORDER BY created_at DESC, id DESC LIMIT :limit
) AS page ON TRUE
WHERE users.id = :user_id AND token_version = :token_version
ORDER BY page.created_at DESC, page.id DESC
"""
LIST_SCANS_AFTER_CURSOR = """
SELECT scan_count, page.* FROM users
LEFT JOIN (
    SELECT id, filename, title, first_words, source, risk_count, reviewed_count, categories, created_at
    FROM scans
    WHERE user_id = :user_id AND (created_at, id) < (:created_at, :id)
    ORDER BY created_at DESC, id DESC LIMIT :limit
) AS page ON TRUE
WHERE users.id = :user_id AND token_version = :token_version
ORDER BY page.created_at DESC, page.id DESC
"""
# the inner query skips rows in an index-only scan
LIST_SCANS_AT_OFFSET = """
SELECT scan_count, page.* FROM users
LEFT JOIN (
    SELECT scans.id, filename, title, first_words, source, risk_count, reviewed_count, categories,
        scans.created_at
    FROM (
        SELECT id FROM scans WHERE user_id = :user_id
        ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset
    ) AS listed
    JOIN scans ON scans.id = listed.id AND user_id = :user_id
) AS page ON TRUE
WHERE users.id = :user_id AND token_version = :token_version
ORDER BY page.created_at DESC, page.id DESC
"""
# names have the same order on both databases, whatever the locale of PostgreSQL;
# all matches are counted, so they are materialized; words are compared in the user's rows, which took 0.7 to
# 1.3 s for 100,000 of a million scans; with a GIN index on everyone's words a rare word took 0.06 s, but a
# common prefix 2.5 s and both together 7 s, past the statement timeout
FILTER_SCANS_POSTGRESQL = """
WITH matches AS MATERIALIZED (
    SELECT id, created_at,
        CASE WHEN CAST(:sort AS text) = 'open' THEN risk_count - reviewed_count END AS open_count,
        CASE WHEN CAST(:sort AS text) = 'name' THEN lower(
            coalesce(nullif(title, ''), nullif(filename, ''), nullif(first_words, ''), 'pasted text')
            COLLATE pg_c_utf8
        ) END AS name
    FROM scans
    WHERE user_id = :user_id AND created_at >= :since AND created_at < :until
        AND (CAST(:words AS tsquery) IS NULL OR words @@ CAST(:words AS tsquery))
        AND (CAST(:phrases AS json) IS NULL OR NOT EXISTS (
            SELECT 1 FROM json_array_elements_text(CAST(:phrases AS json)) AS phrase
            WHERE strpos(' ' || coalesce(terms, '') || ' ', ' ' || phrase) = 0
        ))
        AND (CAST(:category AS tsquery) IS NULL OR words @@ CAST(:category AS tsquery))
        AND (CAST(:source AS text) IS NULL OR source = CAST(:source AS text))
        AND (CAST(:digest AS text) IS NULL OR digest = CAST(:digest AS text))
)
SELECT (SELECT count(*) FROM matches) AS scan_count, page.* FROM users
LEFT JOIN (
    SELECT scans.id, filename, title, first_words, source, risk_count, reviewed_count, categories,
        scans.created_at, open_count, name
    FROM (
        SELECT id, open_count, name FROM matches WHERE (created_at, id) < (:created_at, :id)
        ORDER BY open_count DESC, name, created_at DESC, id DESC LIMIT :limit OFFSET :offset
    ) AS listed
    JOIN scans ON scans.id = listed.id AND user_id = :user_id
) AS page ON TRUE
WHERE users.id = :user_id AND token_version = :token_version
ORDER BY page.open_count DESC, page.name, page.created_at DESC, page.id DESC
"""
# SQLite would not use the index of digests for `:digest IS NULL OR digest = :digest`
FILTER_SCANS_SQLITE = """
WITH matches AS MATERIALIZED (
    SELECT id, created_at,
        CASE WHEN :sort = 'open' THEN risk_count - reviewed_count END AS open_count,
        CASE WHEN :sort = 'name' THEN lower(
            coalesce(nullif(title, ''), nullif(filename, ''), nullif(first_words, ''), 'pasted text')
        ) END AS name
    FROM scans
    WHERE user_id = :user_id AND created_at >= :since AND created_at < :until
        AND (:words IS NULL OR NOT EXISTS (
            SELECT 1 FROM json_each(:words) AS word WHERE instr(' ' || words, ' ' || word.value) = 0
        ))
        AND (:phrases IS NULL OR NOT EXISTS (
            SELECT 1 FROM json_each(:phrases) AS phrase
            WHERE instr(' ' || coalesce(terms, '') || ' ', ' ' || phrase.value) = 0
        ))
        AND (:category IS NULL OR instr(' ' || words || ' ', ' ' || :category || ' ') > 0)
        AND (:source IS NULL OR source = :source)
        AND (:digest IS NULL OR scans.id IN (
            SELECT id FROM scans WHERE user_id = :user_id AND digest = :digest
        ))
)
SELECT (SELECT count(*) FROM matches) AS scan_count, page.* FROM users
LEFT JOIN (
    SELECT scans.id, filename, title, first_words, source, risk_count, reviewed_count, categories,
        scans.created_at, open_count, name
    FROM (
        SELECT id, open_count, name FROM matches WHERE (created_at, id) < (:created_at, :id)
        ORDER BY open_count DESC, name, created_at DESC, id DESC LIMIT :limit OFFSET :offset
    ) AS listed
    JOIN scans ON scans.id = listed.id AND user_id = :user_id
) AS page ON TRUE
WHERE users.id = :user_id AND token_version = :token_version
ORDER BY page.open_count DESC, page.name, page.created_at DESC, page.id DESC
"""


async def list_scans(
    db: Executor,
    subject: TokenSubject,
    limit: int,
    offset: int = 0,
    after: CursorPosition | None = None,
    scan_filter: Filter = ALL_SCANS,
    sort: Sort = "date",
) -> ScanPage:
    """Return a page of the user's scans that match the filter, and how many match it.

    The page starts at `offset` or, if they are sorted by date, after a position. Raises TokenRevoked.
    """
    start = after or BEFORE_ALL_SCANS
    values = {"limit": limit, "offset": offset, "created_at": start.created_at, "id": start.scan_id}
    values |= subject._asdict()
    reads_all = bool(scan_filter) or sort != "date"
    if reads_all:
        sql = FILTER_SCANS_SQLITE if db.sqlite else FILTER_SCANS_POSTGRESQL
        values |= {"sort": sort, **filter_values(db, scan_filter)}
    elif after:
        sql = LIST_SCANS_AFTER_CURSOR
    else:
        sql = LIST_SCANS_AT_OFFSET if offset else LIST_NEWEST_SCANS
    rows = await db.fetch_all(sql, values, custom_plan=reads_all)
    if not rows:
        raise TokenRevoked
    total = rows[0]["scan_count"]
    if rows[0]["id"] is None:
        return ScanPage(total, [], [], [])
    names = [display_name(row["title"], row["filename"], row["first_words"]) for row in rows]
    return ScanPage(total, list(map(to_summary, rows)), [row["categories"] for row in rows], names)


def to_summary(row: Row) -> ScanSummary:
    return ScanSummary(
        scan_id=str(row["id"]),
        filename=row["filename"],
        source=row["source"],
        risk_count=row["risk_count"],
        created_at=to_utc(row["created_at"]),
        open_count=row["risk_count"] - row["reviewed_count"],
        title=row["title"] or msgspec.UNSET,
    )


# categories may be a list in a late scan (late_scans.py), whose risks are counted once it is filled;
# rows without a category count the scans of a month, the others the risks of a category in it
STATS_POSTGRESQL = """
WITH matches AS MATERIALIZED (
    SELECT to_char(scans.created_at AT TIME ZONE 'UTC', 'YYYY-MM') AS month, scans.created_at, categories
    FROM users
    LEFT JOIN scans ON user_id = :user_id AND scans.created_at >= :since AND scans.created_at < :until
        AND (CAST(:words AS tsquery) IS NULL OR words @@ CAST(:words AS tsquery))
        AND (CAST(:phrases AS json) IS NULL OR NOT EXISTS (
            SELECT 1 FROM json_array_elements_text(CAST(:phrases AS json)) AS phrase
            WHERE strpos(' ' || coalesce(terms, '') || ' ', ' ' || phrase) = 0
        ))
        AND (CAST(:category AS tsquery) IS NULL OR words @@ CAST(:category AS tsquery))
        AND (CAST(:source AS text) IS NULL OR source = CAST(:source AS text))
        AND (CAST(:digest AS text) IS NULL OR digest = CAST(:digest AS text))
    WHERE users.id = :user_id AND token_version = :token_version
)
SELECT month, NULL AS category, count(created_at) AS number, max(created_at) AS newest
FROM matches GROUP BY month
UNION ALL
SELECT month, key, sum(CAST(value AS integer)), NULL
FROM matches, json_each_text(CAST(CASE WHEN categories NOT LIKE '[%' THEN categories END AS json))
GROUP BY month, key
"""
STATS_SQLITE = """
WITH matches AS MATERIALIZED (
    SELECT substr(scans.created_at, 1, 7) AS month, scans.created_at, categories
    FROM users
    LEFT JOIN scans ON user_id = :user_id AND scans.created_at >= :since AND scans.created_at < :until
        AND (:words IS NULL OR NOT EXISTS (
            SELECT 1 FROM json_each(:words) AS word WHERE instr(' ' || words, ' ' || word.value) = 0
        ))
        AND (:phrases IS NULL OR NOT EXISTS (
            SELECT 1 FROM json_each(:phrases) AS phrase
            WHERE instr(' ' || coalesce(terms, '') || ' ', ' ' || phrase.value) = 0
        ))
        AND (:category IS NULL OR instr(' ' || words || ' ', ' ' || :category || ' ') > 0)
        AND (:source IS NULL OR source = :source)
        AND (:digest IS NULL OR scans.id IN (
            SELECT id FROM scans WHERE user_id = :user_id AND digest = :digest
        ))
    WHERE users.id = :user_id AND token_version = :token_version
)
SELECT month, NULL AS category, count(created_at) AS number, max(created_at) AS newest
FROM matches GROUP BY month
UNION ALL
SELECT month, key, sum(CAST(value AS integer)), NULL
FROM matches, json_each(CASE WHEN categories NOT LIKE '[%' THEN categories END)
GROUP BY month, key
"""


async def compute_stats(db: Executor, subject: TokenSubject, scan_filter: Filter = ALL_SCANS) -> Stats:
    """Return statistics over the user's scans that match the filter. Raises TokenRevoked.

    With a category in the filter, only the risks of that category are counted.
    """
    values = filter_values(db, scan_filter) | subject._asdict()
    sql = STATS_SQLITE if db.sqlite else STATS_POSTGRESQL
    rows = await db.fetch_all(sql, values, custom_plan=bool(scan_filter))
    if not rows:
        raise TokenRevoked
    scans = [row for row in rows if row["category"] is None and row["number"]]
    months: dict[str, dict[str, int]] = {month: {} for month in sorted(row["month"] for row in scans)}
    risks = [row for row in rows if row["category"] is not None]
    for row in sorted(risks, key=lambda row: row["category"]):
        if scan_filter.category in ("", category_term(row["category"])):
            months[row["month"]][row["category"]] = row["number"]
    totals = sum(map(collections.Counter, months.values()), collections.Counter())
    return Stats(
        scans=sum(row["number"] for row in scans),
        risks=totals.total(),
        newest=max((to_utc(row["newest"]) for row in scans), default=None),
        by_category=[CategoryRisks(category, number) for category, number in totals.most_common()],
        over_time=[MonthRisks(month, categories) for month, categories in months.items()],
    )


def filter_values(db: Executor, scan_filter: Filter) -> dict[str, Any]:
    """Return the values of a filter's parameters; None disables a condition."""
    words: str | None = None
    category = scan_filter.category or None
    if scan_filter.words and db.sqlite:
        words = msgspec.json.encode(scan_filter.words).decode()
    elif scan_filter.words:
        words = " & ".join(f"'{word}':*" for word in scan_filter.words)
    if category and not db.sqlite:
        category = f"'{category}'"
    phrases = msgspec.json.encode(scan_filter.phrases).decode() if scan_filter.phrases else None
    return {
        "words": words,
        "phrases": phrases,
        "category": category,
        "source": scan_filter.source or None,
        "digest": scan_filter.sha256 or None,
        "since": scan_filter.since or EARLIEST,
        "until": scan_filter.until or LATEST,
    }
