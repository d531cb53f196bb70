"""Trying again: exponential backoff with jitter, which keeps many runners from coming back in step."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from bvo_agent.errors import Unavailable

T = TypeVar("T")
FIRST_SECONDS, LONGEST_SECONDS = 0.5, 15.0


def backoff() -> Iterator[float]:
    """Endless waits in seconds: 0.5, 1, 2 ... 15, each shortened at random by up to half."""
    delay = FIRST_SECONDS
    while True:
        yield delay * random.uniform(0.5, 1)  # noqa: S311
        delay = min(LONGEST_SECONDS, delay * 2)


def retrying(call: Callable[[], T], wait: Callable[[float], object], patience: float, give_up: Callable[[], bool]) -> T:
    """Calls until the server is available, for `patience` seconds or until `give_up()`.

    Then raises the last Unavailable.
    """
    end = time.monotonic() + patience
    for delay in backoff():
        try:
            return call()
        except Unavailable as error:
            delay = max(delay, error.retry_after or 0)
            if give_up() or time.monotonic() + delay > end:
                raise
        wait(delay)
    raise AssertionError("backoff never ends")
