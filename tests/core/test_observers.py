"""Parts that only watch may fail, or be slow; what they watch may not."""

from __future__ import annotations

import time

import pytest

from bvo import observers
from bvo.observers import ObserverFailed, Observers
from bvo_hookspecs import PluginInfo

ACME = PluginInfo(name="acme", summary="")


def fail() -> None:
    raise ConnectionError("no route")


def test_an_observers_answer_is_passed_on() -> None:
    assert Observers().call(ACME, "sum", lambda a, b: a + b, 1, 2) == 3


def test_an_error_is_logged_with_the_plugins_name_and_becomes_one_kind(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ObserverFailed, match="ticker of the plugin acme: ConnectionError: no route"):
        Observers().call(ACME, "ticker", fail)
    assert "'ticker' of the plugin 'acme' failed" in caplog.text
    assert "no route" in caplog.text


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_what_would_end_a_program_is_an_error_too(error: type[BaseException]) -> None:
    def end() -> None:
        raise error

    with pytest.raises(ObserverFailed, match=f"ticker of the plugin acme: {error.__name__}"):
        Observers().attempt(ACME, "ticker", end)


def test_what_is_under_way_is_known() -> None:
    watching, seen = Observers(), []
    watching.call(ACME, "ticker", lambda: seen.extend(name for name, _ in watching.running.values()))
    assert (seen, watching.running) == (["ticker"], {})


def test_after_five_failures_in_a_row_an_observer_is_left_alone_for_a_minute_and_then_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    watching, calls = Observers(), []

    def failing() -> None:
        calls.append(1)
        raise ConnectionError

    for _ in range(7):
        with pytest.raises(ObserverFailed):
            watching.call(ACME, "ticker", failing)
    assert len(calls) == 5
    with pytest.raises(ObserverFailed, match="ticker of the plugin acme failed 5 times and is paused"):
        watching.call(ACME, "ticker", lambda: "well again")
    assert watching.call(ACME, "other", lambda: "not concerned") == "not concerned"
    now = time.monotonic()
    monkeypatch.setattr(observers.time, "monotonic", lambda: now + observers.PAUSE_SECONDS + 1)
    assert watching.call(ACME, "ticker", lambda: "well again") == "well again"


def test_a_success_in_between_starts_the_count_anew() -> None:
    watching = Observers()
    for _ in range(3):
        for _ in range(4):
            with pytest.raises(ObserverFailed):
                watching.call(ACME, "ticker", fail)
        assert watching.call(ACME, "ticker", lambda: "ok") == "ok"


def test_a_call_over_its_time_budget_counts_as_a_failure_but_gives_its_answer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(observers, "BUDGET_SECONDS", 0.0)
    watching = Observers()
    for _ in range(5):
        assert watching.call(ACME, "ticker", lambda: "late") == "late"
    assert "'ticker' of the plugin 'acme' took" in caplog.text
    with pytest.raises(ObserverFailed, match="paused"):
        watching.call(ACME, "ticker", lambda: "late")
