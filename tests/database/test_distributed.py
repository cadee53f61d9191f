"""The tables distributed by user, as far as a single PostgreSQL can show it: deploy/citus.sql, with stubs for
what it calls of Citus, and what RiskScan does on such a database."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import psycopg
import pytest

from riskscan import database
from riskscan.audit import AUDIT_LOG
from riskscan.commands import purge
from riskscan.database import DATABASE
from riskscan.database.audit_log import list_own_entries, make_entry
from riskscan.database.drivers import to_positional_binds
from riskscan.database.migrate import distribute, migrate
from riskscan.database.rows import utc_now
from riskscan.database.scans import insert_scan, store_details
from riskscan.errors import ApiError
from riskscan.schemas import Detail, Findings
from riskscan.settings import SETTINGS, Rate
from tests.support.application import Server, make_scan, make_test_settings
from tests.support.client import PASSWORD, Person, assert_error, bearer, create_token
from tests.support.database import connected_database
from tests.support.postgres import Postgres
from tests.support.statements import collect_statements

on_distributed = pytest.mark.parametrize("database_url", ["distributed"], indirect=True)

# in the background, of the command line, and the newest entries on the Account page
OF_ALL_NODES = {
    "attempts.DELETE_EXPIRED_ATTEMPTS",
    "audit_log.DELETE_ENTRIES_BEFORE",
    "audit_log.FIND_EMAIL_OF_ENTRIES",
    "audit_log.LIST_ENTRIES",
    "audit_log.LIST_FAILED_LOG_INS",
    "audit_log.LIST_OWN_ENTRIES",
    "backups.COUNT",
    "backups.HAS_ACCOUNTS",
    "daily_usage.DELETE_EXPIRED_USAGE",
    "idempotency_keys.DELETE_EXPIRED_KEYS",
    "late_scans.FIND_LATE_SCANS",
    "operator_queries.LIST_ACCOUNTS",
    "operator_queries.LIST_ALL_TOKENS",
    "operator_queries.REVOKE_TOKEN",
    "scans.LIST_SCANS_BEFORE",
    "sessions.DELETE_EXPIRED_SESSIONS",
    "shares.DELETE_EXPIRED_SHARES",
}
# others take their place there
NOT_DISTRIBUTED = {"scans.DELETE_SCANS_BEFORE", "scans.INSERT_SCAN", "scans.LOCK_USERS_OF_SCANS_BEFORE"}
NOT_POSTGRESQL = {"backups.FIND_TABLE_OF_USERS", "migrate.TRY_LOCK"}


def scans_of(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the nodes of a plan that read a table."""
    if "Relation Name" in plan and plan["Node Type"] != "ModifyTable":
        yield plan
    for child in plan.get("Plans", ()):
        yield from scans_of(child)


def test_each_statement_reads_one_node(postgres: Postgres) -> None:
    """Each table is read by what it is distributed by, and an INSERT returns no subqueries."""
    with postgres.distributed_database() as url, psycopg.connect(url) as connection:
        rows = connection.execute("SELECT name::text, key FROM distributed_tables").fetchall()
        keys: dict[str, str] = dict(rows)
        connection.execute("SET enable_seqscan = off")
        several, refused = set(), set()
        for name, text in collect_statements().items():
            if name.endswith("_SQLITE") or "{" in text or name in NOT_POSTGRESQL:
                continue
            explain = f"EXPLAIN (GENERIC_PLAN, VERBOSE, FORMAT JSON) {to_positional_binds(text)[0]}"
            ((found,),) = connection.execute(explain.encode()).fetchall()
            for node in scans_of(found[0]["Plan"]):
                key = keys.get(node["Relation Name"])
                conditions = f"{node.get('Index Cond')} {node.get('Filter')}"
                if key and not re.search(rf"\b{key} = \$\d", conditions):
                    several.add(name)
            if re.match(r"\s*INSERT\b.*\bRETURNING\b.*\bSELECT\b", text, re.DOTALL):
                refused.add(name)
    assert several == OF_ALL_NODES | NOT_DISTRIBUTED - {"scans.INSERT_SCAN"}
    assert refused == {"scans.INSERT_SCAN"}


