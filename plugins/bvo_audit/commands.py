"""`bvo audit`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any, BinaryIO, ParamSpec

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
from rich.progress import TimeRemainingColumn as Remaining

from bvo import migrations, secrets, settings
from bvo.cli.apps import with_app
from bvo.errors import StartupError

from . import exports, sealing, signing, verification
from .canonical import moment
from .exports import Content
from .faults import Fault
from .verification import Result

P = ParamSpec("P")

HASH_DIGITS = 64
as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object, for scripts.")


def with_log(command: Callable[P, None]) -> Callable[P, None]:
    """Run a command inside the app's context, where the log has seals. It migrates nothing: it may only read."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        if "audit" in migrations.pending():
            raise StartupError("The database lacks migrations of: audit. Run `bvo db upgrade` first.")
        command(*args, **kwargs)

    return with_app(run)


@click.group()
def audit() -> None:
    """Check the audit log, and take parts of it along.

    Workers seal the log once a minute: whoever changes it later is found out.
    """


def _hashes(context: click.Context, option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if len(value) != HASH_DIGITS or not set(value.lower()) <= set("0123456789abcdef"):
            raise click.BadParameter(f"{value!r} is no hash of a seal: give what `bvo audit head` printed.")
    return tuple(value.lower() for value in values)


def _public_key(context: click.Context, option: click.Parameter, value: str | None) -> str | None:
    try:
        if value:
            signing.parse(value)
    except ValueError:
        raise click.BadParameter("This is no public key: use what `bvo audit key` printed.") from None
    return value


@audit.command()
@click.option("--head", "heads", multiple=True, callback=_hashes, help="A hash that was kept elsewhere; repeatable.")
@click.option(
    "--kept-days",
    type=click.IntRange(0),
    help="Events of so many days must be there; 0: all. Default: the setting logging.audit_retention_days.",
)
@as_json
@with_log
def verify(heads: tuple[str, ...], kept_days: int | None, as_json: bool) -> None:
    """Find out whether the log is as it was sealed.

    \b
    Exit codes: 0 whole, 1 falsified, 2 wrong usage.
    """
    kept = settings.get("logging.audit_retention_days") if kept_days is None else kept_days
    with _progress(verification.sealed_events(), MofNCompleteColumn()) as advance:
        result = verification.verify(heads, kept, advance)
    if as_json:
        _echo(result.fault, **_facts(result))
    elif not result.fault:
        click.echo(_words(result))
    _end(result.fault, as_json)


@audit.command()
@as_json
@with_log
def head(as_json: bool) -> None:
    """Print the hash of the newest seal, and the place up to which it speaks for the log.

    Keep the hash where nobody who can write to the database can change it. `bvo audit verify --head` asks for it.
    """
    newest = sealing.head()
    if newest is None:
        raise click.ClickException("Nothing is sealed yet. A running worker seals once a minute.")
    facts = {"hash": newest.hash, "place": newest.last, "seal": newest.id, "sealed_at": moment(newest.sealed_at)}
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        click.echo(f"{newest.hash} {newest.last}")


@audit.command()
@click.option("--since", type=click.DateTime(), help="From this time on, in UTC: 2026-11-01, or 2026-11-01T08:00:00.")
@click.option("--until", type=click.DateTime(), help="What happened before this time, in UTC.")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@as_json
@with_log
def export(file: Path, since: datetime | None, until: datetime | None, as_json: bool) -> None:
    """Write events with their seals into FILE, which is signed and can be checked without the database.

    Only whole stretches can be checked, so what stands around may be in it, too. What is not sealed yet is not.
    """
    try:
        span = exports.span(*(point and point.replace(tzinfo=UTC) for point in (since, until)))
        with _new(file) as target, _progress(span.events, MofNCompleteColumn()) as advance:
            content = exports.write(target, span, advance)
    except (LookupError, OSError, secrets.Undecryptable) as error:
        raise click.ClickException(str(error)) from None
    if as_json:
        click.echo(json.dumps(_contents(content), indent=2))
    else:
        click.echo(_span(content, content.key))


@audit.command("verify-export")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--key", callback=_public_key, help="The public key that should have signed it: `bvo audit key`.")
@as_json
def verify_export(file: Path, key: str | None, as_json: bool) -> None:
    """Find out whether FILE is as it was exported. It needs no database.

    \b
    Exit codes: 0 whole, 1 falsified, 2 wrong usage.
    """
    with file.open("rb") as lines, _progress(file.stat().st_size, DownloadColumn()) as advance:
        content = exports.check(lines, key, advance)
    if as_json:
        _echo(content.fault, **_contents(content))
    elif not content.fault:
        known = " (given)" if key else " (compare it with what `bvo audit key` prints)"
        click.echo(f"The file is whole.\n{_span(content, content.key + known)}")
    _end(content.fault, as_json)


@audit.command()
@with_log
def key() -> None:
    """Print the public key of this installation, by which `bvo audit verify-export` knows its exports."""
    try:
        click.echo(signing.public(signing.key()))
    except secrets.Undecryptable as error:
        raise click.ClickException(str(error)) from None


@contextmanager
def _new(file: Path) -> Iterator[BinaryIO]:
    """A new file, which is gone again where it is not written to the end."""
    try:
        target = file.open("xb")
    except FileExistsError:
        raise click.ClickException(f"{file} is there already: choose another name.") from None
    try:
        with target:
            yield target
    except BaseException:
        file.unlink()
        raise


@contextmanager
def _progress(total: int, count: ProgressColumn) -> Iterator[Any]:
    columns = (TextColumn("{task.description}"), BarColumn(), count, Remaining())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("Audit log", total=total)
        yield lambda done: progress.advance(task, done)


def _echo(fault: Fault | None, **facts: Any) -> None:
    click.echo(json.dumps({"whole": fault is None, **facts, "fault": asdict(fault) if fault else None}, indent=2))


def _end(fault: Fault | None, as_json: bool) -> None:
    if fault and not as_json:
        click.echo(f"Falsified ({fault.kind}): {fault.message}", err=True)
    if fault:
        raise click.exceptions.Exit(1)


def _facts(result: Result) -> dict[str, Any]:
    newest = result.head
    return {
        "seals": result.seals,
        "events": result.events,
        "removed": result.removed,
        "unsealed": result.unsealed,
        "unsealed_since": moment(result.unsealed_since) if result.unsealed_since else None,
        "head": {"hash": newest.hash, "place": newest.last, "seal": newest.id} if newest else None,
        "heads": result.heads,
    }


def _words(result: Result) -> str:
    said = ["The log is whole.", f"Sealed events: {result.events:,}", f"Seals: {result.seals:,}"]
    if result.removed:
        said.append(f"Removed by their age: {result.removed:,}")
    said += [f"Kept elsewhere: {hash_}, seal {number}" for hash_, number in result.heads.items()]
    if result.unsealed_since:
        said.append(f"Not sealed yet: {result.unsealed:,}, the oldest of {moment(result.unsealed_since)}")
    return "\n".join(said)


def _contents(content: Content) -> dict[str, Any]:
    return {name: value for name, value in asdict(content).items() if name != "fault"}


def _span(content: Content, signed_by: str) -> str:
    said = [f"Events: {content.events:,}", f"Places: {content.first} to {content.last}", f"Signed by: {signed_by}"]
    if content.removed:
        said.append(f"Removed by their age before: {content.removed:,}")
    return "\n".join(said)
