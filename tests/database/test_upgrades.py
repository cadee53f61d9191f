"""Two versions at once on one database: an upgrade host by host, and a rollback."""

from __future__ import annotations

import asyncio
import datetime
import json
import secrets
import uuid
from pathlib import Path
from typing import Any

import pytest

from riskscan.auth.authentication import make_secret, token_digest
from riskscan.auth.sessions import COOKIE
from riskscan.database import DATABASE, Database
from riskscan.database.drafts import find_drafts
from riskscan.database.late_scans import FIND_LATE_SCANS, FIRST_ID, fill_late_scan, fill_late_scans
from riskscan.database.migrate import SchemaTooNew, find_pending, is_current, migrate
from riskscan.database.rows import utc_now
from riskscan.routes import OPERATIONS
from tests.database.test_migrate import insert_old_scan
from tests.support.ai import Ai
from tests.support.application import NOWHERE, SECRET, Server, make_test_settings
from tests.support.client import Person
from tests.support.database import connected_database
from tests.support.program import run_command
from tests.support.statements import read_statements

PREVIOUS = read_statements((Path(__file__).parent / "previous_statements.sql").read_text())
ORDER = ("INSERT", "SELECT", "WITH", "UPDATE", "DELETE")
USER, SCAN = str(uuid.uuid4()), str(uuid.uuid4())
NOW = utc_now()
VALUES: dict[str, Any] = {
    **dict.fromkeys(
        ("email", "password_hash", "digest", "name", "scopes", "key", "fingerprint", "renewed"), "text"
    ),
    **dict.fromkeys(("created_at", "now", "expires_at", "held_until", "locked_until", "until"), NOW),
    **dict.fromkeys(("yesterday", "before", "since"), NOW - datetime.timedelta(1)),
    **dict.fromkeys(("token_version", "revoke_api_tokens", "offset"), 0),
    **dict.fromkeys(("limit", "risk_count"), 3),
    **dict.fromkeys(("words", "category"), None),
    "user_id": USER,
    "claim": SCAN,
    "completed": True,
    "filename": "Plan v2.txt",
    "source": "model",
    "notes": "[]",
    "categories": '{"Legal": 2, "Zeit": 1}',
    "data": """[
        {"risk": "Straße number", "category": "Legal", "context": "The budget is tight."},
        {"risk": "b", "category": "Zeit", "context": "Time is short."},
        {"risk": "d", "category": "Legal", "context": "Steel may cost more."}
    ]""",
}


def runs_on(statement: str, name: str, sqlite: bool) -> bool:
    only_postgresql = name.endswith("_POSTGRESQL") or "FOR NO KEY UPDATE" in statement
    return not (only_postgresql if sqlite else name.endswith("_SQLITE"))


def in_order(name: str) -> tuple[int, bool]:
    """Return where a statement comes: users are inserted first and deleted last."""
    verb = PREVIOUS[name].split(maxsplit=1)[0]
    return ORDER.index(verb), name.startswith("users.") != (verb == "INSERT")


async def test_statements_of_the_previous_version_run_on_this_schema(database_url: str) -> None:
    async with connected_database(make_test_settings(database_url)) as db:
        ran = 0
        for name in sorted(PREVIOUS, key=in_order):
            if runs_on(PREVIOUS[name], name, db.sqlite):
                values = {**VALUES, "id": USER if name.startswith("users.") else SCAN}
                if name == "scans.INSERT_SCAN":
                    values["words"] = "=legal =zeit straße number plan"
                await db.fetch_all(PREVIOUS[name], values)
                ran += 1
        assert ran > 30


async def store_late_scans(db: Database, owner: str) -> list[str]:
    """Store a scan as the first version did, and one as the version before; return their IDs."""
    first = await insert_old_scan(db, owner, "Plan v1.txt", utc_now())
    values = {
        **VALUES, "id": str(uuid.uuid4()), "user_id": owner, "words": "=legal =zeit straße number plan",
        "created_at": utc_now(),
    }  # fmt: skip
    await db.fetch_all(PREVIOUS["scans.INSERT_SCAN"], values)
    return [first, values["id"]]


PATHS = [
    path
    for operation in OPERATIONS
    if operation.method == "GET"
    for path in (operation.path, operation.page)
    if path and ("scan" in path or "stats" in path)
]


