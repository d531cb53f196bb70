"""What was acknowledged of results and logs is stored as it was sent, once."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from .evidence import Evidence
from .history import OK


def acknowledged_results_are_stored(evidence: Evidence) -> Iterator[str]:
    """The stored result is the acknowledged one, byte for byte; and every stored one was sent by somebody."""
    sent = defaultdict(list)
    for call in evidence.of("finish", "settle"):
        sent[call.get("job")].append(call)
    for job, calls in sent.items():
        row = evidence.jobs[job]
        stored = _text({name: row[name] for name in ("status", "result", "error_message")})
        acknowledged = {_reported(call.get("body")) for call in calls if call.outcome == OK}
        if acknowledged - {stored}:
            yield f"job {job} has {stored}, and what was acknowledged is {sorted(acknowledged)}"
        by_script = any(start.job == job for start in evidence.starts)
        if (
            row["status"] == "completed"
            and not by_script
            and stored not in {_reported(call.get("body")) for call in calls}
        ):
            yield f"job {job} has a result that nobody has sent: {stored}"


def acknowledged_log_lines_are_stored_once(evidence: Evidence) -> Iterator[str]:
    stored = Counter((chunk["job_id"], chunk["attempt"], chunk["text"]) for chunk in evidence.chunks)
    for call in evidence.of("log"):
        piece = (call.get("job"), call.get("attempt"), call.get("text"))
        if call.ok and not stored[piece]:
            yield f"job {piece[0]}: an acknowledged piece of the log of attempt {piece[1]} is not there: {piece[2]!r}"
    sent = {(call.get("job"), call.get("attempt"), call.get("text")) for call in evidence.of("log")}
    for piece in sent:
        if stored[piece] > 1:
            yield f"job {piece[0]}: a piece of its log is there {stored[piece]} times: {piece[2]!r}"


def printed_lines_are_in_order(evidence: Evidence) -> Iterator[str]:
    """What scripts print is in the log once, in order and without holes."""
    logs = defaultdict(str)
    scripts = {start.job for start in evidence.starts}
    for chunk in sorted(evidence.chunks, key=lambda chunk: (chunk["job_id"], chunk["attempt"], chunk["sequence"])):
        if chunk["job_id"] in scripts:
            logs[chunk["job_id"], chunk["attempt"]] += chunk["text"]
    for (job, attempt), text in logs.items():
        lines = [line for line in text.split("\n")[:-1] if line.startswith("line ")]
        if lines != [f"line {number}" for number in range(1, len(lines) + 1)]:
            yield f"job {job} attempt {attempt}: the log has a hole or a line twice: {lines[:50]}"


def _reported(body: dict[str, Any]) -> str:
    return _text({"status": body["status"], "result": body.get("result"), "error_message": body.get("error_message")})


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
