"""At a million scans every statement still finds its rows by an index, and the totals are exact."""

from __future__ import annotations

import datetime
import json
import re
import sqlite3
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest
from conftest import SECRET
from postgres import Postgres
from test_pool import a_scan

from riskscan.database import (
    STATEMENT_SECONDS,
    Database,
    api_tokens,
    attempts,
    idempotency_keys,
    scan_queries,
    scans,
    sessions,
    to_positional_binds,
    users,
)
from riskscan.database.attempts import DELETE_EXPIRED
from riskscan.database.migrate import migrate
from riskscan.database.rows import TokenSubject, UserDeleted
from riskscan.database.scan_queries import (
    CHOSEN_PAGE,
    FIRST_PAGE,
    LATER_PAGE,
    PAGE_AFTER,
    STATS,
    STATS_POSTGRESQL,
    condition_of,
    list_scans,
)
from riskscan.database.scans import (
    DELETE_SCAN,
    FIND_PREVIOUS_SCANS,
    FIND_SCAN,
    INSERT_SCAN,
    delete_scan,
    find_scan,
    insert_scan,
)
from riskscan.database.users import DELETE_USER, FIND_ACCOUNT, FIND_ACCOUNT_BY_EMAIL, delete_user, insert_user
from riskscan.handlers.exports import SCANS_PER_QUERY
from riskscan.schemas import Filter
from riskscan.settings import Settings, database_url

SETTINGS = Settings(
    database_url="postgresql://nobody@127.0.0.1:1/none",
    jwt_secret=SECRET,
    ai_service_url="http://127.0.0.1:1",
)
PARTITION = Path(__file__).parent.parent / "deploy" / "partition.sql"
SCANS, USERS, PAGE = 1_000_000, 1000, 21
# the users who have 500,000 of the scans, all of them older than anyone else's, and 10,000
LARGE, MIDDLE = 1, 2
NEWEST = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

# the index of words is made after the scans: that takes a fraction of the time
# the n-th of a kind has the same id in every run, and the ids come in no order, as random ones do
FILL = (
    "DROP INDEX scans_words",
    f"""
    INSERT INTO users (id, email, password_hash, created_at, updated_at)
    SELECT md5(n::text)::uuid, n || '@example.com', 'hash', now(), now() FROM generate_series(1, {USERS}) n
    """,
    f"""
    INSERT INTO scans
        (id, user_id, filename, digest, data, risk_count, categories, words, source, created_at)
    SELECT md5('scan' || n)::uuid, md5(CASE
            WHEN n > {SCANS} / 2 THEN {LARGE}
            WHEN n % 50 = 1 THEN {MIDDLE}
            ELSE {MIDDLE} + 1 + n % {USERS - MIDDLE}
        END::text)::uuid,
        CASE WHEN n % 2 = 0 THEN 'plan.pdf' ELSE 'plan ' || n % 5000 || '.pdf' END, md5('' || n / 2),
        '[]', 0, '{{"Legal": 1}}', CAST('=legal plan pdf rare' || n AS tsvector),
        CASE WHEN n % 9 = 0 THEN 'llm' ELSE 'model' END,
        '{NEWEST}'::timestamptz - n * interval '1 second'
    FROM generate_series(1, {SCANS}) n
    """,
    "CREATE INDEX scans_words ON scans USING gin (words)",
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
    "VACUUM ANALYZE",
)

STATEMENTS = {
    name: value
    for module in (api_tokens, attempts, idempotency_keys, scan_queries, scans, sessions, users)
    for name, value in vars(module).items()
    if isinstance(value, str) and re.match(r"\s*(SELECT|UPDATE|DELETE|WITH) [^{]+$", value)
} | {f"EXPIRED[{number}]": statement for number, statement in enumerate(DELETE_EXPIRED)}


@pytest.fixture(scope="module")
def large(postgres: Postgres) -> Iterator[str]:
    """The URL of a database with a million scans."""
    url = postgres.create()
    migrate(url)
    name = name_of(url)
    for statement in FILL:
        postgres.execute(statement, name)
    yield url
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


