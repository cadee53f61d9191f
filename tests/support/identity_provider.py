"""A real OpenID provider on a socket (oidc-provider-mock, on Authlib), whose ID tokens a test can change."""

from __future__ import annotations

import base64
import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import flask
import jwt

with warnings.catch_warnings():
    import authlib.deprecate  # noqa: F401  # sets a filter of its own, before this one

    warnings.simplefilter("ignore")  # the provider imports what Authlib has deprecated
    import oidc_provider_mock

CLIENT_ID, CLIENT_SECRET = "riskscan", "secret-of-the-client"
Claims = Mapping[str, Any]


class IdentityProvider:
    """The provider; `change` makes another ID token of the claims and the provider's private key."""

    def __init__(self) -> None:
        self.url = ""
        self.change: Callable[[dict[str, Any], Any], str] | None = None
        self._challenges: dict[str, str] = {}  # by authorization code

    def change_claims(self, **changes: Any) -> None:
        """Change claims of the ID tokens that follow; `...` leaves one out."""
        self.change = lambda claims, key: sign({**claims, **changes}, key)

    @contextmanager
    def run(self) -> Iterator[None]:
        app = oidc_provider_mock.app(require_nonce=True)
        app.before_request(self._check_client)
        app.after_request(self._after)
        with oidc_provider_mock._server._threaded_server(app) as server:
            self.url = f"http://localhost:{server.server_port}"
            yield

    def _check_client(self) -> tuple[dict[str, str], int] | None:
        """Refuse another client, and a code without its verifier (RFC 7636, section 4.6)."""
        if flask.request.path != "/oauth2/token":
            return None
        known = flask.request.authorization
        assert known
        verifier, code = flask.request.form["code_verifier"], flask.request.form["code"]
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if (known.username, known.password) != (CLIENT_ID, CLIENT_SECRET):
            return {"error": "invalid_client"}, 401
        if len(verifier) < 43 or self._challenges.pop(code, "") != challenge:
            return {"error": "invalid_grant"}, 400
        return None

    def _after(self, response: flask.Response) -> flask.Response:
        if flask.request.path == "/oauth2/authorize" and response.location:
            assert flask.request.args["code_challenge_method"] == "S256"
            for code in parse_qs(urlsplit(response.location).query).get("code", []):
                self._challenges[code] = flask.request.args["code_challenge"]
        if flask.request.path == "/oauth2/token" and response.status_code == 200 and self.change:
            body = response.get_json()
            claims = jwt.decode(body["id_token"], options={"verify_signature": False})
            key = flask.g.oidc_provider_mock_storage.jwk.as_dict(is_private=True)
            body["id_token"] = self.change(claims, jwt.PyJWK(key, "RS256").key)
            response.set_data(flask.json.dumps(body))
        return response


def sign(claims: Claims, key: Any) -> str:
    present = {name: value for name, value in claims.items() if value is not ...}
    return jwt.encode(present, key, "RS256")
