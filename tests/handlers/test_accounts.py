"""Accounts: register, log in, log out, get, change password, delete (API.md, Endpoints)."""

from __future__ import annotations

import asyncio
import base64
import dataclasses
import datetime
import re
from collections.abc import Callable
from typing import Any

import pytest

from riskscan.database import DATABASE
from riskscan.database.rows import to_utc, utc_now
from riskscan.database.users import find_account_by_email, renew_password_hash, update_password
from riskscan.rate_limits import Usage, bucket
from riskscan.settings import Rate
from tests.support.application import MakeSettings, Server, serve
from tests.support.client import PASSWORD, Person, assert_error, bearer, create_token, registered_person

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z"


async def test_register_returns_token_and_user(guest: Person) -> None:
    reply = await guest.post("/api/auth/register", json={"email": " Ana@Example.COM ", "password": PASSWORD})
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
    me = await guest.get("/api/auth/me", headers={"Authorization": f"Bearer {body['token']}"})
    assert me.json == user


async def test_register_accepts_a_form(guest: Person) -> None:
    reply = await guest.post("/api/auth/register", data={"email": "ana@example.com", "password": PASSWORD})
    assert reply.status == 201


@pytest.mark.parametrize(
    "email", ["", "ana", "ana@", "@example.com", "a b@example.com", "ana@example", "a@b..c", 7]
)
async def test_register_refuses_an_invalid_email(guest: Person, email: object) -> None:
    reply = await guest.post("/api/auth/register", json={"email": email, "password": PASSWORD})
    assert_error(reply, 400, "invalid_request", email=...)


@pytest.mark.parametrize("password", ["", "short", "x" * 129, "lone \ud800 surrogate", None, 123456])
async def test_register_refuses_an_invalid_password(guest: Person, password: object) -> None:
    reply = await guest.post("/api/auth/register", json={"email": "ana@example.com", "password": password})
    assert_error(reply, 400, "invalid_request", password=...)


async def test_all_errors_of_a_form_are_named_at_once(guest: Person, alice: Person) -> None:
    both = await guest.post("/api/auth/register", json={"email": "ana", "password": "short"})
    assert_error(both, 400, "invalid_request", email=..., password=...)
    assert both.json["detail"] == "Several fields are invalid."
    missing = await guest.post("/api/auth/register", json={})
    assert missing.json["detail"] == "Fill in all required fields."
    assert missing.json["fields"] == {"email": "Enter your email.", "password": "Enter a password."}
    login = await guest.post("/api/auth/login", json={"grant_type": "code"})
    assert_error(login, 400, "invalid_request", grant_type=..., email=..., password=...)
    change = {"new_password": "x", "keep_api_tokens": "maybe"}
    reply = await alice.post("/api/auth/password", json=change)
    assert_error(reply, 400, "invalid_request", current_password=..., new_password=..., keep_api_tokens=...)
    token = {"name": "", "scopes": "write", "expires_at": "2020-01-01"}
    reply = await alice.post("/api/tokens", json=token)
    assert_error(reply, 400, "invalid_request", name=..., scopes=..., expires_at=...)


@pytest.mark.settings(registration_domains=())
async def test_closed_registration_is_refused_and_not_offered(guest: Person) -> None:
    account = {"email": "ana@example.com", "password": PASSWORD}
    detail = assert_error(await guest.post("/api/auth/register", json=account), 403, "registration_closed")
    assert detail == "Accounts are created by whoever runs this server. Ask them for yours."
    for reply in (await guest.get("/register"), await guest.post("/register", data=account)):
        assert reply.status == 403
        page = reply.body.decode()
        assert detail in page
        assert '<form method="post" action="/register' not in page
    for path in ("/", "/login", "/sample", "/register"):
        page = (await guest.get(path)).body.decode()
        assert "Log in" in page
        assert [
            text for text in ('href="/register', "Create account", "Create an account") if text in page
        ] == []