def name_of(url: str) -> str:
    return url.rpartition("/")[2].partition("?")[0]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def assert_indexed(plan: dict[str, Any], page: int = PAGE) -> None:
    """Check that no table is read whole, and that nothing is sorted but the rows of a page."""
    for node in nodes(plan):
        assert node["Node Type"] != "Seq Scan", json.dumps(plan, indent=1)
        if node["Node Type"].endswith("Sort"):
            assert node["Plan Rows"] <= page, json.dumps(plan, indent=1)


def indexes(plan: dict[str, Any]) -> set[str]:
    return {node["Index Name"] for node in nodes(plan) if "Index Name" in node}


def rows_read(plan: dict[str, Any]) -> int:
    """Return how many rows the tables gave, those counted that were read for nothing."""
    return sum(
        node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        for node in nodes(plan)
        if "Relation Name" in node
    )


async def explain(url: str, sql: str, **values: Any) -> dict[str, Any]:
    """Return the plan of a statement; it runs too, and is undone."""
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


async def id_of(url: str, text: str) -> str:
    connection = await asyncpg.connect(url)
    try:
        return str(await connection.fetchval("SELECT md5($1)::uuid", text))
    finally:
        await connection.close()


def test_the_totals_are_exact(large: str, postgres: Postgres) -> None:
    counts = postgres.execute(
        "SELECT scan_count, count(scans.id) FROM users LEFT JOIN scans ON users.id = user_id "
        "GROUP BY users.id ORDER BY scan_count DESC",
        name_of(large),
    )
    assert counts[:2] == [(500_000, 500_000), (10_000, 10_000)]
    assert [kept for kept, counted in counts if kept != counted] == []


@pytest.mark.parametrize("limit", [PAGE, SCANS_PER_QUERY])
@pytest.mark.parametrize("owner", [LARGE, MIDDLE])
async def test_a_page_costs_the_same_wherever_it_is(large: str, owner: int, limit: int) -> None:
    values = {
        "user_id": await id_of(large, str(owner)),
        "token_version": 0,
        "limit": limit,
        "id": await id_of(large, "scan900001"),
    }
    first = await explain(large, FIRST_PAGE, **values)
    assert_indexed(first, limit)
    assert indexes(first) == {"users_pkey", "scans_user_id_created_at"}
    assert rows_read(first) == limit + 1
    for place in (0, 500_000, 990_000):
        moment = NEWEST - datetime.timedelta(seconds=place)
        deep = await explain(large, PAGE_AFTER, **values, created_at=moment)
        assert_indexed(deep, limit)
        assert indexes(deep) == indexes(first)
        assert rows_read(deep) <= limit + 1


async def test_what_an_offset_passes_over_is_read_from_the_index_alone(large: str) -> None:
    for owner, offset in ((MIDDLE, 9_000), (LARGE, 499_000)):
        values = {"user_id": await id_of(large, str(owner)), "token_version": 0, "limit": PAGE}
        plan = await explain(large, LATER_PAGE, **values, offset=offset)
        assert_indexed(plan)
        (passed,) = [node for node in nodes(plan) if node["Node Type"] == "Index Only Scan"]
        assert passed["Index Name"] == "scans_user_id_created_at"
        assert rows_read(plan) <= offset + 2 * PAGE + 1


LAST_HOUR = NEWEST - datetime.timedelta(hours=1)
BY_USER = [
    Filter(words=("plan",)),  # as everyone's are
    Filter(words=("rare",), source="llm"),
    Filter(category="=legal"),
    Filter(source="llm"),
    Filter(since=LAST_HOUR),
    Filter(until=LAST_HOUR, source="llm", category="=legal"),
]


