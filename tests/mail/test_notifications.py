"""E-mail notifications as operators have them: made, changed, tested, mailed what they want."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mail.conftest import Notify
from support.api import Api
from support.hooks import machines
from support.postman import Postman
from support.problems import refused
from support.smtp import MailServer, text_of

PATH = "/api/mail-notifications"
BODY = {"name": "Failed jobs", "recipients": ["ops@example.com"], "event_types": ["job.failed"]}


@pytest.mark.shows_setting("general.instance_name")
def test_an_event_is_told_by_mail_with_a_link_to_what_it_is_about(
    admin: Api, notify: Notify, postman: Postman, mails: MailServer
) -> None:
    admin.ok(admin.put("/api/settings/general", {"public_url": "https://bvo.example.com/", "instance_name": "Robots"}))
    made = notify("machine.created", name="New machines")
    (machine,) = machines(admin, "HOST-1")
    assert postman.go() == 1
    (message,) = mails.received
    assert (message["From"], message["To"]) == ("bvo@example.com", "ops@example.com")
    assert message["Subject"] == '[Robots] New machines: User admin created Machine "HOST-1".'
    text = text_of(message)
    assert f"https://bvo.example.com/ui/machines/{machine['id']}\n" in text
    assert f"https://bvo.example.com/ui/mail-notifications/{made['id']}\n" in text
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["List-Id"] == f"<mail-notification-{made['id']}.example.com>"


def test_without_an_address_of_this_installation_there_are_no_links(
    admin: Api, notify: Notify, postman: Postman, mails: MailServer
) -> None:
    notify()
    postman.happen("HOST-1")
    postman.go()
    text = text_of(mails.received[0])
    assert "HOST-1 was changed.\n" in text
    assert "/ui/" not in text


def test_several_recipients_get_one_mail_and_do_not_see_each_other(
    notify: Notify, postman: Postman, mails: MailServer
) -> None:
    team = ["ops@example.com", "ada@example.com", "bob@example.org"]
    notify(name="Überfällig: Rechnungen", recipients=team)
    postman.happen("HOST-1")
    assert postman.go() == 1
    assert mails.reached == [team]
    (message,) = mails.received
    assert [str(group) for group in message["To"].groups] == ['"Überfällig: Rechnungen":;']
    assert not any(recipient in str(message) for recipient in team)


@pytest.mark.parametrize(
    ("types", "filters", "wanted"),
    [
        (["machine.created"], {}, 2),
        (["machine.*"], {"name": "HOST-2"}, 1),
        (["*"], {"name": ["HOST-1", "HOST-2"], "mode": "agent"}, 2),
        (["machine.*"], {"mode": "runner"}, 0),
        (["machine.deleted", "robot.*"], {}, 0),
    ],
)
def test_it_is_mailed_what_it_wants(
    admin: Api, notify: Notify, postman: Postman, types: list[str], filters: dict[str, Any], wanted: int
) -> None:
    notify(*types, filters=filters)
    machines(admin, "HOST-1", "HOST-2")
    postman.plan()
    assert len(postman.items()) == wanted


def test_one_that_is_not_active_is_mailed_nothing(
    admin: Api, notify: Notify, postman: Postman, mails: MailServer
) -> None:
    made = notify(is_active=False)
    postman.happen("HOST-1")
    postman.plan()
    admin.ok(admin.put(f"{PATH}/{made['id']}", {"is_active": True}))
    postman.happen("HOST-2")
    postman.go()
    assert "HOST-1" not in text_of(mails.received[0])
    postman.wait(minutes=1)
    postman.happen("HOST-3")
    postman.plan()
    admin.ok(admin.put(f"{PATH}/{made['id']}", {"is_active": False}))
    assert postman.send() == 0


def test_a_test_goes_to_it_alone_whatever_it_wants_and_does_not_wait_for_the_digest(
    admin: Api, notify: Notify, postman: Postman, mails: MailServer
) -> None:
    tested = notify("job.*", digest_minutes=60, recipients=["ada@example.com"], subject_template="Own subject")
    notify("job.*")
    admin.ok(admin.post(f"{PATH}/{tested['id']}/test"))
    assert postman.go() == 1
    (message,) = mails.received
    assert message["To"] == "ada@example.com"
    assert "tested" in message["Subject"]
    assert "mail_notification.tested" in text_of(message)
    admin.ok(admin.put(f"{PATH}/{tested['id']}", {"is_active": False}))
    refused(admin.post(f"{PATH}/{tested['id']}/test"), 409, "Activate it first")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recipients": []}, "recipients"),
        ({"recipients": ["nobody"]}, "email"),
        ({"recipients": ["a@example.com\nBcc: eve@example.com"]}, "recipients"),
        ({"recipients": ["a@example.com, eve@example.com"]}, "recipients"),
        ({"recipients": ["a@example.com", "A@example.com"]}, "once"),
        ({"recipients": ["a@bücher.example"]}, "xn--"),
        ({"recipients": [f"a{number}@example.com" for number in range(51)]}, "recipients"),
        ({"event_types": []}, "event_types"),
        ({"event_types": ["job"]}, "job.*"),
        ({"filters": {"name": {"deep": 1}}}, "Give name a text"),
        ({"digest_minutes": -1}, "digest_minutes"),
        ({"digest_minutes": 1441}, "digest_minutes"),
        ({"subject_template": "two\nlines"}, "one line"),
        ({"text_template": "x" * 4001}, "text_template"),
    ],
)
def test_what_could_not_be_mailed_is_refused(admin: Api, change: dict[str, Any], words: str) -> None:
    refused(admin.post(PATH, {**BODY, **change}), 422, words)


@pytest.mark.parametrize(
    ("method", "path"), [("post", PATH), ("put", f"{PATH}/1"), ("delete", f"{PATH}/1"), ("post", f"{PATH}/1/test")]
)
def test_who_may_only_look_changes_nothing(
    user_with: Callable[..., Api], notify: Notify, method: str, path: str
) -> None:
    notify()
    api = user_with("mail_notifications:view")
    assert api.ok(api.get(f"{PATH}/1"))["recipients"] == ["ops@example.com"]
    answer = api.delete(path) if method == "delete" else getattr(api, method)(path, BODY)
    refused(answer, 403, "mail_notifications:")


def test_deleting_it_deletes_what_was_to_be_mailed(admin: Api, notify: Notify, postman: Postman) -> None:
    made = notify()
    postman.happen("HOST-1")
    postman.plan()
    assert admin.delete(f"{PATH}/{made['id']}").status_code == 204
    assert postman.items() == []
    assert postman.go() == 0


def test_secrets_are_in_no_mail(admin: Api, notify: Notify, postman: Postman, mails: MailServer) -> None:
    notify("asset.*", text_template="{% for event in events %}{{ event|tojson }}{% endfor %}")
    admin.ok(admin.post("/api/assets", {"name": "login", "type": "secret", "value": "canary-4711"}))
    postman.go()
    assert "asset.created" in text_of(mails.received[0])
    assert "canary" not in str(mails.received[0])