@pytest.mark.settings(registration_domains=("example.com", "bücher.example"))
async def test_registration_for_domains_takes_exactly_these(guest: Person) -> None:
    for email in ("ana@other.com", "ana@sub.example.com", "ana@example.com.other.org", "ana@anexample.com"):
        reply = await guest.post("/api/auth/register", json={"email": email, "password": PASSWORD})
        assert_error(reply, 403, "email_not_allowed", email=...)
    detail = assert_error(
        await guest.post("/api/auth/register", json={"email": "ana@other.com", "password": PASSWORD}),
        403,
        "email_not_allowed",
        email=...,
    )
    assert "@example.com, @bücher.example" in detail
    page = await guest.post("/register", data={"email": "ana@other.com", "password": PASSWORD})
    assert page.status == 403
    assert "Only addresses of @example.com" in page.body.decode()
    assert 'value="ana@other.com"' in page.body.decode()
    for email in ("ana@Example.COM", "bo@xn--bcher-kva.example", "cy@BÜCHER.example"):
        reply = await guest.post("/api/auth/register", json={"email": email, "password": PASSWORD})
        assert reply.status == 201, email


async def test_register_ignores_unknown_fields(guest: Person, alice: Person) -> None:
    more = {
        "id": alice.id,
        "user_id": alice.id,
        "token_version": 7,
        "created_at": "2000-01-01",
        "scan_count": 7,
    }
    reply = await guest.post("/api/auth/register", json={"email": "a@b.cd", "password": PASSWORD, **more})
    assert reply.json["user_id"] != alice.id
    assert not reply.json["user"]["created_at"].startswith("2000")
    assert (await guest.get("/api/scans")).json["total"] == 0
    assert (await guest.get("/api/auth/me")).status == 200


async def test_a_new_database_has_no_account(server: Server) -> None:
    assert await server.app[DATABASE].fetch_all("SELECT id FROM users", {}) == []


async def test_sql_in_input_is_treated_as_text(guest: Person, alice: Person) -> None:
    sql = "'; DROP TABLE scans; -- :id $1 %"
    scan = await alice.scan(text=sql, file=(f"{sql}.txt", b"The budget is tight."))
    found = (await alice.get(f"/api/scans/{scan['scan_id']}")).json
    assert found["filename"] == f"{sql}.txt"
    for name in ("username", "password"):
        login = {"username": alice.email, "password": PASSWORD, name: f"{alice.email}' OR '1'='1"}
        assert_error(await guest.post("/api/auth/login", data=login), 401, "invalid_credentials")
    assert (await alice.get("/api/scans")).json["total"] == 1


async def test_duplicate_email_in_any_case_is_a_conflict(guest: Person, alice: Person) -> None:
    reply = await guest.post("/api/auth/register", json={"email": "ALICE@example.com", "password": PASSWORD})
    assert_error(reply, 409, "email_taken", email=...)


async def test_parallel_registrations_of_one_email_create_one_account(people: Callable[[], Person]) -> None:
    body = {"email": "ana@example.com", "password": PASSWORD}
    replies = await asyncio.gather(*(people().post("/api/auth/register", json=body) for _ in range(20)))
    assert sorted(reply.status for reply in replies) == [201] + [409] * 19


@pytest.mark.parametrize(
    "password",
    ["a" * 128, "ពាក្យសម្ងាត់" * 9, "😀" * 128, "nul\x00inside", "  spaces  "],
    ids=lambda text: text[:6],
)
async def test_every_character_of_a_password_counts(guest: Person, password: str) -> None:
    await guest.register("ana@example.com", password)
    good = await guest.post("/api/auth/login", json={"email": "ana@example.com", "password": password})
    assert good.status == 200
    other_end = password[:-1] + "b"
    reply = await guest.post("/api/auth/login", json={"email": "ana@example.com", "password": other_end})
    assert_error(reply, 401, "invalid_credentials")


async def test_login_is_the_oauth2_password_grant(guest: Person, alice: Person) -> None:
    grant = {
        "grant_type": "password",
        "username": "Alice@Example.com",
        "password": PASSWORD,
        "scope": "",
        "client_id": "spa",
        "client_secret": "secret",
    }
    basic = "Basic " + base64.b64encode(b"spa:secret").decode()
    reply = await guest.post("/api/auth/login", data=grant, headers={"Authorization": basic})
    assert reply.status == 200
    assert reply.json["user_id"] == alice.id