def page_of(chosen: Filter, user_id: str, many: bool = False) -> tuple[str, dict[str, Any]]:
    """Return the statement of a list with a filter, and its values."""
    condition, values = condition_of(Database(SETTINGS), chosen, many)
    sql = CHOSEN_PAGE.format(chosen=condition, after="", offset="OFFSET :offset")
    return sql, {**values, "user_id": user_id, "token_version": 0, "limit": PAGE, "offset": 0}


async def test_a_rare_word_of_many_scans_is_found_by_its_index(large: str) -> None:
    sql, values = page_of(Filter(words=("rare600251",)), await id_of(large, str(LARGE)), many=True)
    plan = await explain(large, sql, **values)
    assert "scans_words" in indexes(plan)
    assert not [node for node in nodes(plan) if node["Node Type"] == "Seq Scan"]
    assert rows_read(plan) <= 5
    assert plan["Actual Rows"] == 1


@pytest.mark.parametrize("chosen", BY_USER)
async def test_other_filters_read_the_scans_of_their_user_alone(large: str, chosen: Filter) -> None:
    for owner, number in ((MIDDLE, 10_000), (500, 490)):
        user_id = await id_of(large, str(owner))
        sql, values = page_of(chosen, user_id)
        for statement in (sql, stats_of(chosen)):
            plan = await explain(large, statement, **values)
            assert "scans_user_id_created_at" in indexes(plan)
            assert "scans_words" not in indexes(plan)
            assert not [node for node in nodes(plan) if node["Node Type"] == "Seq Scan"]
            # each is read once, and those of a page again
            assert rows_read(plan) <= number + PAGE + 20


def stats_of(chosen: Filter) -> str:
    condition, _ = condition_of(Database(SETTINGS), chosen, many=False)
    return STATS.format(chosen=condition, **STATS_POSTGRESQL)


async def test_a_filter_that_thousands_meet_is_counted_in_time(large: str) -> None:
    sql, values = page_of(Filter(category="=legal"), await id_of(large, str(MIDDLE)))
    connection = await asyncpg.connect(large)
    try:
        text, names = to_positional_binds(sql)
        started = time.perf_counter()
        rows = await connection.fetch(text, *[values[name] for name in names])
        taken = time.perf_counter() - started
    finally:
        await connection.close()
    assert (len(rows), rows[0]["scan_count"]) == (PAGE, 10_000)
    assert taken < STATEMENT_SECONDS / 2


async def test_one_row_is_found_by_its_key(large: str) -> None:
    user_id, scan_id = await id_of(large, str(MIDDLE)), await id_of(large, "scan1")
    values = {"user_id": user_id, "id": scan_id, "token_version": 0, "email": "2@example.com"}
    for sql, wanted in (
        (FIND_SCAN, {"scans_pkey", "users_pkey"}),
        (DELETE_SCAN, {"scans_pkey"}),
        (FIND_ACCOUNT, {"users_pkey"}),
        (DELETE_USER, {"users_pkey"}),
        (FIND_ACCOUNT_BY_EMAIL, {"users_email"}),
    ):
        plan = await explain(large, sql, **values)
        assert_indexed(plan)
        assert indexes(plan) == wanted


@pytest.mark.parametrize("owner", [LARGE, MIDDLE])
@pytest.mark.parametrize("filename", ["plan.pdf", "plan 1.pdf", "new.pdf", None])
async def test_what_was_scanned_before_is_found_by_its_index(
    large: str, owner: int, filename: str | None
) -> None:
    values = {"user_id": await id_of(large, str(owner)), "filename": filename, "created_at": NEWEST}
    known = {"id": await id_of(large, "scan1" if owner == MIDDLE else "scan900001"), **values}
    plan = await explain(large, FIND_PREVIOUS_SCANS, **known)
    assert_indexed(plan)
    assert indexes(plan) <= {"scans_pkey", "scans_user_id_digest", "scans_user_id_filename"}
    assert rows_read(plan) <= 3
    fresh = {"id": str(uuid.uuid4()), "digest": "0" * 64, "data": "[]", "risk_count": 0, "source": "model"}
    plan = await explain(large, INSERT_SCAN, **{**fresh, **values, "categories": "{}", "words": ""})
    assert_indexed(plan)
    wanted = {"scans_user_id_digest"} | ({"scans_user_id_filename"} if filename else set())
    assert indexes(plan) == wanted
    assert rows_read(plan) <= len(wanted)


