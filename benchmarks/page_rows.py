"""Rows that look like a month of use, made by SQLite itself. Nothing is random.

Jobs, queue items and deliveries are as many as were asked for; of everything else there is a page or two.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from rows import SHA256, add_process, add_robots
from sqlalchemy import Connection, Engine, Table, func, insert, select, text

from bvo.database import utcnow
from bvo_access.models import User
from bvo_alerts.models import RESOLVED, Alert, AlertRule
from bvo_assets.models import Asset
from bvo_email.models import MailNotification
from bvo_jobs.models import Artifact, Job, LogChunk, LostAttempt
from bvo_machines.models import Machine
from bvo_packages.models import Package
from bvo_processes.models import Process, ProcessVersion
from bvo_queues.models import Queue
from bvo_webhooks.models import Webhook

PROCESSES, ROBOTS, QUEUES, WEBHOOKS, OTHERS = 20, 50, 5, 3, 120
RULES = range(1, 4)
MAILED = 50
"""Events of one mail."""
MONTH_SECONDS = 30 * 24 * 3600
WAITING, RUNNING = 2_000, 40
"""Of the newest jobs, so many are pending at most, and so many of those before them run."""
CHUNKS, LINES = 50, 100
"""The log of the job in the middle: pieces, and lines of each."""

NUMBERS = "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < :rows) "
MADE = f"strftime('%Y-%m-%d %H:%M:%S.000000', :start, CAST(1.0 * i * {MONTH_SECONDS} / :rows AS integer) || ' seconds')"
JOBS = f"""
INSERT INTO jobs (id, process_id, process_version, script_path, package_id, package_name, package_version,
                  package_sha256, robot_id, is_assigned, status, rank, max_attempts, retry_delay_seconds, attempt,
                  log_characters, parameters, error_message, created_at, started_at, lease_expires_at, finished_at)
{NUMBERS}
SELECT i, 1 + i % {PROCESSES}, 1, 'main.py', 1, 'report', '1.0.0', '{SHA256}',
       CASE WHEN state = 'pending' THEN NULL ELSE 1 + (i * 7) % {ROBOTS} END, 0, state, 0, 1, 30, 1, 0,
       '{{"day": "2026-11-01", "region": "north", "limit": 500}}',
       CASE WHEN state = 'failed' THEN 'ValueError: invoice ' || i || ' has no date' END, made,
       CASE WHEN state <> 'pending' THEN made END,
       CASE WHEN state = 'running' THEN strftime('%Y-%m-%d %H:%M:%S.000000', made, '365 days') END,
       CASE WHEN state NOT IN ('pending', 'running')
            THEN strftime('%Y-%m-%d %H:%M:%S.000000', made, (5 + i % 50) || ' seconds') END
FROM (SELECT i, {MADE} AS made,
             CASE WHEN i > :rows - min(:rows / 10, {WAITING}) THEN 'pending'
                  WHEN i > :rows - min(:rows / 10, {WAITING}) - min(:rows / 10, {RUNNING}) THEN 'running'
                  WHEN i % 23 = 0 THEN 'failed' WHEN i % 97 = 0 THEN 'canceled' ELSE 'completed' END AS state FROM s)
"""  # noqa: S608 - constants
ITEMS = f"""
INSERT INTO queue_items (queue_id, reference, status, rank, payload, retries, attempt, failure_kind, error_message,
                         job_id, created_at, updated_at)
{NUMBERS}
SELECT 1 + i % {QUEUES}, 'ORD-' || i, state, 0, '{{"order": 4711, "customer": "north"}}', 0, 0,
       CASE WHEN state = 'failed' THEN 'application' END,
       CASE WHEN state = 'failed' THEN 'ValueError: order ' || i || ' has no field "date' || i % 7 || '"' END,
       CASE WHEN state <> 'new' THEN 1 + i % :jobs END, {MADE}, {MADE}
FROM (SELECT i, CASE WHEN i % 11 < 7 THEN 'completed' WHEN i % 11 < 9 THEN 'new' WHEN i % 11 = 9 THEN 'failed'
                     ELSE 'abandoned' END AS state FROM s)
"""  # noqa: S608 - constants
DELIVERIES = f"""
INSERT INTO webhook_deliveries (webhook_id, place, event_id, event_type, subject, status, created_at, available_at,
                                finished_at, response_status, milliseconds, attempts, attempt)
{NUMBERS}
SELECT 1 + i % {WEBHOOKS}, i, 'event-' || i, CASE WHEN i % 5 = 0 THEN 'job.failed' ELSE 'job.completed' END,
       'job/' || i, state, made, made, CASE WHEN state <> 'pending' THEN made END,
       CASE WHEN state = 'delivered' THEN 200 END, 12.5, '[]', 1
FROM (SELECT i, {MADE} AS made,
             CASE WHEN i > :rows - min(:rows / 10, {WAITING}) THEN 'pending' WHEN i % 41 = 0 THEN 'failed'
                  ELSE 'delivered' END AS state FROM s)