@pytest.mark.parametrize("name", ["email", "username"])
async def test_login_accepts_json(guest: Person, alice: Person, name: str) -> None:
    for grant_type in ({}, {"grant_type": "password"}, {"grant_type": ""}, {"grant_type": None}):
        login = {name: alice.email, "password": PASSWORD, **grant_type}
        assert (await guest.post("/api/auth/login", json=login)).status == 200


@pytest.mark.parametrize(
    "email", ["alice@example.com", "nobody@example.com", "no address", "nul\x00@example.com", "x" * 5000]
)
async def test_wrong_password_and_unknown_email_get_the_same_error(
    guest: Person, alice: Person, email: str
) -> None:
    reply = await guest.post("/api/auth/login", data={"username": email, "password": "wrong password"})
    assert assert_error(reply, 401, "invalid_credentials") == "Wrong email or password."
    assert reply.json["error_description"] == reply.json["detail"]


async def test_other_grant_types_are_refused(guest: Person, alice: Person) -> None:
    grant = {"grant_type": "refresh_token", "username": alice.email, "password": PASSWORD}
    reply = await guest.post("/api/auth/login", data=grant)
    assert_error(reply, 400, "invalid_request", grant_type=...)


async def test_email_in_a_local_domain_is_accepted(guest: Person) -> None:
    await guest.register("ana@corp.local")
    assert (await guest.get("/api/auth/me")).json["email"] == "ana@corp.local"


async def test_login_racing_account_deletion_is_200_or_401(
    guest: Person, alice: Person, server: Server
) -> None:
    login = {"email": alice.email, "password": PASSWORD}
    gone, *replies = await asyncio.gather(
        alice.delete("/api/auth/me", json={"password": PASSWORD}),
        *(guest.post("/api/auth/login", json=login) for _ in range(10)),
    )
    assert gone.status == 200
    for reply in replies:
        if reply.status == 200:
            issued = bearer(reply.json["access_token"])
            assert_error(await guest.get("/api/auth/me", headers=issued), 401, "not_authenticated")
        else:
            assert reply.json["error"] in ("invalid_credentials", "not_authenticated")
            assert_error(reply, 401, reply.json["error"])
    assert_error(await guest.post("/api/auth/login", json=login), 401, "invalid_credentials")
    assert await server.app[DATABASE].fetch_all("SELECT id FROM sessions", {}) == []


async def test_parallel_account_deletions_succeed_once(alice: Person) -> None:
    replies = await asyncio.gather(
        *(alice.delete("/api/auth/me", json={"password": PASSWORD}) for _ in range(3))
    )
    assert sorted(reply.status for reply in replies) == [200, 401, 401]


async def test_account_deletion_succeeds_during_scan_writes(alice: Person, server: Server) -> None:
    scans = await asyncio.gather(*(alice.scan(text=f"scan {number}") for number in range(24)))
    replies = await asyncio.gather(
        *(alice.delete(f"/api/scans/{scan['scan_id']}") for scan in scans),
        *(alice.post("/api/scan", json={"text": "x"}) for _ in range(8)),
        alice.delete("/api/auth/me", json={"password": PASSWORD}),
    )
    assert replies[-1].status == 200
    assert {reply.status for reply in replies} <= {200, 401, 404}
    for table in ("users", "scans"):
        assert await server.app[DATABASE].fetch_all(f"SELECT id FROM {table}", {}) == []


@pytest.mark.parametrize("body", [{}, {"username": "alice@example.com"}, {"password": PASSWORD}])
async def test_login_without_email_or_password_is_refused(guest: Person, body: dict[str, str]) -> None:
    reply = await guest.post("/api/auth/login", data=body)
    assert_error(reply, 400, "invalid_request")
    assert reply.json["error_description"] == reply.json["detail"]


