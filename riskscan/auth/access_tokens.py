"""Access tokens: JSON Web Tokens (RFC 7519) that a client sends as `Authorization: Bearer`."""

from __future__ import annotations

import functools
import time
from typing import NamedTuple

import jwt
from aiohttp import hdrs, web

from ..database.rows import Account, TokenSubject
from ..request.fields import is_uuid
from ..schemas import TokenResponse
from ..settings import SETTINGS, Settings


class Claims(NamedTuple):
    """What an access token says."""

    subject: TokenSubject
    expires_at: int


def issue_access_token(settings: Settings, account: Account) -> TokenResponse:
    """Return a fresh access token for the account, in the contract's shape."""
    issued_at, lifetime = int(time.time()), settings.token_minutes * 60
    claims = {
        "sub": account.user.id,
        "iat": issued_at,
        "exp": issued_at + lifetime,
        "version": account.token_version,
    }
    token = jwt.encode(claims, settings.jwt_secret, settings.jwt_algorithm)
    return TokenResponse(
        access_token=token,
        token_type="bearer",  # noqa: S106  # RFC 6749's word, no secret
        expires_in=lifetime,
        token=token,
        user=account.user,
        user_id=account.user.id,
        email=account.user.email,
    )


@functools.lru_cache(4096)  # a client sends the same token again and again, and HMAC over JSON is slow
def decode_access_token(token: str, secret: str, algorithm: str) -> Claims | None:
    """Return what a token of ours says, None where it is not one. The caller looks at the clock."""
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=[algorithm],
            options={"require": ["exp", "iat", "sub"], "verify_exp": False, "verify_iat": False},
        )
    except (jwt.PyJWTError, ValueError, RecursionError):
        return None
    user_id, version, expires_at = claims["sub"], claims.get("version"), claims["exp"]
    if type(version) is not int or type(expires_at) is not int or not is_uuid(user_id):
        return None
    return Claims(TokenSubject(user_id, version), expires_at) if 0 <= version < 2**31 else None


def bearer_token(request: web.Request) -> str | None:
    """Return what comes after `Authorization: Bearer`; None for another scheme and for no header.

    Of several headers one counts where it is a Bearer; together they are no token that was ever issued.
    """
    tokens = []
    for header in request.headers.getall(hdrs.AUTHORIZATION, ()):
        scheme, _, token = header.strip().replace("\t", " ").partition(" ")
        if scheme.lower() == "bearer":
            tokens.append(token.strip())
    return " ".join(tokens) if tokens else None


def subject_of_token(request: web.Request, token: str) -> TokenSubject | None:
    settings = request.app[SETTINGS]
    claims = decode_access_token(token, settings.jwt_secret, settings.jwt_algorithm)
    return claims.subject if claims and claims.expires_at > time.time() else None