def test_what_was_scanned_before_is_found_by_its_index_on_sqlite(sqlite_template: Path) -> None:
    connection = sqlite3.connect(sqlite_template)
    values = dict.fromkeys(("id", "user_id", "filename", "created_at"), "")
    found = connection.execute(f"EXPLAIN QUERY PLAN {FIND_PREVIOUS_SCANS}", values).fetchall()
    connection.close()
    lines = [row[3].removeprefix("SEARCH earlier USING COVERING INDEX ") for row in found]
    assert "scans_user_id_digest (user_id=? AND digest=? AND (created_at,id)<(?,?))" in lines
    assert "scans_user_id_filename (user_id=? AND filename=? AND (created_at,id)<(?,?))" in lines
    assert [
        line for line in lines if line.startswith(("SCAN scans", "SCAN earlier", "USE TEMP B-TREE"))
    ] == []


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_reads_a_table_whole(large: str, postgres: Postgres, name: str) -> None:
    """The generic plan: the one that PostgreSQL may keep for a prepared statement."""
    text, _ = to_positional_binds(STATEMENTS[name])
    found = postgres.execute(f"EXPLAIN (GENERIC_PLAN, FORMAT JSON) {text}", name_of(large))
    for node in nodes(found[0][0][0]["Plan"]):
        assert node["Node Type"] != "Seq Scan", found


async def test_deleting_an_account_finds_what_goes_with_it(large: str, postgres: Postgres) -> None:
    """Each foreign key to users deletes by a statement of PostgreSQL's own, made like this one."""
    keys = postgres.execute(
        "SELECT conrelid::regclass::text FROM pg_constraint WHERE confrelid = 'users'::regclass",
        name_of(large),
    )
    assert {"scans", "sessions"} <= {table for (table,) in keys}
    user_id = await id_of(large, str(MIDDLE))
    for (table,) in keys:
        plan = await explain(large, f"DELETE FROM ONLY {table} WHERE :user_id = user_id", user_id=user_id)
        assert_indexed(plan)


async def test_partitions_by_user_need_nothing_of_the_code(postgres: Postgres) -> None:
    url = postgres.create(template="template")
    pool = Database(
        Settings(database_url=database_url(url), jwt_secret=SECRET, ai_service_url="http://127.0.0.1:1")
    )
    await pool.connect()
    pool.ready = True
    try:
        owner = (await insert_user(pool, "ana@example.com", "hash")).user.id
        caller, scans = TokenSubject(owner, 0), [a_scan() for _ in range(5)]
        await insert_scan(pool, owner, scans[0], scans[0].risks)
        with psycopg.connect(url) as connection:
            connection.execute(PARTITION.read_bytes())
        for scan in scans:  # the first is there already
            await insert_scan(pool, owner, scan, scan.risks)
        assert await delete_scan(pool, owner, scans[0].scan_id)
        listed = await list_scans(pool, caller, 2)
        assert listed is not None
        assert (listed.total, len(listed.scans)) == (4, 2)
        found = await find_scan(pool, caller, scans[1].scan_id)
        assert found is not None
        assert found.risks == scans[1].risks
        with pytest.raises(UserDeleted):
            await insert_scan(pool, str(uuid.uuid4()), a_scan(), [])
        plan = await explain(url, FIND_SCAN, user_id=owner, id=scans[1].scan_id, token_version=0)
        tables = {node["Relation Name"] for node in nodes(plan) if "Relation Name" in node}
        assert len(tables) == 2  # users, and one part of scans
        assert await delete_user(pool, caller)
        assert await pool.fetch_all("SELECT 1 AS one FROM scans", {}) == []
    finally:
        await pool.disconnect()
    assert migrate(url) == 0
