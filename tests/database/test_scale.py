"""With a million scans every statement uses an index, and the totals are exact."""

from __future__ import annotations

import datetime
import json
import re
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

from riskscan.database import (
    Database,
    api_tokens,
    attempts,
    drafts,
    idempotency_keys,
    late_scans,
    reviews,
    scan_queries,
    scans,
    sessions,
    shares,
    token_owners,
    users,
)
from riskscan.database.audit_log import LIST_OWN_ENTRIES
from riskscan.database.drivers import to_positional_binds
from riskscan.database.migrate import migrate
from riskscan.database.reviews import (
    LIST_REVIEWS_OF_SCAN,
    NewReview,
    save_reviews,
)
from riskscan.database.rows import TokenRevoked
from riskscan.database.scan_queries import (
    BEFORE_ALL_SCANS,
    FILTER_SCANS_POSTGRESQL,
    FILTER_SCANS_SQLITE,
    LATEST,
    LIST_NEWEST_SCANS,
    LIST_SCANS_AFTER_CURSOR,
    LIST_SCANS_AT_OFFSET,
    STATS_POSTGRESQL,
    STATS_SQLITE,
    filter_values,
    list_scans,
)
from riskscan.database.scans import (
    DELETE_SCAN,
    FIND_PREVIOUS_SCANS,
    FIND_SCAN,
    FIND_SCAN_OF_PAGE,
    INSERT_SCAN,
    delete_scan,
    delete_scans,
    find_scan,
    insert_scan,
    store_details,
)
from riskscan.database.users import DELETE_USER, FIND_ACCOUNT, FIND_EMAIL, delete_user, insert_user
from riskscan.handlers.exports import SCANS_PER_QUERY
from riskscan.schemas import ALL_SCANS, Detail, Filter, Findings, ReviewFields
from riskscan.settings import Settings, database_url
from tests.support.application import SECRET, make_scan
from tests.support.postgres import Postgres, database_name

pytestmark = pytest.mark.slow

SETTINGS = Settings(
    database_url="postgresql://nobody@127.0.0.1:1/none",
    jwt_secret=SECRET,
    ai_service_url="http://127.0.0.1:1",
)
DEFAULT_NOTES = """
SELECT column_default FROM information_schema.columns WHERE table_name = 'scans' AND column_name = 'notes'
"""
PARTITION = Path(__file__).parents[2] / "deploy" / "partition.sql"
SCANS, USERS, PAGE = 1_000_000, 1000, 21
# the users with 500,000 scans, all older than everyone else's, and with 10,000
LARGE, MIDDLE = 1, 2
NEWEST = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

