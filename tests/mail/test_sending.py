"""When mails go out: together, not too often, once, and again where the mail server does not take them."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete, update

from bvo import mail
from bvo.consumers import EventConsumer
from bvo.database import transaction, utcnow
from bvo.event_log import LoggedEvent
from bvo_email import ending, planning, senders, sending
from bvo_email.models import Mail
from bvo_email.sending import REST_TRIES
from mail.conftest import Notify
from support.api import Api
from support.postman import Postman, until
from support.smtp import MailServer, text_of

PATH = "/api/mail-notifications"


def shown(admin: Api, made: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = admin.ok(admin.get(f"{PATH}/{made['id']}"))
    return found


def told_of_loss(admin: Api) -> list[dict[str, Any]]:
    """What the log says of events that were mailed to nobody."""
    found = admin.ok(admin.get("/api/events?types=mail_notification.failed"))["events"]
    return [event["data"]["metadata"] for event in found]


# --- together, and not too often


def test_a_burst_is_a_few_mails(notify: Notify, postman: Postman, mails: MailServer) -> None:
    notify()
    postman.happen("first")
    assert postman.go() == 1
    postman.happen(*(f"HOST-{number:04}" for number in range(1000)))
    assert postman.go() == 0, "the one before has just gone out"
    postman.wait(seconds=11)
    assert postman.go() == 1
    burst = mails.received[1]
    assert burst["Subject"] == "[BV Orchestrator] notification 0: 1000 events"
    text = text_of(burst)
    assert text.count("was changed.") == 100
    assert "HOST-0000 was" in text
    assert "And 900 more," in text
    postman.wait(minutes=1)
    assert postman.go() == 0


def test_a_digest_has_everything_since_the_first_event(notify: Notify, postman: Postman, mails: MailServer) -> None:
    notify(digest_minutes=60)
    postman.happen("HOST-1")
    assert postman.go() == 0
    postman.wait(minutes=59)
    postman.happen("HOST-2")
    assert postman.go() == 0
    postman.wait(minutes=2)
    postman.happen("HOST-3")
    assert postman.go() == 1
    text = text_of(mails.received[0])
    assert [f"HOST-{number} was changed." in text for number in (1, 2, 3)] == [True, True, True]
    postman.happen("HOST-4")
    assert postman.go() == 0
    postman.wait(minutes=59)
    assert postman.go() == 0
    postman.wait(minutes=2)
    assert postman.go() == 1


def test_each_notification_has_its_own_mails(notify: Notify, postman: Postman, mails: MailServer) -> None:
    for number in range(3):
        notify(recipients=[f"ops-{number}@example.com"], filters={"name": [f"HOST-{number}", "HOST-9"]})
    postman.happen("HOST-1", "HOST-9")
    assert postman.go() == 3
    subjects = {
        recipients[0]: message["Subject"] for recipients, message in zip(mails.reached, mails.received, strict=True)
    }
    assert "2 events" in subjects["ops-1@example.com"]
    assert "HOST-9 was changed." in subjects["ops-2@example.com"]


# --- once


def test_an_event_that_is_handed_over_again_is_mailed_once(
    app: Flask, notify: Notify, postman: Postman, mails: MailServer
) -> None:
    notify()
    postman.happen("HOST-1")
    for _ in range(3):
        with app.app_context(), transaction() as session:
            session.execute(update(EventConsumer).values(position=0))
        postman.go()
        postman.wait(minutes=1)
    assert len(mails.received) == 1


def test_two_workers_at_once_send_once(app: Flask, notify: Notify, postman: Postman, mails: MailServer) -> None:
    for number in range(4):
        notify(recipients=[f"ops-{number}@example.com"])
    postman.happen("HOST-1")
    postman.plan()
    together = threading.Barrier(4)

    def work(_: int) -> None:
        together.wait()
        with app.app_context():
            planning.make_mails()
        while sending.send_next(app):
            pass

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert sorted(mails.reached) == [[f"ops-{number}@example.com"] for number in range(4)]
    assert len({message["Message-ID"] for message in mails.received}) == 4
    assert len(postman.mails()) == 4


def test_what_a_killed_worker_may_have_sent_is_the_same_mail_again(
    notify: Notify, postman: Postman, mails: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    notify()
    postman.happen("HOST-1")
    with monkeypatch.context() as patch:
        patch.setattr(sending, "_settle", lambda *arguments: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            postman.go()
    postman.happen("HOST-2")
    assert postman.go() == 0, "the lease of the one before holds"
    postman.wait(minutes=4)
    assert postman.go() == 1
    first, again = mails.received
    assert first["Message-ID"] == again["Message-ID"]
    assert text_of(first) == text_of(again)
    postman.wait(minutes=1)
    assert postman.go() == 1
    assert "HOST-2" in text_of(mails.received[2])


def test_who_comes_back_late_changes_nothing(app: Flask, notify: Notify, postman: Postman, mails: MailServer) -> None:
    notify()
    postman.happen("HOST-1")
    postman.plan()
    with app.app_context():
        planning.make_mails()
    mails.answering.clear()
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(sending.send_next, app)
        until(lambda: postman.mails()[0].lease_hash)
        with app.app_context(), transaction() as session:
            session.execute(update(Mail).values(lease_hash="of another", lease_expires_at=utcnow()))
        mails.answering.set()
        assert late.result()
    (sent,) = postman.mails()
    assert (sent.lease_hash, sent.sent_at) == ("of another", None)


# --- when the mail server fails


def test_what_waits_is_sent_when_the_mail_server_is_back(
    admin: Api, notify: Notify, postman: Postman, mails: MailServer
) -> None:
    with MailServer() as gone:
        pass
    made = notify()
    admin.ok(admin.put("/api/settings/email", gone.settings))
    postman.happen("HOST-1")
    assert postman.go() == 1
    failing = shown(admin, made)
    assert "refused" in failing["last_error"]
    assert (failing["failing_since"] is None, failing["last_sent_at"]) == (False, None)
    postman.happen("HOST-2", "HOST-3")
    assert postman.go() == 0, "it waits a while, and what follows waits with it"
    for waits in (11, 21, 41):
        postman.wait(seconds=waits)
        assert postman.go() == 1
        assert postman.go() == 0
    admin.ok(admin.put("/api/settings/email", mails.settings))
    postman.wait(seconds=81)
    assert postman.go() == 1
    postman.wait(seconds=11)
    assert postman.go() == 1
    assert ["HOST-1 was changed" in text_of(message) for message in mails.received] == [True, False]
    assert "2 events" in mails.received[1]["Subject"]
    well = shown(admin, made)
    assert (well["failing_since"], well["last_error"]) == (None, None)
    assert well["last_sent_at"]


def test_waits_between_attempts_grow_to_an_hour(notify: Notify, postman: Postman, mails: MailServer) -> None:
    mails.refusal = "451 come back later"
    notify()
    postman.happen("HOST-1")
    postman.go()
    for _ in range(12):
        postman.wait(hours=1, seconds=1)
        assert postman.send() == 1
    (waiting,) = postman.mails()
    assert timedelta(minutes=59) < waiting.available_at - utcnow() <= timedelta(hours=1)


def test_what_nobody_took_for_three_days_is_given_up_and_told(
    admin: Api, notify: Notify, postman: Postman, mails: MailServer
) -> None:
    mails.refusal = "550 no such user"
    made = notify()
    postman.happen("HOST-1", "HOST-2")
    postman.go()
    postman.wait(days=2)
    postman.happen("HOST-3")
    postman.go()
    postman.give_up()
    assert told_of_loss(admin) == []
    postman.wait(days=1, minutes=1)
    postman.give_up()
    assert told_of_loss(admin) == [{"count": 2, "error": "550 no such user"}]
    mails.refusal = ""
    assert postman.send() == 1
    assert "HOST-3 was changed." in mails.received[0]["Subject"]
    assert shown(admin, made)["failing_since"] is None


def test_without_a_mail_server_all_waits(admin: Api, app: Flask, notify: Notify, postman: Postman) -> None:
    notify()
    admin.ok(admin.put("/api/settings/email", {"smtp_host": None}))
    postman.happen("HOST-1")
    postman.plan()
    with app.app_context():
        senders.send_due()
    assert (len(postman.items()), postman.mails()) == (1, [])
    postman.wait(days=4)
    postman.give_up()
    assert postman.items() == []
    assert told_of_loss(admin) == [{"count": 1, "error": ending.NOBODY_TRIED}]


def test_whoever_asks_for_a_test_or_changes_something_is_not_kept_waiting(
    admin: Api, notify: Notify, postman: Postman, mails: MailServer
) -> None:
    mails.refusal = "550 no such user"
    made = notify(recipients=["wrnog@example.com"])
    postman.happen("HOST-1")
    assert postman.go() == 1
    admin.ok(admin.post(f"{PATH}/{made['id']}/test"))
    assert postman.go() == 1
    mails.refusal = ""
    admin.ok(admin.put(f"{PATH}/{made['id']}", {"recipients": ["right@example.com"]}))
    assert postman.go() == 1
    assert mails.reached == [["right@example.com"]]


def test_a_mail_server_that_says_nothing_holds_up_neither_worker_nor_other_mails(
    app: Flask, notify: Notify, postman: Postman, mails: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail, "TIMEOUT_SECONDS", 5)
    notify(recipients=["slow@example.com"])
    mails.answering.clear()
    postman.happen("HOST-1")
    postman.plan()
    began = time.monotonic()
    with app.app_context():
        senders.send_due()
        assert time.monotonic() - began < 2
        until(lambda: postman.mails()[0].lease_hash)
    notify(recipients=["quick@example.com"])
    postman.happen("HOST-2")
    postman.plan()
    mails.answering.set()
    with app.app_context():
        senders.send_due()
    until(lambda: all(sent.sent_at for sent in postman.mails()))
    assert sorted(mails.reached) == [["quick@example.com"], ["slow@example.com"]]


def test_a_mail_takes_no_longer_than_a_talk_may(
    notify: Notify, postman: Postman, mails: MailServer, monkeypatch: pytest.MonkeyPatch, admin: Api
) -> None:
    monkeypatch.setattr(mail, "TALK_SECONDS", 0)
    made = notify()
    postman.happen("HOST-1")
    postman.go()
    assert "longer than 0 s" in shown(admin, made)["last_error"]


# --- when it refuses some, or a mail


def test_who_is_refused_does_not_get_it_and_the_others_get_it_once(
    admin: Api, notify: Notify, postman: Postman, mails: MailServer
) -> None:
    made = notify(recipients=["ada@example.com", "gone@example.com", "bob@example.com"])
    mails.refusals = {"gone@example.com": "550 no such user"}
    postman.happen("HOST-1")
    assert postman.go() == 1
    postman.wait(hours=2)
    assert postman.go() == 0
    assert mails.reached == [["ada@example.com", "bob@example.com"]]
    told = shown(admin, made)
    assert told["last_error"] == "gone@example.com was refused: 550 no such user"
    assert told["failing_since"] is None


def test_who_is_refused_for_now_gets_it_later_and_nobody_waits_for_that(
    notify: Notify, postman: Postman, mails: MailServer
) -> None:
    notify(recipients=["ada@example.com", "grey@example.com"])
    mails.refusals = {"grey@example.com": "451 greylisted"}
    postman.happen("HOST-1")
    assert postman.go() == 1
    postman.wait(seconds=11)
    postman.happen("HOST-2")
    assert postman.go() == 1
    mails.refusals = {}
    postman.wait(seconds=61)
    assert postman.go() == 2
    assert mails.reached == [["ada@example.com"], ["ada@example.com"], ["grey@example.com"], ["grey@example.com"]]
    ids = [message["Message-ID"] for message in mails.received]
    assert (ids[0], ids[1]) == (ids[2], ids[3])
    postman.wait(hours=2)
    assert postman.go() == 0


def test_who_is_refused_for_now_again_and_again_is_left_out(
    admin: Api, notify: Notify, postman: Postman, mails: MailServer
) -> None:
    notify(recipients=["ada@example.com", "full@example.com"])
    mails.refusals = {"full@example.com": "452 mailbox full"}
    postman.happen("HOST-1")
    postman.go()
    for _ in range(2 * REST_TRIES):
        postman.wait(hours=2)
        postman.send()
    (sent,) = postman.mails()
    assert (sent.attempt, sent.finished_at is None) == (REST_TRIES, False)
    assert mails.reached == [["ada@example.com"]]
    assert told_of_loss(admin) == []


def test_a_server_that_breaks_off_leaves_nobody_out(notify: Notify, postman: Postman, mails: MailServer) -> None:
    notify(recipients=["ada@example.com", "bob@example.com", "eve@example.com"])
    mails.refusals = {"bob@example.com": "451 later", "eve@example.com": "451 later"}
    postman.happen("HOST-1")
    postman.go()
    mails.refusals = {"eve@example.com": "421 shutting down"}
    postman.wait(minutes=2)
    assert postman.go() == 1
    mails.refusals = {}
    postman.wait(minutes=3)
    assert postman.go() == 1
    assert mails.reached == [["ada@example.com"], ["bob@example.com", "eve@example.com"]]


def test_a_mail_that_is_refused_for_its_text_holds_up_no_other(
    admin: Api, notify: Notify, postman: Postman, mails: MailServer
) -> None:
    notify()
    mails.text_refusal = "554 this looks like spam"
    postman.happen("SPAM")
    assert postman.go() == 1
    mails.text_refusal = ""
    postman.happen("HOST-1")
    assert postman.go() == 1
    assert "HOST-1 was changed." in mails.received[0]["Subject"]
    mails.text_refusal = "554 this looks like spam"
    for _ in range(2 * REST_TRIES):
        postman.wait(hours=2)
        postman.send()
    assert told_of_loss(admin) == [{"count": 1, "error": "554 this looks like spam"}]


# --- clocks and what is kept


@pytest.mark.parametrize("days", [-30, 30])
def test_after_a_jump_of_the_clock_nothing_is_given_up_and_all_is_sent(
    notify: Notify, postman: Postman, mails: MailServer, app: Flask, days: int
) -> None:
    notify(digest_minutes=60)
    postman.happen("HOST-1")
    postman.plan()
    notify()
    mails.refusal = "451 later"
    postman.happen("HOST-2")
    postman.go()
    mails.refusal = ""
    postman.wait(days=days)
    for _ in range(2):
        with app.app_context():
            ending.count_anew()
    postman.give_up()
    assert postman.go() == 2
    assert len(mails.received) == 2


def test_what_was_mailed_is_kept_for_a_week(notify: Notify, postman: Postman, app: Flask) -> None:
    notify()
    postman.happen("HOST-1")
    postman.go()
    for days, kept in ((6, 1), (2, 0)):
        postman.wait(days=days)
        with app.app_context():
            ending.prune()
        assert (len(postman.mails()), len(postman.items())) == (kept, kept)


def test_events_that_the_log_has_no_more_are_counted(
    app: Flask, notify: Notify, postman: Postman, mails: MailServer
) -> None:
    notify()
    postman.happen("HOST-1")
    postman.plan()
    with app.app_context(), transaction() as session:
        session.execute(delete(LoggedEvent))
    postman.send()
    assert mails.received[0]["Subject"].endswith(": 1 event")
    assert "It is not in the event log any more" in text_of(mails.received[0])
