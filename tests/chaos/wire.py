"""HTTP as clients speak it: each request is noted before it is sent, and its outcome when it is known."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import requests

from .history import OK, REFUSED, UNKNOWN, Call, History

T = TypeVar("T")
TIMEOUT_SECONDS = 3.0
_sessions = threading.local()
_twins = ThreadPoolExecutor(16, thread_name_prefix="twin")


class Wire:
    """The requests of one principal. `headers` say who it is; they may be replaced."""

    def __init__(self, history: History, url: str, who: str, headers: dict[str, str]) -> None:
        self.history, self.who, self.headers = history, who, headers
        self._url = url

    def call(self, kind: str, method: str, path: str, body: Any = None, **details: Any) -> Call:
        """Send one request. `details` go into the log of calls, and so does the body; `headers` are sent, too."""
        headers = {**self.headers, **details.pop("headers", {})}
        call = self.history.send(self.who, kind, body=body, **details)
        try:
            response = _session().request(method, self._url + path, json=body, headers=headers, timeout=TIMEOUT_SECONDS)
            answer = _json(response)
        except requests.RequestException as error:
            return self.history.end(call, UNKNOWN, answer=type(error).__name__)
        return self.history.end(call, _outcome(response.status_code), response.status_code, answer)


def at_once(count: int, request: Callable[[], T]) -> list[T]:
    """The same request several times, concurrently: a network that duplicates, or a client in a hurry."""
    return [twin.result() for twin in [_twins.submit(request) for _ in range(count)]]


def _outcome(status: int) -> str:
    if status < 300:
        return OK
    return UNKNOWN if status >= 500 else REFUSED


def _json(response: requests.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return response.text


def _session() -> requests.Session:
    if not hasattr(_sessions, "own"):
        _sessions.own = requests.Session()
    session: requests.Session = _sessions.own
    return session
