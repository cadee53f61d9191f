"""Authentication: forged tokens and sessions, and cross-site requests (API.md, Ground rules)."""

from __future__ import annotations

import base64
import datetime
import json
import time
from typing import Any

import jwt
import pytest

from riskscan.auth.authentication import token_digest
from riskscan.database import DATABASE
from riskscan.database.rows import utc_now
from riskscan.database.sessions import delete_expired_sessions, extend_session, find_account_by_session
from tests.support.application import SECRET, MakeSettings, Server, serve
from tests.support.client import (
    PASSWORD,
    Person,
    assert_error,
    bearer,
    create_token,
    form,
    registered_person,
)


def claims(person: Person, **changes: Any) -> dict[str, Any]:
    now = int(time.time())
    values = {"sub": person.id, "iat": now, "exp": now + 60, "version": 0, **changes}
    return {name: value for name, value in values.items() if value is not ...}


async def test_token_signed_with_the_secret_is_accepted(alice: Person) -> None:
    token = jwt.encode(claims(alice), SECRET, "HS256")
    assert (await alice.get("/api/auth/me", headers=bearer(token))).json["id"] == alice.id


PREVIOUS_SECRET = "the-secret-before-it-was-replaced"


@pytest.mark.settings(jwt_secret_previous=PREVIOUS_SECRET)
async def test_previous_secret_is_accepted_but_signs_no_tokens(alice: Person) -> None:
    token = jwt.encode(claims(alice), PREVIOUS_SECRET, "HS256")
    assert (await alice.get("/api/auth/me", headers=bearer(token))).json["id"] == alice.id
    jwt.decode(alice.token, SECRET, ["HS256"])  # a new one
    assert (await alice.get("/api/auth/me", headers=bearer(alice.token))).status == 200
    refused = [
        jwt.encode(claims(alice, exp=int(time.time()) - 1), PREVIOUS_SECRET, "HS256"),
        jwt.encode(claims(alice, version=1), PREVIOUS_SECRET, "HS256"),
        jwt.encode(claims(alice), PREVIOUS_SECRET, "HS384"),
        jwt.encode(claims(alice), f"{PREVIOUS_SECRET}x", "HS256"),
    ]
    for token in refused:
        assert_error(await alice.get("/api/auth/me", headers=bearer(token)), 401, "not_authenticated")


async def test_other_secret_is_refused_without_a_previous_one(alice: Person) -> None:
    token = jwt.encode(claims(alice), PREVIOUS_SECRET, "HS256")
    assert_error(await alice.get("/api/auth/me", headers=bearer(token)), 401, "not_authenticated")


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": int(time.time()) - 1},
        {"exp": 0},
        {"exp": ...},
        {"exp": "never"},
        {"exp": 1e400},
        {"iat": ...},
        {"sub": ...},
        {"sub": 7},
        {"sub": "alice@example.com"},
        {"sub": "00000000-0000-0000-0000-000000000000"},
        {"sub": "nul\x00"},
        {"version": ...},
        {"version": 1},
        {"version": "0"},
        {"version": True},
        {"version": 2**63},
        {"nbf": int(time.time()) + 1_000_000},
    ],
    ids=" ".join,  # without the times: each worker of pytest-xdist must find the same names
)
async def test_token_with_invalid_claims_is_refused(alice: Person, changes: dict[str, Any]) -> None:
    token = jwt.encode(claims(alice, **changes), SECRET, "HS256")
    assert_error(await alice.get("/api/auth/me", headers=bearer(token)), 401, "not_authenticated")


