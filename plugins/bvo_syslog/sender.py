"""The connection to the syslog server: kept open, and made anew where it has ended."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Sequence

from bvo_hookspecs import Event

from .message import frame
from .tls import Tls

TIMEOUT_SECONDS = 1.5
"""Of each step: to connect, to agree on TLS, to send. Together they are less than an observer's 5 s."""
SETTLE_SECONDS = 0.3
"""So long we wait whether a new connection stays. A proxy without a server behind it accepts, and closes; and with
TLS 1.3 a server refuses our certificate after its handshake. What is sent into such a connection is lost."""
WATCH = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}
"""Where the system has them: a server that is gone without a word is missed after 10 s, an idle one after a minute."""
REST = 10
"""After a failure the server is left alone for so many times as long as that took: else one that does not answer is
tried for each event of a batch, and a worker that is to stop waits for all of them."""


class Sender:
    """One syslog server. `write` returns when all was handed to the system: syslog does not acknowledge."""

    def __init__(self, host: str, port: int, tls: Tls | None = None) -> None:
        self._host, self._port, self._tls = host, port, tls
        self._connection: socket.socket | None = None
        self._rests_until, self._failure = 0.0, ""

    def write(self, events: Sequence[Event]) -> None:
        """Send the events. Raises OSError, e.g. TimeoutError; what went wrong is in its text."""
        messages, started = b"".join(frame(event) for event in events), time.monotonic()
        if started < self._rests_until:
            raise ConnectionError(f"{self._host} is left alone for some seconds after this: {self._failure}")
        try:
            self._open().sendall(messages)
        except Exception as error:
            self.close()
            self._rests_until, self._failure = time.monotonic() + REST * (time.monotonic() - started), str(error)
            raise

    def close(self) -> None:
        """End the connection. The next event makes another one."""
        if self._connection:
            self._connection.close()
        self._connection = None

    def _open(self) -> socket.socket:
        """The connection that we have, if it holds, else another one."""
        if self._connection:
            try:
                _require_open(self._connection)
            except OSError:
                self.close()
        if not self._connection:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> socket.socket:
        context = self._tls and self._tls.context()
        connection = socket.create_connection((self._host, self._port), TIMEOUT_SECONDS)
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in WATCH.items():
                if option := getattr(socket, name, None):
                    connection.setsockopt(socket.IPPROTO_TCP, option, value)
            if context:
                connection = context.wrap_socket(connection, server_hostname=self._host)
            _require_open(connection, SETTLE_SECONDS)
        except BaseException:
            connection.close()
            raise
        return connection


def _require_open(connection: socket.socket, seconds: float = 0.0) -> None:
    """Raises OSError where the server ends the connection within this time. It says nothing else, ever."""
    connection.settimeout(seconds)
    try:
        connection.recv(1)
    except (BlockingIOError, ssl.SSLWantReadError):
        return
    except TimeoutError as error:
        if error.errno is None:  # of `settimeout`; else the network has given up
            return
        raise
    finally:
        connection.settimeout(TIMEOUT_SECONDS)
    raise ConnectionError("the syslog server has closed the connection")
