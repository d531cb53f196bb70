"""What robots ask for all the time, and what is answered: the words between `hot` and whoever asks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

CONFIRM = timedelta(seconds=15)
"""For so long a claim holds that the robot has not confirmed, where it said that it would."""


@dataclass(frozen=True)
class NotPlain:
    """The answer that says: ask `execution`; with the robot, where it is known."""

    robot_id: int | None = None


NOT_PLAIN = NotPlain()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Who asks: a robot, by the digest of its token; with the client's address and program, for the audit log."""

    token_hash: str
    ip_address: str | None = None
    user_agent: str | None = None
    robot_id: int | None = None
    """What the message says; it must be the robot's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimAsk(Ask):
    confirms: bool = False
    key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BeatAsk(Ask):
    machine_info: str | None = None
    leases: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultAsk(Ask):
    job_id: int
    lease_token: str | None = None
    outcome: Mapping[str, Any]


@dataclass(frozen=True)
class Look:
    """Asks for how many of these robots there is something to do."""

    robot_ids: Sequence[int]


@dataclass(frozen=True)
class Claimed:
    """A job that a robot has just taken, the secret by which it holds it, and the settings of jobs at that moment."""

    job: Any
    lease_token: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Kept:
    """A robot was heard, and all its leases hold on, for as long as these settings of jobs say."""

    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Nothing:
    """There is no job for this robot now; `busy`: it would get none anyway."""

    robot_id: int
    busy: bool
