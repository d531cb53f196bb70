"""The standard groups. Other plugins add their keys to them."""

from __future__ import annotations

from marshmallow import fields, validate

from bvo_hookspecs import Setting, SettingsGroup

GROUPS = (
    SettingsGroup(
        name="general",
        label="General",
        settings=(
            Setting(
                name="instance_name",
                field=fields.String(validate=validate.Length(1, 60)),
                default="BV Orchestrator",
                help="The name of this installation, shown in the web UI.",
            ),
        ),
    ),
    SettingsGroup(
        name="security",
        label="Security",
        settings=(
            Setting(
                name="session_minutes",
                field=fields.Integer(strict=True, validate=validate.Range(5, 60 * 24 * 7)),
                default=8 * 60,
                unit="min",
                help="How long a login holds.",
            ),
        ),
    ),
    SettingsGroup(name="jobs", label="Jobs"),
    SettingsGroup(name="email", label="E-mail"),
    SettingsGroup(name="logging", label="Logging"),
)
