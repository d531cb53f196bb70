"""What can go wrong, sorted by who must act on it."""

from __future__ import annotations


class AgentError(Exception):
    """Anything that the runner expects to go wrong; the message is for people."""


class Unavailable(AgentError):
    """The server cannot be reached or asks to come back later (5xx, 429): trying again may help.

    `retry_after` is the wait in seconds that the server asked for, None when it did not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Refused(AgentError):
    """The server understood and said no (3xx, 4xx): the same request would be refused again."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{detail} (HTTP {status})")
        self.status = status
        self.detail = detail


class RunnerRefused(AgentError):
    """This runner may not work for this server; the message says what to do. Exit code 3."""


class HomeUnusable(AgentError):
    """The home folder cannot be used: not writable, or another runner works in it."""


class JobFailed(AgentError):
    """The job cannot go on; the message becomes its `error_message`."""


class JobInterrupted(AgentError):
    """The job was stopped before its script ran to the end; the watch's `reason()` says why."""