async def test_refused_token_says_what_is_wrong_with_it(guest: Person, alice: Person, server: Server) -> None:
    expired_api_token = await create_token(alice, expires_at="2099-12-31")
    values = {"id": expired_api_token["id"], "now": utc_now()}
    await server.app[DATABASE].execute("UPDATE api_tokens SET expires_at = :now WHERE id = :id", values)
    refused = {
        jwt.encode(claims(alice, exp=int(time.time()) - 1), SECRET, "HS256"): "expired",
        "x.y.z": "malformed",
        jwt.encode(claims(alice, version=1), SECRET, "HS256"): "revoked",
        expired_api_token["token"]: "expired",
        "rsk_x": "malformed",
        "rsk_" + "x" * 43: "unknown or has been revoked",
    }
    for path in ("/api/auth/me", "/api/scans"):
        for token, cause in refused.items():
            reply = await guest.get(path, headers=bearer(token))
            assert cause in assert_error(reply, 401, "not_authenticated")
            assert reply.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'
    reply = await guest.get("/api/auth/me")
    assert_error(reply, 401, "not_authenticated")
    assert reply.headers["WWW-Authenticate"] == "Bearer"


def unsigned_token(person: Person) -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims(person))}."


OWN_KEY = {"kty": "oct", "k": base64.urlsafe_b64encode((SECRET + "x").encode()).decode().rstrip("=")}
ATTACKS = [
    "secret",
    "empty",
    "HS384",
    "HS512",
    "none",
    "own key",
    "key of ours",
    "cut",
    "signature",
    "session",
]


@pytest.mark.parametrize("attack", ATTACKS)
async def test_a_forged_token_is_refused(alice: Person, guest: Person, attack: str) -> None:
    login = {"email": alice.email, "password": PASSWORD}
    session = (await guest.post("/api/auth/login", json=login)).cookies["riskscan_session"].value
    head, body, signature = alice.token.split(".")
    token = {
        "secret": jwt.encode(claims(alice), SECRET + "x", "HS256"),
        "empty": unsigned_token(alice) + base64.urlsafe_b64encode(bytes(32)).decode().rstrip("="),
        "own key": jwt.encode(claims(alice), SECRET + "x", "HS256", headers={"jwk": OWN_KEY}),
        "key of ours": jwt.encode(claims(alice), SECRET + "x", "HS256", headers={"kid": "../jwt-secret"}),
        "HS384": jwt.encode(claims(alice), SECRET, "HS384"),
        "HS512": jwt.encode(claims(alice), SECRET, "HS512"),
        "none": unsigned_token(alice),
        "cut": f"{head}.{body}.",
        "signature": f"{head}.{body}.{signature[::-1]}",
        "session": session,  # a session cookie is not accepted as an access token
    }[attack]
    assert_error(await alice.get("/api/auth/me", headers=bearer(token)), 401, "not_authenticated")


@pytest.mark.parametrize(
    "header",
    ["Bearer", "Bearer ", "Bearer x y", "Bearer é", "bearer ..", "Bearer\tx", "Basic YTpi", "Token x"],
)
async def test_malformed_authorization_header_is_refused(guest: Person, header: str) -> None:
    reply = await guest.get("/api/auth/me", headers={"Authorization": header})
    assert_error(reply, 401, "not_authenticated")


async def test_two_authorization_headers_are_refused(guest: Person, alice: Person) -> None:
    twice = [("Authorization", f"Bearer {alice.token}")] * 2
    assert_error(await guest.get("/api/auth/me", headers=twice), 401, "not_authenticated")


async def test_invalid_token_is_refused_despite_a_valid_session_cookie(guest: Person, alice: Person) -> None:
    await guest.post("/api/auth/login", json={"email": alice.email, "password": PASSWORD})
    assert (await guest.get("/api/auth/me")).status == 200
    assert_error(await guest.get("/api/auth/me", headers=bearer("x")), 401, "not_authenticated")


@pytest.mark.parametrize("value", ["x", "x" * 43, "é" * 43, "x" * 4000, '"', "a" * 42 + "%"])
async def test_unknown_session_cookie_is_refused(guest: Person, value: str) -> None:
    reply = await guest.get("/api/auth/me", headers={"Cookie": f"riskscan_session={value}"})
    assert_error(reply, 401, "not_authenticated")


async def test_access_token_is_refused_as_session_cookie(guest: Person, alice: Person) -> None:
    reply = await guest.get("/api/auth/me", headers={"Cookie": f"riskscan_session={alice.token}"})
    assert_error(reply, 401, "not_authenticated")


