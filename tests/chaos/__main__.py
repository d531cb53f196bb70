"""`python tests/chaos`: the fire, by hand."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).parents[1])

from chaos.command import main  # noqa: E402
from chaos.disk import enter_namespace  # noqa: E402

enter_namespace()
main()
