"""API tokens: create, list, use, expire and delete; their scopes and limits."""

from __future__ import annotations

import asyncio
import datetime
import hashlib
import html
import re
import uuid
from typing import Any

import psycopg
import pytest

from riskscan.database import DATABASE
from riskscan.database.api_tokens import find_account_by_api_token, insert_api_token
from riskscan.database.rows import TokenRevoked, TokenSubject, utc_now
from riskscan.database.users import delete_user, find_account, update_password
from riskscan.handlers.api_tokens import MAX_API_TOKENS
from riskscan.schemas import ApiToken
from tests.support.ai import Ai
from tests.support.application import Server
from tests.support.client import PASSWORD, Person, Reply, assert_error, bearer, create_token, form
from tests.support.postgres import Postgres, database_name

COUNT_WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
NEVER = {"last_used_at": None, "expires_at": None}
TOKEN = re.compile(r"rsk_[0-9A-Za-z_-]{43}")


async def list_tokens(person: Person) -> list[Any]:
    listed: list[Any] = (await person.get("/api/tokens")).json["tokens"]
    return listed


async def test_token_is_returned_once_and_only_its_digest_is_stored(alice: Person, server: Server) -> None:
    reply = await alice.post("/api/tokens", json={"name": " nightly import "})
    assert reply.status == 201
    assert reply.headers["Cache-Control"] == "no-store"
    made = reply.json
    assert made == {
        "id": str(uuid.UUID(made["id"])),
        "name": "nightly import",
        "scopes": ["scan", "read"],
        "created_at": made["created_at"],
        **NEVER,
        "token": made["token"],
    }
    token = made.pop("token")
    assert TOKEN.fullmatch(token)
    assert made["created_at"].endswith("Z")
    second = await create_token(alice, name="second", scopes="read")
    listed = await alice.get("/api/tokens")
    del second["token"]
    assert listed.json == {"tokens": [second, made]}
    rows = await server.app[DATABASE].fetch_all("SELECT * FROM api_tokens WHERE id = :id", {"id": made["id"]})
    assert rows[0]["digest"] == hashlib.sha256(token.encode()).hexdigest()
    assert token not in str(dict(rows[0]))


async def test_token_can_scan_and_read(alice: Person, guest: Person) -> None:
    token = (await create_token(alice))["token"]
    guest.session.headers["Authorization"] = f"bearer {token}"
    scan = await guest.scan(text="tight budget")
    assert (await guest.get(f"/api/scans/{scan['scan_id']}")).json == scan
    assert (await guest.get("/api/scans")).json["total"] == 1
    assert (await guest.get("/api/auth/me")).json["id"] == alice.id
    unknown = await guest.get(f"/api/scans/{uuid.uuid4()}")
    assert_error(unknown, 404, "not_found")


async def test_token_is_limited_to_its_scopes(alice: Person, guest: Person, ai: Ai) -> None:
    reads = bearer((await create_token(alice, scopes=["read"]))["token"])
    scans = bearer((await create_token(alice, scopes=["scan"]))["token"])
    assert_error(
        await guest.post("/api/scan", data=form(text="tight budget"), headers=reads), 403, "forbidden"
    )
    assert ai.calls == []
    made = (await guest.post("/api/scan", data=form(text="tight budget"), headers=scans)).json
    for path in ("/api/scans", f"/api/scans/{made['scan_id']}", "/api/auth/me", f"/api/scans/{uuid.uuid4()}"):
        assert_error(await guest.get(path, headers=scans), 403, "forbidden")
    assert (await guest.get("/api/scans", headers=reads)).json["total"] == 1


# operations with side effects that a token may call, or that need no login
TAKEN = {
    "/api/auth/register",
    "/api/auth/login",
    "/api/auth/logout",
    "/api/scan",
    "/api/scans/{scan_id}/mark",
}


