"""Access tokens: JSON Web Tokens (RFC 7519) that a client sends as `Authorization: Bearer`."""

from __future__ import annotations

import functools
import time
from typing import NamedTuple

import jwt
from aiohttp import web

from ..database.rows import Account, TokenSubject
from ..errors import invalid_token
from ..request.fields import is_uuid
from ..schemas import TokenResponse
from ..settings import SETTINGS, Settings


class Claims(NamedTuple):
    """The claims of an access token."""

    subject: TokenSubject
    expires_at: int


def issue_access_token(settings: Settings, account: Account) -> TokenResponse:
    """Return a token response with a new access token for the account."""
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
        token_type="bearer",  # noqa: S106  # from RFC 6749, not a secret
        expires_in=lifetime,
        token=token,
        user=account.user,
        user_id=account.user.id,
        email=account.user.email,
    )


@functools.lru_cache(4096)  # clients repeat their token, and checking it takes longer
def decode_access_token(token: str, secret: str, algorithm: str) -> Claims | None:
    """Return the claims of a token signed with the secret, else None. The caller checks the expiry."""
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


def read_access_token(request: web.Request, token: str) -> TokenSubject:
    """Return the subject of an access token. Raises 401 `not_authenticated` if it is malformed or expired.

    JWT_SECRET_PREVIOUS is accepted too, while JWT_SECRET is being replaced.
    """
    settings = request.app[SETTINGS]
    claims = decode_access_token(token, settings.jwt_secret, settings.jwt_algorithm)
    if claims is None and settings.jwt_secret_previous:
        claims = decode_access_token(token, settings.jwt_secret_previous, settings.jwt_algorithm)
    if claims is None:
        raise invalid_token("The access token is malformed, or its signature is invalid.")
    if claims.expires_at <= time.time():
        raise invalid_token("The access token has expired. Log in again.")
    return claims.subject
