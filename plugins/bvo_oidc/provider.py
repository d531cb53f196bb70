"""The provider: what it says of itself, its keys, and what it vouches for. Whatever is not as it must be is refused."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from werkzeug.exceptions import ServiceUnavailable

from bvo.sessions import LoginRefused

from .attempts import Attempt
from .configuration import Configuration, is_safe

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 5
KEPT_SECONDS = 3600
FRESH_SECONDS = 10
"""An unknown key asks for the keys again, but for none that are as new as this."""
LEEWAY_SECONDS = 60
SIGNATURES = JWSRegistry(
    algorithms=("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"),
    strict_check_header=False,  # providers add fields of their own
)
"""Asymmetric ones alone: a public key must never do as the secret of an HMAC."""
ENDPOINTS = ("authorization_endpoint", "token_endpoint", "jwks_uri")


class Provider:
    """One for each app; what it has fetched serves all requests of the process."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        self._metadata = _Kept(self._discovered)
        self._keys = _Kept(self._fetched_keys)

    def authorization_url(self, attempt: Attempt, redirect_uri: str) -> str:
        """Where the browser goes to sign in. Raises ServiceUnavailable."""
        with self._client(redirect_uri) as client:
            url, _ = client.create_authorization_url(
                self._metadata.get()["authorization_endpoint"],
                state=attempt.state,
                nonce=attempt.nonce,
                code_verifier=attempt.verifier,
            )
        return str(url)

    def claims(self, code: str, attempt: Attempt, redirect_uri: str) -> dict[str, Any]:
        """What the provider says of whoever it gave `code`. Raises LoginRefused, and ServiceUnavailable."""
        tokens = self._tokens(code, attempt, redirect_uri)
        claims = self._verified(tokens, attempt.nonce)
        wanted = {"preferred_username", "email"}
        if self.configuration.roles:
            wanted.add(self.configuration.groups_claim)
        if wanted - claims.keys() and (endpoint := self._metadata.get().get("userinfo_endpoint")):
            claims = {**self._userinfo(endpoint, tokens, claims["sub"]), **claims}
        return claims

    def _client(self, redirect_uri: str) -> OAuth2Session:
        return OAuth2Session(
            self.configuration.client_id,
            self.configuration.client_secret,
            token_endpoint_auth_method="client_secret_post",  # noqa: S106 - the name of a method
            scope=self.configuration.scopes,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
            default_timeout=TIMEOUT_SECONDS,
        )

    def _basic(self) -> tuple[str, str] | None:
        """The client's id and secret for a header, encoded as RFC 6749 asks; None where they belong in the body."""
        methods = self._metadata.get().get("token_endpoint_auth_methods_supported")
        if methods and "client_secret_basic" not in methods:
            return None
        return quote(self.configuration.client_id, safe=""), quote(self.configuration.client_secret, safe="")

    def _tokens(self, code: str, attempt: Attempt, redirect_uri: str) -> Mapping[str, Any]:
        with self._client(redirect_uri) as client:
            try:
                tokens: Mapping[str, Any] = client.fetch_token(
                    self._metadata.get()["token_endpoint"],
                    auth=self._basic(),
                    grant_type="authorization_code",
                    code=code,
                    code_verifier=attempt.verifier,
                )
            except OAuthError as error:
                if error.error != "invalid_grant":
                    raise self._unavailable(error) from None
                raise self._refusal("does not stand by this sign-in: it was used before, or is too old") from None
            except (requests.RequestException, ValueError) as error:
                raise self._unavailable(error) from None
        return tokens

    def _verified(self, tokens: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """The claims of the ID token, once its signature and all that it says of itself hold."""
        try:
            token = self._decoded(str(tokens.get("id_token", "")))
            options = {
                "iss": {"essential": True, "value": self.configuration.issuer},
                "aud": {"essential": True, "value": self.configuration.client_id},
                "sub": {"essential": True},
            }
            expected = {
                "nonce": nonce,
                "client_id": self.configuration.client_id,
                "access_token": tokens.get("access_token"),
            }
            claims = CodeIDToken(token.claims, token.header, options, expected)
            claims.validate(leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError) as error:
            log.warning("The ID token of the OIDC provider does not hold: %s", error)
            raise self._refusal(f"sent an ID token that does not hold ({error})") from None
        return dict(claims)

    def _decoded(self, id_token: str) -> jwt.Token:
        try:
            return jwt.decode(id_token, self._keys.get(), registry=SIGNATURES)
        except InvalidKeyIdError:
            return jwt.decode(id_token, self._keys.get(FRESH_SECONDS), registry=SIGNATURES)

    def _userinfo(self, endpoint: str, tokens: Mapping[str, Any], subject: str) -> dict[str, Any]:
        """More claims: many providers leave them out of the ID token. They must be of the same person."""
        found = self._fetched(endpoint, Authorization=f"Bearer {tokens.get('access_token')}")
        if found.get("sub") != subject:
            raise self._refusal("told of somebody else than it let in")
        return found

    def _discovered(self) -> dict[str, Any]:
        found = self._fetched(f"{self.configuration.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.configuration.issuer:
            raise self._unavailable(f"it calls itself {found.get('issuer')!r}; BVO_OIDC_ISSUER must be the same")
        used = [*ENDPOINTS, *({"userinfo_endpoint"} & found.keys())]
        if unsafe := [name for name in used if not is_safe(found.get(name))]:
            raise self._unavailable(f"no usable {', '.join(unsafe)} in what it says of itself")
        return found

    def _fetched_keys(self) -> KeySet:
        found = self._fetched(self._metadata.get()["jwks_uri"])
        try:
            return KeySet.import_key_set(found)  # type: ignore[arg-type]
        except (JoseError, KeyError, TypeError, ValueError) as error:
            raise self._unavailable(f"its keys can't be read: {error!r}") from None

    def _fetched(self, url: str, **headers: str) -> dict[str, Any]:
        try:
            answer = requests.get(url, headers={"Accept": "application/json", **headers}, timeout=TIMEOUT_SECONDS)
            answer.raise_for_status()
            found = answer.json()
        except requests.RequestException as error:
            raise self._unavailable(error) from None
        if not isinstance(found, dict):
            raise self._unavailable(f"no JSON object at {url}")
        return found

    def _refusal(self, reason: str) -> LoginRefused:
        return LoginRefused(f"{self.configuration.label} {reason}.")

    def _unavailable(self, reason: object) -> ServiceUnavailable:
        log.warning("The OIDC provider %s can't be used: %s", self.configuration.issuer, reason)
        return ServiceUnavailable(
            f"{self.configuration.label} can't be reached at the moment, or is not set up right. Try again later,"
            " or sign in with a password. The server's log has the reason."
        )


class _Kept:
    """What was fetched from the provider, until it is too old."""

    def __init__(self, fetch: Callable[[], Any]) -> None:
        self._fetch = fetch
        self._found: Any = None
        self._fetched_at = 0.0

    def get(self, max_age_seconds: float = KEPT_SECONDS) -> Any:
        if self._found is None or time.monotonic() - self._fetched_at > max_age_seconds:
            self._found, self._fetched_at = self._fetch(), time.monotonic()
        return self._found
