"""The thread that tells the server that this robot lives, and renews the running job's lease."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bvo_agent.client import Client
from bvo_agent.errors import AgentError, Refused
from bvo_agent.lease import Lease, StopReason, Watch
from bvo_agent.retry import backoff

logger = logging.getLogger(__name__)
CLOSING_SECONDS = 5.0
"""How long a beat that is under way may hold up the end of the runner."""

DEFAULT_SECONDS = 10.0
ENDINGS = {"lost": StopReason.LOST, "stop": StopReason.CANCELED}


class Heartbeat:
    """A context manager: beats from its start to its end."""

    def __init__(self, client: Client, machine_info: str) -> None:
        self._client = client
        self._machine_info = machine_info
        self._lease: Lease | None = None
        self._seconds: float | None = None
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing = True
        self._wake.set()
        self._thread.join(CLOSING_SECONDS)  # a thread that logs while the interpreter ends aborts the process

    @contextmanager
    def renewing(self, watch: Watch) -> Iterator[None]:
        """Renews the lease at once, in the caller's thread, and then with every beat.

        A claim that has to be confirmed is tried until it is, or until its time is over: then the lease has ended.
        """
        self._lease = lease = watch.lease
        self._beat()
        for delay in backoff():
            if lease.confirmed or watch.reason():
                break
            watch.shutdown.wait(delay)
            self._beat()
        if not lease.confirmed:
            lease.give_up()
        self._wake.set()
        try:
            yield
        finally:
            self._lease = None

    def _run(self) -> None:
        self._beat()
        while not self._closing:
            if self._wake.wait(self._interval()):
                self._wake.clear()
            else:
                self._beat()

    def _interval(self) -> float:
        """What the server told with its last answer; an older one tells it with the job."""
        lease = self._lease
        if self._seconds:
            return self._seconds
        if lease is None:
            return DEFAULT_SECONDS
        third = lease.job.lease_seconds / 3 if lease.job.lease_seconds else DEFAULT_SECONDS
        return lease.job.heartbeat_seconds or min(DEFAULT_SECONDS, third)

    def _beat(self) -> None:
        lease, sent_at = self._lease, time.monotonic()
        held = (
            [{"job_id": lease.job.id, "lease_token": lease.job.lease_token}] if lease and lease.job.lease_token else []
        )
        body = {"robot_id": self._client.robot_id, "machine_info": self._machine_info, "leases": held}
        try:
            answer = self._client.post("/api/runner/heartbeat", body)
        except Refused as error:
            logger.warning("heartbeat refused: %s", error)
        except AgentError as error:
            logger.debug("heartbeat not sent: %s", error)
        else:
            self._seconds = answer.get("heartbeat_seconds")
            if lease:
                _apply(answer.get("leases") or [], lease, sent_at)


def _apply(states: list[dict[str, Any]], lease: Lease, sent_at: float) -> None:
    for state in states:
        if state.get("job_id") != lease.job.id:
            continue
        if reason := ENDINGS.get(str(state.get("state"))):
            lease.end(reason)
        else:
            lease.renewed(sent_at, state.get("lease_seconds"))
