"""A field that names a row of another type, where no foreign key of a model tells it."""

from __future__ import annotations

from typing import Any

from marshmallow import ValidationError, fields
from werkzeug.exceptions import NotFound

from bvo import registry
from bvo_hookspecs import EntityType

from .orders import MAX_ID
from .query import find


class Reference(fields.Integer):
    """The id of a row of the entity type of this name. Forms offer such rows; one that is not there is refused."""

    def __init__(self, refers_to: str, **options: Any) -> None:
        super().__init__(strict=True, validate=self._check, **options)
        self.refers_to = refers_to

    def _check(self, row_id: int) -> None:
        entity = registry.current().get(EntityType, self.refers_to)
        if entity is None:
            raise ValidationError(f"The plugin that has the entity type {self.refers_to} is not loaded. Enable it.")
        try:
            find(entity, row_id if 0 < row_id <= MAX_ID else 0)
        except NotFound:
            raise ValidationError(f"There is no {entity.label.lower()} with the id {row_id}.") from None
