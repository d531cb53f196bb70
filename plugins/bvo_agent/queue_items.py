"""What a running script does with queue items, under the lease of its attempt. What it holds is renewed meanwhile."""

from __future__ import annotations

import logging
import threading
import time
import urllib.parse
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bvo_agent.channel import Answer
from bvo_agent.client import Client
from bvo_agent.errors import AgentError, Refused, Unavailable
from bvo_agent.masking import Masks
from bvo_agent.protocol import Job
from bvo_agent.retry import retrying

logger = logging.getLogger(__name__)
PATIENCE_SECONDS = 60.0
CLOSING_SECONDS = 5.0
"""How long a renewal that is under way may hold up the end of a job."""

MESSAGE_CHARACTERS = 10_000
LOST = (404, 409)
"""How the server answers about an item that this job does not hold any more."""


@dataclass
class _Held:
    """An item in the hands of the script. `due`: when to renew it (monotonic)."""

    lease: str
    seconds: float
    due: float

    def renewed(self, sent_at: float, seconds: float) -> None:
        self.seconds, self.due = seconds, sent_at + seconds / 3


class QueueItems:
    """A context manager: renews what the script holds from its start to its end.

    `answers` has a function for each request of the script. The leases of items stay here: a script names an item
    by its id.
    """

    def __init__(self, client: Client, job: Job, masks: Masks) -> None:
        self._client = client
        self._job = job
        self._masks = masks
        self._held: dict[int, _Held] = {}
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="queue-items", daemon=True)
        requests = {
            "next": self._next,
            "add": self._add,
            "complete": self._complete,
            "fail": self._fail,
            "release": self._release,
        }
        self.answers: dict[str, Answer] = {f"queue.{name}": _answering(act) for name, act in requests.items()}

    def __enter__(self) -> QueueItems:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._closing = True
        self._wake.set()
        self._thread.join(CLOSING_SECONDS)

    def _next(self, request: Mapping[str, Any], ended: threading.Event) -> dict[str, Any]:
        sent_at = time.monotonic()
        item = self._post(f"{_queue(request)}/next", {}, ended).get("item")
        if item:
            held = _Held(item.pop("item_lease"), 0, 0)
            held.renewed(sent_at, item.pop("lease_seconds"))
            self._held[item["id"]] = held
            self._wake.set()
        return {"item": item}

    def _add(self, request: Mapping[str, Any], ended: threading.Event) -> dict[str, Any]:
        return self._post(f"{_queue(request)}/items", self._masks.value(dict(request["item"])), ended)

    def _complete(self, request: Mapping[str, Any], ended: threading.Event) -> dict[str, Any]:
        return self._settle("complete", request, {"result": self._masks.value(request.get("result"))}, ended)

    def _fail(self, request: Mapping[str, Any], ended: threading.Event) -> dict[str, Any]:
        body = {
            "kind": request["kind"],
            "error_message": self._masks.text(str(request["message"]))[:MESSAGE_CHARACTERS],
            "error_code": self._masks.value(request.get("code")),
            "retry_after_seconds": request.get("retry_after"),
        }
        return self._settle("fail", request, body, ended)

    def _release(self, request: Mapping[str, Any], ended: threading.Event) -> dict[str, Any]:
        return self._settle("release", request, {}, ended)

    def _settle(
        self, part: str, request: Mapping[str, Any], body: dict[str, Any], ended: threading.Event
    ) -> dict[str, Any]:
        item_id = request["item"]
        held = self._held.get(item_id)
        if held is None:
            return {"error": f"This job does not hold the queue item {item_id}."}
        try:
            answer = self._post(f"queue-items/{item_id}/{part}", {**body, "item_lease": held.lease}, ended)
        except Refused as error:
            if error.status in LOST:
                self._held.pop(item_id, None)
            raise
        self._held.pop(item_id, None)
        return answer

    def _post(self, path: str, body: dict[str, Any], ended: threading.Event) -> dict[str, Any]:
        """Tries for up to 60 s, or until the job has `ended`; under one key, so that it happens once."""
        headers = {**self._job.lease_headers, "Idempotency-Key": uuid.uuid4().hex}
        return retrying(
            lambda: self._client.post(f"/api/runner/{path}", body, headers), ended.wait, PATIENCE_SECONDS, ended.is_set
        )

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(self._pause())
            self._wake.clear()
            for item_id, held in list(self._held.items()):
                if held.due <= time.monotonic() and not self._closing:
                    self._renew(item_id, held)

    def _pause(self) -> float | None:
        """Seconds until something is due; None as long as nothing is held."""
        dues = [held.due for held in list(self._held.values())]
        return max(0.0, min(dues) - time.monotonic()) if dues else None

    def _renew(self, item_id: int, held: _Held) -> None:
        sent_at = time.monotonic()
        try:
            body = {"item_lease": held.lease}
            answer = self._client.post(f"/api/runner/queue-items/{item_id}/renew", body, self._job.lease_headers)
            held.renewed(sent_at, answer.get("lease_seconds") or held.seconds)
        except Refused as error:
            if self._held.pop(item_id, None):
                logger.warning("job %s: the queue item %s is lost: %s", self._job.id, item_id, error.detail)
        except AgentError as error:
            logger.debug("the queue item %s was not renewed: %s", item_id, error)
            held.due = time.monotonic() + held.seconds / 10


def _queue(request: Mapping[str, Any]) -> str:
    return f"queues/{urllib.parse.quote(request['queue'], safe='')}"


def _answering(act: Answer) -> Answer:
    """The same, with `{"error": text}` for what can't be done."""

    def answer(request: Mapping[str, Any], ended: threading.Event) -> dict[str, Any]:
        try:
            return act(request, ended)
        except Refused as error:
            return {"error": error.detail}
        except Unavailable as error:
            return {"error": f"The server could not be asked: {error}."}
        except (KeyError, TypeError, ValueError, RecursionError):
            return {"error": "This runner does not know this request."}

    return answer
