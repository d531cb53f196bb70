"""A web worker stops when it is told to, whichever of its threads the system gives the signal to."""

from __future__ import annotations

import subprocess
import sys

import pytest

WAITING = """
import signal, sys, threading
from bvo.cli import web_worker

web_worker.share(object())
web_worker.load()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
other = threading.Thread(target=lambda: signal.pthread_kill(threading.get_ident(), signal.SIGTERM), daemon=True)
threading.Timer(0.2, other.start).start()
threading.Event().wait()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows gives signals to the main thread alone")
def test_a_signal_to_another_thread_reaches_the_waiting_main_thread() -> None:
    ended = subprocess.run([sys.executable, "-c", WAITING], timeout=20, check=False)
    assert ended.returncode == 7