# ids are md5 hashes: the same in every run, yet in random order
FILL = (
    f"""
    INSERT INTO users (id, email, password_hash, created_at, updated_at)
    SELECT md5(n::text)::uuid, n || '@example.com', 'hash', now(), now() FROM generate_series(1, {USERS}) n
    """,
    f"""
    INSERT INTO scans
        (id, user_id, filename, draft_name, digest, data, risk_count, categories, words, terms_title, source,
        created_at)
    SELECT md5('scan' || n)::uuid, md5(CASE
            WHEN n > {SCANS} / 2 THEN {LARGE}
            WHEN n % 50 = 1 THEN {MIDDLE}
            ELSE {MIDDLE} + 1 + n % {USERS - MIDDLE}
        END::text)::uuid,
        CASE WHEN n % 2 = 0 THEN 'plan.pdf' ELSE 'plan ' || n % 5000 || '.pdf' END,
        CASE WHEN n % 2 = 0 THEN 'plan' ELSE 'plan of ' || md5('' || n % 5000) END, md5('' || n / 2),
        '[]', 0, '{{"Legal": 1}}', CAST('=legal plan pdf rare' || n AS tsvector), '',
        CASE WHEN n % 9 = 0 THEN 'llm' ELSE 'model' END,
        '{NEWEST}'::timestamptz - n * interval '1 second'
    FROM generate_series(1, {SCANS}) n
    """,
    # one sentence stands in all scans of the user with 10,000, each other one in up to 50
    f"""
    INSERT INTO fingerprints (user_id, scan_id, fingerprint, findings)
    SELECT user_id, id, md5(CASE WHEN k = 0 THEN 'all' ELSE 'sentence' || n % 200 || '-' || k END), 1
    FROM (
        SELECT user_id, id, row_number() OVER (ORDER BY id) AS n FROM scans
        WHERE user_id = md5('{MIDDLE}')::uuid
    ) AS numbered, generate_series(0, 14) k
    """,
    f"""
    INSERT INTO shares (id, user_id, scan_id, digest, created_at, expires_at)
    SELECT md5('share' || n)::uuid, md5((1 + n % {USERS})::text)::uuid, md5('scan' || n)::uuid,
        md5('share' || n), now(), now() + interval '1 day'
    FROM generate_series(1, 10000) n
    """,
    f"""
    INSERT INTO sessions (id, user_id, token_version, expires_at)
    SELECT md5('session' || n), md5((1 + n % {USERS})::text)::uuid, 0, now() + interval '1 hour'
    FROM generate_series(1, 10000) n
    """,
    """
    INSERT INTO attempts (name, tries, expires_at)
    SELECT md5('attempt' || n), 1, now() + interval '1 hour' FROM generate_series(1, 10000) n
    """,
    f"""
    INSERT INTO api_tokens (id, user_id, digest, name, scopes, version, created_at)
    SELECT md5('token' || n)::uuid, md5((1 + n % {USERS})::text)::uuid, md5('token' || n), n, 'read', 0, now()
    FROM generate_series(1, 10000) n
    """,
    f"""
    INSERT INTO idempotency_keys (user_id, key, fingerprint, claim, kept, held_until)
    SELECT md5((1 + n % {USERS})::text)::uuid, n, 'print', md5('key' || n)::uuid, TRUE,
        now() + interval '1 day'
    FROM generate_series(1, 10000) n
    """,
    f"""
    INSERT INTO reviews (user_id, fingerprint, state, scan_id, number, updated_at)
    SELECT md5((1 + n % {USERS})::text)::uuid, md5('sentence' || n), 'confirmed', md5('scan' || n)::uuid, 1,
        now()
    FROM generate_series(1, 10000) n
    """,
    f"""
    INSERT INTO daily_usage (user_id, ends_at, scans, bytes)
    SELECT md5((1 + n % {USERS})::text)::uuid, now() + n / {USERS} * interval '1 day', 1, 1
    FROM generate_series(0, 9999) n
    """,
    """
    INSERT INTO fingerprints (user_id, scan_id, fingerprint, findings)
    SELECT user_id, id, md5('sentence' || n % 10000), 1
    FROM generate_series(1, 100000) n JOIN scans ON scans.id = md5('scan' || n)::uuid
    """,
    "VACUUM ANALYZE",
)

STATEMENTS = {
    name: value
    for module in (
        api_tokens,
        attempts,
        drafts,
        idempotency_keys,
        late_scans,
        reviews,
        scan_queries,
        scans,
        sessions,
        shares,
        token_owners,
        users,
    )
    for name, value in vars(module).items()
    if isinstance(value, str)
    and re.match(r"\s*(SELECT|UPDATE|DELETE|WITH) [^{]+$", value)
    and not name.endswith("_SQLITE")
    and name != "LOCK_USERS_OF_SCANS_BEFORE"  # up to 500 of the thousand users
}


@pytest.fixture(scope="module")
def large(postgres: Postgres) -> Iterator[str]:
    """The URL of a database with a million scans."""
    url = postgres.create_database()
    migrate(url)
    name = database_name(url)
    for statement in FILL:
        postgres.execute(statement, name)
    yield url
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


def plan_nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from plan_nodes(child)


def assert_indexed(plan: dict[str, Any], page: int = PAGE) -> None:
    """Check that a plan has no sequential scan and sorts at most one page of rows."""
    for node in plan_nodes(plan):
        assert node["Node Type"] != "Seq Scan", json.dumps(plan, indent=1)
        if node["Node Type"].endswith("Sort"):
            assert node["Plan Rows"] <= page, json.dumps(plan, indent=1)


def indexes_used(plan: dict[str, Any]) -> set[str]:
    return {node["Index Name"] for node in plan_nodes(plan) if "Index Name" in node}


def rows_read(plan: dict[str, Any]) -> int:
    """Return how many rows the plan read, including those that a filter removed."""
    return sum(
        node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        for node in plan_nodes(plan)
        if "Relation Name" in node
    )


