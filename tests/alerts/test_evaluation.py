"""Rules are judged: raised once, resolved once, by one worker at a time, whatever a condition does."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text, update
from sqlalchemy.exc import IntegrityError

from alerts.conftest import Leaks
from bvo import clock, isolation, registry
from bvo.database import db, transaction, utcnow
from bvo_alerts import conditions, evaluation, retention
from bvo_alerts.models import Alert, AlertRule
from bvo_hookspecs import AlertCondition, Finding, PeriodicTask
from support.api import Api
from support.watch import a_rule, ended, heard, judge, silent, told

SECOND = timedelta(seconds=1)


def shown(admin: Api, **filters: Any) -> list[tuple[str, str]]:
    query = "&".join(f"{name}={value}" for name, value in filters.items())
    return [(alert["subject"], alert["status"]) for alert in admin.ok(admin.get(f"/api/alerts?{query}"))]


def test_an_alert_is_raised_once_and_resolved_once(app: Flask, admin: Api) -> None:
    robot = silent(app, admin)
    rule = a_rule(admin, "robot_offline", "Silent robots", longer_than_minutes=5)
    for _ in range(3):
        judge(app)
    (alert,) = admin.ok(admin.get("/api/alerts"))
    assert alert["rule"] == {"id": rule["id"], "name": "Silent robots"}
    assert (alert["condition"], alert["subject"]) == ("robot_offline", f"robot/{robot['id']}")
    assert (alert["subject_name"], alert["status"], alert["resolved_at"]) == ("robot-1", "open", None)
    assert alert["message"].startswith("robot-1 is offline.")
    heard(app, robot["id"], utcnow(), "online")
    for _ in range(3):
        judge(app)
    resolved = admin.ok(admin.get(f"/api/alerts/{alert['id']}"))
    assert resolved["status"] == "resolved"
    assert resolved["resolved_at"] > resolved["raised_at"] == alert["raised_at"]
    named = "Silent robots: robot-1"
    assert told(app) == [("alert.raised", named), ("alert.resolved", named)]


def test_the_event_tells_the_row_of_the_alert(app: Flask, admin: Api) -> None:
    silent(app, admin)
    a_rule(admin)
    judge(app)
    (event,) = admin.ok(admin.get("/api/events?types=alert.raised"))["events"]
    assert event["data"]["entity"] == admin.ok(admin.get("/api/alerts/1"))
    assert event["data"]["actor"]["kind"] == "system"
    assert event["data"]["message"].startswith("robot_offline: robot-1 is offline. It was last heard of")


def test_what_comes_again_is_a_new_alert(app: Flask, admin: Api, leaks: Leaks) -> None:
    a_rule(admin, "leak")
    for at in (["roof"], [], ["roof"]):
        leaks.at = at
        judge(app)
    assert shown(admin) == [("roof", "open"), ("roof", "resolved")]


def test_each_subject_has_its_own_alert_and_a_subject_twice_has_one(app: Flask, admin: Api, leaks: Leaks) -> None:
    a_rule(admin, "leak", "one")
    a_rule(admin, "leak", "two")
    leaks.at = ["roof", "cellar", "roof"]
    judge(app)
    leaks.at = ["cellar", "attic"]
    judge(app)
    assert sorted(shown(admin, alert_rule_id=2)) == [("attic", "open"), ("cellar", "open"), ("roof", "resolved")]
    assert len(told(app)) == 8


def test_of_several_workers_at_once_one_judges_and_raises(app: Flask, admin: Api, leaks: Leaks) -> None:
    a_rule(admin, "leak")
    asked: list[int] = []
    leaks.at, leaks.find = ["roof"], lambda: asked.append(1) or ()  # type: ignore[func-returns-value]
    start, failed = threading.Barrier(4), []

    def work() -> None:
        start.wait()
        try:
            with app.app_context():
                evaluation.evaluate()
        except Exception as error:
            failed.append(error)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert (failed, len(asked)) == ([], 1)
    assert told(app) == [("alert.raised", "leak: Roof")]


def test_a_rule_is_judged_again_after_15_seconds(app: Flask, admin: Api, leaks: Leaks) -> None:
    asked = []
    leaks.find = lambda: asked.append(1) or ()  # type: ignore[func-returns-value]
    a_rule(admin, "leak")
    for ago, times in (
        (None, 1),
        (15 * SECOND - SECOND, 1),
        (15 * SECOND, 2),
        (-45 * SECOND, 2),  # another worker's clock is ahead
        (60 * SECOND - SECOND, 3),
        (-1000 * SECOND, 4),  # the clock was set back
    ):
        with app.app_context():
            with transaction() as session:
                session.execute(update(AlertRule).values(checked_at=None if ago is None else utcnow() - ago))
            evaluation.evaluate()
        assert (ago, len(asked)) == (ago, times)


def test_after_a_time_without_a_server_robots_come_back_first(app: Flask, admin: Api, leaks: Leaks) -> None:
    a_rule(admin, "leak")
    leaks.at = ["roof"]
    for ago in (3600 * SECOND, timedelta(0)):
        with app.app_context():
            if ago:
                with transaction() as session:
                    session.execute(update(AlertRule).values(checked_at=utcnow() - ago))
            evaluation.evaluate()
            due = db.session.scalars(select(AlertRule.checked_at)).one()
        assert shown(admin) == []
        assert due is not None
        assert 40 * SECOND < due - utcnow() <= 45 * SECOND, "it is due 15 s later than that"
    judge(app)
    assert shown(admin) == [("roof", "open")]


def test_who_was_overtaken_while_it_looked_changes_nothing(app: Flask, admin: Api, leaks: Leaks) -> None:
    """Another worker has judged the rule since: what was found before is out of date."""
    a_rule(admin, "leak")

    def slowly() -> Iterable[Finding]:
        leaks.find, leaks.at = None, ["roof"]
        with app.app_context(), transaction() as session:
            session.execute(update(AlertRule).values(checked_at=None))
        worker = threading.Thread(target=_evaluate, args=(app,))
        worker.start()
        worker.join()
        leaks.at = []
        return ()

    leaks.find = slowly
    judge(app)
    assert told(app) == [("alert.raised", "leak: Roof")]


def _evaluate(app: Flask) -> None:
    with app.app_context():
        evaluation.evaluate()


def test_a_rule_that_is_deactivated_while_it_is_judged_raises_nothing(app: Flask, admin: Api, leaks: Leaks) -> None:
    rule = a_rule(admin, "leak")

    def meanwhile() -> Iterable[Finding]:
        deactivate = threading.Thread(
            target=lambda: admin.put(f"/api/alert-rules/{rule['id']}", {"is_active": False}), daemon=True
        )
        deactivate.start()
        deactivate.join()
        return ()

    leaks.at, leaks.find = ["roof"], meanwhile
    judge(app)
    assert admin.ok(admin.get(f"/api/alert-rules/{rule['id']}"))["is_active"] is False
    assert shown(admin) == []


def breaks_its_session() -> Iterable[Finding]:
    db.session.execute(text("SELECT nothing FROM nowhere"))
    return ()


@pytest.mark.parametrize(
    ("find", "words"),
    [
        (lambda: 1 / 0, "ZeroDivisionError"),
        (breaks_its_session, "OperationalError|ProgrammingError"),
        (lambda: ["roof"], "where a Finding belongs"),
        (lambda: [Finding(subject="a\0", name="a", message="a")], "no database keeps"),
        (lambda: [Finding(subject="", name="a", message="a")], "Finding.subject is ''"),
        (lambda: (Finding(subject=str(n), name="a", message="a") for n in range(10**9)), "more than 10,000"),
    ],
)
def test_a_condition_that_fails_is_shown_keeps_its_alerts_and_stops_no_other_rule(
    app: Flask, admin: Api, leaks: Leaks, find: Any, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = a_rule(admin, "leak", "first")
    leaks.at = ["roof"]
    judge(app)
    leaks.at, leaks.find = [], find
    silent(app, admin)
    a_rule(admin, "robot_offline", "second")
    judge(app)
    error = admin.ok(admin.get(f"/api/alert-rules/{first['id']}"))["last_error"]
    assert error.startswith("leak of the plugin machines: ")
    assert re.search(words, error)
    assert "'leak' of the plugin 'machines' failed" in caplog.text
    assert shown(admin, status="open") == [("robot/1", "open"), ("roof", "open")]
    leaks.find = None
    judge(app)
    assert admin.ok(admin.get(f"/api/alert-rules/{first['id']}"))["last_error"] is None
    assert shown(admin, status="open") == [("robot/1", "open")]


def test_a_rule_whose_condition_is_not_loaded_says_so_and_does_nothing(app: Flask, admin: Api, leaks: Leaks) -> None:
    rule = a_rule(admin, "leak")
    leaks.at = ["roof"]
    judge(app)
    app.extensions["bvo"].records[AlertCondition].pop("leak")
    judge(app)
    after = admin.ok(admin.get(f"/api/alert-rules/{rule['id']}"))
    assert "No plugin that is loaded has the condition leak." in after["last_error"]
    assert after["watches"] == "leak"
    assert shown(admin) == [("roof", "open")]


def test_judging_a_rule_is_no_change_of_it(app: Flask, admin: Api, leaks: Leaks) -> None:
    """The tag stays, so that whoever read it before may change it."""
    path = f"/api/alert-rules/{a_rule(admin, 'leak')['id']}"
    before = admin.get(path).headers["ETag"]
    leaks.at = ["roof"]
    judge(app)
    assert admin.get(path).headers["ETag"] == before


def test_a_rule_is_judged_in_the_process_of_its_conditions_plugin(
    app: Flask, admin: Api, leaks: Leaks, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaks.at = ["roof"]
    silent(app, admin)
    a_rule(admin, "leak")  # of the plugin `machines`
    a_rule(admin, "robot_offline")
    for plugins, found in (({"core"}, []), ({"machines"}, ["roof"]), ({"robots"}, ["robot/1", "roof"])):
        monkeypatch.setitem(app.extensions, isolation.SERVED, plugins)
        judge(app)
        assert [subject for subject, _ in shown(admin)] == found


def test_many_are_raised_and_resolved_bit_by_bit(
    app: Flask, admin: Api, leaks: Leaks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "AT_ONCE", 2)
    a_rule(admin, "leak")
    for at, counts in (("abcde", (2, 4, 5, 5)), ("e", (3, 1, 1))):
        leaks.at = list(at)
        for count in counts:
            judge(app)
            assert len(shown(admin, status="open")) == count


def test_at_most_a_thousand_are_open_and_the_rule_says_so(
    app: Flask, admin: Api, leaks: Leaks, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert evaluation.MOST_OPEN == 1000
    monkeypatch.setattr(evaluation, "MOST_OPEN", 3)
    rule = a_rule(admin, "leak")
    leaks.at = ["a", "b", "c", "d"]
    judge(app)
    assert sorted(shown(admin, status="open")) == [(each, "open") for each in "abc"]
    error = admin.ok(admin.get(f"/api/alert-rules/{rule['id']}"))["last_error"]
    assert error == "It holds for 4 now, and 3 alerts of a rule are open at most. Watch less."
    leaks.at = ["0", "1", "b", "c", "d"]  # those that are open stay so, whatever stands before them
    judge(app)
    assert sorted(shown(admin, status="open")) == [("0", "open"), ("b", "open"), ("c", "open")]
    leaks.at = ["b", "c", "d"]
    judge(app)
    assert sorted(shown(admin, status="open")) == [(each, "open") for each in "bcd"]
    assert admin.ok(admin.get(f"/api/alert-rules/{rule['id']}"))["last_error"] is None


def test_the_database_refuses_a_second_open_alert_of_a_subject(app: Flask, admin: Api, leaks: Leaks) -> None:
    a_rule(admin, "leak")
    leaks.at = ["roof"]
    judge(app)
    with app.app_context(), pytest.raises(IntegrityError), transaction() as session:
        session.add(Alert(rule_id=1, subject="roof", subject_name="Roof", message="again"))


def test_while_the_clock_jumps_nothing_is_judged(
    app: Flask, admin: Api, leaks: Leaks, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_rule(admin, "leak")
    leaks.at = ["roof"]
    judge(app)
    for jump in (timedelta(days=1), -timedelta(days=2)):
        monkeypatch.setattr(clock.guard, "_offset", clock.guard._offset - jump)
        leaks.at = ["cellar"]
        judge(app)
        assert shown(admin) == [("roof", "open")]
        with app.app_context():
            evaluation.wait_for_others()
        clock.guard.look()
        leaks.at = ["roof"]
        judge(app)
    assert told(app) == [("alert.raised", "leak: Roof")]


def test_it_waits_where_others_count_anew(app: Flask) -> None:
    with app.app_context():
        task = registry.current().of(PeriodicTask)["evaluate_alert_rules"]
    assert task.after_jump is evaluation.wait_for_others


@pytest.mark.shows_setting("logging.alert_days")
def test_what_was_resolved_long_ago_is_removed_and_what_is_open_stays(app: Flask, admin: Api, leaks: Leaks) -> None:
    a_rule(admin, "leak")
    for at in (["old", "older", "open"], ["open"]):
        leaks.at = at
        judge(app)
    admin.ok(admin.put("/api/settings/logging", {"alert_days": 7}))
    with app.app_context():
        with transaction() as session:
            for subject, days in (("old", 6), ("older", 8), ("open", 0)):
                values = {"raised_at": utcnow() - timedelta(days=400)}
                values |= {"resolved_at": utcnow() - timedelta(days=days)} if days else {}
                session.execute(update(Alert).where(Alert.subject == subject).values(values))
        retention.prune()
        assert set(db.session.scalars(select(Alert.subject))) == {"old", "open"}


def test_jobs_that_fail_raise_and_one_that_succeeds_resolves(app: Flask, admin: Api) -> None:
    process = admin.a_process()["id"]
    a_rule(admin, "jobs_failed_in_a_row", failures=2)
    for status, is_open in (("failed", False), ("failed", True), ("canceled", True), ("completed", False)):
        ended(app, process, status)
        judge(app)
        assert (status, bool(shown(admin, status="open"))) == (status, is_open)


def test_conditions_work_without_alerts_and_alerts_without_them(make_app: Callable[..., Flask]) -> None:
    without = make_app(BVO_DISABLED_PLUGINS="alerts")
    with without.app_context():
        assert set(registry.current().of(AlertCondition)) >= {"robot_offline", "queue_item_waiting"}
    alone = make_app(BVO_DISABLED_PLUGINS="jobs,robots,queues,runner,assets,dashboard,demo,sdk,processes")
    with alone.app_context():
        assert conditions.known() == {}
        evaluation.evaluate()
