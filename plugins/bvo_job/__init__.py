"""What a job script imports to talk to BV Orchestrator: standard library only, and usable outside a job.

    import bvo_job

    rows = bvo_job.parameters.get("rows", 10)
    for done in range(rows):
        bvo_job.progress(done / rows, f"row {done} of {rows}")
    (bvo_job.artifacts_dir / "report.csv").write_text("...")
    bvo_job.set_result({"rows": rows})
    login = bvo_job.credential("erp")
    for item in bvo_job.queue("invoices"):
        with item:
            book(item.payload)

Tried by hand (``python main.py``) the parameters are empty, results and progress are printed, artifacts go to
``./artifacts``, and assets come from the JSON file that ``BVO_ASSETS_FILE`` names. Queues are there in jobs only.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bvo_job._assets import AssetError, Credential, asset, credential
from bvo_job._context import load_parameters, open_artifacts_dir
from bvo_job._messages import log, progress, set_result
from bvo_job._queues import BusinessError, Item, Queue, QueueError, add_item, queue

__all__ = [
    "AssetError",
    "BusinessError",
    "Credential",
    "Item",
    "Queue",
    "QueueError",
    "add_item",
    "artifacts_dir",
    "asset",
    "credential",
    "log",
    "parameters",
    "progress",
    "queue",
    "set_result",
]

parameters: dict[str, Any]
"""The job's parameters, a plain dict; empty outside a job."""

artifacts_dir: Path
"""The folder whose files are kept with the job after it has ended; ``./artifacts`` outside a job."""

_LAZY = {"parameters": load_parameters, "artifacts_dir": open_artifacts_dir}


def __getattr__(name: str) -> Any:
    """Loads ``parameters`` and ``artifacts_dir`` at first use: importing this module touches no file."""
    if name not in _LAZY:
        raise AttributeError(f"module 'bvo_job' has no attribute {name!r}")
    value = globals()[name] = _LAZY[name]()
    return value
