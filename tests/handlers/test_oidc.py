"""OpenID Connect: log-in at an identity provider (OpenID Connect Core 1.0)."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

import jwt
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from riskscan.audit import AUDIT_LOG
from riskscan.auth.oidc import InvalidAnswer, KeySet, find_key
from riskscan.auth.sessions import COOKIE
from riskscan.database import DATABASE
from riskscan.database.audit_log import list_entries
from riskscan.database.operator_queries import disable_account
from riskscan.database.rows import utc_now
from riskscan.database.users import find_account_by_email
from riskscan.settings import Rate
from tests.auth.test_trusted_user import create_account
from tests.support.application import NOWHERE, MakeSettings, Server, serve
from tests.support.client import PASSWORD, Person, Reply, assert_error, text_of
from tests.support.identity_provider import CLIENT_ID, CLIENT_SECRET, IdentityProvider, sign

pytestmark = pytest.mark.filterwarnings("ignore:get_jwt_config")  # the provider's
INVALID = "The identity provider&#39;s answer is not valid."
CLIENT = {"oidc_client_id": CLIENT_ID, "oidc_client_secret": CLIENT_SECRET}
ANA = {"email": "Ana@example.com", "email_verified": True}


@pytest.fixture(scope="module")
def running_provider() -> Iterator[IdentityProvider]:
    provider = IdentityProvider()
    with provider.run():
        yield provider


@pytest.fixture
def provider(running_provider: IdentityProvider) -> IdentityProvider:
    running_provider.change = None
    return running_provider


@pytest.fixture
async def server(make_settings: MakeSettings, provider: IdentityProvider) -> AsyncIterator[Server]:
    async with serve(make_settings(oidc_issuer=provider.url, **CLIENT)) as started:
        yield started


async def log_in_at_provider(person: Person, location: str, claims: dict[str, Any], **form: str) -> str:
    """Log in at the provider as a user with these claims; return the path to which it redirects."""
    url = urlsplit(location)
    provider_url = f"{url.scheme}://{url.netloc}"
    async with person.session.put(f"{provider_url}/users/ana", json=claims) as response:
        assert response.status == 204
    form = form or {"sub": "ana"}
    async with person.session.post(location, data=form, allow_redirects=False) as response:
        back = urlsplit(response.headers["Location"])
    assert f"{back.scheme}://{back.netloc}" == person.url
    return f"{back.path}?{back.query}"


async def begin(person: Person, next_path: str = "") -> str:
    """Start a log-in; return the address at the provider."""
    reply = await person.get(f"/login/oidc?next={quote(next_path, safe='')}")
    assert reply.status == 303, reply.body
    return str(reply.headers["Location"])


async def log_in(person: Person, claims: dict[str, Any] = ANA, next_path: str = "") -> Reply:
    return await person.get(await log_in_at_provider(person, await begin(person, next_path), claims))


async def list_events(server: Server, email: str = "") -> list[tuple[str, str]]:
    await server.app[AUDIT_LOG].drain()
    since = utc_now().replace(year=2000)
    entries = [entry async for entry in list_entries(server.app[DATABASE], email, since)]
    return [(entry.event, entry.detail) for entry in reversed(entries)]


def assert_refused(reply: Reply, status: int, sentence: str) -> None:
    page = text_of(reply)
    assert (reply.status, sentence in page) == (status, True), page
    assert 'action="/login' in page
    assert "Log in with localhost" in page
    assert COOKIE not in reply.cookies


async def test_user_of_the_provider_is_logged_in_and_goes_on(guest: Person, server: Server) -> None:
    page = text_of(await guest.get("/login?next=/scans%3Fq%3Da"))
    assert '<a class="button secondary" href="/login/oidc?next=/scans%3Fq%3Da">Log in with localhost' in page
    reply = await log_in(guest, next_path="/scans?q=a")
    assert (reply.status, reply.headers["Location"]) == (303, "/scans?q=a")
    assert reply.cookies[COOKIE]["httponly"]
    assert reply.cookies["riskscan_oidc"].value == ""
    assert (await guest.get("/api/auth/me")).json["email"] == "ana@example.com"
    assert await list_events(server, "ana@example.com") == [("registered", ""), ("log-in", "oidc")]
    assert "Logged in at the identity provider" in text_of(await guest.get("/account"))
    assert (await log_in(guest)).headers["Location"] == "/scan"
    for target in ("https://evil.example", "//evil.example", f"/scans?q={'a' * 2000}"):
        assert (await log_in(guest, next_path=target)).headers["Location"] == "/scan"


async def test_email_of_the_userinfo_is_taken_where_the_id_token_has_none(
    guest: Person, provider: IdentityProvider, caplog: pytest.LogCaptureFixture
) -> None:
    for left_out in ({"email": ..., "email_verified": ...}, {"email_verified": ...}):
        provider.change_claims(**left_out)
        assert (await log_in(guest)).status == 303
        assert (await guest.get("/api/auth/me")).json["email"] == "ana@example.com"
    provider.change_claims(email=..., email_verified=..., sub="bo")
    assert_refused(await log_in(guest), 502, INVALID)
    assert "userinfo is of another user" in caplog.text


@pytest.mark.parametrize("verified", [{}, {"email_verified": False}, {"email_verified": "true"}], ids=str)
async def test_email_that_is_not_verified_is_refused(guest: Person, verified: dict[str, Any]) -> None:
    reply = await log_in(guest, {"email": "ana@example.com", **verified})
    assert_refused(reply, 403, "Your identity provider has not verified your email address.")


async def test_user_without_an_email_is_refused(guest: Person) -> None:
    assert_refused(await log_in(guest, {"email_verified": True}), 403, "has not verified your email address.")
    assert_refused(
        await log_in(guest, {"email": "ana", "email_verified": True}), 400, "Invalid email address."
    )


NOW = int(time.time())


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"nonce": "x" * 43}, "another nonce"),
        ({"nonce": ...}, "another nonce"),
        ({"iss": "https://evil.example"}, "Invalid issuer"),
        ({"iss": ...}, '"iss" claim'),
        ({"aud": "another client"}, "Audience doesn't match"),
        ({"aud": [CLIENT_ID, "another client"]}, "another client"),
        ({"aud": ...}, '"aud" claim'),
        ({"azp": "another client"}, "another client"),
        ({"exp": NOW - 61}, "expired"),
        ({"exp": ...}, '"exp" claim'),
        ({"iat": NOW + 3600}, "not yet valid (iat)"),
        ({"iat": ...}, '"iat" claim'),
        ({"sub": ...}, '"sub" claim'),
    ],
    ids=[
        "other nonce", "no nonce", "other issuer", "no issuer", "other audience", "two audiences",
        "no audience", "other azp", "expired", "no expiry", "of the future", "no time", "no subject",
    ],
)  # fmt: skip
async def test_id_token_with_invalid_claims_is_refused(
    guest: Person,
    provider: IdentityProvider,
    caplog: pytest.LogCaptureFixture,
    changes: dict[str, Any],
    cause: str,
) -> None:
    provider.change_claims(**changes)
    assert_refused(await log_in(guest), 502, INVALID)
    assert cause in caplog.text


def exchange_claims(claims: dict[str, Any], key: Any) -> str:
    """Return a token with the signature of another one."""
    head, _, signature = sign(claims, key).split(".")
    return f"{head}.{sign({**claims, 'sub': 'bo'}, key).split('.')[1]}.{signature}"


FORGERIES: dict[str, tuple[Callable[[dict[str, Any], Any], str], str]] = {
    "unsigned": (lambda claims, key: jwt.encode(claims, "", "none"), "not allowed"),
    "client secret": (lambda claims, key: jwt.encode(claims, CLIENT_SECRET, "HS256"), "not allowed"),
    "signature": (lambda claims, key: sign(claims, key)[:-20] + "A" * 20, "verification failed"),
    "claims": (exchange_claims, "verification failed"),
    "key": (lambda claims, key: jwt.encode(claims, key, "RS256", headers={"kid": "x"}), "no key with the ID"),
    "key type": (lambda claims, key: jwt.encode(claims, generate_private_key(SECP256R1()), "ES256"), "key"),
    "no token": (lambda claims, key: "x", "Not enough segments"),
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_forged_id_token_is_refused(
    guest: Person, provider: IdentityProvider, caplog: pytest.LogCaptureFixture, forgery: str
) -> None:
    provider.change, cause = FORGERIES[forgery]
    assert_refused(await log_in(guest), 502, INVALID)
    assert cause in caplog.text
    provider.change = None
    assert (await log_in(guest)).status == 303


def test_no_key_is_read_but_the_public_part_of_the_one_that_is_named() -> None:
    # a key with `d` alone holds up all requests while its primes are computed
    private = jwt.algorithms.RSAAlgorithm.to_jwk(rsa.generate_private_key(65537, 2048), as_dict=True)
    key = {name: private[name] for name in ("kty", "n", "e", "d")} | {"kid": "a"}
    other = {**key, "kid": "b", "n": "AQ"}
    keys = msgspec.convert({"keys": [other, key, {**key, "use": "enc"}, {**key, "alg": "PS256"}]}, KeySet)
    assert isinstance(find_key(keys, "a", "RS256").key, rsa.RSAPublicKey)
    for key_id, algorithm in (("c", "RS256"), (None, "RS256"), ("a", "PS256")):
        with pytest.raises(InvalidAnswer):
            find_key(keys, key_id, algorithm)
    with pytest.raises(jwt.PyJWTError):
        find_key(keys, "b", "RS256")


async def test_log_in_that_this_browser_has_not_begun_is_refused(
    people: Callable[[], Person], caplog: pytest.LogCaptureFixture
) -> None:
    ana, eve = people(), people()
    sentence = "This log-in has expired, or was started in another tab."
    path = await log_in_at_provider(ana, await begin(ana), ANA)
    assert_refused(await eve.get(path), 400, sentence)  # without a cookie
    other = await begin(eve)
    assert_refused(await eve.get(path), 400, sentence)  # with one of another log-in
    state = dict(parse_qsl(urlsplit(other).query))["state"]
    code = dict(parse_qsl(urlsplit(path).query))["code"]
    stolen = await eve.get(f"/login/oidc/finish?code={code}&state={state}")  # another code_verifier
    assert_refused(stolen, 502, INVALID)
    assert "400 of /oauth2/token: invalid_grant" in caplog.text


async def test_answer_of_another_provider_is_refused(guest: Person) -> None:
    path = await log_in_at_provider(guest, await begin(guest), ANA)
    assert_refused(await guest.get(f"{path}&iss=https://evil.example"), 502, INVALID)


async def test_code_works_once(guest: Person) -> None:
    location = await begin(guest)
    cookie = guest.session.cookie_jar
    path = await log_in_at_provider(guest, location, ANA)
    kept = {each.key: each.value for each in cookie}
    assert (await guest.get(path)).status == 303
    cookie.update_cookies(kept)
    assert_refused(
        await guest.get(path, headers={"Cookie": f"riskscan_oidc={kept['riskscan_oidc']}"}), 502, INVALID
    )


async def test_log_in_that_is_cancelled_at_the_provider_says_so(guest: Person, server: Server) -> None:
    location = await begin(guest, "/scans")
    query = dict(parse_qsl(urlsplit(location).query))
    reply = await guest.get(f"/login/oidc/finish?error=access_denied&state={query['state']}")
    assert_refused(reply, 403, "was cancelled or refused.")
    assert "/login/oidc?next=/scans" in text_of(reply)
    assert await list_events(server) == [("log-in-failed", "oidc")]
    reply = await guest.get(f"/login/oidc/finish?error=server_error&state={query['state']}")
    assert_refused(reply, 502, INVALID)


async def test_registration_and_disabled_accounts_are_as_everywhere(
    guest: Person, server: Server, provider: IdentityProvider, make_settings: MakeSettings
) -> None:
    assert (await log_in(guest)).status == 303
    account = await find_account_by_email(server.app[DATABASE], "ana@example.com")
    assert account
    await disable_account(server.app[DATABASE], account.user.id)
    assert_refused(await log_in(guest), 403, "This account is disabled.")
    assert (await list_events(server, "ana@example.com"))[-1] == ("log-in-failed", "oidc")
    settings = make_settings(oidc_issuer=provider.url, **CLIENT, registration_domains=("example.org",))
    async with serve(settings) as other:
        person = Person(other)
        bo = {"email": "bo@example.com", "email_verified": True}
        assert_refused(await log_in(person, bo), 403, "Only addresses of @example.org can register.")
        assert (await log_in(person, {**bo, "email": "bo@example.org"})).status == 303
        await person.session.close()


async def test_password_still_logs_in_but_nobody_registers_with_one(guest: Person, server: Server) -> None:
    await create_account(server, "ana@example.com")
    login = {"username": "ana@example.com", "password": PASSWORD}
    assert (await guest.post("/login", data=login)).status == 303
    assert (await log_in(guest)).status == 303
    assert (await guest.get("/api/auth/me")).json["email"] == "ana@example.com"
    body = {"email": "bo@example.com", "password": PASSWORD}
    assert_error(await guest.post("/api/auth/register", json=body), 403, "registration_closed")


async def test_text_of_an_expired_session_can_be_copied_before_the_log_in_there(guest: Person) -> None:
    page = text_of(await guest.post("/scan", data={"text": "A clause"}))
    assert re.search(r'<textarea id="text" [^>]*>\nA clause</textarea>', page)
    assert "A log-in with localhost does not keep it. Copy it first." in page


async def test_provider_that_is_down_or_another_one_is_said_so(
    make_settings: MakeSettings, provider: IdentityProvider, caplog: pytest.LogCaptureFixture
) -> None:
    down, other = NOWHERE, f"{provider.url}/"
    for issuer, sentence in {down: "The identity provider cannot be reached.", other: INVALID}.items():
        async with serve(make_settings(oidc_issuer=issuer, **CLIENT)) as server:
            person = Person(server)
            reply = await person.get("/login/oidc?next=/scans")
            assert (reply.status, sentence in text_of(reply)) == (502, True)
            assert "riskscan_oidc" not in reply.cookies
            await person.session.close()
    assert f"OIDC_ISSUER is {other}, the provider says '{provider.url}'" in caplog.text


async def test_attempts_of_an_address_are_limited(
    make_settings: MakeSettings, provider: IdentityProvider
) -> None:
    limit = Rate(1, 3600)  # ten for an address
    async with serve(make_settings(oidc_issuer=provider.url, **CLIENT, login_limit=limit)) as server:
        person = Person(server)
        statuses = [(await person.get("/login/oidc/finish")).status for _ in range(11)]
        assert statuses == [400] * 10 + [429]
        # what was not tried fills no audit log
        assert await list_events(server) == [("log-in-failed", "oidc")] * 10
        await person.session.close()


async def test_without_the_setting_there_is_no_log_in_at_a_provider(make_settings: MakeSettings) -> None:
    async with serve(make_settings()) as server:
        person = Person(server)
        for path in ("/login/oidc", "/login/oidc/finish"):
            assert (await person.get(path)).status == 404
        assert "/login/oidc" not in text_of(await person.get("/login"))
        await person.session.close()
