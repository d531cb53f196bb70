"""A form: what it asks, what it shows, and what was sent."""

from __future__ import annotations

import json
import secrets as random
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from flask import request
from marshmallow import Schema, ValidationError
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException, PreconditionFailed

from bvo.entities import parser
from bvo.problems import WHOLE, field_errors

from .controls import Control
from .making import controls_of, defaults, fill
from .texts import cleaned, digest, emptied, value_of

LEFT_OUT = object()
MISSING = "Missing data for required field."
"""Marshmallow's words, which speak to programs."""


def messages_of(error: ValidationError) -> dict[str, Any]:
    """The messages by field, also those that concern none."""
    messages: dict[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]
    return messages


@dataclass(frozen=True)
class Form:
    """One form, as it is now. To enter something, or to refuse it, makes another one.

    `seen` are the digests of what the form showed before anything was entered: what was not touched is not sent to the
    service, and what somebody else has changed meanwhile is found.
    """

    schema: Schema
    controls: tuple[Control, ...]
    editing: bool = False
    problems: tuple[str, ...] = ()
    seen: Mapping[str, str] | None = None
    files: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls,
        schema: Schema,
        *,
        model: type[Any] | None = None,
        values: Mapping[str, Any] | None = None,
        secrets: Collection[str] = (),
        editing: bool = False,
    ) -> Form:
        """A form that shows `values`. `model` tells what ids refer to, and which boxes are checked at first."""
        controls = tuple(controls_of(schema, model, secrets, editing))
        if not editing:
            return cls(schema, fill(controls, {**defaults(controls, model), **(values or {})}))
        schema.partial = tuple(schema.fields)
        return cls(schema, _each(fill(controls, values or {}), _of_a_row), editing=True)

    @property
    def multipart(self) -> bool:
        """True where files are sent along."""
        return any(control.kind == "file" for control in self.every())

    @property
    def digests(self) -> dict[str, str]:
        """What the form shows; not of secrets, which it never shows."""
        return {control.name: digest(control.texts) for control in self.every() if not control.secret}

    @property
    def sent_along(self) -> dict[str, str]:
        """Hidden fields: a key under which a new row is made once, however often it is sent; and what was seen."""
        if self.editing:
            return {"seen": json.dumps(self.digests if self.seen is None else self.seen, separators=(",", ":"))}
        return {"idempotency_key": random.token_urlsafe(18)}

    @property
    def wrong(self) -> list[Control]:
        """The controls with errors, also groups that have them as a whole."""
        found = [part for control in self.controls for part in (control, *control.parts)]
        return [control for control in found if control.errors]

    def every(self) -> Iterator[Control]:
        for control in self.controls:
            yield from control.every()

    def control(self, name: str) -> Control | None:
        return next((control for control in self.every() if control.name == name), None)

    def entered(self, sent: MultiDict[str, str], files: Mapping[str, Any] | None = None) -> Form:
        """The form as it was filled in."""
        seen = {**self.digests, **_seen(sent)}
        return replace(self, controls=_each(self.controls, lambda c: _sent(c, sent)), seen=seen, files=files)

    def data(self) -> dict[str, Any]:
        """What was entered, checked by the schema; of a form that edits, what was touched. Raises ValidationError."""
        errors: dict[str, Any] = {}
        raw = dict(self._values(self.controls, errors))
        checked = parser.pre_load(raw, schema=self.schema, req=request, location="json")
        try:
            loaded: dict[str, Any] = self.schema.load(checked)
        except ValidationError as error:
            raise ValidationError({**field_errors(messages_of(error)), **errors}) from None
        if errors:
            raise ValidationError(errors)
        return loaded

    def refused(self, error: ValidationError | HTTPException) -> Form:
        """The form with messages beside its controls, or above it where they concern none of them."""
        if isinstance(error, ValidationError):
            return self._told(messages_of(error))
        form, messages = self, (getattr(error, "data", None) or {}).get("messages")
        for found in (messages or {}).values():
            form = form._told(found)
        return form if messages else form.with_problem(str(error.description or error.name))

    def _told(self, messages: dict[str, Any]) -> Form:
        flat = field_errors(messages)
        found: dict[str, list[str]] = {}
        for path, words in flat.items():
            found.setdefault(self._owner(path), []).extend(_told(path, words, self._owner(path)))
        return replace(
            self,
            controls=_each(self.controls, lambda c: replace(c, errors=tuple(found.get(c.name, ()))), groups=True),
            problems=(*self.problems, *found.get("", ())),
        )

    def with_problem(self, *problems: str) -> Form:
        return replace(self, problems=(*self.problems, *problems))

    def check_current(self, current: Form) -> None:
        """Raise Overtaken where anything that this form showed has changed since.

        What was not touched is shown as it is now then, and beside what was touched, what somebody else has saved.
        """
        now = {control.name: control for control in current.every()}
        if self.seen is None or all(self.seen.get(name, seen) == seen for name, seen in current.digests.items()):
            return
        merged = _each(self.controls, lambda c: self._merged(c, now[c.name]))
        raise Overtaken(replace(self, controls=merged, seen=current.digests))

    def _merged(self, mine: Control, theirs: Control) -> Control:
        if mine.secret or self.seen is None or digest(mine.texts) == digest(theirs.texts):
            return mine
        if not self._touched(mine):
            return theirs
        changed = self.seen.get(mine.name) != digest(theirs.texts)
        return replace(mine, theirs=theirs.texts if changed else None)

    def _touched(self, control: Control) -> bool:
        if control.secret:
            return bool(control.texts)
        return self.seen is None or self.seen.get(control.name) != digest(control.texts)

    def _values(self, controls: Sequence[Control], errors: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for control in controls:
            untouched = self.editing and not any(map(self._touched, control.every()))
            value = LEFT_OUT if untouched else self._value(control, errors)
            if value is not LEFT_OUT:
                yield control.key, value

    def _value(self, control: Control, errors: dict[str, Any], *, inside: bool = False) -> Any:
        """The value; of a group, which is sent whole, those of its parts that are filled in, if any is or must be."""
        if control.parts:
            filled = control.required or any(part.texts for part in control.every())
            found = {part.key: self._value(part, errors, inside=True) for part in control.parts} if filled else {}
            return {key: value for key, value in found.items() if value is not LEFT_OUT} if filled else LEFT_OUT
        if control.kind == "file":
            return (self.files or {}).get(control.name) or LEFT_OUT
        if not control.texts and control.kind not in ("checkbox", "checkboxes", "matrix"):
            return emptied(control) if self.editing and not inside else LEFT_OUT
        try:
            return value_of(control, control.texts)
        except ValidationError as error:
            errors[control.name] = error.messages
            return LEFT_OUT

    def _owner(self, path: str) -> str:
        """The name of the control that a message belongs to: `permissions` for `permissions.0.artifact`."""
        known = {control.name for control in self.controls} | {control.name for control in self.every()}
        parts = path.split(".")
        prefixes = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
        return next((prefix for prefix in prefixes if prefix in known), "")


class Overtaken(PreconditionFailed):
    """Somebody else was faster. `form` shows both, and says so."""

    description = (
        "Somebody else has changed this meanwhile. Beside each field that you changed, too, stands what is saved now."
        " Save again to replace it with yours."
    )

    def __init__(self, form: Form) -> None:
        super().__init__()
        self.form = form.with_problem(str(self.description))


def _each(controls: Sequence[Control], change: Any, *, groups: bool = False) -> tuple[Control, ...]:
    """Every control changed, also those within groups."""
    changed = []
    for control in controls:
        if control.parts:
            whole = replace(control, parts=_each(control.parts, change))
            changed.append(change(whole) if groups else whole)
        else:
            changed.append(change(control))
    return tuple(changed)


def _of_a_row(control: Control) -> Control:
    """What a row has already is not asked for: a secret stays, and another choice need not be none."""
    if control.kind == "password":
        return replace(control, kept=True, required=False)
    chosen = control.kind == "select" and bool(control.texts) and not control.field.allow_none
    return replace(control, required=control.required or chosen)


def _sent(control: Control, sent: MultiDict[str, str]) -> Control:
    return replace(control, texts=cleaned(control, sent.getlist(control.name)))


def _seen(sent: MultiDict[str, str]) -> dict[str, str]:
    """What the form showed to whoever sent it; nothing where no form of ours was sent: then it is as it is now."""
    try:
        seen = json.loads(sent.get("seen", ""))
    except (ValueError, RecursionError):
        return {}
    return seen if isinstance(seen, dict) else {}


def _told(path: str, words: list[str], owner: str) -> list[str]:
    """The messages, with the place where they belong to a part of a control, or to none."""
    rest = path.removeprefix(owner).strip(".")
    words = ["Fill this in." if word == MISSING else word for word in words]
    return words if rest in ("", WHOLE) else [f"{rest}: {' '.join(words)}"]