async def test_token_cannot_change_anything_else_by_api_or_page(alice: Person, guest: Person) -> None:
    made = await create_token(alice)
    scan = await alice.scan(text="tight budget")
    headers = bearer(made["token"])
    ids = {"scan_id": scan["scan_id"], "token_id": made["id"], "share_id": uuid.uuid4(), "number": 1}
    asked = 0
    for path, operations in (await guest.get("/api/openapi.json")).json["paths"].items():
        for method in set(operations) - {"get"} if path not in TAKEN else ():
            reply = await guest.request(
                method.upper(), path.format(**ids), json={"password": PASSWORD}, headers=headers
            )
            assert_error(reply, 403, "forbidden")
            asked += 1
    assert asked >= 5
    assert_error(await guest.get("/api/tokens", headers=headers), 403, "forbidden")
    for path in (
        "/account/password",
        "/account/delete",
        "/account/tokens",
        f"/account/tokens/{made['id']}/delete",
        f"/scans/{scan['scan_id']}/delete",
        f"/scans/{scan['scan_id']}/title",
        f"/scans/{scan['scan_id']}/findings/1/review",
        f"/scans/{scan['scan_id']}/findings/1/review/delete",
        "/account/reviews/delete",
    ):
        assert (await guest.post(path, data={"password": PASSWORD}, headers=headers)).status == 403
    for path in ("/account", "/account/tokens", "/scan"):
        assert (await guest.get(path, headers=headers)).status == 403
    assert len(await list_tokens(alice)) == 1
    assert (await alice.get("/api/scans")).json["total"] == 1


@pytest.mark.parametrize(
    "token", ["rsk_", "rsk_" + "x" * 43, "rsk_" + "x" * 42, "rsk_" + "é" * 43, "rsk_" + "x" * 5000, "rsk_x y"]
)
async def test_unknown_api_token_is_refused(guest: Person, alice: Person, token: str) -> None:
    for path in ("/api/auth/me", "/api/scans", "/api/tokens"):
        assert_error(await guest.get(path, headers=bearer(token)), 401, "not_authenticated")


async def test_a_deleted_token_is_refused(alice: Person, bob: Person, guest: Person) -> None:
    gone, kept = await create_token(alice), await create_token(alice)
    path = f"/api/tokens/{gone['id']}"
    assert_error(await bob.delete(path), 404, "not_found")
    assert (await guest.get("/api/scans", headers=bearer(gone["token"]))).status == 200
    reply = await alice.delete(path)
    assert (reply.status, reply.json) == (200, {"message": "Token deleted"})
    assert_error(await alice.delete(path), 404, "not_found")
    for asked in ("/api/scans", "/api/auth/me"):
        assert_error(await guest.get(asked, headers=bearer(gone["token"])), 401, "not_authenticated")
    assert (await guest.get("/api/scans", headers=bearer(kept["token"]))).status == 200
    for bad in ("x", "%00", gone["id"].upper(), str(uuid.uuid4())):
        assert_error(await alice.delete(f"/api/tokens/{bad}"), 404, "not_found")
    assert await list_tokens(bob) == []


async def test_token_expires_at_expires_at(alice: Person, guest: Person, server: Server) -> None:
    made = await create_token(alice, expires_at="2099-12-31T12:00:00+07:00")
    assert made["expires_at"] == "2099-12-31T05:00:00Z"
    assert (await guest.get("/api/scans", headers=bearer(made["token"]))).status == 200
    await server.app[DATABASE].fetch_all(
        "UPDATE api_tokens SET expires_at = :now WHERE id = :id", {"id": made["id"], "now": utc_now()}
    )
    assert_error(await guest.get("/api/scans", headers=bearer(made["token"])), 401, "not_authenticated")
    assert [token["id"] for token in await list_tokens(alice)] == [made["id"]]


async def test_expiry_date_includes_its_whole_utc_day(alice: Person) -> None:
    assert (await create_token(alice, expires_at="2099-12-31"))["expires_at"] == "2100-01-01T00:00:00Z"


