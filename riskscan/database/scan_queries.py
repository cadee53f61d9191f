"""Lists, filters and statistics of scans."""

from __future__ import annotations

import collections
import datetime
from typing import Any, NamedTuple

import msgspec

from ..schemas import ALL_SCANS, CategoryRisks, Filter, MonthRisks, ScanSummary, Stats
from ..search_terms import category_term
from . import Executor
from .rows import TokenRevoked, TokenSubject, to_utc


class ScanPage(NamedTuple):
    """Some scans of `total`; `categories` has a JSON object for each, of how many risks it has of what."""

    total: int
    scans: list[ScanSummary]
    categories: list[str]


class CursorPosition(NamedTuple):
    """A place in a user's list of scans: the one after which to go on."""

    created_at: datetime.datetime
    scan_id: str


# IS TRUE keeps PostgreSQL from the index scans_words, which holds everyone's; it reads the user's own scans
# then, as SQLite does
HAS_WORDS = "words @@ CAST(:words AS tsquery)"
HAS_WORDS_OF_FEW = f"({HAS_WORDS}) IS TRUE"
HAS_CATEGORY = "(words @@ CAST(:category AS tsquery)) IS TRUE"
HAS_WORDS_SQLITE = (
    "NOT EXISTS (SELECT 1 FROM json_each(:words) AS sought WHERE instr(' ' || words, sought.value) = 0)"
)
HAS_CATEGORY_SQLITE = "instr(' ' || words || ' ', :category) > 0"


MANY = 20_000  # scans of a user; fewer are sooner read through than the index of everyone's words

HAS_MANY = "SELECT scan_count > :many AS many FROM users WHERE id = :user_id"


async def has_many(db: Executor, caller: TokenSubject, chosen: Filter) -> bool:
    """Tell whether words are to be looked for by their index."""
    if db.sqlite or not chosen.words:
        return False
    row = await db.fetch_one(HAS_MANY, {"user_id": caller.user_id, "many": MANY})
    return bool(row and row["many"])


def condition_of(db: Executor, chosen: Filter, many: bool) -> tuple[str, dict[str, Any]]:
    """Return the condition on `scans` that a filter is, TRUE where nothing is chosen, and its values.

    `many` looks for words by their index.
    """
    conditions: dict[str, Any] = {}
    if chosen.words and db.sqlite:
        conditions[HAS_WORDS_SQLITE] = "words", msgspec.json.encode([f" {w}" for w in chosen.words]).decode()
    elif chosen.words:
        conditions[HAS_WORDS if many else HAS_WORDS_OF_FEW] = (
            "words",
            " & ".join(f"'{word}':*" for word in chosen.words),
        )
    if chosen.category and db.sqlite:
        conditions[HAS_CATEGORY_SQLITE] = "category", f" {chosen.category} "
    elif chosen.category:
        conditions[HAS_CATEGORY] = "category", f"'{chosen.category}'"
    if chosen.source:
        conditions["source = :source"] = "source", chosen.source
    if chosen.since:
        conditions["scans.created_at >= :since"] = "since", chosen.since
    if chosen.until:
        conditions["scans.created_at < :until"] = "until", chosen.until
    return " AND ".join(conditions) or "TRUE", dict(conditions.values())


# the user's row comes first, so that a user without scans is told from one who is gone
PAGE = """
SELECT {total} AS scan_count, page.* FROM users LEFT JOIN ({page}) AS page ON TRUE
WHERE users.id = :user_id AND token_version = :token_version
ORDER BY page.created_at DESC, page.id DESC
"""
SUMMARY = "scans.id, filename, source, risk_count, categories, scans.created_at"
OWN = "FROM scans WHERE user_id = :user_id"
NEWEST_FIRST = "ORDER BY created_at DESC, id DESC LIMIT :limit"
LISTED = f"""
SELECT {SUMMARY} FROM ({{ids}}) AS listed JOIN scans ON scans.id = listed.id AND user_id = :user_id
"""
FIRST_PAGE = PAGE.format(total="scan_count", page=f"SELECT {SUMMARY} {OWN} {NEWEST_FIRST}")
PAGE_AFTER = PAGE.format(
    total="scan_count",
    page=f"SELECT {SUMMARY} {OWN} AND (created_at, id) < (:created_at, :id) {NEWEST_FIRST}",
)
# what is passed over is read from the index alone, where it was vacuumed
LATER_PAGE = PAGE.format(
    total="scan_count", page=LISTED.format(ids=f"SELECT id {OWN} {NEWEST_FIRST} OFFSET :offset")
)

