"""One claimed job from package to delivered result."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

from bvo_agent.artifacts import ArtifactUpload
from bvo_agent.assets import Assets
from bvo_agent.channel import Channel
from bvo_agent.claims import Claims
from bvo_agent.client import Client
from bvo_agent.environments import EnvironmentCache
from bvo_agent.errors import JobFailed, JobInterrupted
from bvo_agent.execution import run_script
from bvo_agent.heartbeat import Heartbeat
from bvo_agent.home import Home
from bvo_agent.journal import Journal
from bvo_agent.lease import Lease, StopReason, Watch
from bvo_agent.log_sender import LogSender
from bvo_agent.masking import Masks
from bvo_agent.outbox import Outbox
from bvo_agent.output import JobLog
from bvo_agent.packages import Package, PackageCache
from bvo_agent.progress import ProgressFile
from bvo_agent.protocol import Job, Message, NotStarted, Report, Stopped
from bvo_agent.queue_items import QueueItems
from bvo_agent.results import report_of, stop_report
from bvo_agent.shutdown import Shutdown
from bvo_agent.workspace import Workspace, workspace_for
from bvo_packages.archive import ArchiveError, extract

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobRunner:
    client: Client
    home: Home
    heartbeat: Heartbeat
    outbox: Outbox
    claims: Claims
    shutdown: Shutdown

    def run(self, job: Job, claimed_at: float) -> bool:
        """Runs and reports one job; whether it completed. `claimed_at` (monotonic): when the claim was sent.

        Raises RunnerRefused when the result needs a new token and there is none; it stays in the outbox.
        """
        watch = Watch(Lease(job, claimed_at), self.shutdown)
        with self.heartbeat.renewing(watch):
            message = self._in_workspace(job, watch) if watch.lease.reason() is None else _not_started(watch, "")
            if message is None:
                logger.warning("job %s: stopped and not reported: %s", job.id, _why(watch))
                return False
            self.outbox.deliver(job, message, self.claims.report if isinstance(message, Report) else self.client.post)
        return message.completed

    def _in_workspace(self, job: Job, watch: Watch) -> Message | None:
        message, masks = None, Masks()
        try:
            log = JobLog(f"job {job.id}", Journal.begin(self.home.journals, job, self.client.url), masks=masks)
            with workspace_for(job, self.home.jobs) as workspace:
                message = self._attempt(job, workspace, watch, log)
                if isinstance(message, Report):
                    # Before the artifacts: a runner that is killed while they are sent still reports the result.
                    self.outbox.put(job, message)
                    ArtifactUpload(self.client, job, watch, masks).send(workspace.artifacts)
        except Exception as error:
            # A claimed job is always reported, also when the disk is full or this code is wrong.
            logger.exception("job %s: the runner had a problem of its own", job.id)
            return message or _failed(f"the runner could not run the job: {error}")
        return message

    def _attempt(self, job: Job, workspace: Workspace, watch: Watch, log: JobLog) -> Message | None:
        try:
            package = PackageCache(self.client, self.home.packages).fetch(job, watch)
            script = unpack(job, package, workspace)
            environment = EnvironmentCache(self.home).get(job, workspace.package, script, package.sha256, watch)
            if watch.reason():
                raise JobInterrupted
            sender = LogSender(self.client, log, ProgressFile(workspace.progress_file, log.masks))
            items, assets = QueueItems(self.client, job, log.masks), Assets(self.client, job, log.masks)
            with sender, items, Channel(workspace.channel_file, assets.answer, items.answers):
                ending = run_script(job, workspace, environment, script, log, watch)
        except JobFailed as error:
            logger.error("job %s: failed: %s", job.id, error)
            return _not_started(watch, str(error))
        except JobInterrupted:
            return _not_started(watch, f"stopped before the script started: {_why(watch)}")
        if ending.stopped is StopReason.LOST:
            return None
        if ending.stopped is StopReason.CANCELED:
            return stop_report(ending)
        report = report_of(job, ending, workspace.result_file, log)
        logger.info("job %s: %s with code %s in %.1f s", job.id, report.status, ending.return_code, ending.seconds)
        return report


def unpack(job: Job, package: Package, workspace: Workspace) -> Path:
    """Extracts the package and returns the path of the job's script. Raises JobFailed."""
    try:
        extract(package.path, workspace.package)
    except ArchiveError as error:
        raise JobFailed(f"package {job.package_name} cannot be extracted: {error}") from error
    root = workspace.package.resolve()
    script = (root / job.script_path).resolve()
    if not script.is_relative_to(root) or not script.is_file():
        raise JobFailed(f"package {job.package_name} has no script {job.script_path!r}. Check the process.")
    return script


def _not_started(watch: Watch, why: str) -> Message | None:
    """What is told of a job whose script was not started: `why`, unless the server has ended it."""
    if watch.lease.reason() is StopReason.CANCELED:
        return Stopped(words="it had not started")
    stops = watch.reason() is StopReason.SHUTDOWN and watch.lease.job.confirm_seconds is not None
    if watch.lease.in_doubt or stops:
        return NotStarted()
    return None if watch.unreported else _failed(why)


def _failed(message: str) -> Report:
    return Report(status="failed", result={}, error_message=message, logs="")


def _why(watch: Watch) -> str:
    reason = watch.reason()
    return reason.value if reason else "unknown"
