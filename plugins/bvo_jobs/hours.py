"""How many jobs ended in each hour, and how: counted once, so that a month is as cheap as a day.

What is not summarised yet, the last hour or two, is counted from the jobs themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from bvo.database import db, transaction, utcnow

from . import states
from .models import Job, JobHour

ENDS = (states.COMPLETED, states.FAILED, states.CANCELED)
HOUR = timedelta(hours=1)
SETTLED = timedelta(minutes=5)
"""So long after its end an hour is summarised: then everything that ended in it is committed."""
KEPT = timedelta(days=31)
BATCH = 48
"""Hours that one run summarises: the first run, in an old installation, has a month before it."""


def hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def summarise() -> None:
    """Count the hours that are over, and forget those that no one asks for any more. Twice is once."""
    until, oldest = hour_of(utcnow() - SETTLED), hour_of(utcnow() - KEPT)
    with transaction() as session:
        session.execute(delete(JobHour).where(JobHour.hour < oldest))
        known = set(session.scalars(select(JobHour.hour).where(JobHour.status == states.COMPLETED)))
        missing = (hour for hour in _hours(oldest, until) if hour not in known)
        for hour, _ in zip(missing, range(BATCH), strict=False):
            _keep(session, hour, _counted(session, hour, hour + HOUR))


def ended(since: datetime) -> dict[datetime, Counter[str]]:
    """For each hour since then: how many jobs ended in which way."""
    since = hour_of(since)
    found: dict[datetime, Counter[str]] = {hour: Counter() for hour in _hours(since, hour_of(utcnow()) + HOUR)}
    known = set()
    kept = select(JobHour.hour, JobHour.status, JobHour.jobs).where(JobHour.hour >= since)
    for hour, status, jobs in db.session.execute(kept):
        found.setdefault(hour, Counter())[status] = jobs
        known.add(hour)
    missing = [hour for hour in found if hour not in known]
    for hour in missing[-BATCH:]:
        found[hour] = _counted(db.session, hour, hour + HOUR)
    return found


def url(since: datetime, until: datetime | None = None, **more: str | int) -> str:
    """The list of the jobs that ended since then, or until then. `more` are filters with plain words."""
    times = {"finished_from": since, **({"finished_before": until} if until else {})}
    parts = [f"{name}={value}" for name, value in more.items()]
    return "/ui/jobs/?" + "&".join([*parts, *(f"{name}={at:%Y-%m-%dT%H:%M}" for name, at in times.items())])


def _hours(since: datetime, until: datetime) -> Iterable[datetime]:
    while since < until:
        yield since
        since += HOUR


def _counted(session: Session, since: datetime, until: datetime) -> Counter[str]:
    within = (Job.finished_at >= since, Job.finished_at < until)
    query = select(Job.status, func.count()).where(*within).group_by(Job.status)
    return Counter(dict(session.execute(query).all()))


def _keep(session: Session, hour: datetime, counts: Counter[str]) -> None:
    """Another worker may have been faster: then its count stands."""
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    rows = [{"hour": hour, "status": status, "jobs": counts[status]} for status in ENDS]
    session.execute(insert(JobHour).values(rows).on_conflict_do_nothing())
