"""Why a demo ends early."""

from __future__ import annotations


class DemoFailed(Exception):
    """A step did not work. The message says which, and why."""
