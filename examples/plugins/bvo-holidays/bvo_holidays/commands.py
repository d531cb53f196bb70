"""`bvo holidays`."""

from __future__ import annotations

import csv
from typing import TextIO

import click
from marshmallow import ValidationError

from bvo import registry
from bvo.cli.apps import with_app

from .schemas import HolidayIn
from .service import HolidayService


@click.group()
def holidays() -> None:
    """Public holidays."""


@holidays.command("import")
@click.argument("file", type=click.File(encoding="utf-8-sig"))
@with_app
def import_csv(file: TextIO) -> None:
    """Add the holidays of a CSV file with the columns date, name and, if you like, region."""
    try:
        rows = HolidayIn(many=True).load(list(csv.DictReader(file)))
    except ValidationError as error:
        raise click.ClickException(f"{file.name}, by row from 0: {error.messages}") from None
    added = registry.current().service(HolidayService).add_missing(rows)
    click.echo(f"{added} of {len(rows)} holidays were new.")
