"""The standard groups. Other plugins add their keys to them."""

from __future__ import annotations

from marshmallow import ValidationError, fields, validate

from bvo_hookspecs import Setting, SettingsGroup

PRINTABLE_ASCII = validate.Regexp(r"[ -~]{1,500}\Z", error="Use printable ASCII characters, at most 500.")
"""What SMTP logins take."""


def one_line(text: str) -> None:
    """Raise ValidationError for a text with line breaks: it is shown in titles, and in the headers of mails."""
    if text.splitlines() != [text]:
        raise ValidationError("Use one line.")


GROUPS = (
    SettingsGroup(
        name="general",
        label="General",
        settings=(
            Setting(
                name="instance_name",
                field=fields.String(validate=(validate.Length(1, 60), one_line)),
                default="BV Orchestrator",
                help="The name of this installation, shown in the web UI and in mails.",
            ),
            Setting(
                name="public_url",
                field=fields.String(
                    allow_none=True,
                    validate=(
                        validate.Length(max=200),
                        validate.Regexp(
                            r"https?://[A-Za-z0-9.:\[\]-]+/?\Z", error="Use a form like https://bvo.example.com."
                        ),
                    ),
                ),
                default=None,
                help="Where people reach the web UI. Links in mails begin with it; without it none are sent.",
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
    SettingsGroup(
        name="email",
        label="E-mail",
        settings=(
            Setting(
                name="smtp_host",
                field=fields.String(
                    allow_none=True,
                    validate=validate.Regexp(
                        r"[A-Za-z0-9._:-]{1,253}\Z", error="Use the name or the address of a host."
                    ),
                ),
                default=None,
                help="The mail server. Without it no mail is sent.",
            ),
            Setting(
                name="smtp_port",
                field=fields.Integer(strict=True, validate=validate.Range(1, 65535)),
                default=587,
                help="Its port: 587 for starttls, 465 for tls, 25 for relays.",
            ),
            Setting(
                name="smtp_security",
                field=fields.String(validate=validate.OneOf(("starttls", "tls", "none"))),
                default="starttls",
                help="How the connection is encrypted. With none, the password is sent in clear, too.",
            ),
            Setting(
                name="smtp_username",
                field=fields.String(allow_none=True, validate=PRINTABLE_ASCII),
                default=None,
                help="The login at the mail server. Without it none is tried.",
            ),
            Setting(
                name="smtp_password",
                field=fields.String(allow_none=True, validate=PRINTABLE_ASCII),
                default=None,
                help="The password of that login.",
                secret=True,
            ),
            Setting(
                name="from_address",
                field=fields.Email(allow_none=True, validate=(validate.Length(max=254), one_line)),
                default=None,
                help="The sender of all mails. Without it no mail is sent.",
            ),
        ),
    ),
    SettingsGroup(
        name="logging",
        label="Logging",
        settings=(
            Setting(
                name="level",
                field=fields.String(validate=validate.OneOf(("debug", "info", "warning", "error"))),
                default="info",
                help="What servers and workers log at least. With debug, every request, too.",
            ),
        ),
    ),
)
