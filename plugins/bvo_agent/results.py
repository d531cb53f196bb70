"""Turns the way a script ended into what the server is told."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path
from typing import Any

from bvo_agent.errors import JobFailed
from bvo_agent.execution import Ending
from bvo_agent.lease import StopReason
from bvo_agent.masking import Masks
from bvo_agent.output import JobLog
from bvo_agent.processes import REQUEST
from bvo_agent.protocol import Job, Report, Stopped

RESULT_LIMIT_BYTES = 1024 * 1024
MESSAGE_CHARACTERS = 500
TIMEOUT = "timeout"
TRACEBACK = "Traceback (most recent call last):"


def report_of(job: Job, ending: Ending, result_file: Path, log: JobLog) -> Report:
    """The report of a script that was started, whatever became of it."""
    logs = log.tail()
    result: dict[str, Any] = {"return_code": ending.return_code}
    message = _failure(job, ending, logs)
    code = TIMEOUT if ending.stopped is StopReason.TIMEOUT else None
    try:
        result |= read_output(result_file, log.masks)
    except JobFailed as error:
        message = message or str(error)
    status = "failed" if message else "completed"
    return Report(status=status, result=result, error_message=message, logs=logs, error_code=code)


def stop_report(ending: Ending) -> Stopped:
    """What is told of a script whose job the server has ended already."""
    stop = ending.stop
    if stop is None:
        words = f"it had ended by itself with code {ending.return_code}"
    elif stop.killed:
        words = f"killed {stop.seconds:.1f} s after {REQUEST}: it did not end"
    else:
        words = f"it ended by itself {stop.seconds:.1f} s after {REQUEST} with code {ending.return_code}"
    if ending.others:
        words += f"; further processes that were killed: {ending.others}"
    return Stopped(words=words)


def read_output(path: Path, masks: Masks) -> dict[str, Any]:
    """`{"output": value}` of what the script set as its result, masked; `{}` for nothing. Raises JobFailed."""
    try:
        if path.stat().st_size > RESULT_LIMIT_BYTES:
            raise JobFailed("the result is over 1 MiB: write large data to a file in bvo_job.artifacts_dir")
        return {"output": masks.value(json.loads(path.read_bytes(), parse_constant=_refuse_constant))}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise JobFailed(f"the result file is not JSON: {error}. Set it with bvo_job.set_result.") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")


def _failure(job: Job, ending: Ending, logs: str) -> str | None:
    if ending.stopped is StopReason.TIMEOUT:
        return f"stopped after {job.timeout_seconds:g} s (timeout)"
    if ending.stopped is StopReason.SHUTDOWN:
        return f"stopped after {ending.seconds:.0f} s because the runner on {socket.gethostname()} was stopped"
    if ending.return_code < 0:
        return f"killed by signal {-ending.return_code} ({_signal_name(-ending.return_code)})"
    if ending.return_code:
        return _last_words(logs) or f"the script ended with code {ending.return_code} and without output"
    return None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def _last_words(logs: str) -> str:
    """The exception's line after the last traceback, else the last line that is not empty."""
    after = logs.rpartition(TRACEBACK)[2] if TRACEBACK in logs else ""
    exceptions = [line for line in after.splitlines() if line.strip() and not line[0].isspace()]
    lines = exceptions[:1] or [line.strip() for line in logs.splitlines() if line.strip()][-1:]
    return lines[0][:MESSAGE_CHARACTERS] if lines else ""