def test_every_table_is_distributed_and_has_no_trigger(postgres: Postgres) -> None:
    with postgres.distributed_database() as url, psycopg.connect(url) as connection:
        missing = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'v') AND relname NOT LIKE '%yoyo%'"
            " AND oid NOT IN (SELECT name FROM distributed_tables)"
        ).fetchall()
        assert missing == [("distributed_tables",)]
        assert connection.execute("SELECT tgname FROM pg_trigger WHERE NOT tgisinternal").fetchall() == []
        # what a deleted account leaves behind is found by its foreign key
        kept = connection.execute(
            "SELECT name::text FROM distributed_tables WHERE key = 'user_id' AND name NOT IN ("
            " SELECT conrelid FROM pg_constraint WHERE confrelid = 'users'::regclass AND confdeltype = 'c')"
        ).fetchall()
        assert kept == []


def test_a_later_migration_distributes_its_table(postgres: Postgres, database_url: str) -> None:
    assert migrate(database_url) == 0
    with postgres.distributed_database() as url:
        assert migrate(url) == 0
        with psycopg.connect(url) as connection:
            connection.execute("CREATE TABLE later (user_id uuid NOT NULL)")
            distribute(connection, "later")
            found = connection.execute("SELECT key FROM distributed_tables WHERE name = 'later'::regclass")
            assert found.fetchall() == [("user_id",)]
    with postgres.migrated_database() as url, psycopg.connect(url) as connection:
        distribute(connection, "scans")  # has no effect


@on_distributed
async def test_counts_and_links_are_exact_without_triggers(server: Server, alice: Person) -> None:
    db = server.app[DATABASE]
    text = "The budget is tight."
    first = await alice.scan(text=text)
    review = {"state": "confirmed"}
    await alice.request("PUT", f"/api/scans/{first['scan_id']}/findings/1/review", json=review)
    reply = await alice.post("/api/scan", json={"text": text})
    assert f"/api/scans/{first['scan_id']}>" in reply.headers["Link"]
    assert reply.json["open_count"] == reply.json["risk_count"] - 1  # the review holds for its sentence
    others = [(await alice.scan(text=f"Text {number}."))["scan_id"] for number in range(3)]
    assert (await alice.get("/api/scans")).json["total"] == 5
    assert (await alice.delete(f"/api/scans/{first['scan_id']}")).status == 200
    assert_error(await alice.delete(f"/api/scans/{first['scan_id']}"), 404, "not_found")
    some = [*others[:2], first["scan_id"]]  # one is gone: none is deleted
    assert_error(await alice.post("/api/scans/delete", json={"scans": some}), 404, "not_found")
    assert (await alice.get("/api/scans")).json["total"] == 4
    assert (await alice.post("/api/scans/delete", json={"scans": others[:2]})).status == 200
    assert (await alice.get("/api/scans")).json["total"] == 2
    late = msgspec.structs.replace(make_scan(), created_at=utc_now() - datetime.timedelta(days=400))
    await insert_scan(db, alice.id, late, Findings(late.risks, "model"))
    await store_details(db, alice.id, late.scan_id, [Detail("late")])
    assert await purge(dataclasses.replace(server.app[SETTINGS], scan_retention_days=30)) == 1
    assert (await alice.get("/api/scans")).json["total"] == 2
    fingerprints = await db.fetch_all("SELECT DISTINCT scan_id FROM fingerprints")
    assert late.scan_id not in {str(row["scan_id"]) for row in fingerprints}


@on_distributed
async def test_accounts_are_unique_and_deleted_with_all_they_have(
    server: Server, people: Callable[[], Person]
) -> None:
    db, crowd = server.app[DATABASE], [people() for _ in range(5)]
    fields = {"email": "ana@example.com", "password": PASSWORD}
    replies = await asyncio.gather(*(person.post("/api/auth/register", json=fields) for person in crowd))
    assert sorted(reply.status for reply in replies) == [201, 409, 409, 409, 409]
    ana = people()
    assert (await ana.post("/api/auth/login", json=fields)).status == 200
    ana.token = (await ana.post("/api/auth/login", json=fields)).json["access_token"]
    scan = await ana.scan(text="The budget is tight.")
    await ana.post(f"/api/scans/{scan['scan_id']}/shares", json={})
    token = (await create_token(ana))["token"]
    assert (await people().get("/api/scans", headers=bearer(token))).json["total"] == 1
    wrong = await ana.delete("/api/auth/me", json={"password": "not this one"})
    assert_error(wrong, 400, "invalid_request", password="Current password is wrong.")
    assert (await ana.delete("/api/auth/me", json={"password": PASSWORD})).status == 200
    for table in ("users", "emails", "scans", "fingerprints", "sessions", "api_tokens", "shares"):
        assert await db.fetch_all(f"SELECT 1 AS one FROM {table}") == [], table
    assert (await ana.post("/api/auth/register", json=fields)).status == 201