async def test_access_token_is_accepted_only_in_the_authorization_header(
    guest: Person, alice: Person
) -> None:
    for name in ("token", "access_token"):
        for reply in (
            await guest.get(f"/api/auth/me?{name}={alice.token}"),
            await guest.get("/api/auth/me", headers={"Cookie": f"{name}={alice.token}"}),
            await guest.post("/api/scan", data={"text": "x", name: alice.token}),
            await guest.post(f"/api/scan?{name}={alice.token}", json={"text": "x", name: alice.token}),
        ):
            assert_error(reply, 401, "not_authenticated")


@pytest.mark.parametrize("algorithm", ["HS384", "HS512"])
async def test_hs384_and_hs512_are_supported(make_settings: MakeSettings, algorithm: str) -> None:
    async with serve(make_settings(jwt_algorithm=algorithm)) as server, registered_person(server) as ana:
        assert jwt.get_unverified_header(ana.token)["alg"] == algorithm
        assert (await ana.get("/api/auth/me")).status == 200


async def test_session_expires_when_idle_and_is_extended_by_use(
    guest: Person, alice: Person, server: Server
) -> None:
    login = {"email": alice.email, "password": PASSWORD}
    before = utc_now()
    session_id = token_digest(
        (await guest.post("/api/auth/login", json=login)).cookies["riskscan_session"].value
    )
    pool = server.app[DATABASE]

    async def assert_expires_in_half_an_hour(since: datetime.datetime) -> None:
        session = await find_account_by_session(pool, session_id, alice.id)
        assert session
        assert since <= session[1] - datetime.timedelta(minutes=30) <= utc_now()

    await assert_expires_in_half_an_hour(since=before)
    await extend_session(pool, session_id, alice.id, utc_now() + datetime.timedelta(minutes=5))
    before = utc_now()
    assert (await guest.get("/api/auth/me")).status == 200
    await assert_expires_in_half_an_hour(since=before)
    await extend_session(pool, session_id, alice.id, utc_now())
    assert_error(await guest.get("/api/auth/me"), 401, "not_authenticated")
    await delete_expired_sessions(pool)
    assert await pool.fetch_all("SELECT id FROM sessions WHERE id = :id", {"id": session_id}) == []


EVIL, SPA = "https://evil.example", "http://localhost:5173"


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": EVIL},
        {"Sec-Fetch-Site": "same-site", "Origin": EVIL},
        {"Sec-Fetch-Site": "strange", "Origin": EVIL},
        {"Origin": EVIL},
        {"Origin": "null"},
    ],
)
async def test_cross_site_unsafe_request_is_refused(
    guest: Person, alice: Person, headers: dict[str, str]
) -> None:
    login = {"email": alice.email, "password": PASSWORD}
    for path in ("/api/auth/login", "/api/auth/register", "/api/auth/logout", "/api/scan"):
        assert_error(await guest.post(path, json=login, headers=headers), 403, "cross_origin_request")
    await guest.post("/api/auth/login", json=login)
    assert_error(
        await guest.post("/api/scan", data=form(text="x"), headers=headers), 403, "cross_origin_request"
    )
    assert_error(await guest.delete("/api/auth/me", json=login, headers=headers), 403, "cross_origin_request")
    page = await guest.post("/logout", headers=headers)
    assert page.status == 403
    assert (await guest.get("/api/auth/me", headers=headers)).status == 200
    # browsers do not send a Bearer token by themselves
    assert (await alice.post("/api/scan", data=form(text="x"), headers=headers)).status == 200


async def test_unsafe_request_from_own_or_allowed_origin_is_accepted(
    guest: Person, alice: Person, server: Server
) -> None:
    login = {"email": alice.email, "password": PASSWORD}
    for headers in (
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": server.url},
        {"Sec-Fetch-Site": "same-site", "Origin": SPA},
        {"Sec-Fetch-Site": "cross-site", "Origin": SPA},
        {"Origin": SPA},
    ):
        assert (await guest.post("/api/auth/login", json=login, headers=headers)).status == 200
