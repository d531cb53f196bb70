"""An OpenID provider, made of Authlib's server half. A test says who signs in there, and what goes wrong."""

from __future__ import annotations

import base64
import hmac
import json
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import requests
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import AuthorizationCodeGrant, AuthorizationCodeMixin, ClientMixin
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import OpenIDCode
from flask import Flask, request
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

CLIENT_ID, CLIENT_SECRET = "bvo", "100% + secret: ä"
PAGE = """\
<!doctype html><html lang="en"><title>Provider</title><link rel="icon" href="data:,"><main><h1>Provider</h1>
<form method="post"><button name="decision" value="continue">Continue</button>
<button name="decision" value="cancel">Cancel</button></form></main></html>"""


class Client(ClientMixin):
    """The one that is registered. A redirect URI must be one of its own, to the letter."""

    def __init__(self) -> None:
        self.redirect_uris = ["http://localhost/ui/oidc/callback"]
        self.shown_by = ""

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> None:
        return None

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        self.shown_by = method
        return method in ("client_secret_basic", "client_secret_post")

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class Code(AuthorizationCodeMixin):
    code: str
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str
    user: dict[str, Any]

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> None:
        return None

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class Grant(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post")

    def save_authorization_code(self, code: str, asked: Any) -> None:
        names = ("redirect_uri", "nonce", "code_challenge", "code_challenge_method")
        given = {name: asked.payload.data[name] for name in names}
        self.server.provider.codes[code] = Code(code=code, scope=asked.scope, user=asked.user, **given)

    def query_authorization_code(self, code: str, client: Client) -> Code | None:
        found: Code | None = self.server.provider.codes.get(code)
        return found

    def delete_authorization_code(self, authorization_code: Code) -> None:
        del self.server.provider.codes[authorization_code.code]

    def authenticate_user(self, authorization_code: Code) -> dict[str, Any]:
        return authorization_code.user


class IdToken(OpenIDCode):
    def __init__(self, provider: Provider) -> None:
        super().__init__(require_nonce=True)
        self.provider = provider

    def exists_nonce(self, nonce: str, asked: Any) -> bool:
        return any(code.nonce == nonce for code in self.provider.codes.values())

    def generate_user_info(self, user: dict[str, Any], scope: str) -> dict[str, Any]:
        return ({"sub": user["sub"]} if self.provider.thin else user) | self.provider.claims

    def get_client_claims(self, client: Client) -> dict[str, Any]:
        return {"iss": self.provider.issuer, "aud": [CLIENT_ID]}

    def get_encode_header(self, client: Client) -> dict[str, Any]:
        return {"alg": "RS256", "kid": self.provider.key.kid}

    def resolve_client_private_key(self, client: Client) -> RSAKey:
        return self.provider.key

    def encode_id_token(self, token: dict[str, Any], asked: Any) -> str:
        return self.provider.forge(super().encode_id_token(token, asked))


class Provider:
    """On a free port of this machine, in a thread. A context manager.

    `account` is who is signed in there. `claims` replace those of the ID token, `userinfo` those of the other answer,
    `metadata` what it says of itself; `forge` gets each ID token, to return another one. `key` signs, `published` are
    the public keys. With `thin`, an ID token says no more than it must. `calls` counts the requests by path.
    """

    def __init__(self) -> None:
        self._server = make_server("127.0.0.1", 0, self._app(), threaded=True)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._first_key = RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})
        self.client = Client()
        self.reset()

    def reset(self) -> None:
        self.account: dict[str, Any] = {
            "sub": "248289761001",
            "preferred_username": "ada",
            "name": "Ada Lovelace",
            "email": "ada@example.com",
            "email_verified": True,
            "groups": ["bvo-ops"],
        }
        self.claims: dict[str, Any] = {}
        self.userinfo: dict[str, Any] = {}
        self.metadata: dict[str, Any] = {}
        self.forge: Callable[[str], str] = str
        self.key, self.published = self._first_key, [self._first_key]
        self.thin = self.failing = False
        self.calls: Counter[str] = Counter()
        self.codes: dict[str, Code] = {}
        self.tokens: dict[str, dict[str, Any]] = {}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *ended_by: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def environment(self, **more: str) -> dict[str, str]:
        """What names this provider to a server."""
        known = {"ISSUER": self.issuer, "CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET, "LABEL": "Example Ltd"}
        return {f"BVO_OIDC_{name}": value for name, value in {**known, **more}.items()}

    def rotate(self, kid: str = "second", *, publish: bool = True) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})
        if publish:
            self.published = [self.key]

    def decide(self, url: str, decision: str = "continue") -> str:
        """Come to the provider at `url`, press a button, and return where it sends the browser then."""
        answer = requests.post(url, data={"decision": decision}, allow_redirects=False, timeout=10)
        assert answer.status_code == 302, answer.text
        return answer.headers["Location"]

    def _app(self) -> Flask:
        app = Flask(__name__)
        self._authlib = AuthorizationServer(app, lambda client_id: self.client, self._save_token)
        self._authlib.provider = self
        self._authlib.register_grant(Grant, [IdToken(self), CodeChallenge(required=True)])
        app.before_request(self._count)
        app.add_url_rule("/.well-known/openid-configuration", view_func=self._discover)
        app.add_url_rule("/authorize", view_func=lambda: PAGE, endpoint="ask")
        app.add_url_rule("/authorize", view_func=self._decide, methods=["POST"])
        app.add_url_rule("/token", view_func=self._authlib.create_token_response, methods=["POST"])
        app.add_url_rule("/keys", view_func=self._keys)
        app.add_url_rule("/userinfo", view_func=self._userinfo)
        app.wsgi_app = _behind_https(app.wsgi_app)  # type: ignore[method-assign]
        return app

    def _count(self) -> tuple[str, int] | None:
        self.calls[request.path] += 1
        return ("down for maintenance", 503) if self.failing else None

    def _discover(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            **self.metadata,
        }

    def _keys(self) -> dict[str, Any]:
        return {"keys": [key.as_dict(private=False) for key in self.published]}

    def _decide(self) -> Any:
        user = self.account if request.form["decision"] == "continue" else None
        try:
            grant = self._authlib.get_consent_grant(end_user=self.account)
        except OAuth2Error as error:
            return dict(error.get_body()), error.status_code
        return self._authlib.create_authorization_response(grant_user=user, grant=grant)

    def _userinfo(self) -> Any:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return {**self.tokens[bearer], **self.userinfo} if bearer in self.tokens else ("no such token", 401)

    def _save_token(self, token: dict[str, Any], asked: Any) -> None:
        self.tokens[token["access_token"]] = asked.user


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a JWT, unchecked."""
    header, claims, _ = token.split(".")
    return _read(header), _read(claims)


def unsigned(token: str) -> str:
    """The same claims, with `alg: none`."""
    return f"{_written({'alg': 'none'})}.{token.split('.')[1]}."


def signed_with_the_public_key(token: str, key: RSAKey) -> str:
    """The same claims with an HMAC, whose secret everybody has."""
    content = f"{_written({'alg': 'HS256', 'kid': key.kid})}.{token.split('.')[1]}"
    digest = hmac.digest(key.as_pem(private=False), content.encode(), "sha256")
    return f"{content}.{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def _read(segment: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return found


def _written(found: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(found).encode()).decode().rstrip("=")


def _behind_https(wsgi_app: Any) -> Any:
    """Authlib's server half takes nothing else."""

    def told(environ: dict[str, Any], start_response: Any) -> Any:
        return wsgi_app({**environ, "wsgi.url_scheme": "https"}, start_response)

    return told
