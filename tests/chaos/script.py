"""What the real runners run: it tells a file outside of the server that it was started, and how long it lived."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import bvo_job

LIFE_SECONDS = 0.05
parameters = bvo_job.parameters


def tell(file: Path, **line: object) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.write(descriptor, (json.dumps({"at": time.monotonic(), "pid": os.getpid(), **line}) + "\n").encode())
    os.close(descriptor)


starts = Path(parameters["starts"])
tell(starts / "starts.jsonl", job=int(os.environ["BVO_JOB_ID"]), folder=str(Path.cwd()))
queue = bvo_job.queue("often")
for _ in range(parameters["items"]):
    try:
        if (item := queue.next()) is None:
            break
        result = {"nonce": parameters["nonce"], "item": item.id}
        tell(starts / "items.jsonl", did="took", item=item.id)
        time.sleep(LIFE_SECONDS)
        item.complete(result)
        tell(starts / "items.jsonl", did="completed", item=item.id, result=result)
    except bvo_job.QueueError as error:
        tell(starts / "items.jsonl", did="lost", item=0, words=str(error))
end, line = time.monotonic() + parameters["seconds"], 0
life = os.open(starts / f"{os.environ['BVO_JOB_ID']}-{os.getpid()}.life", os.O_WRONLY | os.O_CREAT, 0o644)
while time.monotonic() < end:
    line += 1
    print(f"line {line}")  # noqa: T201 - what it prints is its log
    os.pwrite(life, f"{time.monotonic():.3f}".ljust(20).encode(), 0)
    time.sleep(LIFE_SECONDS)
bvo_job.set_result({"nonce": parameters["nonce"], "lines": line})
tell(starts / "ends.jsonl", job=int(os.environ["BVO_JOB_ID"]))
