"""How long, how often, how much: the settings of jobs."""

from __future__ import annotations

from marshmallow import fields, validate

from bvo_hookspecs import Setting, SettingsGroup

GROUP = SettingsGroup(
    name="jobs",
    label="Jobs",
    settings=(
        Setting(
            name="lease_seconds",
            field=fields.Integer(strict=True, validate=validate.Range(15, 3600)),
            default=60,
            unit="seconds",
            help="A running job whose robot is silent for this long counts as lost.",
        ),
        Setting(
            name="sweep_seconds",
            field=fields.Integer(strict=True, validate=validate.Range(1, 60)),
            default=5,
            unit="seconds",
            help="How often the workers look for lost jobs, and for those that are out of time.",
        ),
        Setting(
            name="heartbeat_seconds",
            field=fields.Integer(strict=True, validate=validate.Range(1, 600)),
            default=10,
            unit="seconds",
            help="How often a robot reports that it is alive.",
        ),
        Setting(
            name="draining",
            field=fields.Boolean(),
            default=False,
            help="Whether robots end what they run and get nothing new, e.g. before an upgrade.",
        ),
        Setting(
            name="log_max_kilobytes",
            field=fields.Integer(strict=True, validate=validate.Range(64, 10_240)),
            default=10_240,
            unit="kB",
            help="How much of a job's output is kept; what exceeds it is left out.",
        ),
        Setting(
            name="artifact_max_megabytes",
            field=fields.Integer(strict=True, validate=validate.Range(1, 100)),
            default=100,
            unit="MB",
            help="The largest file that a job may leave as an artifact.",
        ),
    ),
)
