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
            Setting(
                name="access_token_minutes",
                field=fields.Integer(strict=True, validate=validate.Range(1, 60)),
                default=15,
                unit="min",
                help="After how long a browser, or a client with a refresh token, renews its access token.",
            ),
            Setting(
                name="password_min_length",
                field=fields.Integer(strict=True, validate=validate.Range(8, 128)),
                default=8,
                unit="characters",
                help="How long a new password must be at least.",
            ),
            Setting(
                name="self_registration",
                field=fields.Boolean(allow_none=True),
                default=None,
                help="Whether people may register themselves. Left open: only in development mode. They have no roles.",
            ),
            Setting(
                name="allowed_domains",
                field=fields.List(fields.String(validate=validate.Length(1, 253)), validate=validate.Length(max=100)),
                default=[],
                help="E-mail domains from which people may register themselves. Empty: every domain.",
            ),
            Setting(
                name="require_mfa",
                field=fields.Boolean(validate=validate.Equal(False, error="Multi-factor login is not available yet.")),
                default=False,
                help="Whether a second factor is asked for. Not available yet: only false is accepted.",
            ),
        ),
    ),
    SettingsGroup(name="jobs", label="Jobs"),
    SettingsGroup(name="email", label="E-mail"),
    SettingsGroup(name="logging", label="Logging"),
)