async def explain(url: str, sql: str, **values: Any) -> dict[str, Any]:
    """Run a statement in a transaction that is rolled back; return its plan."""
    text, names = to_positional_binds(sql)
    connection = await asyncpg.connect(url)
    transaction = connection.transaction()
    await transaction.start()
    try:
        found = await connection.fetchval(
            f"EXPLAIN (ANALYZE, FORMAT JSON) {text}", *[values[name] for name in names]
        )
    finally:
        await transaction.rollback()
        await connection.close()
    plan: dict[str, Any] = json.loads(found)[0]["Plan"]
    return plan


async def md5_uuid(url: str, text: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SELECT md5($1)::uuid", text))
    finally:
        await connection.close()


def test_scan_counts_are_exact(large: str, postgres: Postgres) -> None:
    counts = postgres.execute(
        "SELECT scan_count, count(scans.id) FROM users LEFT JOIN scans ON users.id = user_id "
        "GROUP BY users.id ORDER BY scan_count DESC",
        database_name(large),
    )
    assert counts[:2] == [(500_000, 500_000), (10_000, 10_000)]
    assert [kept for kept, counted in counts if kept != counted] == []


@pytest.mark.parametrize("limit", [PAGE, SCANS_PER_QUERY])
@pytest.mark.parametrize("owner", [LARGE, MIDDLE])
async def test_page_cost_does_not_depend_on_its_position(large: str, owner: int, limit: int) -> None:
    values = {"user_id": await md5_uuid(large, str(owner)), "token_version": 0, "limit": limit}
    first = await explain(large, LIST_NEWEST_SCANS, **values)
    assert_indexed(first, limit)
    assert indexes_used(first) == {"users_pkey", "scans_user_id_created_at"}
    assert rows_read(first) == limit + 1
    scan_id = await md5_uuid(large, "scan900001")
    for place in (0, 500_000, 990_000):
        moment = NEWEST - datetime.timedelta(seconds=place)
        deep = await explain(large, LIST_SCANS_AFTER_CURSOR, **values, created_at=moment, id=scan_id)
        assert_indexed(deep, limit)
        assert indexes_used(deep) == indexes_used(first)
        assert rows_read(deep) <= limit + 1


async def test_offset_is_skipped_by_an_index_only_scan(large: str) -> None:
    for owner, offset in ((MIDDLE, 9_000), (LARGE, 499_000)):
        values = {"user_id": await md5_uuid(large, str(owner)), "token_version": 0, "limit": PAGE}
        plan = await explain(large, LIST_SCANS_AT_OFFSET, **values, offset=offset)
        assert_indexed(plan)
        (passed,) = [node for node in plan_nodes(plan) if node["Node Type"] == "Index Only Scan"]
        assert passed["Index Name"] == "scans_user_id_created_at"
        assert rows_read(plan) <= offset + 2 * PAGE + 1


LAST_HOUR = NEWEST - datetime.timedelta(hours=1)
BY_USER = [
    Filter(words=("plan",)),  # matches the scans of every user
    Filter(words=("rare",), source="llm"),
    Filter(category="=legal"),
    Filter(source="llm"),
    Filter(since=LAST_HOUR),
    Filter(until=LAST_HOUR, source="llm", category="=legal"),
]


def values_of(scan_filter: Filter, user_id: str, sort: str = "date") -> dict[str, Any]:
    """Return the values of a filtered list's first page, and of filtered statistics."""
    page = {"limit": PAGE, "offset": 0, "created_at": LATEST, "id": BEFORE_ALL_SCANS.scan_id, "sort": sort}
    return {**filter_values(Database(SETTINGS), scan_filter), **page, "user_id": user_id, "token_version": 0}


@pytest.mark.parametrize("scan_filter", BY_USER)
async def test_filters_read_only_the_users_scans(large: str, scan_filter: Filter) -> None:
    for owner, number in ((MIDDLE, 10_000), (500, 490)):
        values = values_of(scan_filter, await md5_uuid(large, str(owner)))
        for statement in (FILTER_SCANS_POSTGRESQL, STATS_POSTGRESQL):
            plan = await explain(large, statement, **values)
            assert "scans_user_id_created_at" in indexes_used(plan)
            assert not [node for node in plan_nodes(plan) if node["Node Type"] == "Seq Scan"]
            # each scan is read once, and those of the page again
            assert rows_read(plan) <= number + PAGE + 20


@pytest.mark.parametrize("sort", ["name", "open"])
async def test_sorting_reads_only_the_users_scans(large: str, sort: str) -> None:
    for owner, number in ((MIDDLE, 10_000), (500, 490)):
        values = values_of(ALL_SCANS, await md5_uuid(large, str(owner)), sort)
        plan = await explain(large, FILTER_SCANS_POSTGRESQL, **values)
        assert "scans_user_id_created_at" in indexes_used(plan)
        assert not [node for node in plan_nodes(plan) if node["Node Type"] == "Seq Scan"]
        assert rows_read(plan) <= number + PAGE + 20


async def test_filter_with_10000_matches_is_counted_exactly(large: str) -> None:
    values = values_of(Filter(category="=legal"), await md5_uuid(large, str(MIDDLE)))
    connection = await asyncpg.connect(large)
    try:
        text, names = to_positional_binds(FILTER_SCANS_POSTGRESQL)
        rows = await connection.fetch(text, *[values[name] for name in names])
    finally:
        await connection.close()
    assert (len(rows), rows[0]["scan_count"]) == (PAGE, 10_000)


async def test_single_rows_are_found_by_their_key(large: str) -> None:
    user_id, scan_id = await md5_uuid(large, str(MIDDLE)), await md5_uuid(large, "scan1")
    values = {"user_id": user_id, "id": scan_id, "token_version": 0, "email": "2@example.com"}
    for sql, wanted in (
        (FIND_SCAN, {"scans_pkey", "users_pkey"}),
        (FIND_SCAN_OF_PAGE, {"scans_pkey", "users_pkey"}),
        (DELETE_SCAN, {"scans_pkey"}),
        (FIND_ACCOUNT, {"users_pkey"}),
        (DELETE_USER, {"users_pkey"}),
        (FIND_EMAIL, {"users_email"}),
    ):
        plan = await explain(large, sql, **values)
        assert_indexed(plan)
        assert indexes_used(plan) == wanted


@pytest.mark.parametrize("owner", [LARGE, MIDDLE])
@pytest.mark.parametrize("draft_name", ["plan", "new", None])
async def test_previous_scans_are_found_by_index(large: str, owner: int, draft_name: str | None) -> None:
    values = {"user_id": await md5_uuid(large, str(owner)), "created_at": NEWEST}
    known = {"id": await md5_uuid(large, "scan1" if owner == MIDDLE else "scan900001"), **values}
    plan = await explain(large, FIND_PREVIOUS_SCANS, **known)
    assert_indexed(plan)
    assert indexes_used(plan) <= {"scans_pkey", "scans_user_id_digest", "scans_user_id_draft_name"}
    assert rows_read(plan) <= 4
    fresh = {"id": str(uuid.uuid4()), "digest": "0" * 64, "data": "[]", "risk_count": 0, "source": "model"}
    fresh |= {"filename": draft_name, "draft_name": draft_name, "first_words": "", "details": "[]"}
    plan = await explain(
        large, INSERT_SCAN, **{**fresh, **values, "categories": "{}", "words": "", "terms": "", "notes": "[]"}
    )
    assert_indexed(plan)
    wanted = {"scans_user_id_digest"} | ({"scans_user_id_draft_name"} if draft_name else set())
    assert indexes_used(plan) - {"reviews_pkey"} == wanted
    assert rows_read(plan) <= len(wanted) + 1  # a review


async def test_drafts_are_found_by_index_and_their_number_is_bounded(large: str) -> None:
    values = {
        "user_id": await md5_uuid(large, str(MIDDLE)),
        "id": await md5_uuid(large, "scan1"),
        "created_at": LATEST,
        "before_id": BEFORE_ALL_SCANS.scan_id,
        "limit": drafts.MAX_DRAFTS,
    }
    plan = await explain(large, drafts.FIND_DRAFTS, **values)
    assert_indexed(plan, page=15_000)
    # the sentence in 10,000 scans, the 14 in 50 each, and the sentences of 50 likely drafts
    assert rows_read(plan) <= 15_000


async def test_reviews_of_a_scan_are_found_by_index(large: str) -> None:
    user_id, scan_id = await md5_uuid(large, str(MIDDLE)), await md5_uuid(large, "scan1")
    plan = await explain(large, LIST_REVIEWS_OF_SCAN, user_id=user_id, scan_id=scan_id)
    assert_indexed(plan)
    assert rows_read(plan) <= 18  # the scan's 16 sentences, a review and the scan that it was made in
    rows = [{"fingerprint": "f", "state": "confirmed", "scan_id": scan_id, "number": 1}]
    values = {
        "user_id": user_id,
        "reviews": json.dumps(rows),
        "saved": '["f"]',
        "removed": '["f"]',
        "now": NEWEST,
    }
    for sql in (
        reviews.COUNT_SAVED_POSTGRESQL,
        reviews.UPSERT_REVIEWS_POSTGRESQL,
        reviews.COUNT_REMOVED_POSTGRESQL,
        reviews.REMOVE_REVIEWS_POSTGRESQL,
        reviews.COUNT_NONE_REVIEWED,
        reviews.DELETE_REVIEWS,
    ):
        assert_indexed(await explain(large, sql, **values))


@pytest.mark.parametrize(
    "sql",
    [LIST_NEWEST_SCANS, LIST_SCANS_AFTER_CURSOR, LIST_SCANS_AT_OFFSET, FILTER_SCANS_SQLITE, STATS_SQLITE],
)
def test_only_the_users_scans_are_read_on_sqlite(sqlite_template: Path, sql: str) -> None:
    connection = sqlite3.connect(sqlite_template)
    values = dict.fromkeys(re.findall(r":([a-z_]+)", sql), "")
    found = connection.execute(f"EXPLAIN QUERY PLAN {sql}", {**values, "limit": 1, "offset": 0}).fetchall()
    connection.close()
    lines = [row[3] for row in found]
    assert [line for line in lines if re.match(r"SEARCH scans .*INDEX scans_user_id_created_at", line)]
    assert [line for line in lines if re.match(r"SCAN (users|scans)\b", line)] == []


def test_previous_scans_are_found_by_index_on_sqlite(sqlite_template: Path) -> None:
    connection = sqlite3.connect(sqlite_template)
    values = dict.fromkeys(("id", "user_id", "created_at"), "")
    found = connection.execute(f"EXPLAIN QUERY PLAN {FIND_PREVIOUS_SCANS}", values).fetchall()
    connection.close()
    lines = [row[3].removeprefix("SEARCH previous USING COVERING INDEX ") for row in found]
    assert "scans_user_id_digest (user_id=? AND digest=? AND (created_at,id)<(?,?))" in lines
    assert "scans_user_id_draft_name (user_id=? AND draft_name=? AND (created_at,id)<(?,?))" in lines
    assert [
        line for line in lines if line.startswith(("SCAN scans", "SCAN previous", "USE TEMP B-TREE"))
    ] == []


def test_own_entries_are_found_beside_any_number_of_failed_log_ins_on_sqlite(sqlite_template: Path) -> None:
    connection = sqlite3.connect(sqlite_template)
    values = {"user_id": "", "limit": 20}
    found = connection.execute(f"EXPLAIN QUERY PLAN {LIST_OWN_ENTRIES}", values).fetchall()
    connection.close()
    assert [row[3] for row in found] == ["SEARCH audit_log USING INDEX audit_log_user_id_others (user_id=?)"]


def test_drafts_are_found_by_index_on_sqlite(sqlite_template: Path) -> None:
    connection = sqlite3.connect(sqlite_template)
    values = dict.fromkeys(("id", "user_id", "created_at", "before_id"), "")
    found = connection.execute(f"EXPLAIN QUERY PLAN {drafts.FIND_DRAFTS}", {**values, "limit": 20}).fetchall()
    connection.close()
    lines = [row[3] for row in found]
    assert [line for line in lines if re.match(r"SCAN (scans|fingerprints|others)\b", line)] == []
    index = (
        "SEARCH others USING COVERING INDEX fingerprints_user_id_fingerprint (user_id=? AND fingerprint=?)"
    )
    assert index in lines


@pytest.mark.parametrize("sql", [reviews.COUNT_SAVED_SQLITE, reviews.COUNT_REMOVED_SQLITE])
def test_only_scans_with_the_sentence_are_counted_on_sqlite(sqlite_template: Path, sql: str) -> None:
    connection = sqlite3.connect(sqlite_template)
    values = {"user_id": "", "saved": "[]", "removed": "[]"}
    found = connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
    connection.close()
    lines = [row[3] for row in found]
    assert [line for line in lines if re.match(r"SEARCH scans .*\(id=\?\)", line)]
    assert [
        line for line in lines if line.startswith("SEARCH fingerprints USING INDEX fingerprints_user_id_f")
    ]


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_uses_a_sequential_scan(large: str, postgres: Postgres, name: str) -> None:
    """Checks the generic plan, which PostgreSQL may use for a prepared statement."""
    text, _ = to_positional_binds(STATEMENTS[name])
    found = postgres.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {text}", database_name(large))
    for node in plan_nodes(found[0][0][0]["Plan"]):
        assert node["Node Type"] != "Seq Scan", found


async def test_account_deletion_finds_dependent_rows_by_index(large: str, postgres: Postgres) -> None:
    """For each foreign key to users PostgreSQL runs an internal DELETE like this one."""
    keys = postgres.execute(
        "SELECT conrelid::regclass::text FROM pg_constraint WHERE confrelid = 'users'::regclass",
        database_name(large),
    )
    assert {"scans", "sessions"} <= {table for (table,) in keys}
    user_id = await md5_uuid(large, str(MIDDLE))
    for (table,) in keys:
        plan = await explain(large, f"DELETE FROM ONLY {table} WHERE :user_id = user_id", user_id=user_id)
        assert_indexed(plan)


async def test_partitioned_scans_table_needs_no_code_change(postgres: Postgres) -> None:
    url = postgres.create_database(template="template")
    pool = Database(
        Settings(database_url=database_url(url), jwt_secret=SECRET, ai_service_url="http://127.0.0.1:1")
    )
    await pool.connect()
    pool.ready = True
    try:
        account = await insert_user(pool, "ana@example.com", "hash")
        owner, caller = account.user.id, account.subject
        scans = [make_scan() for _ in range(5)]
        await insert_scan(pool, owner, scans[0], Findings(scans[0].risks, "model"))
        with psycopg.connect(url) as connection:
            connection.execute(PARTITION.read_bytes())
            (default,) = connection.execute(DEFAULT_NOTES).fetchall()
            assert default == ("'[]'::text",)  # for processes that do not know the column
        for scan in scans:  # the first exists already; inserting it again changes nothing
            await insert_scan(pool, owner, scan, Findings(scan.risks, "model"))
        sentence, reviewed = [Detail("fingerprint")], make_scan()
        await insert_scan(pool, owner, reviewed, Findings(reviewed.risks, "model", details=sentence))
        await save_reviews(
            pool, owner, [NewReview("fingerprint", reviewed.scan_id, 1, ReviewFields("confirmed"))]
        )
        await store_details(pool, owner, scans[2].scan_id, sentence)
        for scan_id in (reviewed.scan_id, scans[2].scan_id):
            found = await find_scan(pool, caller, scan_id)
            assert found is not None
            assert found.open_count == 0
        assert await delete_scan(pool, owner, reviewed.scan_id)
        assert await delete_scans(pool, owner, [scans[0].scan_id])
        listed = await list_scans(pool, caller, 2)
        assert (listed.total, len(listed.scans)) == (4, 2)
        found = await find_scan(pool, caller, scans[1].scan_id)
        assert found is not None
        assert found.risks == scans[1].risks
        with pytest.raises(TokenRevoked):
            await insert_scan(pool, str(uuid.uuid4()), make_scan(), Findings([], "model"))
        plan = await explain(url, FIND_SCAN, user_id=owner, id=scans[1].scan_id, token_version=0)
        tables = {node["Relation Name"] for node in plan_nodes(plan) if "Relation Name" in node}
        assert len(tables) == 2  # users, and one partition of scans
        await delete_user(pool, account)
        for table in ("scans", "reviews", "fingerprints"):
            assert await pool.fetch_all(f"SELECT 1 AS one FROM {table}", {}) == []
    finally:
        await pool.disconnect()
    assert migrate(url) == 0
