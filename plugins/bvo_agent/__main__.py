from __future__ import annotations

from bvo_agent.cli import runner

runner()
