"""TRUSTED_USER_HEADER: a proxy that has logged a user in names their email."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import pytest
from multidict import CIMultiDict

from riskscan.audit import AUDIT_LOG
from riskscan.auth.access_tokens import issue_access_token
from riskscan.auth.passwords import PASSWORDS
from riskscan.auth.sessions import COOKIE
from riskscan.concurrency import DATABASE_TURNS
from riskscan.database import DATABASE
from riskscan.database.audit_log import list_own_entries
from riskscan.database.operator_queries import disable_account
from riskscan.database.rows import Account
from riskscan.database.users import find_account_by_email, insert_user
from riskscan.settings import SETTINGS
from tests.support.application import MakeSettings, Server, serve
from tests.support.client import PASSWORD, Person, Reply, assert_error, bearer, text_of

ANA = {"Remote-Email": "ana@example.com"}
BO = {"Remote-Email": "bo@example.com"}

pytestmark = pytest.mark.settings(trusted_user_header="Remote-Email", registration_domains=("example.com",))


async def assert_logged_in(person: Person, email: str, **options: object) -> None:
    reply = await person.get("/api/auth/me", **options)
    assert (reply.status, reply.json["email"]) == (200, email)


async def create_account(server: Server, email: str) -> Account:
    """Create an account with a password, as an operator does."""
    password_hash = await server.app[PASSWORDS].hash(PASSWORD, "operator")
    return await insert_user(server.app[DATABASE], email, password_hash)


async def log_in(server: Server, person: Person, email: str) -> Reply:
    """Create an account and log in with its password."""
    await create_account(server, email)
    reply = await person.post("/login", data={"username": email, "password": PASSWORD})
    assert reply.status == 303
    return reply


async def list_events(server: Server, email: str) -> list[tuple[str, str]]:
    """Return the entries of the audit log of an account with their details, oldest first."""
    await server.app[AUDIT_LOG].drain()
    account = await find_account_by_email(server.app[DATABASE], email)
    assert account
    entries = await list_own_entries(server.app[DATABASE], account.user.id, 100)
    return [(entry.event, entry.detail) for entry in reversed(entries)]


async def test_user_of_the_header_is_logged_in_with_a_session(guest: Person, server: Server) -> None:
    page = await guest.get("/account", headers={"Remote-Email": " Ana@Example.COM "})
    assert "ana@example.com" in text_of(page)
    assert page.cookies[COOKIE]["httponly"]
    assert await list_events(server, "ana@example.com") == [("registered", ""), ("log-in", "proxy")]
    await assert_logged_in(guest, "ana@example.com")  # by the cookie alone
    again = await guest.get("/account", headers=ANA)
    assert COOKIE not in again.cookies
    assert "Logged in by the proxy" in text_of(again)
    assert len(await list_events(server, "ana@example.com")) == 2
    for path in ("/login?next=/scans", "/login?next=/scans&done=password"):
        assert (await guest.get(path, headers=ANA)).headers["Location"] == "/scans"


async def test_requests_of_the_api_without_a_cookie_start_no_sessions(guest: Person, server: Server) -> None:
    for _ in range(3):
        await assert_logged_in(guest, "ana@example.com", headers=ANA)
    created = await guest.post("/api/scan", json={"text": "x"}, headers=ANA)
    assert created.status == 200
    assert_error(await guest.get("/api/auth/me"), 401, "not_authenticated")
    assert await server.app[DATABASE].fetch_all("SELECT id FROM sessions") == []
    assert await list_events(server, "ana@example.com") == [("registered", "")]


async def test_header_wins_over_the_session_of_another_user(guest: Person, server: Server) -> None:
    before = (await log_in(server, guest, "ana@example.com")).cookies[COOKIE].value
    await assert_logged_in(guest, "bo@example.com", headers=BO)
    await assert_logged_in(guest, "bo@example.com")
    guest.session.cookie_jar.clear()
    old = {"Cookie": f"{COOKIE}={before}"}
    assert_error(await guest.get("/api/auth/me", headers=old), 401, "not_authenticated")
    login = {"username": "ana@example.com", "password": PASSWORD}
    assert (await guest.post("/login", data=login, headers=BO)).status == 303
    await assert_logged_in(guest, "bo@example.com", headers=BO)


@pytest.mark.settings(trusted_proxies=())
async def test_header_of_any_other_peer_is_ignored(guest: Person, server: Server) -> None:
    assert_error(await guest.get("/api/auth/me", headers=ANA), 401, "not_authenticated")
    await log_in(server, guest, "bo@example.com")
    await assert_logged_in(guest, "bo@example.com", headers=ANA)


async def test_header_is_ignored_without_the_setting(make_settings: MakeSettings) -> None:
    async with serve(make_settings(trusted_user_header="")) as server:
        person = Person(server)
        assert_error(await person.get("/api/auth/me", headers=ANA), 401, "not_authenticated")
        await person.session.close()


async def test_other_headers_and_an_empty_one_name_nobody(guest: Person) -> None:
    for name, value in {
        "Remote-Email": "  ",
        "Remote_Email": "ana@example.com",
        "Remote-User": "ana",
    }.items():
        assert_error(await guest.get("/api/auth/me", headers={name: value}), 401, "not_authenticated")


@pytest.mark.parametrize(
    "values",
    [["ana"], ["ana@example.com", "bo@example.com"], ["a@example.com,b@example.com"], ["a b@example.com"]],
)
async def test_invalid_address_is_refused_in_a_sentence(guest: Person, values: list[str]) -> None:
    headers = CIMultiDict([("Remote-Email", value) for value in values])
    sentence = "The proxy has sent an invalid email address in Remote-Email."
    for path in ("/api/auth/me", "/api/scans"):
        assert assert_error(await guest.get(path, headers=headers), 400, "invalid_user_header") == sentence
    for path in ("/", "/login", "/scan"):
        page = await guest.get(path, headers=headers)
        assert (page.status, sentence in text_of(page)) == (400, True)


async def test_account_is_made_only_where_registration_allows_it(
    guest: Person, make_settings: MakeSettings
) -> None:
    other = {"Remote-Email": "ana@other.org"}
    assert_error(await guest.get("/api/auth/me", headers=other), 403, "email_not_allowed", email=...)
    page = await guest.get("/scan", headers=other)
    assert page.status == 403
    assert "Only addresses of @example.com can register." in text_of(page)
    await assert_logged_in(guest, "ana@example.com", headers=ANA)
    async with serve(make_settings(registration_domains=())) as server:
        person = Person(server)
        await assert_logged_in(person, "ana@example.com", headers=ANA)
        person.session.cookie_jar.clear()
        assert_error(await person.get("/api/auth/me", headers=BO), 403, "registration_closed")
        assert await find_account_by_email(server.app[DATABASE], "bo@example.com") is None
        await person.session.close()


async def test_disabled_account_is_refused(guest: Person, server: Server) -> None:
    await assert_logged_in(guest, "ana@example.com", headers=ANA)
    account = await find_account_by_email(server.app[DATABASE], "ana@example.com")
    assert account
    await disable_account(server.app[DATABASE], account.user.id)
    assert_error(await guest.get("/api/auth/me", headers=ANA), 403, "account_disabled")
    page = await guest.get("/scan", headers=ANA)
    assert (page.status, "This account is disabled." in text_of(page)) == (403, True)
    for path in ("/account/password", "/account/delete", "/account/tokens"):
        refused = await guest.post(path, headers=ANA)
        assert refused.status == 403
        assert "ana@example.com" not in text_of(refused)


@pytest.mark.settings(database_pool_size=16)
async def test_users_without_cookies_take_turns_as_users(guest: Person, server: Server) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(4):  # half of the turns, which is what a user may have
            await stack.enter_async_context(server.app[DATABASE_TURNS].slot("", None))
        created = await guest.post("/api/tokens", json={"name": "x", "scopes": ["read"]}, headers=BO)
        assert created.status == 201


async def test_log_out_ends_the_session_until_the_user_goes_on(guest: Person, server: Server) -> None:
    cookie = (await guest.get("/account", headers=ANA)).cookies[COOKIE].value
    reply = await guest.post("/logout", headers=ANA)
    assert reply.headers["Location"] == "/login?done=logout"
    assert await server.app[DATABASE].fetch_all("SELECT id FROM sessions") == []
    page = await guest.get("/login?done=logout", headers={**ANA, "Cookie": f"{COOKIE}={cookie}"})
    assert COOKIE not in page.cookies
    assert "been logged out" in text_of(page)
    assert ">ana@example.com</bdi>" in text_of(page)
    assert "password" not in text_of(page)
    assert (await guest.post("/logout", headers=ANA)).cookies[COOKIE].value == ""  # without a session before
    assert await server.app[DATABASE].fetch_all("SELECT id FROM sessions") == []
    assert (await guest.get("/scan", headers=ANA)).status == 200


async def test_cross_site_request_with_the_header_is_refused(guest: Person) -> None:
    headers = {**ANA, "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    reply = await guest.post("/api/scan", json={"text": "x"}, headers=headers)
    assert_error(reply, 403, "cross_origin_request")


async def test_bearer_tokens_win_over_the_header(guest: Person, server: Server) -> None:
    account = await create_account(server, "bo@example.com")
    access_token = issue_access_token(server.app[SETTINGS], account).access_token
    fields = {"name": "t", "scopes": ["read"]}
    created = await guest.post("/api/tokens", json=fields, headers=bearer(access_token))
    api_token = created.json["token"]
    for token in (access_token, api_token):
        await assert_logged_in(guest, "bo@example.com", headers={**ANA, **bearer(token)})
    headers = {**ANA, "Authorization": "Bearer x"}
    assert_error(await guest.get("/api/auth/me", headers=headers), 401, "not_authenticated")
    assert COOKIE not in {cookie.key for cookie in guest.session.cookie_jar}


async def test_requests_at_once_of_a_new_user_make_one_account(people: Callable[[], Person]) -> None:
    replies: list[Reply] = await asyncio.gather(
        *(people().get("/api/auth/me", headers=ANA) for _ in range(10))
    )
    assert len({reply.json["id"] for reply in replies}) == 1


async def test_account_of_the_proxy_has_no_password(guest: Person, server: Server) -> None:
    page = text_of(await guest.get("/account", headers=ANA))
    assert "This account has no password" in page
    assert 'type="password"' not in page
    change = {"current_password": PASSWORD, "new_password": "another horse"}
    assert_error(await guest.post("/api/auth/password", json=change), 403, "no_password")
    for password in (PASSWORD, "." * 53, "$2b$04$" + "." * 53):
        login = {"username": "ana@example.com", "password": password}
        assert_error(await guest.post("/api/auth/login", data=login), 401, "invalid_credentials")


async def test_account_without_a_password_is_deleted_by_its_email(guest: Person, server: Server) -> None:
    await guest.get("/account", headers=ANA)
    assert_error(await guest.delete("/api/auth/me", json={}), 400, "invalid_request", email=...)
    page = await guest.post("/account/delete", data={"email": "bo@example.com"})
    assert (page.status, "not the email of your account" in text_of(page)) == (400, True)
    assert 'value="bo@example.com"' in text_of(page)
    reply = await guest.post("/account/delete", data={"email": " Ana@example.com"}, headers=ANA)
    assert reply.headers["Location"] == "/login?done=account"
    assert reply.cookies[COOKIE].value == ""
    page = await guest.get("/login?done=account", headers=ANA)  # which makes no new account at once
    assert (page.status, ">ana@example.com</bdi>" in text_of(page)) == (200, True)
    assert await find_account_by_email(server.app[DATABASE], "ana@example.com") is None
    await guest.get("/account", headers=ANA)
    guest.session.cookie_jar.clear()  # the session that the request itself would have started is not stored
    assert (await guest.delete("/api/auth/me", json={"email": "ana@example.com"}, headers=ANA)).status == 200
    assert await server.app[DATABASE].fetch_all("SELECT id FROM users") == []


async def test_nobody_registers_with_a_password_beside_the_proxy(guest: Person) -> None:
    body = {"email": "bo@example.com", "password": PASSWORD}
    reply = await guest.post("/api/auth/register", json=body, headers=ANA)
    detail = assert_error(reply, 403, "registration_closed")
    assert detail == "Accounts are created at the first log-in through your organisation."
    page = text_of(await guest.get("/login"))
    assert "/register" not in page


async def test_password_of_an_account_with_one_still_works(guest: Person, server: Server) -> None:
    await create_account(server, "ana@example.com")
    page = text_of(await guest.get("/account", headers=ANA))
    assert "Change password" in page
    assert 'name="current_password"' in page
    assert_error(
        await guest.delete("/api/auth/me", json={"email": "ana@example.com"}),
        400,
        "invalid_request",
        password=...,
    )
