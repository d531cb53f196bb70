"""Queue items: work that waits on the orchestrator, taken and settled through the runner."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from bvo_job._channel import ask
from bvo_job._context import file_from
from bvo_job._messages import as_json


class QueueError(Exception):
    """What was asked of a queue or an item can't be done; the message says why."""

    __module__ = "bvo_job"  # as tracebacks, and so the messages of failed jobs, name it


class BusinessError(Exception):
    """To be raised where an item itself can't be processed, such as an invoice without a number.

    It is not tried again. Any other exception counts as a failure of the surroundings, which may pass.
    """

    __module__ = "bvo_job"


@dataclass(eq=False)
class Item:
    """A piece of work that this job holds until it is settled. A context manager: see `__exit__`.

    `attempt` counts from 1 how often it was taken, `retries` how often it was tried again after a failure.
    """

    id: int
    payload: Any = field(repr=False)
    reference: str | None
    attempt: int
    retries: int
    _settled: bool = field(default=False, repr=False)

    def complete(self, result: Any = None) -> None:
        """Ends it with a result: any JSON value, up to 1 MiB. Raises QueueError, also where the item was lost."""
        as_json(result, "the result")
        self._settle("complete", result=result)

    def fail(
        self, message: str, *, business: bool = False, code: str | None = None, retry_after: int | None = None
    ) -> None:
        """Ends this attempt. It is tried again as its queue says, or after `retry_after` seconds; `business`: never."""
        kind = "business" if business else "application"
        self._settle("fail", kind=kind, message=str(message), code=code, retry_after=retry_after)

    def release(self) -> None:
        """Gives it back as if it had not been taken."""
        self._settle("release")

    def __enter__(self) -> Item:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Completes the item, or fails it after an exception, unless the block has settled it itself.

        The exception ends here, so that a loop goes on with the next item: that of a BusinessError is told as the
        item's message, any other one is printed with its traceback, too.
        """
        if self._settled or (error is not None and not isinstance(error, Exception)):
            return False
        if error is None:
            self.complete()
        elif isinstance(error, BusinessError):
            self.fail(str(error) or type(error).__name__, business=True)
        else:
            traceback.print_exception(error)
            self.fail(traceback.format_exception_only(error)[-1].strip())
        return error is not None

    def _settle(self, part: str, **fields: Any) -> None:
        if self._settled:
            raise QueueError(f"The queue item {self.id} was settled already.")
        _ask(f"queue.{part}", item=self.id, **fields)
        self._settled = True


@dataclass(frozen=True)
class Queue:
    """A queue by its name. Iterating takes one item after the other until nothing is ready."""

    name: str

    def next(self) -> Item | None:
        """Takes the first item that is ready; None where there is none. Raises QueueError."""
        item = _ask("queue.next", queue=self.name)["item"]
        if item is None:
            return None
        return Item(**{name: item[name] for name in ("id", "payload", "reference", "attempt", "retries")})

    def __iter__(self) -> Iterator[Item]:
        while item := self.next():
            yield item


def queue(name: str) -> Queue:
    """The queue of that name, to take items from: `for item in bvo_job.queue("invoices"): …`."""
    return Queue(_name(name))


def add_item(queue: str, payload: Any, reference: str | None = None, priority: int = 0) -> int:
    """Adds an item to a queue, and returns its id. The payload is any JSON value, up to 1 MiB. Raises QueueError."""
    as_json(payload, "the payload")
    item = {"payload": payload, "reference": reference, "priority": priority}
    return int(_ask("queue.add", queue=_name(queue), item=item)["id"])


def _name(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the name of a queue is a str, not {type(name).__name__}")
    return name


def _ask(request: str, **fields: Any) -> dict[str, Any]:
    channel = file_from("BVO_CHANNEL_FILE")
    if channel is None:
        raise QueueError(
            "Queues can be used in a job only: it is the job that holds an item. To try the script by hand, call the"
            " function that processes an item with a payload of your own."
        )
    try:
        answer = ask(channel, request, **fields)
    except (OSError, ValueError) as error:
        raise QueueError(f"The runner does not answer: {error}. Has the job ended?") from error
    if "error" in answer:
        raise QueueError(answer["error"])
    return answer
