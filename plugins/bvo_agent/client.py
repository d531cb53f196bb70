"""HTTP to the server: one session a thread, and every failure sorted into `Unavailable` and `Refused`."""

from __future__ import annotations

import email.utils
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests

from bvo_agent.errors import Refused, Unavailable
from bvo_agent.outage import Outage

CONNECT_SECONDS, READ_SECONDS = 5.0, 30.0
COME_BACK_LATER = frozenset({408, 425, 429})
BLOCK = 256 * 1024


class Client:
    """Speaks for one robot. `token` may be replaced at any time, by any thread."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self.token: str | None = None
        self.robot_id: int | None = None
        self._local = threading.local()
        self._outage = Outage(self.url)

    def post(self, path: str, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Posts JSON and returns the answer's JSON object. Raises Unavailable or Refused."""
        with self._request("POST", path, headers, json=body) as response:
            return _object(response)

    def get(self, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """The answer's JSON object. Raises Unavailable or Refused."""
        with self._request("GET", path, headers) as response:
            return _object(response)

    def upload(self, path: str, body: Any, headers: Mapping[str, str]) -> None:
        """Posts a file-like body without reading it into memory. Raises Unavailable or Refused."""
        with self._request("POST", path, headers, data=body):
            pass

    @contextmanager
    def download(self, path: str) -> Iterator[Iterable[bytes]]:
        """Yields the body in blocks. Raises Unavailable (also while they are read) or Refused."""
        with self._request("GET", path, None, stream=True) as response:
            try:
                yield response.iter_content(BLOCK)
            except requests.RequestException as error:
                raise Unavailable(f"the download broke off: {_reason(error)}") from error

    @contextmanager
    def _request(
        self, method: str, path: str, headers: Mapping[str, str] | None, **arguments: Any
    ) -> Iterator[requests.Response]:
        sent = {**({"X-Robot-Token": self.token} if self.token else {}), **(headers or {})}
        try:
            response = self._session().request(
                method,
                self.url + path,
                headers=sent,
                timeout=(CONNECT_SECONDS, READ_SECONDS),
                allow_redirects=False,
                **arguments,
            )
        except requests.RequestException as error:
            self._outage.began(f"is not reachable ({_reason(error)})")
            raise Unavailable(f"the server is not reachable: {_reason(error)}") from error
        with response:
            self._check(response)
            yield response

    def _check(self, response: requests.Response) -> None:
        status = response.status_code
        if status >= 500 or status in COME_BACK_LATER:
            self._outage.began(f"answers HTTP {status}")
            raise Unavailable(f"{_detail(response)} (HTTP {status})", _retry_after(response))
        self._outage.ended()
        if 300 <= status < 400:
            raise Refused(
                status, f"redirected to {response.headers.get('Location')}: give the right address with --url"
            )
        if status >= 300:
            raise Refused(status, _detail(response))

    def _session(self) -> requests.Session:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        session: requests.Session = self._local.session
        return session


def _object(response: requests.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Unavailable(f"{response.url} did not answer with JSON: is --url the address of the orchestrator?")
    return body


def _detail(response: requests.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        body = None
    detail = body.get("detail") or body.get("title") if isinstance(body, dict) else None
    return str(detail or response.reason or "no reason given")


def _reason(error: requests.RequestException) -> str:
    """The innermost cause in one short line: requests and urllib3 wrap it in up to three layers."""
    cause: BaseException = error
    while inner := [each for each in (getattr(cause, "reason", None), *cause.args) if isinstance(each, Exception)]:
        cause = inner[-1]
    return str(cause).rsplit(": ", 1)[-1][:200] or type(cause).__name__


def _retry_after(response: requests.Response) -> float | None:
    value = response.headers.get("Retry-After", "")
    if value.isdigit():
        return float(value)
    date = email.utils.parsedate_tz(value)
    return max(0.0, email.utils.mktime_tz(date) - time.time()) if date else None
