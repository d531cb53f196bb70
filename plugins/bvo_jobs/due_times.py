"""A time of the day in a zone, on some days of the week, as points in time."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
BACK = 15
"""One day of the week comes twice in so many days, whatever the zone makes of them."""


def last_two(now: datetime, at: time, zone: ZoneInfo, days: Collection[str] = ()) -> tuple[datetime, datetime]:
    """The last such time but one, and the last, which may be now; in UTC. Without `days` every day has one.

    Where the clocks are set back and the time comes twice, it is the first; where they are set forth and it does not
    come, it is as long after midnight as on other days: 02:30 is then what the clocks call 03:30.
    """
    today = now.astimezone(zone).date()
    dates = (today - timedelta(days=back) for back in range(BACK))
    wanted = (date for date in dates if not days or DAYS[date.weekday()] in days)
    times = sorted({datetime.combine(date, at, zone).astimezone(UTC) for date in wanted})
    before, last = [each for each in times if each <= now][-2:]
    return before, last
