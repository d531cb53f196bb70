"""Deliveries: each at least once, in order for each row, again by the schedule, and never by two at once."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update

from bvo import event_log, leases
from bvo.database import transaction, utcnow
from bvo_webhooks import deliveries, limits, outcomes, subscriptions
from bvo_webhooks.models import WebhookDelivery
from bvo_webhooks.outcomes import Outcome
from support.api import Api
from support.hooks import Hook, Mover, machines
from support.inbox import Inbox, Received
from support.problems import refused

HOURS = 3600


def queue(api: Api, name: str = "orders") -> dict[str, Any]:
    made: dict[str, Any] = api.ok(api.post("/api/queues", {"name": name}))
    return made


def rename(api: Api, made: dict[str, Any], *names: str) -> None:
    for name in names:
        api.ok(api.put(f"/api/queues/{made['id']}", {"name": name}))


def test_what_is_not_taken_is_sent_ten_times_in_about_three_days(
    admin: Api, hook: Hook, mover: Mover, inbox: Inbox
) -> None:
    hook("machine.*")
    inbox.answer = 500
    machines(admin, "HOST-1")
    mover.go()
    waits = []
    while mover.all()[0].status == "pending":
        (delivery,) = mover.all()
        waits.append((delivery.available_at - utcnow()).total_seconds())
        assert mover.send() == 0
        mover.wait()
        mover.send()
    assert len(inbox.received) == 10
    assert sum(waits) == pytest.approx(75.6 * HOURS, rel=0.1)
    assert all(1.5 * a < b or b > HOURS for a, b in pairwise(waits))
    (delivery,) = mover.all()
    assert (delivery.status, delivery.error, len(delivery.attempts)) == ("failed", "It answered 500.", 10)
    assert len({each.headers["webhook-id"] for each in inbox.received}) == 1


def test_the_events_of_a_row_keep_their_order_while_those_of_others_go_on(
    admin: Api, hook: Hook, mover: Mover, inbox: Inbox
) -> None:
    hook("queue.*")
    slow, other = queue(admin, "slow"), queue(admin, "other")
    mover.go()
    inbox.received.clear()
    inbox.answer = lambda request: 500 if request.event["subject"] == f"queue/{slow['id']}" else 200
    rename(admin, slow, "a", "b")
    rename(admin, other, "c", "d")
    mover.go()
    assert inbox.subjects == [f"queue/{slow['id']}", *[f"queue/{other['id']}"] * 2]
    inbox.answer = 200
    inbox.received.clear()
    mover.wait()
    mover.send()
    assert [each.event["data"]["entity"]["name"] for each in inbox.received] == ["a", "b"]


def test_an_endpoint_that_fails_often_is_left_alone_and_loses_nothing(
    admin: Api, hook: Hook, mover: Mover, inbox: Inbox
) -> None:
    made = hook("machine.*")
    inbox.answer = 503
    machines(admin, *(f"HOST-{number}" for number in range(20)))
    assert mover.go() == outcomes.PATIENCE
    webhook = mover.webhook(made["id"])
    assert webhook.paused_until is not None
    assert webhook.failing_since is not None
    assert {delivery.attempt for delivery in mover.all()} == {0, 1}
    mover.change(made["id"], paused_until=utcnow())
    assert mover.send() == 1
    inbox.answer = 200
    inbox.received.clear()
    mover.wait()
    mover.send()
    assert len(inbox.received) == 20
    assert {delivery.status for delivery in mover.all()} == {"delivered"}
    assert mover.webhook(made["id"]).failing_since is None


def test_an_endpoint_says_itself_how_long_it_is_left_alone(admin: Api, hook: Hook, mover: Mover, inbox: Inbox) -> None:
    made = hook("machine.*")
    inbox.answer, inbox.headers = 429, {"Retry-After": "90"}
    machines(admin, "HOST-1", "HOST-2")
    assert mover.go() == 1
    paused = mover.webhook(made["id"]).paused_until
    assert paused is not None
    assert timedelta(seconds=80) < paused - utcnow() < timedelta(seconds=95)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 404, 500])
def test_what_is_no_success_is_a_failure_and_no_redirect_is_followed(
    admin: Api, hook: Hook, mover: Mover, inbox: Inbox, status: int
) -> None:
    hook("machine.*")
    inbox.answer, inbox.headers = status, {"Location": f"{inbox.url}/elsewhere"}
    machines(admin, "HOST-1")
    assert mover.go() == 1
    assert [each.path for each in inbox.received] == ["/hook"]
    assert mover.all()[0].error == f"It answered {status}."


def test_an_endpoint_that_is_gone_is_disabled_and_it_is_told(
    admin: Api, hook: Hook, mover: Mover, inbox: Inbox
) -> None:
    made = hook("machine.*")
    inbox.answer = 410
    machines(admin, "HOST-1", "HOST-2")
    assert mover.go() == 1
    shown = admin.ok(admin.get(f"/api/webhooks/{made['id']}"))
    assert (shown["is_active"], shown["disabled_reason"]) == (False, "It answered 410: it is gone.")
    (told,) = admin.ok(admin.get("/api/events?types=webhook.disabled"))["events"]
    assert told["data"]["entity"]["disabled_reason"] == shown["disabled_reason"]
    inbox.answer = 200
    again = admin.ok(admin.put(f"/api/webhooks/{made['id']}", {"is_active": True}))
    assert (again["disabled_reason"], again["failing_since"]) == (None, None)
    assert mover.send() == 1
    assert {delivery.status for delivery in mover.all()} == {"failed", "delivered"}


def test_an_endpoint_that_has_failed_for_days_is_disabled(admin: Api, hook: Hook, mover: Mover, inbox: Inbox) -> None:
    made = hook("machine.*")
    inbox.answer = 500
    machines(admin, "HOST-1")
    mover.go()
    mover.change(made["id"], failing_since=utcnow() - outcomes.GIVE_UP)
    mover.wait()
    mover.send()
    shown = admin.ok(admin.get(f"/api/webhooks/{made['id']}"))
    assert "taken nothing for 5 days" in shown["disabled_reason"]
    assert mover.all()[0].status == "pending"


def test_what_has_failed_is_sent_once_more_on_request(admin: Api, hook: Hook, mover: Mover, inbox: Inbox) -> None:
    made = hook("machine.*")
    inbox.answer = 400
    machines(admin, "HOST-1", "HOST-2")
    mover.plan()
    while "pending" in {delivery.status for delivery in mover.all()}:
        mover.wait()
        mover.send()
    first, second = mover.all()
    assert {first.status, second.status} == {"failed"}
    inbox.answer = 200
    inbox.received.clear()
    admin.ok(admin.post(f"/api/webhook-deliveries/{first.id}/redeliver"))
    assert mover.send() == 1
    admin.ok(admin.post(f"/api/webhooks/{made['id']}/redeliver"))
    assert mover.send() == 1
    assert {delivery.status for delivery in mover.all()} == {"delivered"}
    assert [each.headers["webhook-id"] for each in inbox.received] == [first.event_id, second.event_id]


def test_everything_since_a_time_is_sent_once_more(
    app: Flask, admin: Api, hook: Hook, mover: Mover, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "REPLAYED", 2)
    machines(admin, "BEFORE-1")
    since = utcnow().isoformat()
    machines(admin, "BEFORE-2", "BEFORE-3", "BEFORE-4")
    made = hook("machine.*")
    machines(admin, "HOST-1")
    mover.go()
    inbox.received.clear()
    admin.ok(admin.post(f"/api/webhooks/{made['id']}/replay", {"since": since}))
    for _ in range(5):
        with app.app_context():
            subscriptions.replay()
    mover.go()
    names = [each.event["data"]["entity"]["name"] for each in inbox.received]
    assert sorted(names) == ["BEFORE-2", "BEFORE-3", "BEFORE-4", "HOST-1"]
    assert mover.webhook(made["id"]).replay_from is None


def test_an_event_becomes_one_delivery_however_often_it_is_planned(
    app: Flask, admin: Api, hook: Hook, mover: Mover, inbox: Inbox
) -> None:
    hook("machine.*")
    machines(admin, "HOST-1")
    mover.go()
    with app.app_context():
        event = event_log.read(limit=1000)[-1]
        for _ in range(2):
            subscriptions.plan([event])
    assert (mover.go(), len(mover.all()), len(inbox.received)) == (0, 1, 1)


def test_one_whose_sender_was_killed_is_sent_again_once_its_lease_is_over(
    app: Flask, admin: Api, hook: Hook, mover: Mover, inbox: Inbox
) -> None:
    made = hook("machine.*")
    machines(admin, "HOST-1")
    mover.plan()
    with app.app_context():
        (killed,) = deliveries.turn(made["id"], [], 1)
    assert mover.send() == 0
    with app.app_context(), transaction() as session:
        session.execute(update(WebhookDelivery).values(lease_expires_at=utcnow() - timedelta(seconds=1)))
    assert mover.send() == 1
    with app.app_context():  # the one that was thought dead comes late, and changes nothing
        assert deliveries.turn(made["id"], [(killed, Outcome("It was late."))], 1) == []
    (delivery,) = mover.all()
    assert (delivery.status, len(inbox.received)) == ("delivered", 1)


def test_an_endpoint_has_no_more_requests_at_once_than_it_takes(
    app: Flask, admin: Api, hook: Hook, mover: Mover, inbox: Inbox
) -> None:
    hook("machine.*", concurrency=3)
    full = threading.Event()

    def once_full(request: Received) -> int:
        if inbox.most == 3:
            full.set()
        in_time = full.wait(30)
        time.sleep(0.05)  # what would be one too many has time to come
        return 200 if in_time else 500

    inbox.answer = once_full
    machines(admin, *(f"HOST-{number}" for number in range(12)))
    mover.plan()

    threads = [threading.Thread(target=mover.send) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    mover.send()
    assert inbox.most == 3
    assert sorted(inbox.subjects) == sorted(set(inbox.subjects))
    assert len(inbox.received) == 12


def test_after_a_jump_of_the_clock_waits_and_leases_count_anew(
    app: Flask, admin: Api, hook: Hook, mover: Mover, inbox: Inbox
) -> None:
    made = hook("machine.*")
    machines(admin, "HOST-1", "HOST-2")
    mover.plan()
    with app.app_context():
        deliveries.turn(made["id"], [], 1)
        with transaction() as session:
            far = utcnow() + timedelta(days=400)
            session.execute(update(WebhookDelivery).values(available_at=far))
            session.execute(update(WebhookDelivery).where(leases.expired(WebhookDelivery)).values(lease_expires_at=far))
        deliveries.count_anew()
    assert mover.send() == 1
    assert {delivery.status for delivery in mover.all()} == {"pending", "delivered"}


def test_an_event_that_is_kept_no_more_can_not_be_sent(app: Flask, admin: Api, hook: Hook, mover: Mover) -> None:
    hook("machine.*")
    machines(admin, "HOST-1")
    mover.plan()
    with app.app_context(), transaction() as session:
        session.execute(event_log.LoggedEvent.__table__.delete())
    mover.send()
    (delivery,) = mover.all()
    assert (delivery.status, "not in the log any more" in (delivery.error or "")) == ("failed", True)


@pytest.mark.shows_setting("logging.webhook_delivery_days")
def test_what_ended_long_ago_is_removed_and_what_waits_stays(app: Flask, admin: Api, hook: Hook, mover: Mover) -> None:
    hook("machine.*")
    machines(admin, "HOST-1")
    mover.go()
    machines(admin, "HOST-2")
    mover.plan()
    with app.app_context():
        with transaction() as session:
            session.execute(
                update(WebhookDelivery)
                .where(WebhookDelivery.finished_at.is_not(None))
                .values(finished_at=utcnow() - timedelta(days=31))
            )
        limits.prune()
    assert [delivery.status for delivery in mover.all()] == ["pending"]


def test_one_that_is_being_sent_is_not_sent_once_more(app: Flask, admin: Api, hook: Hook, mover: Mover) -> None:
    made = hook("machine.*")
    machines(admin, "HOST-1")
    mover.plan()
    with app.app_context():
        deliveries.turn(made["id"], [], 1)
    (delivery,) = mover.all()
    refused(admin.post(f"/api/webhook-deliveries/{delivery.id}/redeliver"), 409, "being sent")


def test_a_delivery_shows_what_was_sent_and_answered(admin: Api, hook: Hook, mover: Mover, inbox: Inbox) -> None:
    hook("machine.*")
    inbox.headers = {"X-Trace": "4711"}
    machines(admin, "HOST-1")
    mover.go()
    (shown,) = admin.ok(admin.get("/api/webhook-deliveries?status=delivered"))
    assert shown["response"]["body"] == "thanks"
    assert shown["response"]["headers"]["x-trace"] == "4711"
    assert (shown["response_status"], shown["attempt"], shown["event_type"]) == (200, 1, "machine.created")
    assert shown["milliseconds"] > 0