# as Citus answers for a node that it cannot reach, and for one that is lost amid a write to two
LOSE = """
CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE 'lost' USING ERRCODE = TG_ARGV[0]; END $$
"""
LOSE_ATTEMPTS = """
CREATE TRIGGER lost BEFORE INSERT OR UPDATE ON attempts FOR EACH ROW EXECUTE FUNCTION lose('08006')
"""
LOSE_USERS = "CREATE TRIGGER lost BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION lose('XX000')"


@on_distributed
@pytest.mark.settings(login_limit=Rate(1, 60), register_limit=Rate(1, 60), scan_limit=Rate(1, 60))
async def test_a_counter_on_a_lost_node_refuses_nobody(
    server: Server, people: Callable[[], Person], caplog: pytest.LogCaptureFixture
) -> None:
    db = server.app[DATABASE]
    for statement in (LOSE, LOSE_ATTEMPTS):
        await db.execute(statement)
    ana = people()
    with caplog.at_level(logging.WARNING, "riskscan.rate_limits"):
        await ana.register("ana@example.com")
    message = "an attempt was not counted, because a node of the database is lost: register by account"
    assert message in caplog.messages
    fields = {"email": ana.email, "password": PASSWORD}
    for _ in range(2):
        assert (await ana.post("/api/auth/login", json=fields)).status == 200
        await ana.scan(text="x")
    await db.execute(LOSE_USERS)
    reply = await people().post("/api/auth/register", json={**fields, "email": "bob@example.com"})
    assert_error(reply, 503, "database_unavailable")


LOSE_USERS_TWICE = """
CREATE FUNCTION lose_twice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF nextval('lost') <= 2 THEN RAISE 'lost' USING ERRCODE = '08006'; END IF;
    RETURN NEW;
END $$
"""


@on_distributed
async def test_an_account_gets_an_id_of_a_node_that_can_be_reached(server: Server, guest: Person) -> None:
    for statement in (
        "CREATE SEQUENCE lost",
        LOSE_USERS_TWICE,
        "CREATE TRIGGER lost BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION lose_twice()",
    ):
        await server.app[DATABASE].execute(statement)
    await guest.register("ana@example.com")


@pytest.mark.parametrize("database_url", ["postgresql", "distributed"], indirect=True)
async def test_statements_get_less_time_while_a_node_hangs(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "HURRIED_SECONDS", 0.1)
    slow = "SELECT pg_sleep(0.5)"
    async with connected_database(make_test_settings(database_url)) as db:
        distributed = await db.is_distributed()
        await db.fetch_all(slow)
        with monkeypatch.context() as patch:
            patch.setattr(database, "STATEMENT_SECONDS", 0.1)
            with pytest.raises(ApiError):
                await db.fetch_all(slow)
        if distributed:
            monkeypatch.setattr(database, "HURRY_SECONDS", 0)  # from the next time-out on
            with pytest.raises(ApiError, match="cannot be reached"):
                await db.fetch_all(slow)
        await db.fetch_all(slow)


LOSE_NODE = """
CREATE FUNCTION lose_node() RETURNS trigger LANGUAGE plpgsql
AS $$ BEGIN RAISE EXCEPTION 'the node is lost' USING ERRCODE = '57P03'; END $$;
"""
LOSE_ENTRIES = """
CREATE TRIGGER lose BEFORE INSERT ON audit_log FOR EACH ROW
WHEN (NEW.email = '{}') EXECUTE FUNCTION lose_node()
"""


@on_distributed
async def test_audit_log_of_others_goes_on_while_a_node_is_lost(
    alice: Person, bob: Person, server: Server
) -> None:
    db, audit_log = server.app[DATABASE], server.app[AUDIT_LOG]
    await audit_log.drain()
    await db.execute(LOSE_NODE)
    await db.execute(LOSE_ENTRIES.format(alice.email))
    for person in (alice, bob):
        audit_log.add(make_entry("exported", person.id))
    while len(await list_own_entries(db, bob.id, 2)) == 1:
        pass
    await db.execute("DROP TRIGGER lose ON audit_log")
    await audit_log.drain()
    assert len(await list_own_entries(db, alice.id, 2)) == 2