"""  # noqa: S608 - constants

MAILS = f"""
INSERT INTO mails (id, notification_id, message_id, count, holds_others, created_at, available_at, sent_at, finished_at,
                   attempt)
{NUMBERS}
SELECT i, 1, 'mail-' || i, {MAILED}, 1, {MADE}, {MADE}, {MADE}, {MADE}, 1 FROM s
"""  # noqa: S608 - constants
MAIL_ITEMS = f"""
INSERT INTO mail_items (notification_id, place, due_at, mail_id)
{NUMBERS}
SELECT 1, i, {MADE}, CASE WHEN i <= :mails * {MAILED} THEN 1 + (i - 1) / {MAILED} END FROM s
"""  # noqa: S608 - constants


def waiting(jobs: int) -> int:
    """How many of so many jobs are pending."""
    return min(jobs // 10, WAITING)


def fill(engine: Engine, jobs: int) -> None:
    """So many jobs, a quarter as many queue items, and what they belong to; nothing where they are there already."""
    with engine.begin() as connection:
        if connection.scalar(select(func.count(Job.id))):
            return
        _base(connection)
        start = f"{utcnow() - timedelta(seconds=MONTH_SECONDS):%Y-%m-%d %H:%M:%S.000000}"
        connection.execute(text(JOBS), {"rows": jobs, "start": start})
        connection.execute(text(ITEMS), {"rows": max(1, jobs // 4), "jobs": jobs, "start": start})
        _output(connection, max(1, jobs // 2))


def tell(engine: Engine, events: int) -> None:
    """A delivery and an item of a mail for each of so many events; nothing where there are some already."""
    with engine.begin() as connection:
        if connection.scalar(select(func.count(Webhook.id))):
            return
        hook = {"url": "https://example.com/hook", "event_types": ["job.*"], "filters": {}, "header_names": []}
        _add(connection, Webhook, [{**hook, "name": f"hook-{number}"} for number in range(WEBHOOKS)])
        start = f"{utcnow() - timedelta(seconds=MONTH_SECONDS):%Y-%m-%d %H:%M:%S.000000}"
        connection.execute(text(DELIVERIES), {"rows": events, "start": start})
        told = {"recipients": ["ops@example.com"], "event_types": ["job.*"], "filters": {}}
        _add(connection, MailNotification, [{**told, "name": f"mail-{number}"} for number in range(WEBHOOKS)])
        mails = max(1, (events - WAITING) // MAILED)
        connection.execute(text(MAILS), {"rows": mails, "start": start})
        connection.execute(text(MAIL_ITEMS), {"rows": events, "mails": mails, "start": start})


def _base(connection: Connection) -> None:
    add_process(connection)
    numbers = range(2, PROCESSES + 1)
    _add(connection, Process, [{"name": f"Process {n}", "package_id": 1, "script_path": "main.py"} for n in numbers])
    ran = {"package_id": 1, "package_name": "report", "package_version": "1.0.0", "script_path": "main.py"}
    _add(connection, ProcessVersion, [{"process_id": 1, "version": number, **ran} for number in (1, 2)])
    add_robots(connection, ROBOTS)
    _add(connection, Queue, [{"name": f"queue-{number}"} for number in range(1, QUEUES + 1)])
    package = {"name": "report", "scripts": ["main.py"], "sha256": SHA256, "size_bytes": 1000}
    others = range(1, OTHERS + 1)
    _add(connection, Package, [{**package, "version": f"1.0.{number}"} for number in others])
    _add(connection, Machine, [{"name": f"host-{number}", "mode": "runner"} for number in others])
    _add(connection, Asset, [{"name": f"limit-{number}", "type": "int", "plain_value": "42"} for number in others])
    _add(connection, User, [{"username": f"person-{number}"} for number in others])
    _alerts(connection)


def _alerts(connection: Connection) -> None:
    rules = [{"name": f"rule-{number}", "condition": "robot_offline", "parameters": {}} for number in RULES]
    _add(connection, AlertRule, rules)
    alert = {"subject_name": "robot-1", "message": "robot-1 is offline.", "raised_at": utcnow()}
    for ended in ({}, {"status": RESOLVED, "resolved_at": utcnow()}):
        subjects = [f"robot/{number}" for number in range(OTHERS)]
        _add(connection, Alert, [{**alert, **ended, "rule_id": 1, "subject": subject} for subject in subjects])


def _output(connection: Connection, job_id: int) -> None:
    """What a page of a job shows beside its row."""
    of_job = {"job_id": job_id, "attempt": 1}
    text_of = "".join(f"2026-11-01 12:00:00 INFO row {number} was booked\n" for number in range(LINES))
    _add(connection, LogChunk, [{**of_job, "sequence": number, "text": text_of} for number in range(CHUNKS)])
    file = {**of_job, "size_bytes": 1000, "sha256": SHA256}
    _add(connection, Artifact, [{**file, "name": f"report-{number}.csv"} for number in range(10)])
    _add(connection, LostAttempt, [{**of_job, "robot_id": number, "reason": "lease_lost"} for number in (1, 2, 3)])


def _add(connection: Connection, model: Any, rows: list[dict[str, Any]]) -> None:
    table: Table = model.__table__
    connection.execute(insert(table), rows)
