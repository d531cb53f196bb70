"""What `tox` runs is all that there is."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_folder_of_tests_is_run() -> None:
    folders = {path.relative_to(ROOT / "tests").parts[0] for path in (ROOT / "tests").glob("*/**/test_*.py")}
    run = set(re.findall(r"\btests/(\w+)", (ROOT / "tox.ini").read_text("utf-8")))
    assert folders <= run
