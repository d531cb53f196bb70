"""What a robot reports of a job, as it is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

ENDING = ("status", "result", "error_message", "error_code", "finished_at", "result_fingerprint")


def fingerprint(outcome: Mapping[str, Any]) -> str:
    """What tells a result from another one."""
    return hashlib.sha256(json.dumps(outcome, sort_keys=True).encode()).hexdigest()


def ending(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """What a job keeps of its result. The reference keeps the log's tail inside of it."""
    result, logs = outcome.get("result"), outcome.get("logs")
    return {
        "status": outcome["status"],
        "result": result if logs is None else {**(result or {}), "logs": logs},
        "error_message": outcome.get("error_message"),
        "error_code": outcome.get("error_code"),
    }
