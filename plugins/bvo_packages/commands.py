"""`bvo packages`."""

from __future__ import annotations

import json
import sys
from collections import Counter

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bvo import registry, stores
from bvo.cli.apps import with_app
from bvo_hookspecs import PackageStore, Store

from . import moving


@click.group()
def packages() -> None:
    """Move packages and artifacts to another store."""


@packages.command()
@click.option("--to", required=True, metavar="STORE", help="The store that everything goes to, e.g. s3.")
@click.option("--delete", is_flag=True, help="Delete from the other stores what this one was seen to have.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@with_app
def move(to: str, delete: bool, as_json: bool) -> None:
    """Copy every package and artifact from the other stores of BVO_PACKAGE_STORE to STORE, and compare their SHA-256.

    \b
    From the folder to S3 while the servers run:
      BVO_PACKAGE_STORE=s3,folder    restart them: what is new goes to S3, the rest is found in the folder
      bvo packages move --to s3      can be stopped and repeated at any time
      BVO_PACKAGE_STORE=s3           restart them again
    Exit codes: 0 all is there; 1 a store failed, or what is listed could not be moved.
    """
    prepared = _prepared(to, delete)
    counts: Counter[moving.Outcome] = Counter()
    failed: dict[str, moving.Outcome] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=Console(stderr=True)) as progress:
            for blob, outcome in progress.track(
                prepared.run(), total=moving.count(), description="Packages, artifacts"
            ):
                counts[outcome] += 1
                if outcome in ("missing", "damaged"):
                    failed[blob.key] = outcome
    except OSError as error:
        raise click.ClickException(f"{error}. What was moved stays moved: run it again.") from None
    _show(counts, failed, _next_step(to, list(prepared.sources), bool(failed)), as_json)
    sys.exit(1 if failed else 0)


def _prepared(to: str, delete: bool) -> moving.Move:
    connected = stores.current().by_name
    kinds = registry.current().of(PackageStore)
    if to not in kinds:
        raise click.BadParameter(f"there is no store {to}; there are: {', '.join(sorted(kinds))}.", param_hint="--to")
    sources = {name: store for name, store in connected.items() if name != to}
    if not sources:
        raise click.UsageError(f"BVO_PACKAGE_STORE is {to} alone. Name behind it what to move from: {to},<store>.")
    if delete and next(iter(connected)) != to:
        raise click.UsageError(
            f"--delete would take from the servers what they read: restart them with BVO_PACKAGE_STORE={to},… first."
        )
    target: Store = connected.get(to) or kinds[to].connect(registry.current().config.data_dir)
    return moving.Move(sources=sources, target=target, delete=delete)


def _next_step(to: str, sources: list[str], failed: bool) -> str:
    if next(iter(stores.current().by_name)) != to:
        both = ",".join([to, *sources])
        return f"Restart the servers with BVO_PACKAGE_STORE={both}, then run this again for what came meanwhile."
    if failed:
        return "Upload again what is missing or damaged, or delete it; then run this again."
    return f"Restart the servers with BVO_PACKAGE_STORE={to}, if all of them already run with it in front."


def _show(counts: Counter[moving.Outcome], failed: dict[str, moving.Outcome], then: str, as_json: bool) -> None:
    if as_json:
        told = {"copied": counts["copied"], "present": counts["present"], "failed": failed, "next": then}
        click.echo(json.dumps(told, indent=2))
        return
    for key, outcome in failed.items():
        click.echo(f"{key} is {outcome}", err=True)
    click.echo(f"{counts['copied']} were copied, {counts['present']} were there, {len(failed)} could not be moved.")
    click.echo(then)
