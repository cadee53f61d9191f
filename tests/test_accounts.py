"""Accounts: register, login, logout, me, password, delete (API.md, Endpoints)."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import re
from collections.abc import Callable

import pytest
from conftest import PASSWORD, MakeSettings, Person, Server, assert_error, serving, signed_in

from riskscan.database import DATABASE
from riskscan.settings import Rate

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z"


async def test_register_answers_a_token_and_the_user(anyone: Person) -> None:
    reply = await anyone.post("/api/auth/register", json={"email": " Ana@Example.COM ", "password": PASSWORD})
    assert reply.status == 201
    body = reply.json
    user = body["user"]
    assert set(user) == {"id", "email", "created_at", "updated_at"}
    assert user["email"] == "ana@example.com"
    assert re.fullmatch(TIME, user["created_at"])
    assert re.fullmatch(TIME, user["updated_at"])
    assert body == {
        "access_token": body["token"],
        "token": body["token"],
        "token_type": "bearer",
        "expires_in": 1800,
        "user": user,
        "user_id": user["id"],
        "email": "ana@example.com",
    }
    assert reply.headers["Cache-Control"] == "no-store"
    me = await anyone.get("/api/auth/me", headers={"Authorization": f"Bearer {body['token']}"})
    assert me.json == user


async def test_register_takes_a_form(anyone: Person) -> None:
    reply = await anyone.post("/api/auth/register", data={"email": "ana@example.com", "password": PASSWORD})
    assert reply.status == 201


@pytest.mark.parametrize(
    "email", ["", "ana", "ana@", "@example.com", "a b@example.com", "ana@example", "a@b..c", 7]
)
async def test_register_refuses_what_is_no_address(anyone: Person, email: object) -> None:
    reply = await anyone.post("/api/auth/register", json={"email": email, "password": PASSWORD})
    assert_error(reply, 400, "invalid_request", email=...)


@pytest.mark.parametrize("password", ["", "short", "x" * 129, "lone \ud800 surrogate", None, 123456])
async def test_register_refuses_a_password(anyone: Person, password: object) -> None:
    reply = await anyone.post("/api/auth/register", json={"email": "ana@example.com", "password": password})
    assert_error(reply, 400, "invalid_request", password=...)


async def test_register_takes_no_other_fields(anyone: Person, alice: Person) -> None:
    more = {
        "id": alice.id,
        "user_id": alice.id,
        "token_version": 7,
        "created_at": "2000-01-01",
        "scan_count": 7,
    }
    reply = await anyone.post("/api/auth/register", json={"email": "a@b.cd", "password": PASSWORD, **more})
    assert reply.json["user_id"] != alice.id
    assert not reply.json["user"]["created_at"].startswith("2000")
    assert (await anyone.get("/api/scans")).json["total"] == 0
    assert (await anyone.get("/api/auth/me")).status == 200


async def test_a_new_database_has_no_account(server: Server) -> None:
    assert await server.app[DATABASE].fetch_all("SELECT id FROM users", {}) == []


async def test_sql_in_what_is_sent_stays_text(anyone: Person, alice: Person) -> None:
    sql = "'; DROP TABLE scans; -- :id $1 %"
    scan = await alice.scan(text=sql, file=(f"{sql}.txt", b"The budget is tight."))
    found = (await alice.get(f"/api/scans/{scan['scan_id']}")).json
    assert found["filename"] == f"{sql}.txt"
    for name in ("username", "password"):
        login = {"username": alice.email, "password": PASSWORD, name: f"{alice.email}' OR '1'='1"}
        assert_error(await anyone.post("/api/auth/login", data=login), 401, "invalid_credentials")
    assert (await alice.get("/api/scans")).json["total"] == 1


async def test_a_taken_address_is_a_conflict_whatever_its_case(anyone: Person, alice: Person) -> None:
    reply = await anyone.post("/api/auth/register", json={"email": "ALICE@example.com", "password": PASSWORD})
    assert_error(reply, 409, "email_taken", email=...)


async def test_of_parallel_registrations_of_one_address_one_is_made(people: Callable[[], Person]) -> None:
    body = {"email": "ana@example.com", "password": PASSWORD}
    replies = await asyncio.gather(*(people().post("/api/auth/register", json=body) for _ in range(20)))
    assert sorted(reply.status for reply in replies) == [201] + [409] * 19


@pytest.mark.parametrize(
    "password",
    ["a" * 128, "ពាក្យសម្ងាត់" * 9, "😀" * 128, "nul\x00inside", "  spaces  "],
    ids=lambda text: text[:6],
)
async def test_every_character_of_a_password_counts(anyone: Person, password: str) -> None:
    await anyone.register("ana@example.com", password)
    good = await anyone.post("/api/auth/login", json={"email": "ana@example.com", "password": password})
    assert good.status == 200
    other_end = password[:-1] + "b"
    reply = await anyone.post("/api/auth/login", json={"email": "ana@example.com", "password": other_end})
    assert_error(reply, 401, "invalid_credentials")


async def test_login_is_the_oauth2_password_grant(anyone: Person, alice: Person) -> None:
    grant = {
        "grant_type": "password",
        "username": "Alice@Example.com",
        "password": PASSWORD,
        "scope": "",
        "client_id": "spa",
        "client_secret": "secret",
    }
    basic = "Basic " + base64.b64encode(b"spa:secret").decode()
    reply = await anyone.post("/api/auth/login", data=grant, headers={"Authorization": basic})
    assert reply.status == 200
    assert reply.json["user_id"] == alice.id


@pytest.mark.parametrize("name", ["email", "username"])
async def test_login_takes_json(anyone: Person, alice: Person, name: str) -> None:
    reply = await anyone.post("/api/auth/login", json={name: alice.email, "password": PASSWORD})
    assert reply.status == 200


@pytest.mark.parametrize(
    "email", ["alice@example.com", "nobody@example.com", "no address", "nul\x00@example.com", "x" * 5000]
)
async def test_wrong_password_and_unknown_address_are_the_same_refusal(
    anyone: Person, alice: Person, email: str
) -> None:
    reply = await anyone.post("/api/auth/login", data={"username": email, "password": "wrong password"})
    assert assert_error(reply, 401, "invalid_credentials") == "The e-mail address or the password is wrong."
    assert reply.json["error_description"] == reply.json["detail"]


async def test_only_the_password_grant_is_known(anyone: Person, alice: Person) -> None:
    grant = {"grant_type": "refresh_token", "username": alice.email, "password": PASSWORD}
    reply = await anyone.post("/api/auth/login", data=grant)
    assert_error(reply, 400, "invalid_request", grant_type=...)


async def test_an_address_of_a_network_of_its_own_is_taken(anyone: Person) -> None:
    await anyone.register("ana@corp.local")


async def test_a_log_in_while_the_account_goes_is_refused(anyone: Person, alice: Person) -> None:
    login = {"email": alice.email, "password": PASSWORD}
    gone, *replies = await asyncio.gather(
        alice.delete("/api/auth/me", json={"password": PASSWORD}),
        *(anyone.post("/api/auth/login", json=login) for _ in range(10)),
    )
    assert gone.status == 200
    assert {reply.status for reply in replies} <= {200, 401}


async def test_an_account_is_deleted_once(alice: Person) -> None:
    replies = await asyncio.gather(
        *(alice.delete("/api/auth/me", json={"password": PASSWORD}) for _ in range(3))
    )
    assert sorted(reply.status for reply in replies) == [200, 401, 401]


async def test_an_account_goes_while_its_scans_come_and_go(alice: Person) -> None:
    scans = await asyncio.gather(*(alice.scan(text=f"scan {number}") for number in range(24)))
    replies = await asyncio.gather(
        *(alice.delete(f"/api/scans/{scan['scan_id']}") for scan in scans),
        *(alice.post("/api/scan", json={"text": "x"}) for _ in range(8)),
        alice.delete("/api/auth/me", json={"password": PASSWORD}),
    )
    assert replies[-1].status == 200
    assert {reply.status for reply in replies} <= {200, 401, 404}


@pytest.mark.parametrize("body", [{}, {"username": "alice@example.com"}, {"password": PASSWORD}])
async def test_login_without_both_is_refused(anyone: Person, body: dict[str, str]) -> None:
    reply = await anyone.post("/api/auth/login", data=body)
    assert_error(reply, 400, "invalid_request")
    assert reply.json["error_description"] == reply.json["detail"]


async def test_login_starts_a_session_and_logout_ends_it_on_the_server_too(
    anyone: Person, alice: Person
) -> None:
    reply = await anyone.post("/api/auth/login", json={"email": alice.email, "password": PASSWORD})
    cookie = reply.cookies["riskscan_session"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    copied = {"Cookie": f"riskscan_session={cookie.value}"}
    assert (await anyone.get("/api/auth/me")).json["id"] == alice.id

    reply = await anyone.post("/api/auth/logout")
    assert (reply.status, reply.json) == (200, {"message": "Logged out"})
    assert_error(await anyone.get("/api/auth/me"), 401, "not_authenticated")
    assert_error(await anyone.get("/api/auth/me", headers=copied), 401, "not_authenticated")


async def test_a_login_renews_the_session(anyone: Person, alice: Person) -> None:
    login = {"email": alice.email, "password": PASSWORD}
    first = (await anyone.post("/api/auth/login", json=login)).cookies["riskscan_session"].value
    second = (await anyone.post("/api/auth/login", json=login)).cookies["riskscan_session"].value
    assert first != second
    anyone.session.cookie_jar.clear()
    reply = await anyone.get("/api/auth/me", headers={"Cookie": f"riskscan_session={first}"})
    assert_error(reply, 401, "not_authenticated")


async def test_logout_without_a_session_is_no_error(anyone: Person) -> None:
    assert (await anyone.post("/api/auth/logout")).status == 200


async def test_a_new_password_revokes_every_token_and_session(anyone: Person, alice: Person) -> None:
    await anyone.post("/api/auth/login", json={"email": alice.email, "password": PASSWORD})
    change = {"current_password": PASSWORD, "new_password": "another horse"}
    reply = await alice.post("/api/auth/password", json=change)
    assert reply.status == 200
    assert_error(await alice.get("/api/auth/me"), 401, "not_authenticated")
    assert_error(await anyone.get("/api/auth/me"), 401, "not_authenticated")
    fresh = {"Authorization": f"Bearer {reply.json['access_token']}"}
    assert (await alice.get("/api/auth/me", headers=fresh)).json["id"] == alice.id
    old = await anyone.post("/api/auth/login", json={"email": alice.email, "password": PASSWORD})
    assert_error(old, 401, "invalid_credentials")
    new = await anyone.post("/api/auth/login", json={"email": alice.email, "password": "another horse"})
    assert new.status == 200


async def test_a_new_password_needs_the_old_one(alice: Person) -> None:
    change = {"current_password": "wrong horse", "new_password": "another horse"}
    reply = await alice.post("/api/auth/password", json=change)
    assert_error(reply, 400, "invalid_request", current_password=...)
    assert (await alice.get("/api/auth/me")).status == 200


async def test_a_deleted_account_is_gone_with_its_scans(anyone: Person, alice: Person, bob: Person) -> None:
    await alice.scan(text="The budget is tight.")
    kept = await bob.scan(text="The budget is tight.")
    await anyone.post("/api/auth/login", json={"email": alice.email, "password": PASSWORD})
    reply = await alice.delete("/api/auth/me", json={"password": PASSWORD})
    assert (reply.status, reply.json) == (200, {"message": "Account deleted"})
    for person in (alice, anyone):
        assert_error(await person.get("/api/auth/me"), 401, "not_authenticated")
        assert_error(await person.get("/api/scans"), 401, "not_authenticated")
    assert [scan["scan_id"] for scan in (await bob.get("/api/scans")).json["scans"]] == [kept["scan_id"]]
    await anyone.register("alice@example.com")
    assert (await anyone.get("/api/scans")).json["total"] == 0


@pytest.mark.parametrize("body", [{}, {"password": "wrong horse"}])
async def test_an_account_is_not_deleted_without_its_password(alice: Person, body: dict[str, str]) -> None:
    assert_error(await alice.delete("/api/auth/me", json=body), 400, "invalid_request", password=...)
    assert (await alice.get("/api/auth/me")).status == 200


class TestLimits:
    @pytest.fixture
    def make_settings(self, make_settings):  # type: ignore[no-untyped-def]
        return lambda: make_settings(login_limit=Rate(3, 60), register_limit=Rate(4, 60))

    async def wrong(self, person: Person, email: str, address: str = "") -> int:
        headers = {"X-Forwarded-For": address} if address else {}
        body = {"email": email, "password": "wrong horse"}
        return (await person.post("/api/auth/login", json=body, headers=headers)).status

    async def test_wrong_passwords_of_one_account_are_limited(self, anyone: Person, alice: Person) -> None:
        assert [await self.wrong(anyone, alice.email) for _ in range(5)] == [401, 401, 401, 429, 429]
        right = {"email": alice.email, "password": PASSWORD}
        reply = await anyone.post("/api/auth/login", json=right)
        assert_error(reply, 429, "rate_limited")
        assert 1 <= int(reply.headers["Retry-After"]) <= 60

    async def test_a_flood_from_one_address_does_not_lock_the_owner_out(
        self, anyone: Person, alice: Person
    ) -> None:
        for _ in range(5):
            await self.wrong(anyone, alice.email, "203.0.113.7")
        right = {"email": alice.email, "password": PASSWORD}
        reply = await anyone.post("/api/auth/login", json=right, headers={"X-Forwarded-For": "198.51.100.1"})
        assert reply.status == 200

    async def test_a_flood_from_many_addresses_is_limited(self, anyone: Person, alice: Person) -> None:
        statuses = [await self.wrong(anyone, alice.email, f"203.0.113.{number}") for number in range(32)]
        assert statuses == [401] * 30 + [429] * 2

    async def test_a_customer_of_ipv6_counts_once(self, anyone: Person, alice: Person) -> None:
        addresses = ["2001:db8::1", "2001:db8::2:3", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8::4"]
        assert [await self.wrong(anyone, alice.email, one) for one in addresses] == [401, 401, 401, 429]
        others = ["2001:db8:0:1::1", "::ffff:192.0.2.1", "::ffff:192.0.2.2", "192.0.2.3", "192.0.2.1"]
        # the second and the last are one
        tries = [await self.wrong(anyone, alice.email, one) for one in others * 2]
        assert tries == [401] * 9 + [429]

    async def test_only_a_trusted_proxy_says_where_a_try_comes_from(
        self, make_settings: MakeSettings
    ) -> None:
        settings = dataclasses.replace(make_settings(), trusted_proxies=())
        async with serving(settings) as server, signed_in(server) as ana:
            tries = [await self.wrong(ana, ana.email, f"203.0.113.{number}") for number in range(5)]
        assert tries == [401, 401, 401, 429, 429]

    async def test_what_is_no_address_is_counted_apart(self, anyone: Person) -> None:
        for _ in range(5):
            await self.wrong(anyone, "foo")
        assert await self.wrong(anyone, "bar") == 401

    async def test_right_passwords_are_not(self, anyone: Person, alice: Person) -> None:
        right = {"email": alice.email, "password": PASSWORD}
        for _ in range(40):
            assert (await anyone.post("/api/auth/login", json=right)).status == 200

    async def test_registrations_from_one_address_are_limited(self, people: Callable[[], Person]) -> None:
        for number in range(4):
            await people().register(f"user{number}@example.com")
        reply = await people().post(
            "/api/auth/register", json={"email": "x@example.com", "password": PASSWORD}
        )
        assert_error(reply, 429, "rate_limited")

    async def test_registrations_of_one_account_are_limited(self, anyone: Person, alice: Person) -> None:
        body = {"email": alice.email, "password": PASSWORD}
        statuses = []
        for number in range(5):
            headers = {"X-Forwarded-For": f"203.0.113.{number}"}
            statuses.append((await anyone.post("/api/auth/register", json=body, headers=headers)).status)
        assert statuses == [409, 409, 409, 429, 429]

    async def test_an_answer_says_what_is_left(self, anyone: Person, alice: Person) -> None:
        body = {"email": alice.email, "password": "wrong horse"}
        for left in (2, 1, 0, 0):
            reply = await anyone.post("/api/auth/login", json=body)
            assert reply.headers["RateLimit-Policy"] == '"login";q=3;w=60'
            found = re.fullmatch(r'"login";r=(\d+);t=(\d+)', reply.headers["RateLimit"])
            assert found
            assert int(found[1]) == left
            assert 1 <= int(found[2]) <= 60
            reset = found[2]
        assert reply.headers["Retry-After"] == reset
        assert "RateLimit" not in (await alice.get("/api/auth/me")).headers

    async def test_a_right_password_is_given_back_in_the_count(self, anyone: Person, alice: Person) -> None:
        right = {"email": alice.email, "password": PASSWORD}
        reply = await anyone.post("/api/auth/login", json=right)
        assert reply.headers["RateLimit"].startswith('"login";r=3;')
