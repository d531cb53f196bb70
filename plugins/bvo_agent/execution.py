"""Runs a script with its environment's Python and follows it to its end."""

from __future__ import annotations

import logging
import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bvo_agent.environments import Environment
from bvo_agent.errors import JobFailed
from bvo_agent.lease import StopReason, Watch
from bvo_agent.orphans import note_mark
from bvo_agent.output import JobLog, OutputPump
from bvo_agent.processes import MARK, ProcessTree, Stop, new_mark
from bvo_agent.protocol import Job
from bvo_agent.variables import script_variables
from bvo_agent.workspace import Workspace

logger = logging.getLogger(__name__)
PIPE_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a script ended: `return_code` is negative for a signal, `stop` None when it ended by itself.

    `others` counts the processes that it left and that were killed.
    """

    return_code: int
    stop: Stop | None
    others: int
    seconds: float

    @property
    def stopped(self) -> StopReason | None:
        return self.stop.reason if self.stop else None


def run_script(
    job: Job, workspace: Workspace, environment: Environment, script: Path, log: JobLog, watch: Watch
) -> Ending:
    """Raises JobFailed where the script cannot be started."""
    command = [str(environment.python), "-X", "utf8", "-u", str(script)]
    mark = new_mark()
    variables = {**job_variables(job, workspace, environment), MARK: mark}
    started = time.monotonic()
    note_mark(workspace.root, mark)
    try:
        tree = ProcessTree(command, cwd=workspace.package, env=variables, output=subprocess.PIPE)
    except OSError as error:
        raise JobFailed(f"the script could not be started: {error}") from error
    pump = OutputPump(tree.process, log)
    try:
        pump.start()
        logger.info("job %s: started %s (pid %s)", job.id, job.script_path, tree.process.pid)
        watch.start_clock()
        stop = tree.supervise(watch.reason, watch.hurry)
        if stop is None:
            pump.join(PIPE_SECONDS)
    finally:
        others = tree.kill()
    pump.join(PIPE_SECONDS)
    log.close()
    seconds = time.monotonic() - started
    return Ending(return_code=tree.process.returncode, stop=stop, others=others, seconds=seconds)


def job_variables(job: Job, workspace: Workspace, environment: Environment) -> dict[str, str]:
    """The whole environment of the script's process."""
    inherited = script_variables()
    return {
        **inherited,
        "PATH": os.pathsep.join([str(environment.scripts), inherited.get("PATH", os.defpath)]),
        "VIRTUAL_ENV": str(environment.root),
        "PYTHONPATH": os.pathsep.join([str(workspace.library), str(workspace.package)]),
        "PYTHONIOENCODING": "utf-8",
        "BVO_JOB_ID": str(job.id),
        "BVO_PARAMETERS_FILE": str(workspace.parameters_file),
        "BVO_RESULT_FILE": str(workspace.result_file),
        "BVO_ARTIFACTS_DIR": str(workspace.artifacts),
        "BVO_PROGRESS_FILE": str(workspace.progress_file),
        "BVO_CHANNEL_FILE": str(workspace.channel_file),
    }