@pytest.mark.parametrize(
    "wish",
    [
        {"name": None}, {"name": ""}, {"name": "  "}, {"name": "x" * 101}, {"name": "a\nb"},
        {"name": "nul\x00"}, {"name": 7}, {"name": "\ud800"},
        {"scopes": ["write"]}, {"scopes": "scan write"}, {"scopes": []}, {"scopes": 7},
        {"scopes": ["scan", 7]}, {"scopes": [["scan"]]}, {"scopes": {"scan": True}}, {"scopes": False},
        {"expires_at": "soon"}, {"expires_at": 7}, {"expires_at": "2020-01-01"},
        {"expires_at": "2099-01-01T00:00:00"}, {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "9999-12-31"}, {"expires_at": "9999-12-31T23:59:59-12:00"},
        {"expires_at": "2099-02-30"}, {"expires_at": "2099-01-01\x00"}, {"expires_at": "2099-01-01T00:00Z"},
    ],
    ids=str,
)  # fmt: skip
async def test_invalid_token_request_names_its_field(alice: Person, wish: dict[str, Any]) -> None:
    reply = await alice.post("/api/tokens", json={"name": "nightly import", **wish})
    assert_error(reply, 400, "invalid_request", **dict.fromkeys(wish, ...))
    assert await list_tokens(alice) == []


@pytest.mark.parametrize("scopes", [None, "", " ", "read scan", ["read", "scan", "read"]])
async def test_scopes_default_to_scan_and_read(alice: Person, scopes: Any) -> None:
    assert (await create_token(alice, scopes=scopes))["scopes"] == ["scan", "read"]


async def test_token_can_be_created_by_form(alice: Person) -> None:
    reply = await alice.post("/api/tokens", data={"name": "ថវិកា", "scopes": "read", "expires_at": ""})
    assert (reply.status, reply.json["name"], reply.json["scopes"]) == (201, "ថវិកា", ["read"])


async def test_tokens_per_user_are_limited(alice: Person, bob: Person) -> None:
    for number in range(MAX_API_TOKENS):
        await create_token(alice, name=str(number))
    assert_error(await alice.post("/api/tokens", json={"name": "more"}), 409, "too_many_tokens")
    await create_token(bob)
    await alice.delete(f"/api/tokens/{(await list_tokens(alice))[0]['id']}")
    await create_token(alice)
    assert len(await list_tokens(alice)) == MAX_API_TOKENS


async def test_limit_of_tokens_holds_for_concurrent_requests(alice: Person) -> None:
    wish = {"name": "nightly import"}
    replies = await asyncio.gather(
        *(alice.post("/api/tokens", json=wish) for _ in range(MAX_API_TOKENS + 20))
    )
    assert sorted(reply.status for reply in replies) == [201] * MAX_API_TOKENS + [409] * 20
    assert len(await list_tokens(alice)) == MAX_API_TOKENS


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_concurrent_inserts_of_tokens_count_each_other(
    alice: Person, server: Server, postgres: Postgres, database_url: str
) -> None:
    """All INSERTs wait for the row of the user, so that none has committed before another one counts."""
    db = server.app[DATABASE]
    account = await find_account(db, TokenSubject(alice.id, 0))

    async def insert(number: int) -> bool:
        token = ApiToken(str(uuid.uuid4()), str(number), ["read"], utc_now(), None, None)
        return await insert_api_token(db, account, token, str(number), 3)

    with psycopg.connect(database_url) as connection:
        await asyncio.to_thread(connection.execute, "SELECT id FROM users FOR UPDATE")
        inserts = asyncio.gather(*(insert(number) for number in range(db.size)))
        name = database_name(database_url)
        while await asyncio.to_thread(postgres.execute, COUNT_WAITING, name) != [(db.size,)]:
            pass
    assert (await inserts).count(True) == 3