async def test_all_pages_work_on_scans_that_earlier_versions_store(
    server: Server, alice: Person, ai: Ai
) -> None:
    new = await alice.scan(file=("Plan v3.txt", b"The budget is tight."))
    for _ in range(2):  # a page may store what is missing
        late = await store_late_scans(server.app[DATABASE], alice.id)
        for scan_id in (*late, new["scan_id"]):
            for path in PATHS:
                other = f"?with={late[0] if scan_id != late[0] else new['scan_id']}"
                query = other if path.endswith("compare") else "?format=json" if "export" in path else ""
                reply = await alice.get(path.format(scan_id=scan_id) + query)
                assert reply.status == 200, (path, reply.body)
    listed = (await alice.get("/api/scans")).json
    assert (listed["total"], len(listed["scans"])) == (5, 5)
    assert (await alice.get("/api/stats")).json["scans"] == 5


async def test_late_scans_are_indexed_as_if_this_version_had_stored_them(
    server: Server, alice: Person
) -> None:
    db = server.app[DATABASE]
    late = await store_late_scans(db, alice.id)
    assert await fill_late_scans(db) == 2
    assert await fill_late_scans(db) == 0
    new = await alice.scan(file=("Plan v3.txt", b"The budget is tight."))
    columns = "categories, words, draft_name, details <> '[]' AS has_details"
    rows = await db.fetch_all(f"SELECT {columns} FROM scans WHERE risk_count = 3")
    assert len({(row["categories"], row["draft_name"], row["has_details"]) for row in rows}) == 1
    for query in ("q=strasse", "category=zeit", "q=plan"):
        found = {scan["scan_id"] for scan in (await alice.get(f"/api/scans?{query}")).json["scans"]}
        assert found - {new["scan_id"]} == set(late), query
    for query in ("q=steel", "q=%22time+is+short%22+plan"):  # sentences of the second
        (found_scan,) = (await alice.get(f"/api/scans?{query}")).json["scans"]
        assert found_scan["scan_id"] == late[1], query
    stats = (await alice.get("/api/stats")).json
    assert {"category": "Zeit", "risks": 2} in stats["by_category"]
    drafts = await find_drafts(db, alice.id, new["scan_id"])
    assert {draft.scan_id for draft in drafts} == set(late)


async def test_late_scans_are_filled_beside_one_that_cannot_be_read(
    server: Server, alice: Person, caplog: pytest.LogCaptureFixture
) -> None:
    db = server.app[DATABASE]
    damaged, late = await store_late_scans(db, alice.id)
    await db.execute("UPDATE scans SET data = '[{}]' WHERE id = :id", {"id": damaged})
    assert await fill_late_scans(db) == 1
    assert f"scan {damaged} cannot be indexed: " in caplog.text
    assert [scan["scan_id"] for scan in (await alice.get("/api/scans?q=strasse")).json["scans"]] == [late]


async def test_late_scan_that_is_renamed_while_it_is_filled_is_found_by_its_title(
    server: Server, alice: Person
) -> None:
    db = server.app[DATABASE]
    _, late = await store_late_scans(db, alice.id)
    rows = await db.fetch_all(FIND_LATE_SCANS, {"id": FIRST_ID})
    renamed = await alice.request("PATCH", f"/api/scans/{late}", json={"title": "Bridge"})
    assert renamed.status == 200
    assert not [row for row in rows if str(row["id"]) == late and await fill_late_scan(db, row)]
    for _ in range(2):  # and once the next round has filled it
        assert [scan["scan_id"] for scan in (await alice.get("/api/scans?q=bridge")).json["scans"]] == [late]
        await fill_late_scans(db)
    assert await fill_late_scans(db) == 0


RENAME_WITHOUT_SENTENCES = "UPDATE scans SET title = :title, words = '' WHERE id = :id"


async def test_scan_that_an_earlier_version_renames_is_indexed_again(server: Server, alice: Person) -> None:
    db = server.app[DATABASE]
    _, late = await store_late_scans(db, alice.id)
    await fill_late_scans(db)
    await db.execute(RENAME_WITHOUT_SENTENCES, {"title": "bridge", "id": late})
    assert await fill_late_scans(db) == 1
    found = (await alice.get("/api/scans?q=bridge+%22time+is+short%22")).json["scans"]
    assert [scan["scan_id"] for scan in found] == [late]
    await alice.request("PATCH", f"/api/scans/{late}", json={"title": None})
    assert await fill_late_scans(db) == 0