@pytest.mark.parametrize(
    ("path", "option", "status"), [("/api/auth/login", "json", 200), ("/api/auth/login", "data", 200),
                                   ("/login", "data", 303)],
)  # fmt: skip
async def test_login_renews_a_hash_of_another_cost_and_revokes_nothing(
    alice: Person, make_settings: MakeSettings, path: str, option: str, status: int
) -> None:
    async with serve(make_settings(bcrypt_cost=5)) as server:
        db, guest = server.app[DATABASE], Person(server)
        credentials = [bearer(alice.token), bearer((await create_token(alice))["token"])]
        before = await find_account_by_email(db, alice.email)
        wrong = {"username": alice.email, "password": "wrong horse"}
        assert_error(await guest.post("/api/auth/login", data=wrong), 401, "invalid_credentials")
        assert await find_account_by_email(db, alice.email) == before
        for _ in range(2):  # the second time with the new hash
            login: dict[str, Any] = {option: {"username": alice.email, "password": PASSWORD}}
            assert (await guest.post(path, **login)).status == status
        after = await find_account_by_email(db, alice.email)
        assert before
        assert after
        assert (before.password_hash[:7], after.password_hash[:7]) == ("$2b$04$", "$2b$05$")
        assert (after.user, after.token_version) == (before.user, before.token_version)
        for headers in credentials:
            assert (await guest.get("/api/auth/me", headers=headers)).status == 200
        await guest.session.close()


async def test_renewed_hash_does_not_replace_that_of_a_new_password(alice: Person, server: Server) -> None:
    db = server.app[DATABASE]
    outdated = await find_account_by_email(db, alice.email)
    assert outdated
    changed = await update_password(db, outdated, "hash of the new password")
    await renew_password_hash(db, outdated, "renewed hash of the old password")
    assert await find_account_by_email(db, alice.email) == changed


