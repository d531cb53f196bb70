"""What every robot asks for all the time: a job, the renewal of its lease, the end of a job. Many of them at once.

Nothing is decided here that `execution`, `eligibility` and `leases` do not say: these are their statements, compiled
once and sent together. Whatever is not the plain case gives NOT_PLAIN, has changed nothing, and goes the long way
through `execution`: a claim that is repeated, a lease that is lost, a robot that comes online.

Rows are locked in the order of jobs, robots, machines, processes, each by id, so that two servers do not wait for
each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import Dialect

from bvo import event_log, events, settings, tokens
from bvo.database import utcnow
from bvo.registry import Registry
from bvo.statements import Call, Connection, Row, many
from bvo_hookspecs import EntityType, Event, EventType, Principal

from . import states
from .asks import CONFIRM, NOT_PLAIN, Ask, BeatAsk, ClaimAsk, Claimed, Kept, Look, Nothing, NotPlain, ResultAsk
from .hot_statements import OF_PROCESS, Statements
from .models import Job
from .outcomes import ending, fingerprint
from .service import JobService


class Crowded(Exception):
    """Another server was first to take the last place of a process: the batch is to be undone, and tried again."""


@dataclass
class Batch:
    """One transaction: what it has seen at its beginning, and what it has told since.

    `robots` are known by the digest of their token, `held` are the jobs whose results are reported.
    """

    connection: Connection
    settings: Mapping[str, Any]
    is_limited: bool
    robots: Mapping[str, Row]
    held: dict[int, Row]
    now: datetime = field(default_factory=utcnow)
    finished: list[Mapping[str, Any]] = field(default_factory=list)
    deadlines: list[Mapping[str, Any]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @property
    def lease_seconds(self) -> timedelta:
        return timedelta(seconds=self.settings["lease_seconds"])

    def robot(self, ask: Ask) -> Row | None:
        """The robot behind the token; None where there is none, or where the message names another one."""
        robot = self.robots.get(ask.token_hash)
        return robot if robot and ask.robot_id in (None, robot["id"]) else None


class HotJobs:
    """The hot actions of one app, on one kind of database."""

    def __init__(self, known: Registry, dialect: Dialect) -> None:
        self.entity: EntityType = known.service(JobService).entity
        self._event_types = known.of(EventType)
        self.statements = Statements(dialect)
        self._defaults = settings.defaults("jobs")
        self._dialect = dialect

    def begin(self, connection: Connection, asks: Sequence[Any]) -> Batch:
        """Begin a transaction, with what these asks need to know."""
        s = self.statements
        hashes = sorted({ask.token_hash for ask in asks if isinstance(ask, Ask)})
        reported = sorted({ask.job_id for ask in asks if isinstance(ask, ResultAsk)})
        connection.begin()
        stored, limited, robots, held = connection.run(
            (s.settings, {}),
            (s.limited, {}),
            (s.robots, {"hashes": many(hashes, self._dialect)}),
            (s.held, {"ids": many(reported, self._dialect)}),
        )
        return Batch(
            connection,
            settings={**self._defaults, **{row["name"]: row["value"] for row in stored}},
            is_limited=bool(limited),
            robots={row["api_token_hash"]: row for row in robots},
            held={row["id"]: row for row in held},
        )

    def finish(self, batch: Batch, asks: Sequence[ResultAsk]) -> list[bool | NotPlain]:
        """True for each result that is accepted, as `execution.finish` accepts it."""
        results: list[bool | NotPlain] = []
        for ask in asks:
            row, robot = batch.held.pop(ask.job_id, None), batch.robot(ask)  # twice in one batch is not plain
            results.append(self._finished(batch, ask, _told(row, robot)) if row and robot else NOT_PLAIN)
        return results

    def claim(self, batch: Batch, asks: Sequence[ClaimAsk]) -> list[Claimed | NotPlain | Nothing]:
        """A job for each that may have one, as `execution.claim` gives it. Raises Crowded."""
        robots = [batch.robot(ask) for ask in asks]
        results = [_before(batch, ask, robot) for ask, robot in zip(asks, robots, strict=True)]
        taking = [(i, cast(Row, robots[i]), tokens.new("bvol")) for i in _once(robots) if results[i] is None]
        jobs = self._taken(batch, [(robot, _taking(batch, asks[i], robot, token)) for i, robot, token in taking])
        self._check_places(batch, jobs.values())
        for i, robot, token in taking:
            job = jobs.get(robot["id"])
            started = self._started(batch, asks[i], _told(job, robot), token) if job else None
            results[i] = started or Nothing(robot["id"], busy=False)
        return [result or NOT_PLAIN for result in results]

    def beat(self, batch: Batch, asks: Sequence[BeatAsk]) -> list[Kept | NotPlain]:
        """Keep the leases of each robot that is online already and has lost none."""
        s = self.statements
        robots = [batch.robot(ask) for ask in asks]
        plain = [_may_beat(ask, robot) for ask, robot in zip(asks, robots, strict=True)]
        renewals = sorted(
            (job, token, cast(Row, robots[i])["id"])
            for i, ask in enumerate(asks)
            if plain[i]
            for job, token in ask.leases.items()
        )
        until = {"now": batch.now, "expires_at": batch.now + batch.lease_seconds}
        calls: list[Call] = [
            (s.renew, {**until, "lease_hash": tokens.digest(token), "id": job, "robot": robot})
            for job, token, robot in renewals
        ]
        seen = [cast(Row, robot) for robot, is_plain in zip(robots, plain, strict=True) if is_plain]
        machines = sorted({robot["machine_id"] for robot in seen if robot["machine_id"]})
        calls.append((s.seen, {"now": batch.now, "ids": many(sorted({robot["id"] for robot in seen}), self._dialect)}))
        if machines:
            calls.append((s.connected, {"now": batch.now, "ids": many(machines, self._dialect)}))
        rows = batch.connection.run(*calls) if seen else []
        kept = {(row["id"], renewal[1]) for renewal, found in zip(renewals, rows, strict=False) for row in found}
        alive = {row["id"] for row in rows[len(renewals)]} if seen else set()
        return [
            Kept(batch.settings)
            if plain[i] and cast(Row, robots[i])["id"] in alive and all(lease in kept for lease in ask.leases.items())
            else NOT_PLAIN
            for i, ask in enumerate(asks)
        ]

    def look(self, batch: Batch, asks: Sequence[Look]) -> list[tuple[int, list[int]]]:
        """For each: how many jobs anybody may claim, at most as many as there are robots; who has one of its own."""
        calls = [
            call
            for ask in asks
            for call in (
                (self.statements.open, {"robots": len(ask.robot_ids)}),
                (self.statements.assigned, {"ids": many(ask.robot_ids, self._dialect)}),
            )
        ]
        rows = batch.connection.run(*calls)
        return [
            (counts[0]["jobs"], [row["robot_id"] for row in own])
            for counts, own in zip(rows[::2], rows[1::2], strict=True)
        ]

    def end(self, batch: Batch) -> None:
        """Write what the batch has left to write, the rows of its events among it, and commit."""
        s, calls = self.statements, self._results(batch)
        if batch.deadlines:
            calls.append((s.deadline, batch.deadlines))
        if batch.events:
            calls.append((s.log, [event_log.row(event) for event in batch.events]))
        batch.connection.commit(*calls)

    def _results(self, batch: Batch) -> list[Call]:
        """The call that writes the results which are not written yet."""
        results, batch.finished = batch.finished, []
        return [(self.statements.finish, results)] if results else []

    def _taken(self, batch: Batch, taking: Sequence[tuple[Row, Mapping[str, Any]]]) -> dict[int, Row]:
        """The jobs that robots have taken, by the robots' ids. They are idle once their results are written.

        On PostgreSQL those that have no job of their own take theirs together. Where processes have limits, each counts
        what the one before it has taken.
        """
        if not taking:
            return {}
        s, together = self.statements, batch.connection.pipelined and not batch.is_limited
        calls = self._results(batch)
        calls += [(s.take, values) for robot, values in taking if robot["has_own"] or not together]
        if open_ := [values for robot, values in taking if together and not robot["has_own"]]:
            numbered = [{"number": number, **values} for number, values in enumerate(open_, 1)]
            calls.append((s.take_open(len(open_)), numbered))
        running = many([robot["id"] for robot, _ in taking], self._dialect)
        *_, jobs = batch.connection.run(*calls, (s.running, {"ids": running}))
        hashes = {values["lease_hash"] for _, values in taking}
        return {job["robot_id"]: job for job in jobs if job["lease_hash"] in hashes}

    def _check_places(self, batch: Batch, taken: Iterable[Row]) -> None:
        """As `execution` does: whoever takes a job of a process with a limit locks the process, and counts again."""
        limited = {row["process_id"] for row in taken if row[f"{OF_PROCESS}max_running_jobs"] is not None}
        if limited:
            ids = {"ids": many(sorted(limited), self._dialect)}
            _, crowded = batch.connection.run((self.statements.places, ids), (self.statements.crowded, ids))
            if crowded:
                raise Crowded

    def _started(self, batch: Batch, ask: ClaimAsk, job: Any, token: str) -> Claimed:
        job.robot.current_job_id = job.id
        if job.timeout_seconds:
            job.deadline_at = batch.now + timedelta(seconds=job.timeout_seconds)
            batch.deadlines.append({"id": job.id, "deadline_at": job.deadline_at})
        self._tell(batch, ask, "started", job, None)
        return Claimed(job, token, batch.settings)

    def _finished(self, batch: Batch, ask: ResultAsk, job: Any) -> bool | NotPlain:
        digest = fingerprint(ask.outcome)
        if job.robot_id != job.robot.id:
            return NOT_PLAIN
        if job.result_fingerprint == digest:
            return True
        status = ask.outcome["status"]
        fits = not ask.lease_token or job.lease_hash == tokens.digest(ask.lease_token)
        if not fits or not states.allows(job.status, status, states.RESULT):
            return NOT_PLAIN
        before = events.snapshot(self.entity, job)
        values = {**ending(ask.outcome), "finished_at": batch.now, "result_fingerprint": digest}
        batch.finished.append({"id": job.id, **values})
        batch.robots[ask.token_hash]["idle"] = True
        vars(job).update(values)
        self._tell(batch, ask, status, job, before)
        return True

    def _tell(self, batch: Batch, ask: Ask, kind: str, job: Any, before: Mapping[str, Any] | None) -> None:
        actor = Principal(kind="robot", id=job.robot.id, name=job.robot.name)
        declared, told = self._event_types[f"job.{kind}"], events.words(kind, self.entity, job, actor)
        after = events.snapshot(self.entity, job)
        client = {"ip_address": ask.ip_address, "user_agent": ask.user_agent}
        batch.events.append(events.compose(actor, declared, **told, **client, before=before, after=after))


def _before(batch: Batch, ask: ClaimAsk, robot: Row | None) -> Claimed | NotPlain | Nothing | None:
    """What is known before the claim; None where the robot may take on work."""
    if robot is None:
        return NOT_PLAIN
    if ask.key and not robot["idle"]:
        return NotPlain(robot["id"])  # of those who have a job, one may ask again for it
    if not robot["idle"] or not robot["accepting"] or batch.settings["draining"]:
        return Nothing(robot["id"], busy=True)
    return None


def _may_beat(ask: BeatAsk, robot: Row | None) -> bool:
    same = robot is not None and (not ask.machine_info or ask.machine_info == robot["machine_info"])
    return same and cast(Row, robot)["status"] == "online"


def _once(robots: Sequence[Row | None]) -> Iterator[int]:
    """The first of each robot, by the robot's id; a second one in the same batch is not plain."""
    first = {robot["id"]: i for i, robot in reversed(list(enumerate(robots))) if robot}
    yield from (first[robot] for robot in sorted(first))


def _told(row: Row, robot: Row) -> Any:
    """A job, its process and robot as the read schema wants them."""
    process = {name.removeprefix(OF_PROCESS): row[name] for name in row if name.startswith(OF_PROCESS)}
    job = SimpleNamespace(**row)
    job.process, job.robot = SimpleNamespace(**process), SimpleNamespace(**robot)
    job.name, job.priority = Job.name.fget(job), Job.priority.fget(job)  # type: ignore[attr-defined]
    return job


def _taking(batch: Batch, ask: ClaimAsk, robot: Row, token: str) -> dict[str, Any]:
    return {
        "robot_id": robot["id"],
        "lease_hash": tokens.digest(token),
        "lease_expires_at": batch.now + (CONFIRM if ask.confirms else batch.lease_seconds),
        "started_at": batch.now,
        "confirmed_at": None if ask.confirms else batch.now,
        "claim_key": tokens.digest(ask.key) if ask.key else None,
    }
