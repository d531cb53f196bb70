"""How an installation under test is set up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How the installation is set up. Seconds; shorter than the product's own settings allow, to save time.

    `bug` names the planted bug that its processes begin with; `bugs_change`: they can be given others.
    `lane`: as BVO_RUNNER_LANE. Most bugs are planted where Flask works, and would not be met with it.
    """

    lease_seconds: int = 3
    heartbeat_seconds: int = 1
    sweep_seconds: int = 1
    bug: str = ""
    bugs_change: bool = False
    lane: bool = True
