"""Ports for servers that die and come back."""

from __future__ import annotations

import itertools
import os
import random
import socket

LOWEST, HIGHEST = 20_000, 30_000
"""Below those that the system gives to outgoing connections: one of these could sit on the port of a dead server."""
_numbers = itertools.cycle(random.Random(os.getpid()).sample(range(LOWEST, HIGHEST), HIGHEST - LOWEST))


def free_port() -> int:
    """A port of this machine that nobody listens on, and that only servers take."""
    for port in _numbers:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("there is no free port")
