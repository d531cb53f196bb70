"""How values read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bvo_webui.text import ago, coded, duration, iso, moment, tone, utc, words


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (59, "just now"),
        (61, "1 min ago"),
        (3599, "59 min ago"),
        (3601, "1 h ago"),
        (86_401, "1 d ago"),
        (-7300, "in 2 h"),
    ],
)
def test_a_moment_reads_relative_to_now(seconds: int, text: str) -> None:
    assert ago(datetime.now(UTC) - timedelta(seconds=seconds)) == text


def test_what_is_long_ago_reads_as_a_date() -> None:
    assert ago("2020-02-03T04:05:06+00:00") == "3 Feb 2020"
    beside_a_date = datetime.now(UTC) + timedelta(days=90, hours=1)
    assert ago(beside_a_date, far=True) == "in 90 d", "a date says nothing new there"


def test_what_stands_between_backticks_is_code_and_nothing_else_is_markup() -> None:
    assert coded("The `bvo demo` command, <b>") == "The <code>bvo demo</code> command, &lt;b&gt;"


def test_every_way_to_write_a_moment_is_the_same_one() -> None:
    for value in ("2026-11-22T18:19:39", "2026-11-22T18:19:39Z", "2026-11-22T19:19:39+01:00"):
        assert (utc(value), iso(value)) == ("2026-11-22 18:19:39 UTC", "2026-11-22T18:19:39Z")
    assert moment("yesterday") is None
    assert ago(None) == "\N{EN DASH}"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.042, "42 ms"), (0.42, "0.4 s"), (42, "42 s"), (185, "3 min 5 s"), (7860, "2 h 11 min"), (None, "\N{EN DASH}")],
)
def test_durations_read_at_a_glance(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("created_at", "Created"),
        ("is_active", "Active"),
        ("process_id", "Process"),
        ("id", "ID"),
        ("ip_address", "IP address"),
        ("package_sha256", "Package SHA-256"),
        ("size_bytes", "Size"),
        ("queue-items", "Queue items"),
    ],
)
def test_names_read_as_labels(name: str, label: str) -> None:
    assert words(name) == label


@pytest.mark.parametrize(
    ("state", "colour"),
    [("completed", "good"), ("failed", "bad"), ("running", "busy"), ("canceled", "idle"), (7, "idle")],
)
def test_states_have_colours_and_unknown_ones_are_neutral(state: Any, colour: str) -> None:
    assert tone(state) == colour