async def test_login_starts_a_session_and_logout_revokes_it_on_the_server(
    guest: Person, alice: Person
) -> None:
    reply = await guest.post("/api/auth/login", json={"email": alice.email, "password": PASSWORD})
    cookie = reply.cookies["riskscan_session"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    copied = {"Cookie": f"riskscan_session={cookie.value}"}
    assert (await guest.get("/api/auth/me")).json["id"] == alice.id

    reply = await guest.post("/api/auth/logout")
    assert (reply.status, reply.json) == (200, {"message": "Logged out"})
    assert_error(await guest.get("/api/auth/me"), 401, "not_authenticated")
    assert_error(await guest.get("/api/auth/me", headers=copied), 401, "not_authenticated")


async def test_login_replaces_the_existing_session(guest: Person, alice: Person) -> None:
    login = {"email": alice.email, "password": PASSWORD}
    first = (await guest.post("/api/auth/login", json=login)).cookies["riskscan_session"].value
    second = (await guest.post("/api/auth/login", json=login)).cookies["riskscan_session"].value
    assert first != second
    guest.session.cookie_jar.clear()
    reply = await guest.get("/api/auth/me", headers={"Cookie": f"riskscan_session={first}"})
    assert_error(reply, 401, "not_authenticated")


async def test_logout_without_a_session_succeeds(guest: Person) -> None:
    reply = await guest.post("/api/auth/logout")
    assert (reply.status, reply.json) == (200, {"message": "Logged out"})
    assert all(cookie.value == "" for cookie in reply.cookies.values())


async def test_password_change_revokes_all_tokens_and_sessions(guest: Person, alice: Person) -> None:
    await guest.post("/api/auth/login", json={"email": alice.email, "password": PASSWORD})
    change = {"current_password": PASSWORD, "new_password": "another horse"}
    reply = await alice.post("/api/auth/password", json=change)
    assert reply.status == 200
    assert_error(await alice.get("/api/auth/me"), 401, "not_authenticated")
    assert_error(await guest.get("/api/auth/me"), 401, "not_authenticated")
    fresh = {"Authorization": f"Bearer {reply.json['access_token']}"}
    assert (await alice.get("/api/auth/me", headers=fresh)).json["id"] == alice.id
    old = await guest.post("/api/auth/login", json={"email": alice.email, "password": PASSWORD})
    assert_error(old, 401, "invalid_credentials")
    new = await guest.post("/api/auth/login", json={"email": alice.email, "password": "another horse"})
    assert new.status == 200


async def test_password_change_requires_the_current_password(alice: Person) -> None:
    change = {"current_password": "wrong horse", "new_password": "another horse"}
    reply = await alice.post("/api/auth/password", json=change)
    assert_error(reply, 400, "invalid_request", current_password=...)
    assert (await alice.get("/api/auth/me")).status == 200


async def test_account_deletion_removes_its_scans_and_sessions(
    guest: Person, alice: Person, bob: Person
) -> None:
    await alice.scan(text="The budget is tight.")
    kept = await bob.scan(text="The budget is tight.")
    await guest.post("/api/auth/login", json={"email": alice.email, "password": PASSWORD})
    reply = await alice.delete("/api/auth/me", json={"password": PASSWORD})
    assert (reply.status, reply.json) == (200, {"message": "Account deleted"})
    for person in (alice, guest):
        assert_error(await person.get("/api/auth/me"), 401, "not_authenticated")
        assert_error(await person.get("/api/scans"), 401, "not_authenticated")
    assert [scan["scan_id"] for scan in (await bob.get("/api/scans")).json["scans"]] == [kept["scan_id"]]
    await guest.register("alice@example.com")
    assert (await guest.get("/api/scans")).json["total"] == 0


@pytest.mark.parametrize("body", [{}, {"password": "wrong horse"}])
async def test_account_deletion_requires_the_password(alice: Person, body: dict[str, str]) -> None:
    assert_error(await alice.delete("/api/auth/me", json=body), 400, "invalid_request", password=...)
    assert (await alice.get("/api/auth/me")).status == 200


@pytest.mark.settings(login_limit=Rate(3, 60), register_limit=Rate(4, 60))
class TestRateLimits:
    async def attempt_wrong_password(self, person: Person, email: str, address: str = "") -> int:
        headers = {"X-Forwarded-For": address} if address else {}
        body = {"email": email, "password": "wrong horse"}
        return (await person.post("/api/auth/login", json=body, headers=headers)).status

    async def test_failed_logins_per_account_are_limited(self, guest: Person, alice: Person) -> None:
        assert [await self.attempt_wrong_password(guest, alice.email) for _ in range(5)] == [
            401,
            401,
            401,
            429,
            429,
        ]
        right = {"email": alice.email, "password": PASSWORD}
        reply = await guest.post("/api/auth/login", json=right)
        assert_error(reply, 429, "rate_limited")
        assert 1 <= int(reply.headers["Retry-After"]) <= 60

    async def test_failed_logins_from_one_ip_do_not_lock_out_the_owner(
        self, guest: Person, alice: Person
    ) -> None:
        for _ in range(5):
            await self.attempt_wrong_password(guest, alice.email, "203.0.113.7")
        right = {"email": alice.email, "password": PASSWORD}
        reply = await guest.post("/api/auth/login", json=right, headers={"X-Forwarded-For": "198.51.100.1"})
        assert reply.status == 200

    async def test_failed_logins_from_many_ips_are_limited(self, guest: Person, alice: Person) -> None:
        statuses = [
            await self.attempt_wrong_password(guest, alice.email, f"203.0.113.{number}")
            for number in range(32)
        ]
        assert statuses == [401] * 30 + [429] * 2

    async def test_ipv6_addresses_of_one_64_prefix_share_a_limit(self, guest: Person, alice: Person) -> None:
        addresses = ["2001:db8::1", "2001:db8::2:3", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8::4"]
        assert [await self.attempt_wrong_password(guest, alice.email, one) for one in addresses] == [
            401,
            401,
            401,
            429,
        ]
        others = ["2001:db8:0:1::1", "::ffff:192.0.2.1", "::ffff:192.0.2.2", "192.0.2.3", "192.0.2.1"]
        # the second and the last are the same address
        tries = [await self.attempt_wrong_password(guest, alice.email, one) for one in others * 2]
        assert tries == [401] * 9 + [429]

    async def test_x_forwarded_for_is_ignored_from_untrusted_proxies(
        self, make_settings: MakeSettings
    ) -> None:
        settings = dataclasses.replace(make_settings(), trusted_proxies=())
        async with serve(settings) as server, registered_person(server) as ana:
            tries = [
                await self.attempt_wrong_password(ana, ana.email, f"203.0.113.{number}")
                for number in range(5)
            ]
        assert tries == [401, 401, 401, 429, 429]

    async def test_invalid_emails_are_limited_separately(self, guest: Person) -> None:
        for _ in range(5):
            await self.attempt_wrong_password(guest, "foo")
        assert await self.attempt_wrong_password(guest, "bar") == 401

    async def test_successful_logins_are_not_limited(self, guest: Person, alice: Person) -> None:
        right = {"email": alice.email, "password": PASSWORD}
        for _ in range(40):
            assert (await guest.post("/api/auth/login", json=right)).status == 200

    async def test_registrations_per_ip_are_limited(self, people: Callable[[], Person]) -> None:
        for number in range(4):
            await people().register(f"user{number}@example.com")
        reply = await people().post(
            "/api/auth/register", json={"email": "x@example.com", "password": PASSWORD}
        )
        assert_error(reply, 429, "rate_limited")

    async def test_registrations_per_email_are_limited(self, guest: Person, alice: Person) -> None:
        body = {"email": alice.email, "password": PASSWORD}
        statuses = []
        for number in range(5):
            headers = {"X-Forwarded-For": f"203.0.113.{number}"}
            statuses.append((await guest.post("/api/auth/register", json=body, headers=headers)).status)
        assert statuses == [409, 409, 409, 429, 429]

    async def test_ratelimit_headers_report_the_remaining_attempts(
        self, guest: Person, alice: Person
    ) -> None:
        body = {"email": alice.email, "password": "wrong horse"}
        for left in (2, 1, 0, 0):
            reply = await guest.post("/api/auth/login", json=body)
            assert reply.headers["RateLimit-Policy"] == '"login";q=3;w=60'
            found = re.fullmatch(r'"login";r=(\d+);t=(\d+)', reply.headers["RateLimit"])
            assert found
            assert int(found[1]) == left
            assert 1 <= int(found[2]) <= 60
            reset = found[2]
        assert reply.headers["Retry-After"] == reset
        assert "RateLimit" not in (await alice.get("/api/auth/me")).headers

    async def test_window_ends_within_its_length_after_the_clock_was_set_back(
        self, guest: Person, alice: Person, server: Server
    ) -> None:
        assert [await self.attempt_wrong_password(guest, alice.email) for _ in range(4)] == [401] * 3 + [429]
        db = server.app[DATABASE]
        two_hours_later = utc_now() + datetime.timedelta(hours=2)
        await db.execute("UPDATE attempts SET expires_at = :then", {"then": two_hours_later})
        right = {"email": alice.email, "password": PASSWORD}
        reply = await guest.post("/api/auth/login", json=right)
        detail = assert_error(reply, 429, "rate_limited")
        seconds = int(reply.headers["Retry-After"])
        assert 50 < seconds <= 60
        assert detail == f"Too many attempts. Try again in {seconds} seconds."
        assert reply.headers["RateLimit"] == f'"login";r=0;t={seconds}'
        assert Usage(bucket(Rate(3, 60), "login"), 4, two_hours_later).seconds == 60
        before = utc_now()
        row = await db.fetch_one("SELECT min(expires_at) AS ends FROM attempts")
        assert row
        end = to_utc(row["ends"])
        assert end <= before + datetime.timedelta(seconds=60)
        assert_error(await guest.post("/api/auth/login", json=right), 429, "rate_limited")
        row = await db.fetch_one("SELECT min(expires_at) AS ends FROM attempts")
        assert row
        assert to_utc(row["ends"]) == end  # later attempts do not extend it

    async def test_successful_login_refunds_its_attempt(self, guest: Person, alice: Person) -> None:
        right = {"email": alice.email, "password": PASSWORD}
        reply = await guest.post("/api/auth/login", json=right)
        assert reply.headers["RateLimit"].startswith('"login";r=3;')
