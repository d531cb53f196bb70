"""`bvo runner`: the command line of the robot."""

from __future__ import annotations

import socket
from pathlib import Path

import click

from bvo_agent.agent import Agent, Settings
from bvo_agent.console import log_to_stderr
from bvo_agent.errors import HomeUnusable, RunnerRefused
from bvo_agent.home import Home, default_home
from bvo_agent.shutdown import Shutdown

EXIT_JOB_FAILED, EXIT_USAGE, EXIT_REFUSED = 1, 2, 3


def _http_url(context: click.Context, parameter: click.Parameter, value: str) -> str:
    if not value.startswith(("http://", "https://")):
        raise click.BadParameter(f"{value!r} does not start with http:// or https://")
    return value


@click.command(context_settings={"show_default": True, "max_content_width": 100})
@click.option("--url", envvar="BVO_RUNNER_URL", show_envvar=True, required=True, callback=_http_url,
              help="Address of the orchestrator.")  # fmt: skip
@click.option("--name", envvar="BVO_RUNNER_NAME", show_envvar=True, default=socket.gethostname,
              show_default="host name", help="Name of this robot.")  # fmt: skip
@click.option("--machine-key", envvar="BVO_RUNNER_MACHINE_KEY", show_envvar=True,
              help="Key of the machine, shown once when it is created; needed to register. Others see it in "
                   "the process list: prefer the variable or --machine-key-file.")  # fmt: skip
@click.option("--machine-key-file", envvar="BVO_RUNNER_MACHINE_KEY_FILE", show_envvar=True,
              type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="File that holds the machine's key.")  # fmt: skip
@click.option("--home", envvar="BVO_RUNNER_HOME", show_envvar=True,
              type=click.Path(file_okay=False, path_type=Path), show_default="the user's state folder",
              help="Folder for token, packages, environments and running jobs; one a robot.")  # fmt: skip
@click.option("--poll-seconds", type=click.FloatRange(0.05, 3600), default=2.0,
              help="How long to wait when there is no work (a quarter more or less, at random).")  # fmt: skip
@click.option("--once", is_flag=True, help="Run at most one job, then exit: 0 completed or no work, 1 failed.")
def runner(  # noqa: PLR0913 - one for each option
    url: str,
    name: str,
    machine_key: str | None,
    machine_key_file: Path | None,
    home: Path | None,
    poll_seconds: float,
    once: bool,
) -> None:
    """Run jobs on this machine as a robot of a BV Orchestrator.

    The robot registers once with its machine's key, then claims one job at a time and runs its script in an
    environment of its own. Ctrl-C finishes: the running script is stopped and reported; the second kills it.

    \b
    Example:
      bvo runner --url https://bvo.example.com --name robot-01 \\
                 --machine-key-file machine.key

    \b
    Further variables:
      REQUESTS_CA_BUNDLE    file of a private certificate authority
      UV_DEFAULT_INDEX      where dependencies come from (uv gets all UV_ ones)
      UV_PYTHON_DOWNLOADS   "automatic" fetches a Python that is not installed

    \b
    Exit codes:
      0  stopped or done          2  bad arguments, or an unusable home folder
      1  the job of --once failed 3  the server refused this runner
    """
    if machine_key and machine_key_file:
        raise click.UsageError("Give --machine-key or --machine-key-file, not both.")
    if machine_key_file:
        machine_key = machine_key_file.read_text(encoding="utf-8").strip()
    log_to_stderr()
    shutdown = Shutdown()
    shutdown.install()
    settings = Settings(
        url=url,
        name=name,
        machine_key=machine_key or None,
        home=Home((home or default_home(name)).absolute()),
        poll_seconds=poll_seconds,
    )
    try:
        completed = Agent(settings, shutdown).run(once)
    except HomeUnusable as error:
        raise RunnerExit(error, EXIT_USAGE) from error
    except RunnerRefused as error:
        raise RunnerExit(error, EXIT_REFUSED) from error
    if not completed:
        raise click.exceptions.Exit(EXIT_JOB_FAILED)


class RunnerExit(click.ClickException):
    def __init__(self, error: Exception, code: int) -> None:
        super().__init__(str(error))
        self.exit_code = code  # type: ignore[misc]
