"""What a job is, in plain Python: the promise of docs/reliability.md, without a database, to compare with."""

from __future__ import annotations

from dataclasses import dataclass, field

LEASE, CONFIRM, HOUR, POISON_WITHIN = 60, 15, 3600, 72 * 3600
POISONOUS = 3
ENDED = ("completed", "failed", "canceled")
VALID, STOP, LOST = "valid", "stop", "lost"
DONE, CONFLICT, NOT_FOUND = "done", "conflict", "not found"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What a robot was given: the number of the job, and the number of the lease."""

    job: int
    robot: int
    lease: int


@dataclass(kw_only=True)
class ModelJob:
    """Times are seconds of the virtual clock."""

    number: int
    priority: int
    max_attempts: int
    delay: int
    timeout: int | None
    assigned: int | None
    status: str = "pending"
    attempt: int = 0
    robot: int | None = None
    lease: int | None = None
    expires_at: int = 0
    deadline_at: int | None = None
    available_at: int | None = None
    is_confirmed: bool = False
    outcome: str | None = None
    error_code: str | None = None
    lost: list[tuple[int, int | None, str, int]] = field(default_factory=list)
    """The attempts that ended without a result: lease, robot, why, when."""

    @property
    def seen(self) -> tuple[str, int, str | None, int | None, bool]:
        """What an operator sees of it, and what is compared."""
        return self.status, self.attempt, self.error_code, self.robot, self.available_at is not None

    def note(self, why: str, now: int) -> None:
        self.lost.append((self.lease or 0, self.robot, why, now))

    def why_lost(self, claim: Claim) -> str | None:
        return next((why for lease, robot, why, _ in self.lost if (lease, robot) == (claim.lease, claim.robot)), None)

    def is_held(self, claim: Claim) -> bool:
        return (self.status, self.robot, self.lease) == ("running", claim.robot, claim.lease)

    def give_back(self, attempt: int) -> None:
        self.status, self.attempt, self.robot = "pending", attempt, self.assigned
        self.lease = self.deadline_at = None

    def wait(self) -> int:
        return min(self.delay * 2 ** (self.attempt - 1), HOUR)

    def fail(self, code: str) -> None:
        self.status, self.error_code = "failed", code


class Model:
    """All jobs, and the clock."""

    def __init__(self) -> None:
        self.jobs: list[ModelJob] = []
        self.now = 0
        self._leases = 0

    def create(self, **values: int | None) -> ModelJob:
        job = ModelJob(number=len(self.jobs), robot=values.get("assigned"), **values)  # type: ignore[arg-type]
        self.jobs.append(job)
        return job

    def running(self) -> list[ModelJob]:
        return [job for job in self.jobs if job.status == "running"]

    def claim(self, robot: int, *, confirms: bool) -> Claim | None:
        mine = [job for job in self.jobs if job.status == "pending" and job.assigned in (None, robot)]
        ready = sorted((-job.priority, job.number) for job in mine if job.available_at is None)
        if not ready or any(job.robot == robot for job in self.running()):
            return None
        job = self.jobs[ready[0][1]]
        self._leases += 1
        job.status, job.robot, job.lease = "running", robot, self._leases
        job.attempt, job.is_confirmed = job.attempt + 1, not confirms
        job.expires_at = self.now + (CONFIRM if confirms else LEASE)
        job.deadline_at = self.now + job.timeout if job.timeout else None
        return Claim(job=job.number, robot=robot, lease=self._leases)

    def renew(self, claim: Claim) -> str:
        job = self.jobs[claim.job]
        if not job.is_held(claim):
            return STOP if job.why_lost(claim) in ("canceled", "timeout") else LOST
        job.expires_at, job.is_confirmed = self.now + LEASE, True
        return VALID

    def finish(self, claim: Claim, status: str, outcome: str) -> str:
        job = self.jobs[claim.job]
        if job.robot == claim.robot and job.outcome == outcome:
            return DONE
        if job.robot != claim.robot and job.why_lost(claim) is None:
            return NOT_FOUND
        if not job.is_held(claim):
            return CONFLICT
        job.status, job.outcome = status, outcome
        return DONE

    def cancel(self, number: int) -> str:
        job = self.jobs[number]
        if job.status in ENDED:
            return CONFLICT
        if job.status == "running":
            job.note("canceled", self.now)
        job.status = "canceled"
        return DONE

    def retry(self, number: int) -> str:
        job = self.jobs[number]
        if job.status not in ENDED:
            return CONFLICT
        values = {name: getattr(job, name) for name in ("priority", "max_attempts", "delay", "timeout", "assigned")}
        self.create(**values)
        return DONE

    def sweep(self) -> None:
        for job in self.jobs:
            if job.status == "pending" and job.available_at is not None and job.available_at <= self.now:
                job.available_at = None
        for job in self.running():
            if job.expires_at < self.now:
                self._expire(job)
        for job in self.running():
            if job.deadline_at is not None and job.deadline_at < self.now:
                job.note("timeout", self.now)
                job.fail("timeout")

    def jump(self) -> None:
        """The clock has jumped: everything counts from now on."""
        for job in self.running():
            job.expires_at = self.now + LEASE
            job.deadline_at = self.now + job.timeout if job.timeout else None
        for job in self.jobs:
            if job.status == "pending" and job.available_at is not None:
                job.available_at = self.now + job.wait()

    def _expire(self, job: ModelJob) -> None:
        if not job.is_confirmed:
            job.give_back(job.attempt - 1)
            return
        job.note("lease_lost", self.now)
        lately = [why for _, _, why, at in job.lost if why == "lease_lost" and at > self.now - POISON_WITHIN]
        if len(lately) >= POISONOUS:
            job.fail("poison")
        elif job.attempt >= job.max_attempts:
            job.fail("lease_lost")
        else:
            job.give_back(job.attempt)
            job.available_at = self.now + job.wait() if job.delay else None
