"""The garbage collector waits while a process starts."""

from __future__ import annotations

import gc

import pytest

from bvo import collector


def test_it_goes_on_afterwards_also_where_the_start_failed() -> None:
    with pytest.raises(LookupError), collector.paused():
        assert not gc.isenabled()
        raise LookupError
    assert gc.isenabled()


def test_it_stays_off_where_it_was_off() -> None:
    gc.disable()
    try:
        with collector.paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
