"""`bvo demo`: the command line."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path
from typing import Any

import click

from .errors import DemoFailed
from .play import Play
from .view import View


@click.command()
@click.option(
    "--once", is_flag=True, help="Stop when the job has ended: exit 0 if it completed, 1 with the reason if not."
)
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), default=Path("bvo-demo"), show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="If taken, a free one.")
@click.option("--json", "as_json", is_flag=True, help="With --once: print the finished job as JSON, for scripts.")
def demo(once: bool, folder: Path, port: int, as_json: bool) -> None:
    """Show the product's main job: a zip becomes a finished job.

    Starts a real server with a fresh SQLite database and a real runner, uploads an example package, queues a job and
    shows what happens until its result is there. The server then stays up until Ctrl-C, for you to look around.

    Everything it writes lies in its folder. The environments of earlier runs are kept there, so a second run is quick.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    view = View(quiet=as_json)
    try:
        with Play(folder.resolve(), port, view) as play:
            job = play.run()
            _show(view, play, job, as_json)
            if not once:
                view.say(f"\nThe server stays up at {play.url} (admin / admin123). Press Ctrl-C to stop it.")
                play.wait()
            sys.exit(0 if job["status"] == "completed" else 1)
    except DemoFailed as error:
        raise click.ClickException(str(error)) from None
    except KeyboardInterrupt:
        view.say("Stopped.")


def _interrupt(signum: int, frame: Any) -> None:
    raise KeyboardInterrupt


def _show(view: View, play: Play, job: dict[str, Any], as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(job, indent=2))
        return
    view.result(job, play.log(job["id"]), play.artifacts(job["id"]), f"{play.url}/ui/jobs/{job['id']}")
