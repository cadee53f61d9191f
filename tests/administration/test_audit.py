"""The audit log: what is recorded, what `riskscan audit` prints, and what users see."""

from __future__ import annotations

import asyncio
import csv
import datetime
import io
import logging

import msgspec
import pytest

from riskscan import audit
from riskscan.audit import AUDIT_LOG, MAX_WAITING, AuditLog
from riskscan.commands import CommandError
from riskscan.database import DATABASE
from riskscan.database.audit_log import insert_entries, insert_entry, list_own_entries, make_entry
from riskscan.database.drivers import database_unavailable
from riskscan.database.rows import utc_now
from tests.support.administration import Operator
from tests.support.application import MakeSettings, Server, serve
from tests.support.client import PASSWORD, Person, bearer, create_token

TEXT = "The budget is a secret sentence."


async def test_what_an_account_does_is_recorded_without_secrets(
    guest: Person, alice: Person, bob: Person, operator: Operator
) -> None:
    for email, password in (
        (alice.email, "wrong"),
        ("typed-a-secret@x.org", "wrong"),
        (alice.email, PASSWORD),
    ):
        await guest.post("/api/auth/login", json={"email": email, "password": password})
    token = await create_token(alice, name="a secret name")
    scans = [await alice.scan(text=TEXT) for _ in range(3)]
    ids = [scan["scan_id"] for scan in scans]
    share = (await alice.post(f"/api/scans/{ids[0]}/shares", json={})).json
    await alice.delete(f"/api/scans/{ids[0]}/shares/{share['id']}")
    await alice.get(f"/api/scans/{ids[0]}/export?format=xlsx", headers={"X-Request-ID": "my-request"})
    await alice.request("HEAD", "/api/scans/export")
    await alice.get("/api/scans/export", headers=bearer(token["token"]))
    await alice.delete(f"/api/scans/{ids[0]}")
    await alice.post("/api/scans/delete", json={"scans": ids[1:]})
    await alice.delete(f"/api/tokens/{token['id']}")
    await alice.request("DELETE", "/api/auth/me", json={"password": "wrong"})
    await operator("audit")  # what waits is stored before
    page = (await alice.get("/account")).body.decode()
    await alice.request("DELETE", "/api/auth/me", json={"password": PASSWORD})
    entries = list(reversed(await operator.json("audit")))
    own = [(entry["event"], entry["detail"]) for entry in entries if entry["email"] == alice.email]
    assert own[:10] == [
        ("registered", ""),
        ("log-in-failed", ""),
        ("log-in", ""),
        ("token-created", token["id"]),
        ("link-created", f"{share['id']} {ids[0]}"),
        ("link-deleted", f"{share['id']} {ids[0]}"),
        ("exported", f"xlsx {ids[0]}"),
        ("exported", "csv"),
        ("scan-deleted", ids[0]),
        ("scan-deleted", ids[1]),
    ]
    assert [event for event, _ in own[11:]] == ["token-revoked", "wrong-password", "account-deleted"]
    unknown = [entry for entry in entries if not entry["email"]]
    assert [(entry["event"], entry["user_id"]) for entry in unknown] == [("log-in-failed", None)]
    assert {entry["address"] for entry in entries} == {"127.0.0.1"}
    assert all(entry["request_id"] for entry in entries)
    assert [entry["event"] for entry in entries if entry["request_id"] == "my-request"] == ["exported"]
    kept = await operator("audit", "--format", "json")
    for secret in (PASSWORD, "secret", token["token"], share["url"].rpartition("/")[2]):
        assert secret not in kept
    for said in ("Log-in failed", "Logged in", "API token deleted", "Risks exported", "127.0.0.1"):
        assert said in page
    shown = (await bob.get("/account")).body.decode().partition("Recent activity")[2].partition("</ul>")[0]
    assert shown.count("<li>") == 1


async def test_audit_is_filtered_by_account_and_time(
    alice: Person, bob: Person, server: Server, operator: Operator
) -> None:
    db = server.app[DATABASE]
    for number in range(1200):
        await insert_entry(db, make_entry("exported", bob.id, detail=f"={number}"))
    past = utc_now() - datetime.timedelta(days=3)
    await insert_entry(db, msgspec.structs.replace(make_entry("log-in", bob.id), created_at=past))
    assert [entry["event"] for entry in await operator.json("audit", "--user", " Alice@example.com")] == [
        "registered"
    ]
    rows = list(csv.reader(io.StringIO(await operator("audit", "--user", bob.email, "--format", "csv"))))
    assert rows[0][:4] == ["created_at", "email", "event", "detail"]
    assert [row[3] for row in rows[1:1201]] == [f"'={number}" for number in reversed(range(1200))]
    assert [row[2] for row in rows[1201:]] == ["registered", "log-in"]
    yesterday = (utc_now() - datetime.timedelta(days=1)).date().isoformat()
    assert len(await operator.json("audit", "--since", yesterday)) == 1202
    table = await operator("audit", "--user", alice.email)
    assert table.splitlines()[0].split() == [
        "CREATED",
        "EMAIL",
        "EVENT",
        "DETAIL",
        "ADDRESS",
        "REQUEST",
        "ID",
    ]
    with pytest.raises(CommandError, match="since: Must be a date"):
        await operator("audit", "--since", "yesterday")