# every match is counted, and so they are looked for once
CHOSEN_PAGE = f"WITH matches AS MATERIALIZED (SELECT id, created_at {OWN} AND {{chosen}})" + PAGE.format(
    total="(SELECT count(*) FROM matches)",
    page=LISTED.format(ids=f"SELECT id FROM matches {{after}} {NEWEST_FIRST} {{offset}}"),
)


async def list_scans(
    db: Executor,
    caller: TokenSubject,
    limit: int,
    offset: int = 0,
    after: CursorPosition | None = None,
    chosen: Filter = ALL_SCANS,
) -> ScanPage:
    """Return how many scans the user has, and some of them, newest first. Raises TokenRevoked.

    They start past `offset` scans, or `after` a position. Only those count that meet `chosen`.
    """
    values = {"limit": limit, **caller._asdict()}
    if after is None:
        values |= {"offset": offset}
        sql, start = LATER_PAGE if offset else FIRST_PAGE, {"after": "", "offset": "OFFSET :offset"}
    else:
        values |= {"created_at": after.created_at, "id": after.scan_id}
        sql, start = PAGE_AFTER, {"after": "WHERE (created_at, id) < (:created_at, :id)", "offset": ""}
    if chosen:
        condition, sought = condition_of(db, chosen, await has_many(db, caller, chosen))
        values |= sought
        sql = CHOSEN_PAGE.format(chosen=condition, **start)
    rows = await db.fetch_all(sql, values, custom_plan=bool(chosen))
    if not rows:
        raise TokenRevoked
    total = rows[0]["scan_count"]
    if rows[0]["id"] is None:
        return ScanPage(total, [], [])
    scans = [
        ScanSummary(
            str(row["id"]), row["filename"], row["source"], row["risk_count"], to_utc(row["created_at"])
        )
        for row in rows
    ]
    return ScanPage(total, scans, [row["categories"] for row in rows])


# the rows without a category are of the scans themselves; without scans there is one, with a number of 0
STATS = """
WITH matches AS MATERIALIZED (
    SELECT {month} AS month, scans.created_at, categories FROM users
    LEFT JOIN scans ON user_id = :user_id AND {chosen}
    WHERE users.id = :user_id AND token_version = :token_version
)
SELECT month, NULL AS category, count(created_at) AS number, max(created_at) AS newest
FROM matches GROUP BY month
UNION ALL
SELECT month, key, sum(CAST(value AS integer)), NULL FROM matches, {categories} GROUP BY month, key
"""
STATS_SQLITE = {"month": "substr(scans.created_at, 1, 7)", "categories": "json_each(categories)"}
STATS_POSTGRESQL = {
    "month": "to_char(scans.created_at AT TIME ZONE 'UTC', 'YYYY-MM')",
    "categories": "json_each_text(CAST(categories AS json))",
}


async def compute_stats(db: Executor, caller: TokenSubject, chosen: Filter = ALL_SCANS) -> Stats:
    """Return statistics over the scans that match the filter. Raises TokenRevoked.

    Of a category that is chosen the risks of that category alone are counted.
    """
    condition, values = condition_of(db, chosen, await has_many(db, caller, chosen))
    sql = STATS.format(chosen=condition, **(STATS_SQLITE if db.sqlite else STATS_POSTGRESQL))
    rows = await db.fetch_all(sql, {**values, **caller._asdict()}, custom_plan=bool(chosen))
    if not rows:
        raise TokenRevoked
    scans = [row for row in rows if row["category"] is None and row["number"]]
    months: dict[str, dict[str, int]] = {month: {} for month in sorted(row["month"] for row in scans)}
    for row in sorted((row for row in rows if row["category"] is not None), key=lambda row: row["category"]):
        if chosen.category in ("", category_term(row["category"])):
            months[row["month"]][row["category"]] = row["number"]
    counts = sum(map(collections.Counter, months.values()), collections.Counter())
    return Stats(
        scans=sum(row["number"] for row in scans),
        risks=counts.total(),
        newest=max((to_utc(row["newest"]) for row in scans), default=None),
        by_category=[CategoryRisks(category, risks) for category, risks in counts.most_common()],
        over_time=[MonthRisks(month, risks) for month, risks in months.items()],
    )