async def test_earlier_version_searches_what_this_one_stores(server: Server, alice: Person, ai: Ai) -> None:
    ai.findings = {
        "data": [{"risk": "Delay", "category": "Legal", "context": "Steel is late."}],
        "source": "model",
    }
    scan = await alice.scan(file=("Plan v3.txt", b"x"))
    db = server.app[DATABASE]
    name = f"scan_queries.FILTER_SCANS_{'SQLITE' if db.sqlite else 'POSTGRESQL'}"
    end = datetime.datetime(9000, 1, 1, tzinfo=datetime.UTC)
    values = {
        **VALUES, "user_id": alice.id, "until": end, "created_at": end, "id": scan["scan_id"],
        "since": NOW - datetime.timedelta(1),
    }  # fmt: skip
    for words, found in ((["plan", "stee"], 1), (["delay"], 1), (["teel"], 0)):
        for category in ("=legal", "=financial"):
            values["words"] = json.dumps(words) if db.sqlite else " & ".join(f"'{word}':*" for word in words)
            values["category"] = category if db.sqlite else f"'{category}'"
            rows = await db.fetch_all(PREVIOUS[name], values)
            assert rows[0]["scan_count"] == (found if category == "=legal" else 0)


async def test_sessions_tokens_and_links_of_the_version_before_stay_valid(
    server: Server, alice: Person, guest: Person
) -> None:
    scan = await alice.scan(text="x")
    await alice.post("/api/tokens", json={"name": "t"})
    await alice.post(f"/api/scans/{scan['scan_id']}/shares", json={})
    db = server.app[DATABASE]
    # the version before had random bits alone; it takes those of this version, which are as long
    for secret in (secrets.token_urlsafe(32), make_secret(alice.id), make_secret(str(uuid.uuid4()))):
        digest, now = token_digest(secret), utc_now() + datetime.timedelta(minutes=1)
        # with an end so near that the session is extended
        await db.execute("UPDATE sessions SET id = :id, expires_at = :now", {"id": digest, "now": now})
        await db.execute("UPDATE shares SET digest = :digest", {"digest": digest})
        await db.execute("UPDATE api_tokens SET digest = :digest", {"digest": token_digest(f"rsk_{secret}")})
        cookie, token = {"Cookie": f"{COOKIE}={secret}"}, {"Authorization": f"Bearer rsk_{secret}"}
        assert (await guest.get("/api/auth/me", headers=cookie)).status == 200
        extended = "SELECT id FROM sessions WHERE expires_at > :now"
        assert len(await db.fetch_all(extended, {"now": now})) == 1
        assert (await guest.get("/api/scans", headers=token)).json["total"] == 1
        assert (await guest.get(f"/shared/{secret}")).status == 200
    assert (await guest.post("/api/auth/logout", headers=cookie)).status == 200
    assert await db.fetch_all("SELECT id FROM sessions") == []


LATER = "INSERT INTO _yoyo_migration (migration_hash, migration_id, applied_at_utc) VALUES (:hash, :id, :now)"


async def apply_later(db: Database, name: str) -> None:
    now = utc_now().replace(tzinfo=None)
    await db.execute(LATER, {"hash": name, "id": name, "now": now})


@pytest.mark.slow
async def test_later_migrations_that_only_add_are_accepted_and_others_refused(database_url: str) -> None:
    async with connected_database(make_test_settings(database_url)) as db:
        migrate(database_url)  # on SQLite it sets the journal mode
        await apply_later(db, "0998.more-columns")
        assert await is_current(db)
        assert migrate(database_url) == 0
        await apply_later(db, "0999.split-findings.breaking")
        with pytest.raises(SchemaTooNew):
            await is_current(db)
        with pytest.raises(SchemaTooNew):
            migrate(database_url)
        environ = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET, "PORT": "0", "AI_SERVICE_URL": NOWHERE}
        for arguments in (["migrate", "--check"], []):
            done = await asyncio.to_thread(run_command, *arguments, **environ)
            assert done.returncode == 1
            assert done.stderr.count("\n") == 1
            assert done.stderr.endswith("this one cannot use it: 0999.split-findings.breaking\n")
        await db.execute("DELETE FROM _yoyo_migration WHERE migration_id LIKE '099%'")


@pytest.mark.slow
async def test_migrate_check_names_pending_migrations_and_applies_none(database_url: str) -> None:
    async with connected_database(make_test_settings(database_url)) as db:
        environ = {"DATABASE_URL": database_url, "JWT_SECRET": SECRET}

        async def check() -> tuple[int, str]:
            done = await asyncio.to_thread(run_command, "migrate", "--check", **environ)
            return done.returncode, done.stdout

        await db.execute("DELETE FROM _yoyo_migration WHERE migration_id LIKE '000%'")
        status, out = await check()
        assert (status, out.splitlines()) == (1, await find_pending(db))
        assert len(out.splitlines()) == 9
        assert migrate(database_url) == 9
        assert await check() == (0, "no migrations are pending\n")