async def test_commands_of_the_operator_are_recorded(alice: Person, operator: Operator) -> None:
    token = await create_token(alice)
    await operator("users", "log-out", alice.email)
    await operator("tokens", "revoke", token["id"])
    await operator("users", "disable", alice.email)
    await operator("users", "enable", alice.email)
    await operator("users", "delete", alice.email, "--yes")
    entries = [entry for entry in await operator.json("audit") if entry["address"] == "operator"]
    assert [(entry["event"], entry["email"]) for entry in reversed(entries)] == [
        ("logged-out", alice.email),
        ("token-revoked", alice.email),
        ("account-disabled", alice.email),
        ("account-enabled", alice.email),
        ("account-deleted", alice.email),
    ]


async def test_entries_past_their_retention_are_deleted(
    alice: Person, server: Server, operator: Operator, make_settings: MakeSettings
) -> None:
    await operator("audit")
    db = server.app[DATABASE]
    for days in (29, 31):
        past = {"then": utc_now() - datetime.timedelta(days=days), "event": f"{days} days"}
        await insert_entry(db, make_entry("log-in", alice.id, detail="x"))
        await db.execute("UPDATE audit_log SET created_at = :then, event = :event WHERE detail = 'x'", past)
        await db.execute("UPDATE audit_log SET detail = '' WHERE detail = 'x'")
    for retention, kept in ((0, ["registered", "29 days", "31 days"]), (30, ["registered", "29 days"])):
        async with serve(make_settings(audit_retention_days=retention)) as other:
            await other.app[DATABASE].fetch_one("SELECT 1 AS up")  # its maintenance has begun, and ends first
        assert [entry["event"] for entry in await operator.json("audit")] == kept


async def test_entries_of_a_deleted_account_have_its_email(
    alice: Person, server: Server, operator: Operator
) -> None:
    await operator("audit")
    await operator("users", "delete", alice.email, "--yes")
    await insert_entries(server.app[DATABASE], [make_entry("exported", alice.id)])  # of another process, late
    assert {entry["email"] for entry in await operator.json("audit")} == {alice.email}


async def test_failed_log_ins_push_nothing_off_the_account_page(
    bob: Person, server: Server, operator: Operator
) -> None:
    await operator("audit")
    failed = [make_entry("log-in-failed", bob.id, address="10.0.0.9") for _ in range(25)]
    await insert_entries(server.app[DATABASE], failed)
    activity = (await bob.get("/account")).body.decode().partition("Recent activity")[2].partition("</ul>")[0]
    assert (activity.count("<li>"), "Account created" in activity) == (2, True)
    assert "Log-in failed × 25" in activity


async def test_entries_that_have_gathered_are_stored_by_one_statement(
    bob: Person, server: Server, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await operator("audit")
    db, statements = server.app[DATABASE], list[str]()
    run_statement = db.execute

    async def execute(query: str, values: dict[str, object] | None = None) -> None:
        statements.append(query)
        await run_statement(query, values)

    monkeypatch.setattr(db, "execute", execute)
    audit_log = AuditLog(db)
    entries = [make_entry("exported", bob.id, detail=str(number)) for number in range(3)]
    for entry in entries:
        audit_log.add(entry)
    task = asyncio.create_task(audit_log.run())
    await audit_log.drain()
    task.cancel()
    stored = await list_own_entries(db, bob.id, 3)
    assert ({entry.detail for entry in stored}, len(statements)) == ({"0", "1", "2"}, 1)


async def test_entries_that_waited_for_the_database_are_stored_in_small_statements(
    bob: Person, server: Server, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await operator("audit")
    db, sizes = server.app[DATABASE], list[int]()
    run_statement = db.execute

    async def execute(query: str, values: dict[str, object] | None = None) -> None:
        sizes.append(len(msgspec.json.decode(str((values or {})["entries"]))))
        if len(sizes) <= 3:
            raise database_unavailable()
        await run_statement(query, values)

    for name, value in {"MAX_GATHERED": 2, "GATHER_SECONDS": 0, "RETRY_SECONDS": 0}.items():
        monkeypatch.setattr(audit, name, value)
    monkeypatch.setattr(db, "execute", execute)
    audit_log = AuditLog(db)
    for number in range(5):
        audit_log.add(make_entry("exported", bob.id, email=bob.email, detail=str(number)))
    task = asyncio.create_task(audit_log.run())
    await audit_log.drain()
    task.cancel()
    stored = await list_own_entries(db, bob.id, 5)
    assert ({entry.detail for entry in stored}, audit_log.waiting) == (set("01234"), 0)
    assert max(sizes) == 2


async def test_an_entry_that_cannot_be_stored_does_not_lose_the_others(
    bob: Person, server: Server, operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    await operator("audit")
    audit_log = server.app[AUDIT_LOG]
    wrong = msgspec.structs.replace(make_entry("exported", bob.id), address=None)
    for entry in (make_entry("log-in", bob.id), wrong, make_entry("logged-out", bob.id)):
        audit_log.add(entry)
    await audit_log.drain()
    stored = await list_own_entries(server.app[DATABASE], bob.id, 2)
    assert {entry.event for entry in stored} == {"log-in", "logged-out"}
    assert [record.message for record in caplog.records if record.name == "riskscan.audit"] == [
        "not in the audit log: exported []"
    ]


async def test_entries_beyond_the_queue_go_to_the_log(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    audit_log = AuditLog(server.app[DATABASE])  # does not run: nothing is stored
    entry = make_entry("exported", None)
    with caplog.at_level(logging.ERROR, "riskscan.audit"):
        for _ in range(MAX_WAITING + 1):
            audit_log.add(entry)
    assert [record.message for record in caplog.records] == ["not in the audit log: exported of None []"]
