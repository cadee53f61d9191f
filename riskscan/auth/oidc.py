"""OpenID Connect: log-in at an identity provider, by the authorization code flow with PKCE.

OpenID Connect Core 1.0 and Discovery 1.0, RFC 7636 (PKCE), RFC 9207 (`iss` of the response).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, quote_plus, unquote

import aiohttp
import jwt
import msgspec
from yarl import URL

from ..errors import ApiError, Sentence
from ..request.fields import check_path, normalize_email
from ..settings import Settings
from .authentication import SECRET

T = TypeVar("T")
ALGORITHMS = (
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
)  # fmt: skip
PUBLIC_PARAMETERS = ("kty", "n", "e", "crv", "x", "y")  # RFC 7518, section 6; RFC 8037
ERROR_CODE = re.compile(rb'"error"\s*:\s*"([a-z_]{1,50})"')  # RFC 6749, section 5.2
REQUIRED_CLAIMS = ("iss", "sub", "aud", "exp", "iat")
SCOPE = "openid email"
TIMEOUT = aiohttp.ClientTimeout(total=10)
MAX_RESPONSE_BYTES = 256 * 1024
INVALID_ANSWER = Sentence(
    "The identity provider's answer is not valid. Try again, or tell whoever runs this server."
)
MAX_NEXT_PATH = 2000  # in a cookie; nginx takes 4096 bytes of header fields, and the others have some 1500
LEEWAY_SECONDS = 60  # between the clocks of two machines

log = logging.getLogger("riskscan.oidc")


class Flow(NamedTuple):
    """A log-in that has begun: a secret that only the browser has, in a cookie, and where it goes after it.

    What is sent to the provider is derived from the secret, so that nothing has to be stored.
    """

    secret: str
    next_path: str

    @classmethod
    def start(cls, next_path: str) -> Flow:
        kept = next_path if len(quote(next_path, safe="")) <= MAX_NEXT_PATH else ""
        return cls(secrets.token_urlsafe(32), kept)

    @classmethod
    def from_cookie(cls, value: str) -> Flow:
        """Return the flow of a cookie; without a valid one it is a new flow, which no state fits."""
        secret, _, next_path = value.partition(".")
        return cls(secret, check_path(unquote(next_path))) if SECRET.fullmatch(secret) else cls.start("")

    @property
    def cookie(self) -> str:
        return f"{self.secret}.{quote(self.next_path, safe='')}"

    @property
    def state(self) -> str:
        return self._derive(b"state")

    @property
    def nonce(self) -> str:
        return self._derive(b"nonce")

    @property
    def code_verifier(self) -> str:
        return self._derive(b"code_verifier")

    def _derive(self, purpose: bytes) -> str:
        return encode_base64url(hmac.digest(self.secret.encode(), purpose, hashlib.sha256))


class Metadata(msgspec.Struct, frozen=True):
    """What the provider says about itself (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class Tokens(msgspec.Struct, frozen=True):
    """The answer of the token endpoint."""

    id_token: str
    access_token: str = ""


class KeySet(msgspec.Struct, frozen=True):
    """The provider's keys (RFC 7517, section 5)."""

    keys: tuple[dict[str, Any], ...]


class InvalidAnswer(Exception):
    """The provider's answer is not to be trusted; the message is for the log."""


def encode_base64url(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).decode().rstrip("=")


async def authorization_url(settings: Settings, flow: Flow, redirect_uri: str) -> str:
    """Return the address of the provider's log-in. Raises 502 `oidc_failed`."""
    async with provider_errors(), open_session() as session:
        metadata = await fetch_metadata(session, settings.oidc_issuer)
    challenge = hashlib.sha256(flow.code_verifier.encode()).digest()
    parameters = {
        "response_type": "code",
        "client_id": settings.oidc_client_id,
        "redirect_uri": redirect_uri,
        "scope": SCOPE,
        "state": flow.state,
        "nonce": flow.nonce,
        "code_challenge": encode_base64url(challenge),
        "code_challenge_method": "S256",
    }
    return str(URL(metadata.authorization_endpoint).update_query(parameters))


async def fetch_email(settings: Settings, flow: Flow, code: str, redirect_uri: str) -> str:
    """Exchange an authorization code; return the verified email of the user.

    Raises 502 `oidc_failed` if the provider cannot be reached or its answer is not valid, 403 if it has
    not verified the email.
    """
    async with provider_errors(), open_session() as session:
        metadata = await fetch_metadata(session, settings.oidc_issuer)
        tokens = await redeem_code(session, settings, metadata, flow, code, redirect_uri)
        keys = await fetch(session, metadata.jwks_uri, KeySet)
        claims = verify_id_token(settings, tokens.id_token, keys, flow.nonce)
        if not {"email", "email_verified"} <= claims.keys() and metadata.userinfo_endpoint:
            claims = await fetch_userinfo(session, metadata, tokens, claims["sub"])
    return read_verified_email(claims)


def read_verified_email(claims: Mapping[str, Any]) -> str:
    email = claims.get("email")
    if claims.get("email_verified") is not True or not isinstance(email, str):
        detail = Sentence("Your identity provider has not verified your email address.")
        raise ApiError(403, "oidc_failed", detail)
    return normalize_email(email)


@asynccontextmanager
async def provider_errors() -> AsyncIterator[None]:
    """Turn what goes wrong with the provider into 502 `oidc_failed`; the log has the cause."""
    try:
        yield
    except (aiohttp.ClientError, OSError) as exc:  # TimeoutError is an OSError
        log.warning("the identity provider cannot be reached: %s", type(exc).__name__)
        detail = Sentence("The identity provider cannot be reached. Try again in a moment.")
        raise ApiError(502, "oidc_failed", detail) from exc
    except (InvalidAnswer, jwt.PyJWTError, ValueError, RecursionError) as exc:
        log.warning("the answer of the identity provider was refused: %s", exc)
        raise ApiError(502, "oidc_failed", INVALID_ANSWER) from exc


def open_session() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(timeout=TIMEOUT, cookie_jar=aiohttp.DummyCookieJar())


async def fetch_metadata(session: aiohttp.ClientSession, issuer: str) -> Metadata:
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    metadata = await fetch(session, url, Metadata)
    if metadata.issuer != issuer:
        raise InvalidAnswer(f"OIDC_ISSUER is {issuer}, the provider says {metadata.issuer[:300]!r}")
    endpoints = [metadata.authorization_endpoint, metadata.token_endpoint, metadata.jwks_uri]
    endpoints += [metadata.userinfo_endpoint] if metadata.userinfo_endpoint else []
    if not all(URL(endpoint).scheme in ("https", URL(issuer).scheme) for endpoint in endpoints):
        raise InvalidAnswer("an endpoint is not https")
    return metadata


async def redeem_code(
    session: aiohttp.ClientSession,
    settings: Settings,
    metadata: Metadata,
    flow: Flow,
    code: str,
    redirect_uri: str,
) -> Tokens:
    """Exchange the code for tokens (RFC 6749, section 4.1.3)."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": flow.code_verifier,
    }
    headers = {}
    if "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
        user, password = quote_plus(settings.oidc_client_id), quote_plus(settings.oidc_client_secret)
        headers["Authorization"] = aiohttp.encode_basic_auth(user, password)
    else:
        form |= {"client_id": settings.oidc_client_id, "client_secret": settings.oidc_client_secret}
    return await fetch(session, metadata.token_endpoint, Tokens, data=form, headers=headers)


async def fetch_userinfo(
    session: aiohttp.ClientSession, metadata: Metadata, tokens: Tokens, subject: str
) -> dict[str, Any]:
    """Return the claims that are not in the ID token (OpenID Connect Core, section 5.3)."""
    headers = {"Authorization": f"Bearer {tokens.access_token}"}
    claims = await fetch(session, metadata.userinfo_endpoint, dict[str, Any], headers=headers)
    if claims.get("sub") != subject:
        raise InvalidAnswer("the userinfo is of another user")
    return claims


async def fetch(session: aiohttp.ClientSession, url: str, kind: type[T], **options: Any) -> T:
    """Return a JSON answer of the provider; a request with `data` is a POST. Redirects are not followed."""
    method = "POST" if "data" in options else "GET"
    async with session.request(method, url, allow_redirects=False, **options) as response:
        body = await response.content.read(MAX_RESPONSE_BYTES)
        if response.status != 200:
            error = ERROR_CODE.search(body)  # the rest may name the user
            raise InvalidAnswer(
                f"{response.status} of {URL(url).path}: {error[1].decode() if error else '-'}"
            )
        while chunk := await response.content.read(MAX_RESPONSE_BYTES):
            body += chunk
            if len(body) > MAX_RESPONSE_BYTES:
                raise InvalidAnswer(f"the answer of {URL(url).path} is too large")
    return msgspec.json.decode(body, type=kind)


def verify_id_token(settings: Settings, token: str, keys: KeySet, nonce: str) -> dict[str, Any]:
    """Return the claims of an ID token (OpenID Connect Core, section 3.1.3.7).

    Raises InvalidAnswer or jwt.PyJWTError.
    """
    header = jwt.get_unverified_header(token)
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise InvalidAnswer("the algorithm of the ID token is not allowed")
    claims: dict[str, Any] = jwt.decode(
        token,
        find_key(keys, header.get("kid"), algorithm),
        algorithms=[algorithm],
        audience=settings.oidc_client_id,
        issuer=settings.oidc_issuer,
        leeway=LEEWAY_SECONDS,
        options={"require": list(REQUIRED_CLAIMS)},
    )
    alone = claims["aud"] in (settings.oidc_client_id, [settings.oidc_client_id])
    if claims.get("azp", settings.oidc_client_id if alone else None) != settings.oidc_client_id:
        raise InvalidAnswer("the ID token was issued to another client")
    if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise InvalidAnswer("the ID token has another nonce")
    return claims


def find_key(keys: KeySet, key_id: str | None, algorithm: str) -> jwt.PyJWK:
    """Return the public key that has the ID, or the only one if the token names none."""
    found = [
        key
        for key in keys.keys
        if key_id in (None, key.get("kid"))
        and key.get("use") in (None, "sig")
        and key.get("alg") in (None, algorithm)
    ]
    if len(found) != 1:
        raise InvalidAnswer("the provider has no key with the ID in the ID token")
    # no other is read: 256 KB of keys hold up all requests for 0.3 s, private ones for minutes
    return jwt.PyJWK({name: found[0][name] for name in PUBLIC_PARAMETERS if name in found[0]}, algorithm)