async def test_token_of_an_account_that_is_gone_meanwhile_is_not_stored(
    alice: Person, server: Server
) -> None:
    """The account may be deleted, or its password changed, after the request is authenticated."""
    db = server.app[DATABASE]
    account = await find_account(db, TokenSubject(alice.id, 0))
    token = ApiToken(str(uuid.uuid4()), "nightly import", ["read"], utc_now(), None, None)
    assert await insert_api_token(db, account, token, "digest", 1)
    assert not await insert_api_token(db, account, token, "another digest", 1)
    changed = await update_password(db, account, "another hash")
    with pytest.raises(TokenRevoked):
        await insert_api_token(db, account, token, "another digest", 1)
    await delete_user(db, changed)
    with pytest.raises(TokenRevoked):
        await insert_api_token(db, account, token, "another digest", 1)
    assert await db.fetch_all("SELECT id FROM api_tokens") == []


async def change_password(person: Person, old: str, new: str, **fields: Any) -> Reply:
    body = {"current_password": old, "new_password": new, **fields}
    reply = await person.post("/api/auth/password", json=body)
    if reply.status == 200:
        person.session.headers["Authorization"] = f"Bearer {reply.json['access_token']}"
    return reply


async def test_password_change_revokes_api_tokens_unless_kept(alice: Person, guest: Person) -> None:
    made = await create_token(alice)
    used = bearer(made["token"])
    assert_error(
        await change_password(alice, PASSWORD, "second one", keep_api_tokens="maybe"),
        400,
        "invalid_request",
        keep_api_tokens=...,
    )
    assert (await change_password(alice, PASSWORD, "second one", keep_api_tokens=True)).status == 200
    assert (await guest.get("/api/scans", headers=used)).status == 200
    assert (await guest.get("/api/auth/me", headers=used)).status == 200
    assert [token["id"] for token in await list_tokens(alice)] == [made["id"]]
    assert (await change_password(alice, "second one", "third one")).status == 200
    assert_error(await guest.get("/api/scans", headers=used), 401, "not_authenticated")
    assert await list_tokens(alice) == []
    assert (await change_password(alice, "third one", "fourth one", keep_api_tokens=True)).status == 200
    assert_error(await guest.get("/api/auth/me", headers=used), 401, "not_authenticated")


async def test_account_deletion_deletes_its_tokens(alice: Person, guest: Person, server: Server) -> None:
    used = bearer((await create_token(alice))["token"])
    assert (await alice.delete("/api/auth/me", json={"password": PASSWORD})).status == 200
    assert_error(await guest.get("/api/scans", headers=used), 401, "not_authenticated")
    assert await server.app[DATABASE].fetch_all("SELECT id FROM api_tokens", {}) == []


async def test_last_use_is_recorded_once_a_minute(alice: Person, guest: Person, server: Server) -> None:
    made = await create_token(alice)
    pool = server.app[DATABASE]

    async def last_used() -> datetime.datetime | None:
        digest = hashlib.sha256(made["token"].encode()).hexdigest()
        found = await find_account_by_api_token(pool, digest, alice.id)
        assert found
        return found.last_used_at

    async def use() -> None:
        assert (await guest.get("/api/scans", headers=bearer(made["token"]))).status == 200

    assert await last_used() is None
    before = utc_now()
    await use()
    first = await last_used()
    assert first
    assert before <= first <= utc_now()
    await asyncio.gather(use(), use())
    assert await last_used() == first
    long_ago = {"id": made["id"], "then": first - datetime.timedelta(minutes=2)}
    await pool.fetch_all("UPDATE api_tokens SET last_used_at = :then WHERE id = :id", long_ago)
    await use()
    again = await last_used()
    assert again
    assert again >= first


