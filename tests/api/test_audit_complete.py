"""Nothing changes without its row in the audit log: every route that can change something is called, and told of."""

from __future__ import annotations

import io
import re
from typing import Any

from flask import Flask
from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from bvo_auth import accounts
from bvo_events import catalogue, service
from support.api import Api, zipped
from support.browser import Browser
from support.hooks import Mover
from support.smtp import MailServer
from support.state import State
from support.watch import judge, silent
from support.work import claim

SILENT = {
    "POST /api/auth/refresh": "renews the session whose beginning was told of",
    "POST /api/runner/heartbeat": "a robot that stays online is no news; one that comes online is told of",
    "POST /api/runner/jobs/<id>/artifacts": "what a job leaves belongs to the job, whose start and end are told of",
    "POST /api/runner/jobs/<id>/log": "what a job leaves belongs to the job, whose start and end are told of",
    "POST /api/runner/queue-items/<id>/renew": "who keeps an item is told of when it is taken and when it ends",
    "POST /api/sdk/auth/start": "nobody is known yet; the decision is told of",
    "POST /api/sdk/auth/status": "hands out what was confirmed, which is told of",
}
"""Routes that change something and leave no row, and why."""

PASSWORD = "correct horse"


class Trail:
    """Compares, step by step, what changed with what the audit log tells of it."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._before = state.everything()
        self.called: set[str] = set()
        self.actions: set[str] = set()

    def step(self, route: str, answer: TestResponse, *actions: str, status: int = 0) -> Any:
        """`answer` is that of `route`, and since the step before it, this and nothing else was logged."""
        assert answer.status_code == status or (not status and answer.status_code < 400), answer.text
        before, self._before = self._before, self._state.everything()
        logged = self._before["events"][len(before["events"]) :]
        assert (route, [row["action"] for row in logged]) == (route, list(actions))
        changed = {table for table in before if before[table] != self._before[table]} - {"events"}
        assert logged or not changed or route in SILENT, f"{route} changed {changed} and left no row"
        self.called.add(route)
        self.actions |= {*actions}
        return answer.get_json(silent=True)


def test_every_route_that_changes_something_leaves_its_row(app: Flask, admin: Api, state: State) -> None:
    trail = Trail(state)
    people(trail, app, admin)
    sessions(trail, admin)
    settings(trail, admin)
    things(trail, admin)
    work(trail, admin)
    tools(trail, admin)
    mail_notifications(trail, admin)
    webhooks(trail, app, admin)
    alerts(trail, app, admin)
    pages(trail, admin)
    assert trail.called == {
        f"{method} {re.sub(r'<int:row_id>', '<id>', rule.rule)}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
    }
    with app.app_context():
        told_as_declared(service.pull("0", [], 1000)["events"])


def told_as_declared(told: list[dict[str, Any]]) -> None:
    """Each of these events has the structure that the JSON Schema of its type says."""
    assert len({event["type"] for event in told}) > 40
    for event in told:
        Draft202012Validator(catalogue.schema(catalogue.find(event["type"]))).validate(event)


def people(trail: Trail, app: Flask, admin: Api) -> None:
    anonymous, users, roles = Api(admin.client), "/api/access/users", "/api/access/roles"
    form = {"username": "admin", "password": "admin123"}
    trail.step("POST /api/auth/login", anonymous.post("/api/auth/login", data=form), "auth.login")
    form["password"] = "wrong"
    failed = anonymous.post("/api/auth/login", data=form)
    trail.step("POST /api/auth/login", failed, "auth.login_failed", status=401)

    made = admin.post(users, {"username": "dana", "email": "d@example.com", "password": PASSWORD})
    dana = trail.step("POST /api/access/users", made, "user.create")
    changed = admin.put(f"{users}/{dana['id']}", {"password": PASSWORD})
    trail.step("PUT /api/access/users/<id>", changed, "user.update")
    disabled = admin.put(f"{users}/{dana['id']}", {"is_active": False})
    trail.step("PUT /api/access/users/<id>", disabled, "user.update")
    trail.step("PUT /api/access/users/<id>", admin.put(f"{users}/{dana['id']}", {"is_active": False}))
    enabled = admin.put(f"{users}/{dana['id']}", {"is_active": True})
    trail.step("PUT /api/access/users/<id>", enabled, "user.update")

    body = {"name": "Operators", "permissions": [{"artifact": "jobs", "can_view": True}]}
    role = trail.step("POST /api/access/roles", admin.post(roles, body), "role.create")
    path = f"{users}/{dana['id']}/roles"
    given = "user.roles_assigned"
    for role_ids, actions in (([role["id"]], [given]), ([role["id"]], []), ([], [given])):
        trail.step("POST /api/access/users/<id>/roles", admin.post(path, {"role_ids": role_ids}), *actions)
    trail.step("PUT /api/access/roles/<id>", admin.put(f"{roles}/{role['id']}", body), "role.update")
    trail.step("PUT /api/access/roles/<id>", admin.put(f"{roles}/{role['id']}", {"name": "Operators"}))
    trail.step("DELETE /api/access/roles/<id>", admin.delete(f"{roles}/{role['id']}"), "role.delete")

    account = {"username": "erin", "password": PASSWORD}
    trail.step("POST /api/auth/register", anonymous.post("/api/auth/register", account), "user.create")
    forgot = anonymous.post(
        "/api/auth/forgot", {"username": "dana", "email": "d@example.com", "newPassword": f"{PASSWORD}!"}
    )
    trail.step("POST /api/auth/forgot", forgot, "user.password_changed")
    asked = anonymous.post("/ui/forgot", data={"username": "dana", "email": "d@example.com"})
    trail.step("POST /ui/forgot", asked, "auth.reset_requested")
    told = ("user.reset_link_made", "user.password_changed")
    reset = anonymous.post("/api/auth/reset", {"token": link(app), "newPassword": PASSWORD})
    trail.step("POST /api/auth/reset", reset, *told)
    reset = anonymous.post("/ui/reset", data={"token": link(app), "password": PASSWORD})
    trail.step("POST /ui/reset", reset, *told)


def link(app: Flask) -> str:
    """The token of a new link for dana."""
    with app.app_context():
        return accounts.make_link("dana").rpartition("=")[2]


def sessions(trail: Trail, admin: Api) -> None:
    form = {"username": "dana", "password": PASSWORD}

    def logged_in(**more: str) -> tuple[Api, Any]:
        answer = Api(admin.client).post("/api/auth/login", data={**form, **more})
        tokens = trail.step("POST /api/auth/login", answer, "auth.login")
        return Api(admin.client, Authorization=f"Bearer {tokens['access_token']}"), tokens

    dana, tokens = logged_in(scope="offline_access")
    refreshed = Api(admin.client).post("/api/auth/refresh", {"refresh_token": tokens["refresh_token"]})
    trail.step("POST /api/auth/refresh", refreshed)
    other, _ = logged_in()
    (mine,) = (row["id"] for row in dana.ok(dana.get("/api/auth/sessions")) if not row["current"])
    trail.step("DELETE /api/auth/sessions/<id>", dana.delete(f"/api/auth/sessions/{mine}"), "session.delete")
    other, _ = logged_in()
    trail.step("POST /api/auth/logout", other.post("/api/auth/logout"), "auth.logout")
    user = dana.ok(dana.get("/api/auth/me"))["user"]["id"]
    session = next(row["id"] for row in admin.ok(admin.get("/api/sessions")) if row["user_id"] == user)
    trail.step("DELETE /api/sessions/<id>", admin.delete(f"/api/sessions/{session}"), "session.delete")
    ended = admin.post(f"/api/access/users/{user}/end_sessions")
    trail.step("POST /api/access/users/<id>/end_sessions", ended, "user.sessions_ended")
    made = admin.post("/api/api-tokens", {"name": "ci", "scopes": ["jobs:view"]})
    token = trail.step("POST /api/api-tokens", made, "api_token.create")
    trail.step("DELETE /api/api-tokens/<id>", admin.delete(f"/api/api-tokens/{token['id']}"), "api_token.delete")


def settings(trail: Trail, admin: Api) -> None:
    security = {"password_min_length": 10}
    trail.step("PUT /api/settings/<group>", admin.put("/api/settings/security", security), "settings.update")
    trail.step("PUT /api/settings/<group>", admin.put("/api/settings/security", security))
    with MailServer() as mails:
        admin.ok(admin.put("/api/settings/email", mails.settings))
        answer = admin.post("/api/settings/email/test", {"to": "ops@example.com"})
    trail.step("POST /api/settings/email/test", answer, "settings.update", "settings.mail_test")


def things(trail: Trail, admin: Api) -> None:
    machine = trail.step("POST /api/machines", admin.post("/api/machines", {"name": "HOST-9"}), "machine.create")
    trail.step("DELETE /api/machines/<id>", admin.delete(f"/api/machines/{machine['id']}"), "machine.delete")

    package = trail.step("POST /api/packages/upload", admin.upload(zipped({"main.py": ""})), "package.create")
    path = f"/api/packages/{package['id']}"
    trail.step("PUT /api/packages/<id>", admin.put(path, {"is_active": False}), "package.update")
    trail.step("PUT /api/packages/<id>", admin.put(path, {"is_active": True}), "package.update")
    trail.step("POST /api/packages/<id>/deactivate", admin.post(f"{path}/deactivate"), "package.update")
    trail.step("POST /api/packages/<id>/activate", admin.post(f"{path}/activate"), "package.update")

    body: dict[str, Any] = {"name": "Demo", "package_id": package["id"], "script_path": "main.py"}
    process = trail.step("POST /api/processes", admin.post("/api/processes", body), "process.create")
    path = f"/api/processes/{process['id']}"
    trail.step("PUT /api/processes/<id>", admin.put(path, {"description": "x"}), "process.update")
    other = admin.a_package("another")
    admin.ok(admin.put(path, {"package_id": other["id"]}))
    answer = admin.post(f"{path}/roll-back", {"version": 1})
    told = ("package.create", "process.update", "process.update")
    trail.step("POST /api/processes/<id>/roll-back", answer, *told)
    trail.step("DELETE /api/processes/<id>", admin.delete(path), "process.delete")
    trail.step("DELETE /api/packages/<id>", admin.delete(f"/api/packages/{package['id']}"), "package.delete")

    body = {"name": "api-key", "type": "secret", "value": "canary"}
    asset = trail.step("POST /api/assets", admin.post("/api/assets", body), "asset.create")
    path = f"/api/assets/{asset['id']}"
    trail.step("PUT /api/assets/<id>", admin.put(path, {"value": "another"}), "asset.update")
    trail.step("DELETE /api/assets/<id>", admin.delete(path), "asset.delete")

    queue = trail.step("POST /api/queues", admin.post("/api/queues", {"name": "invoices"}), "queue.create")
    queue_path = f"/api/queues/{queue['id']}"
    trail.step("PUT /api/queues/<id>", admin.put(queue_path, {"description": "x"}), "queue.update")
    made = admin.post("/api/queue-items", {"queue_id": queue["id"], "payload": {}})
    item = trail.step("POST /api/queue-items", made, "queue_item.create")
    path = f"/api/queue-items/{item['id']}"
    trail.step("PUT /api/queue-items/<id>", admin.put(path, {"status": "in_progress"}), "queue_item.started")
    admin.ok(admin.put(path, {"status": "failed"}))
    told = ("queue_item.failed", "queue_item.requeued")
    trail.step("POST /api/queue-items/<id>/retry", admin.post(f"{path}/retry"), *told)
    trail.step("DELETE /api/queue-items/<id>", admin.delete(path), "queue_item.delete")
    trail.step("DELETE /api/queues/<id>", admin.delete(queue_path), "queue.delete")

    body = {"name": "with-login", "credential": {"username": "bot", "password": "canary"}}
    robot = trail.step("POST /api/robots", admin.post("/api/robots", body), "asset.create", "robot.create")
    path = f"/api/robots/{robot['id']}"
    trail.step("PUT /api/robots/<id>", admin.put(path, {"name": "renamed"}), "robot.update")
    trail.step("POST /api/robots/<id>/heartbeat", admin.post(f"{path}/heartbeat"), "robot.online")
    trail.step("POST /api/robots/<id>/drain", admin.post(f"{path}/drain"), "robot.update")
    trail.step("POST /api/robots/<id>/resume", admin.post(f"{path}/resume"), "robot.update")
    trail.step("DELETE /api/robots/<id>", admin.delete(path), "robot.delete")


def work(trail: Trail, admin: Api) -> None:
    process = admin.a_process()
    machine = admin.ok(admin.post("/api/machines", {"name": "HOST-1"}))["id"]
    admin.ok(admin.post("/api/assets", {"name": "api-key", "type": "secret", "value": "canary"}))
    prepared = ("package.create", "process.create", "machine.create", "asset.create")
    job = admin.post("/api/jobs", {"process_id": process["id"]})
    trail.step("POST /api/jobs", job, *prepared, "job.create")
    path = f"/api/jobs/{job.get_json()['id']}"
    trail.step("PUT /api/jobs/<id>", admin.put(path, {"parameters": {"a": 1}}), "job.update")
    trail.step("POST /api/jobs/<id>/cancel", admin.post(f"{path}/cancel"), "job.canceled")
    trail.step("POST /api/jobs/<id>/retry", admin.post(f"{path}/retry"), "job.create")

    renewed = admin.post(f"/api/machines/{machine}/renew_key")
    trail.step("POST /api/machines/<id>/renew_key", renewed, "machine.key_renewed")
    key = renewed.get_json()["machine_key"]
    anonymous, proof = Api(admin.client), {"X-Machine-Key": key}
    for actions in (["robot.create", "robot.online"], ["robot.registered"]):
        answer = anonymous.post("/api/runner/register-robot", {"name": "robot-9"}, headers=proof)
        robot = trail.step("POST /api/runner/register-robot", answer, *actions)
    api = admin.as_robot(robot["api_token"])
    trail.step("POST /api/runner/heartbeat", api.post("/api/runner/heartbeat", {}))
    answer = api.post("/api/runner/next-job", {})
    trail.step("POST /api/runner/next-job", answer, "job.started")
    trail.step("POST /api/runner/next-job", api.post("/api/runner/next-job", {}))
    lease = {"X-Lease-Token": answer.get_json()["job"]["lease_token"]}
    path = f"/api/runner/jobs/{answer.get_json()['job']['id']}"
    api = Api(admin.client, **api.headers, **lease)
    trail.step("POST /api/runner/jobs/<id>/log", api.post(f"{path}/log", {"sequence": 1, "text": "x"}))
    left = api.post(f"{path}/artifacts", data={"file": (io.BytesIO(b"x"), "report.txt")})
    trail.step("POST /api/runner/jobs/<id>/artifacts", left)
    api.ok(api.get("/api/runner/assets/api-key"))
    items(trail, admin, api)
    done = api.post(f"{path}/update", {"status": "completed"})
    trail.step("POST /api/runner/jobs/<id>/update", done, "job.completed")
    trail.step("POST /api/runner/jobs/<id>/update", api.post(f"{path}/update", {"status": "completed"}))

    admin.ok(admin.post("/api/jobs", {"process_id": process["id"]}))
    held = claim(admin.as_robot(robot["api_token"]))
    admin.ok(admin.post(f"/api/jobs/{held['id']}/cancel"))
    lease = {"X-Lease-Token": held["lease_token"]}
    path = f"/api/runner/jobs/{held['id']}/stopped"
    answer = admin.as_robot(robot["api_token"]).post(path, {"words": "it ended by itself"}, headers=lease)
    told = ("job.create", "job.started", "job.canceled", "job.stopped")
    trail.step("POST /api/runner/jobs/<id>/stopped", answer, *told)

    admin.ok(admin.post("/api/jobs", {"process_id": process["id"]}))
    held = claim(admin.as_robot(robot["api_token"]))
    path, lease = f"/api/runner/jobs/{held['id']}/release", {"X-Lease-Token": held["lease_token"]}
    answer = admin.as_robot(robot["api_token"]).post(path, {}, headers=lease)
    trail.step("POST /api/runner/jobs/<id>/release", answer, "job.create", "job.started", "job.failed")


def items(trail: Trail, admin: Api, api: Api) -> None:
    """What a running job does with the items of a queue."""
    queue = admin.ok(admin.post("/api/queues", {"name": "orders", "max_retries": 0}))
    many = admin.post("/api/queue-items/bulk", {"queue_id": queue["id"], "items": [{"payload": 1}, {"payload": 2}]})
    told = ("asset.revealed", "queue.create", "queue.items_added")
    trail.step("POST /api/queue-items/bulk", many, *told)
    added = api.post("/api/runner/queues/orders/items", {"payload": 3})
    trail.step("POST /api/runner/queues/<path:name>/items", added, "queue_item.create")
    takes = "POST /api/runner/queues/<path:name>/next"
    for ends, body, action in (
        ("release", {}, "queue_item.released"),
        ("complete", {"result": 1}, "queue_item.completed"),
        ("fail", {"kind": "business", "error_message": "no amount"}, "queue_item.failed"),
    ):
        item = trail.step(takes, api.post("/api/runner/queues/orders/next", {}), "queue_item.started")["item"]
        path, lease = f"/api/runner/queue-items/{item['id']}", {"item_lease": item["item_lease"]}
        trail.step("POST /api/runner/queue-items/<id>/renew", api.post(f"{path}/renew", lease))
        ended = api.post(f"{path}/{ends}", {**lease, **body})
        trail.step(f"POST /api/runner/queue-items/<id>/{ends}", ended, action)


def tools(trail: Trail, admin: Api) -> None:
    anonymous, auth = Api(admin.client), "/api/sdk/auth"

    def started() -> dict[str, Any]:
        answer = anonymous.post(f"{auth}/start", {"machine_name": "DEV-1"})
        return {"session_id": trail.step("POST /api/sdk/auth/start", answer)["session_id"]}

    login = started()
    trail.step("POST /api/sdk/auth/confirm", admin.post(f"{auth}/confirm", login), "sdk_login.confirmed")
    trail.step("POST /api/sdk/auth/status", anonymous.post(f"{auth}/status", login))
    trail.step("POST /api/sdk/auth/deny", admin.post(f"{auth}/deny", started()), "sdk_login.denied")
    answer = admin.post("/sdk-auth", data={**started(), "decision": "confirm"})
    trail.step("POST /sdk-auth", answer, "sdk_login.confirmed")


def webhooks(trail: Trail, app: Flask, admin: Api) -> None:
    body = {"name": "Tickets", "url": "https://tickets.example.com", "event_types": ["webhook.*"]}
    made = trail.step("POST /api/webhooks", admin.post("/api/webhooks", body), "webhook.create")
    path = f"/api/webhooks/{made['id']}"
    trail.step("PUT /api/webhooks/<id>", admin.put(path, {"concurrency": 1}), "webhook.update")
    trail.step("POST /api/webhooks/<id>/test", admin.post(f"{path}/test"), "webhook.tested")
    rotated = admin.post(f"{path}/rotate_secret")
    trail.step("POST /api/webhooks/<id>/rotate_secret", rotated, "webhook.secret_rotated")
    again = "webhook.redelivered"
    trail.step("POST /api/webhooks/<id>/redeliver", admin.post(f"{path}/redeliver"), again)
    replayed = admin.post(f"{path}/replay", {"since": "2026-11-02T08:00:00Z"})
    trail.step("POST /api/webhooks/<id>/replay", replayed, again)
    Mover(app).plan()
    (*_, delivery) = Mover(app).all()
    answer = admin.post(f"/api/webhook-deliveries/{delivery.id}/redeliver")
    trail.step("POST /api/webhook-deliveries/<id>/redeliver", answer, again)
    trail.step("DELETE /api/webhooks/<id>", admin.delete(path), "webhook.delete")
    admin.ok(admin.post("/api/webhooks", body))


def alerts(trail: Trail, app: Flask, admin: Api) -> None:
    """What the rule raises is told of where nobody calls."""
    silent(app, admin, "silent")
    body = {"name": "Silent robots", "condition": "robot_offline"}
    answer = admin.post("/api/alert-rules", body)
    made = trail.step("POST /api/alert-rules", answer, "webhook.create", "robot.create", "alert_rule.create")
    path = f"/api/alert-rules/{made['id']}"
    judge(app)
    changed = admin.put(path, {"is_active": False})
    trail.step("PUT /api/alert-rules/<id>", changed, "alert.raised", "alert.resolved", "alert_rule.update")
    trail.step("DELETE /api/alert-rules/<id>", admin.delete(path), "alert_rule.delete")


def mail_notifications(trail: Trail, admin: Api) -> None:
    body = {"name": "Jobs", "recipients": ["ops@example.com"], "event_types": ["job.failed"]}
    answer = admin.post("/api/mail-notifications", body)
    made = trail.step("POST /api/mail-notifications", answer, "mail_notification.create")
    path = f"/api/mail-notifications/{made['id']}"
    changed = admin.put(path, {"digest_minutes": 60})
    trail.step("PUT /api/mail-notifications/<id>", changed, "mail_notification.update")
    trail.step("POST /api/mail-notifications/<id>/test", admin.post(f"{path}/test"), "mail_notification.tested")
    trail.step("DELETE /api/mail-notifications/<id>", admin.delete(path), "mail_notification.delete")


def pages(trail: Trail, admin: Api) -> None:
    browser = admin.client
    answer = browser.post("/ui/login", data={"username": "admin", "password": "admin123"})
    trail.step("POST /ui/login", answer, "auth.login")
    job = admin.a_job(admin.ok(admin.get("/api/processes"))[0])
    found = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(f"/ui/jobs/{job['id']}").text)
    assert found
    form = {"csrf_token": found[1]}
    webhook = admin.ok(admin.get("/api/webhooks"))[0]
    answer = browser.post(f"/ui/webhooks/{webhook['id']}/replay", data={**form, "since": "2026-11-02T08:00"})
    trail.step("POST /ui/webhooks/<id>/replay", answer, "job.create", "webhook.redelivered")
    answer = browser.post(f"/ui/jobs/{job['id']}/cancel", data=form)
    trail.step("POST /ui/<entity>/<id>/<action>", answer, "job.canceled")
    page = f"/ui/processes/{job['process_id']}"
    trail.step("POST /ui/processes/<id>/run", browser.post(f"{page}/run", data=form), "job.create")
    other = admin.a_package("newer")
    admin.ok(admin.put(f"/api/processes/{job['process_id']}", {"package_id": other["id"]}))
    answer = browser.post(f"{page}/versions/1/roll-back", data=form)
    told = ("package.create", "process.update", "process.update")
    trail.step("POST /ui/processes/<id>/versions/<int:version>/roll-back", answer, *told)
    item = admin.ok(admin.get("/api/queue-items?status=failed"))[0]
    queue = f"/ui/queues/{item['queue_id']}"
    group = re.search(r'name="fingerprint" value="(\w+)"', browser.get(queue).text)
    assert group
    answer = browser.post(f"{queue}/retry-failed", data={**form, "fingerprint": group[1]})
    trail.step("POST /ui/queues/<id>/retry-failed", answer, "queue_item.requeued")
    job = admin.a_job(admin.ok(admin.get("/api/processes"))[0])
    sheet = Browser(browser).form(f"/ui/jobs/bulk?action=cancel&ids={job['id']}")
    answer = Browser(browser).send(sheet, 200)
    trail.step("POST /ui/<entity>/bulk", answer, "job.create", "job.canceled")
    answer = Browser(browser).fill("/ui/queues/new", name="from a page")
    trail.step("POST /ui/<entity>/new", answer, "queue.create")
    answer = Browser(browser).fill(f"{answer.location}/edit", name="from another page")
    trail.step("POST /ui/<entity>/<id>/edit", answer, "queue.update")
    settings_pages(trail, admin, Browser(browser))
    profile(trail, Browser(browser))
    found = re.search(r'name="csrf_token" value="([^"]+)"', browser.get("/ui/").text)
    assert found
    form = {"csrf_token": found[1]}
    trail.step("POST /ui/logout", browser.post("/ui/logout", data=form), "auth.logout")


def profile(trail: Trail, browser: Browser) -> None:
    browser.log_in()
    number = re.search(r"/ui/profile/sessions/[0-9]+/end", browser.get("/ui/profile").text)
    assert number
    ended = browser.send(browser.form("/ui/profile", number[0]))
    trail.step("POST /ui/profile/sessions/<id>/end", ended, "auth.login", "session.delete")
    sheet = browser.form("/ui/profile", "/ui/profile/password")
    changed = browser.send(sheet, current_password="admin123", new_password=PASSWORD)
    trail.step("POST /ui/profile/password", changed, "user.password_changed")


def settings_pages(trail: Trail, admin: Api, browser: Browser) -> None:
    path = "/ui/settings/general"
    trail.step("POST /ui/settings/<group>", browser.fill(path, instance_name="Here"), "settings.update")
    trail.step("POST /ui/settings/<group>", browser.fill(path, reset="instance_name"), "settings.update")
    with MailServer() as mails:
        admin.ok(admin.put("/api/settings/email", mails.settings))
        sheet = browser.form("/ui/settings/email", "/ui/settings/email/test")
        answer = browser.send(sheet, to="ops@example.com")
    trail.step("POST /ui/settings/email/test", answer, "settings.update", "settings.mail_test")
