"""What a queue item is, in plain Python, beside the model of jobs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .model import CONFLICT, DONE, HOUR, Claim, Model


@dataclass(frozen=True, kw_only=True)
class ModelQueue:
    name: str
    max_retries: int
    delay: int
    lease: int


QUEUES = (
    ModelQueue(name="often", max_retries=1, delay=30, lease=15),
    ModelQueue(name="once", max_retries=0, delay=0, lease=300),
)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What a job was given: the numbers of the item and of its lease, and the claim of the job."""

    item: int
    lease: int
    claim: Claim


@dataclass(kw_only=True)
class ModelItem:
    """Times are seconds of the virtual clock. `holder`: the job that took it last, and its attempt then."""

    number: int
    queue: int
    priority: int
    status: str = "new"
    attempt: int = 0
    retries: int = 0
    lease: int | None = None
    holder: tuple[int, int] | None = None
    expires_at: int = 0
    available_at: int | None = None
    wait: int = 0
    error_code: str | None = None
    settled: tuple[int, str] | None = None

    @property
    def seen(self) -> tuple[str, int, int, str | None, bool]:
        """What an operator sees of it, and what is compared."""
        return self.status, self.attempt, self.retries, self.error_code, self.available_at is not None

    def end_badly(self, now: int, *, business: bool, code: str | None) -> None:
        queue, self.error_code, self.lease = QUEUES[self.queue], code, None
        if business or self.retries >= queue.max_retries:
            self.status = "failed"
            return
        self.status, self.retries = "new", self.retries + 1
        self.wait = min(queue.delay * 2 ** (self.retries - 1), HOUR)
        self.available_at = now + self.wait if self.wait else None


class ItemModel:
    """All items. Whose job they are in, the model of jobs knows."""

    def __init__(self, jobs: Model) -> None:
        self._jobs = jobs
        self.items: list[ModelItem] = []
        self._leases = 0

    def add(self, queue: int, priority: int) -> None:
        self.items.append(ModelItem(number=len(self.items), queue=queue, priority=priority))

    def take(self, claim: Claim, queue: int) -> Taken | str | None:
        """What the job gets; None where nothing is ready."""
        job = self._jobs.jobs[claim.job]
        if not job.is_held(claim):
            return CONFLICT
        ready = [item for item in self.items if (item.queue, item.status, item.available_at) == (queue, "new", None)]
        if not ready:
            return None
        item = min(ready, key=lambda item: (-item.priority, item.number))
        self._leases += 1
        item.status, item.lease, item.holder = "in_progress", self._leases, (job.number, job.attempt)
        item.attempt, item.expires_at = item.attempt + 1, self._jobs.now + QUEUES[queue].lease
        return Taken(item=item.number, lease=self._leases, claim=claim)

    def renew(self, taken: Taken) -> str:
        if not self._is_held(taken):
            return CONFLICT
        item = self.items[taken.item]
        item.expires_at = self._jobs.now + QUEUES[item.queue].lease
        return DONE

    def settle(self, taken: Taken, how: str) -> str:
        """`how`: complete, fail, business, release."""
        item = self.items[taken.item]
        if self._jobs.jobs[taken.claim.job].is_held(taken.claim) and item.settled == (taken.lease, how):
            return DONE
        if not self._is_held(taken):
            return CONFLICT
        item.settled = (taken.lease, how)
        self._ways[how](item)
        return DONE

    @property
    def _ways(self) -> dict[str, Callable[[ModelItem], None]]:
        return {
            "complete": self._complete,
            "fail": lambda item: item.end_badly(self._jobs.now, business=False, code=None),
            "business": lambda item: item.end_badly(self._jobs.now, business=True, code=None),
            "release": self._release,
        }

    def sweep(self) -> None:
        now = self._jobs.now
        for item in self.items:
            if item.status == "new" and item.available_at is not None and item.available_at <= now:
                item.available_at = None
        for item in self._in_progress():
            if not self._runs(item):
                item.end_badly(now, business=False, code="job_ended")
        for item in self._in_progress():
            if item.expires_at < now:
                item.end_badly(now, business=False, code="lease_lost")

    def jump(self) -> None:
        """The clock has jumped: leases and waits count from now on."""
        for item in self.items:
            if item.status == "in_progress":
                item.expires_at = self._jobs.now + QUEUES[item.queue].lease
            if item.status == "new" and item.available_at is not None:
                item.available_at = self._jobs.now + item.wait

    def _in_progress(self) -> list[ModelItem]:
        return [item for item in self.items if item.status == "in_progress"]

    def _runs(self, item: ModelItem) -> bool:
        return any((job.number, job.attempt) == item.holder for job in self._jobs.running())

    def _is_held(self, taken: Taken) -> bool:
        item, job = self.items[taken.item], self._jobs.jobs[taken.claim.job]
        mine = (item.status, item.lease, item.holder) == ("in_progress", taken.lease, (job.number, job.attempt))
        return mine and job.is_held(taken.claim)

    def _complete(self, item: ModelItem) -> None:
        item.status, item.lease, item.error_code = "completed", None, None

    def _release(self, item: ModelItem) -> None:
        item.status, item.lease, item.attempt = "new", None, item.attempt - 1
