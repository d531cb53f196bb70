"""Each bug finds the place where it is planted: without it, every process that is to have the bug would end."""

from __future__ import annotations

import subprocess
import sys

from chaos.switch import FOLDER
from support.servers import environment

PLANT_ALL = """
import planted_bugs
from patches import BUGS, PATCH
for bug in BUGS:
    try:
        PATCH.plant(bug)
    except Exception as error:
        print(bug, repr(error))
    PATCH.undo()
assert len(BUGS) > 30
"""
HOMELESS = """
from patches import bug
@bug
def homeless(patch):
    patch.set("bvo_jobs.execution:claim", None)
    patch.set("bvo_jobs.execution:gone", None)
"""


def planted(program: str) -> str:
    """What a process of its own prints that runs it, beside the bugs."""
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment(PYTHONPATH=FOLDER), capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_every_bug_can_be_planted_and_undone() -> None:
    assert planted(PLANT_ALL) == ""


def test_a_bug_without_a_place_is_named() -> None:
    assert planted(HOMELESS + PLANT_ALL).startswith("homeless AttributeError(")