async def test_account_page_creates_lists_and_deletes_tokens(guest: Person, alice: Person) -> None:
    login = {"username": alice.email, "password": PASSWORD}
    assert (await guest.post("/login", data=login)).status == 303
    empty = (await guest.get("/account")).body.decode()
    assert "No tokens yet." in empty
    assert f"curl {guest.url}/api/scan" in empty
    wish = {"name": "<b>nightly", "scopes": "scan", "expires_at": "2099-12-31"}
    reply = await guest.post("/account/tokens", data=wish)
    page = html.unescape(reply.body.decode())
    assert reply.headers["Cache-Control"] == "no-store"
    token = TOKEN.findall(page)[0]
    assert f'curl {guest.url}/api/scan \\\n  -H "Authorization: Bearer {token}"' in page
    assert b"<b>nightly" not in reply.body
    (session,) = guest.session.cookie_jar
    proxy = {"Host": "risk.example", "X-Forwarded-Proto": "https"}
    proxy["Cookie"] = f"__Host-{session.key}={session.value}"
    proxied = await guest.post("/account/tokens", data=wish, headers=proxy)
    assert b"curl https://risk.example/api/scan" in proxied.body
    used = await guest.post("/api/scan", data=form(text="tight budget"), headers=bearer(token))
    assert used.status == 200
    listed = (await guest.get("/account/tokens")).body.decode()
    assert token not in listed
    assert listed.count("&lt;b&gt;nightly</h3>") == 2
    for made in await list_tokens(alice):
        gone = await guest.post(f"/account/tokens/{made['id']}/delete")
        assert (gone.status, gone.headers["Location"]) == (303, "/account?done=token")
    assert b"No tokens yet." in (await guest.get("/account?done=token")).body


async def test_a_token_expires_on_the_page_on_the_day_that_was_typed(guest: Person, alice: Person) -> None:
    await guest.post("/login", data={"username": alice.email, "password": PASSWORD})
    made = await guest.post("/account/tokens", data={"name": "day", "expires_at": "2099-12-31"})
    await create_token(alice, name="time", expires_at="2099-12-31T12:00:00Z")
    listed = (await guest.get("/account")).body.decode()
    for page in (made.body.decode(), listed):
        assert '<time datetime="2099-12-31">31 Dec 2099</time> (end of the day, UTC)' in page
    assert "31 Dec 2099, 12:00 UTC</time>" in listed
    assert "2100" not in listed


async def test_refused_token_form_keeps_the_typed_values_and_the_list(guest: Person, alice: Person) -> None:
    await create_token(alice)
    await guest.post("/login", data={"username": alice.email, "password": PASSWORD})
    reply = await guest.post(
        "/account/tokens", data={"name": "kept", "scopes": "read", "expires_at": "2020-01-01"}
    )
    page = reply.body.decode()
    assert reply.status == 400
    assert 'value="kept"' in page
    assert '<option value="read" selected>' in page
    assert 'value="2020-01-01"' in page
    assert 'id="expires_at-error"' in page
    wrong = await guest.post("/account/password", data={"current_password": "x", "new_password": "y" * 9})
    for refused in (reply, wrong):  # the list stays
        assert b"nightly import</h3>" in refused.body
        assert b"No reviews yet." in refused.body
    kept = {"current_password": "x", "new_password": "y" * 9, "keep_api_tokens": "true"}
    again = await guest.post("/account/password", data=kept)
    assert [b'value="true" checked>' in reply.body for reply in (wrong, again)] == [False, True]


async def test_password_page_can_keep_api_tokens(guest: Person, alice: Person) -> None:
    made = await create_token(alice)
    await guest.post("/login", data={"username": alice.email, "password": PASSWORD})
    fields = {"current_password": PASSWORD, "new_password": "another one", "keep_api_tokens": "true"}
    reply = await guest.post("/account/password", data=fields)
    assert reply.headers["Location"] == "/account?done=kept"
    assert (await guest.get("/api/scans", headers=bearer(made["token"]))).status == 200
