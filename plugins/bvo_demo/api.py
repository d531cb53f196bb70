"""The few calls of the public API that the demo makes, as any client would."""

from __future__ import annotations

from typing import Any

import requests

from .errors import DemoFailed

TIMEOUT_SECONDS = 30


class Client:
    """A logged-in user of the server. Raises DemoFailed with the server's own words."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy stands between this process and its own server

    def log_in(self, username: str, password: str) -> None:
        token = self.post("/api/auth/login", data={"username": username, "password": password})["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def healthy(self) -> bool:
        try:
            return self._session.get(f"{self._url}/healthz", timeout=TIMEOUT_SECONDS).ok
        except requests.RequestException:
            return False

    def get(self, path: str) -> Any:
        return self._answer("GET", path)

    def post(self, path: str, **content: Any) -> Any:
        return self._answer("POST", path, **content)

    def _answer(self, method: str, path: str, **content: Any) -> Any:
        try:
            response = self._session.request(method, self._url + path, timeout=TIMEOUT_SECONDS, **content)
        except requests.RequestException as error:
            raise DemoFailed(f"{method} {path} failed: {error}") from None
        if not response.ok:
            raise DemoFailed(f"{method} {path} was refused: {_detail(response)}")
        return response.json()


def _detail(response: requests.Response) -> str:
    try:
        return str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        return f"status {response.status_code}"
