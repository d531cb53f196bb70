"""What the reference document promises, as a client that was written from it alone meets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from client.seed_client import ENDPOINTS, Json, Refused, SeedClient, parsed
from support.api import zipped
from support.runners import Runner, wait_for_job
from support.servers import Server

Unique = Callable[[str], str]
ZIP = zipped({"main.py": "print('hello')", "tools/other.py": "print('other')"})


# --- what the tests share


@contextmanager
def refused(*statuses: int) -> Iterator[Any]:
    """The call inside is answered with one of these statuses, and with a `detail` for a human being."""
    with pytest.raises(Refused) as refusal:
        yield refusal
    assert refusal.value.status in statuses, refusal.value
    assert isinstance(refusal.value.detail, str), refusal.value
    assert refusal.value.detail


def a_process(admin: SeedClient, name: str) -> Json:
    package = admin.upload_package(f"{name}_1.0.0.zip", ZIP)
    return admin.create_process(name=name, package_id=package["id"], script_path="main.py")


def a_runner(anyone: SeedClient, name: str) -> tuple[int, SeedClient]:
    registered = anyone.register_robot(name, "HOST (OS Linux)")
    return registered["robot_id"], anyone.as_robot(registered["api_token"])


def ids(rows: list[Json]) -> list[int]:
    return [row["id"] for row in rows]


def names(rows: list[Json]) -> list[str]:
    return [row["name"] for row in rows]


# --- the whole list


def test_every_endpoint_of_the_document_answers(anyone: SeedClient, unique: Unique) -> None:
    anyone.root()
    admin = anyone.as_user("admin", "admin123")
    name = unique("tour")

    user = anyone.register(username=name, email=f"{name}@example.com", password="correct horse")
    anyone.forgot(name, f"{name}@example.com", "correct battery")
    admin.me()
    admin.overview()

    asset = admin.create_asset(name=name, type="text", value="1")
    assert admin.update_asset(asset["id"], value="2")["value"] == "2"
    assert admin.asset(asset["id"]) in admin.assets()
    admin.delete_asset(asset["id"])

    package = admin.upload_package(f"{name}_1.0.0.zip", ZIP)
    assert admin.update_package(package["id"], is_active=True)["id"] == package["id"]
    assert admin.package(package["id"])["name"] == name
    assert name in names(admin.packages())
    process = admin.create_process(name=name, package_id=package["id"], script_path="main.py")
    assert admin.update_process(process["id"], is_active=True)["id"] == process["id"]
    assert admin.process(process["id"])["script_path"] == "main.py"
    assert process["id"] in ids(admin.processes())

    machine = admin.create_machine(name=name, mode="runner")
    assert admin.machine(machine["id"])["name"] == name
    assert machine["id"] in ids(admin.machines())
    robot = admin.create_robot(name=name)
    assert admin.update_robot(robot["id"], machine_id=machine["id"])["machine_id"] == machine["id"]
    assert admin.wake_robot(robot["id"])
    assert admin.robot(robot["id"])["status"] == "online"
    assert robot["id"] in ids(admin.robots())
    admin.delete_robot(robot["id"])
    admin.delete_machine(machine["id"])

    robot_id, runner = a_runner(anyone, unique("runner"))
    assert runner.heartbeat(robot_id, "HOST")["status"] == "ok"
    job = admin.create_job(process_id=process["id"])
    assert admin.update_job(job["id"], robot_id=robot_id)["robot_id"] == robot_id
    claimed = runner.next_job(robot_id)
    assert claimed
    assert claimed["id"] == job["id"]
    assert runner.download_package(package["id"]) == ZIP
    assert runner.update_job_result(job["id"], "completed") == {"status": "ok"}
    assert admin.job(job["id"])["status"] == "completed"
    assert job["id"] in ids(admin.jobs())
    admin.cancel_job(admin.create_job(process_id=process["id"])["id"])

    other = admin.create_process(name=unique("tour"), package_id=package["id"], script_path="main.py")
    admin.delete_process(other["id"])
    unused = admin.upload_package(f"{name}_1.0.1.zip", ZIP)
    admin.delete_package(unused["id"])

    queue = admin.create_queue(name=name)
    assert admin.update_queue(queue["id"], name=name)["id"] == queue["id"]
    assert admin.queue(queue["id"])["name"] == name
    assert queue["id"] in ids(admin.queues())
    item = admin.create_queue_item(queue_id=queue["id"])
    assert admin.update_queue_item(item["id"], status=item["status"])["id"] == item["id"]
    assert admin.queue_item(item["id"])["queue_id"] == queue["id"]
    assert item["id"] in ids(admin.queue_items())
    admin.delete_queue_item(item["id"])
    admin.delete_queue(queue["id"])

    role = admin.create_role(name=name, permissions=[])
    assert admin.update_role(role["id"], name=name)["id"] == role["id"]
    assert admin.role(role["id"])["permissions"] == []
    assert role["id"] in ids(admin.roles())
    assert user["id"] in ids(admin.users())
    admin.assign_roles(user["id"], [role["id"]])
    assert admin.roles_of_user(user["id"])
    admin.assign_roles(user["id"], [])
    admin.delete_role(role["id"])

    event = admin.audit()[0]
    assert admin.audit_event(event["id"])["id"] == event["id"]
    assert set(admin.settings()) == {"general", "security", "jobs", "email", "logging"}
    admin.update_settings("general", admin.settings_group("general"))

    session = anyone.sdk_start(name)
    admin.sdk_confirm(session["session_id"])
    assert anyone.sdk_status(session["session_id"])["status"] == "confirmed"

    assert admin.answered == ENDPOINTS


def test_the_root_answers_a_message(anyone: SeedClient) -> None:
    assert isinstance(anyone.root()["message"], str)  # its words differ: decision 18


def test_swagger_is_at_docs(server: Server) -> None:
    page = requests.get(f"{server.url}/docs", timeout=30)
    assert (page.status_code, "swagger" in page.text.lower()) == (200, True)


# --- the common workflows, 1 to 6


def test_a_job_goes_from_upload_to_audit(anyone: SeedClient, unique: Unique) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    name = unique("invoice")
    token = anyone.login("admin", "admin123")
    assert token["token_type"].lower() == "bearer"
    admin = anyone.with_token(token["access_token"])

    package = admin.upload_package(f"{name}_1.2.3.zip", ZIP)
    assert (package["name"], package["version"], package["is_active"]) == (name, "1.2.3", True)
    assert package["scripts"] == ["main.py", "tools/other.py"]  # the data model's `scripts_manifest`, as it is recorded

    process = admin.create_process(name=name, package_id=package["id"], script_path="main.py")
    assert (process["package_id"], process["script_path"], process["version"]) == (package["id"], "main.py", 1)
    assert process["is_active"] is True

    robot_id, runner = a_runner(anyone, unique("runner"))
    assert admin.robot(robot_id)["status"] == "online"
    assert runner.next_job(robot_id) is None

    job = admin.create_job(process_id=process["id"], parameters={"foo": "bar"})
    assert (job["status"], job["package_id"], job["robot_id"]) == ("pending", package["id"], None)
    assert parsed(job["parameters"]) == {"foo": "bar"}
    assert (job["started_at"], job["finished_at"], job["error_message"]) == (None, None, None)
    assert job["created_at"]

    claimed = runner.next_job(robot_id)
    assert claimed
    assert (claimed["id"], claimed["status"], claimed["parameters"]) == (job["id"], "running", {"foo": "bar"})
    process_seen = {"id": process["id"], "name": name, "script_path": "main.py", "package_id": package["id"]}
    assert process_seen.items() <= claimed["process"].items()
    assert {"id": package["id"], "name": name, "version": "1.2.3"}.items() <= claimed["package"].items()
    assert admin.robot(robot_id)["current_job_id"] == job["id"]
    running = admin.job(job["id"])
    assert (running["status"], running["robot_id"], bool(running["started_at"])) == ("running", robot_id, True)

    assert runner.download_package(package["id"]) == ZIP
    assert runner.heartbeat(robot_id, "HOST (OS other)")["status"] == "ok"
    assert admin.robot(robot_id)["machine_info"] == "HOST (OS other)"
    told = runner.update_job_result(job["id"], "completed", {"return_code": 0}, logs="last N lines here")
    assert told == {"status": "ok"}

    finished = admin.job(job["id"])
    assert (finished["status"], bool(finished["finished_at"])) == ("completed", True)
    result = parsed(finished["result"])
    assert result["return_code"] == 0
    assert "last N lines here" in str(result)
    assert admin.robot(robot_id)["current_job_id"] is None

    window = {"from_time": before.isoformat(), "to_time": (datetime.now(UTC) + timedelta(seconds=1)).isoformat()}
    created = admin.audit(action_type="created", entity_type="job", entity_id=job["id"], **window)
    assert [event["action_type"] for event in created] == ["created"]
    assert created[0]["entity_display"]
    changed = admin.audit(action="status_changed", entity_type="job", entity_id=job["id"], **window)
    assert {event["action_type"] for event in changed} == {"status_changed"}
    assert admin.audit(entity_id=job["id"], entity_type="job", to_time=before.isoformat()) == []
    details = admin.audit_event(created[0]["id"])
    assert {"before_data", "after_data", "metadata"} <= details.keys()  # the names that are recorded
    assert (parsed(details["before_data"]), parsed(details["after_data"])["status"]) == (None, "pending")


def test_the_real_runner_does_a_job_of_this_client(server: Server, admin: SeedClient, tmp_path: Path, unique: Unique):
    server.session.headers.update(admin.headers)
    name = unique("real")
    with Runner(server, tmp_path / "home", unique("real-runner")):
        job = admin.create_job(process_id=a_process(admin, name)["id"])
        wait_for_job(server, job["id"])
    finished = admin.job(job["id"])
    assert finished["status"] == "completed", finished["error_message"]
    assert "hello" in str(parsed(finished["result"]))


def test_the_audit_trail_can_be_searched_in_every_way_that_the_document_names(
    admin: SeedClient, unique: Unique
) -> None:
    started = datetime.now(UTC)
    name = unique("searched")
    asset = admin.create_asset(name=name, type="text", value="1")
    admin.update_asset(asset["id"], value="2")
    admin.delete_asset(asset["id"])
    me = next(user for user in admin.users() if user["username"] == "admin")
    later = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()

    of_asset = {"entity_type": "asset", "entity_id": asset["id"]}
    events = admin.audit(**of_asset, from_time=started.isoformat())  # SQLite gives the id of a deleted row again
    assert [event["action_type"] for event in events] == ["deleted", "modified", "created"]
    for same in (
        {"user": "admin"},
        {"username": "admin"},
        {"user_id": me["id"]},
        {"from": started.isoformat()},
        {"from_time": started.replace(tzinfo=None).isoformat()},
        {"to": later},
        {"to_time": later},
        {"search": name},
        {"q": name},
    ):
        assert ids(admin.audit(**of_asset, **({"from_time": started.isoformat()} | same))) == ids(events), same
    for none in (
        {"user": "nobody-at-all"},
        {"username": "nobody-at-all"},
        {"user_id": 10**9},
        {"from": later},
        {"from_time": later},
        {"to": started.isoformat(), "search": name},
        {"to_time": started.isoformat(), "search": name},
        {"search": unique("other")},
        {"q": unique("other")},
        {"entity_type": "robot", "search": name},
        {"action": "logout", "search": name},
    ):
        assert admin.audit(**(of_asset | none)) == [], none
    for key in ("action", "action_type"):
        assert ids(admin.audit(search=name, **{key: "modified"})) == [events[1]["id"]]
    assert ids(admin.audit(search=name, page=2, page_size=1)) == [events[1]["id"]]

    modified = admin.audit_event(events[1]["id"])
    assert (parsed(modified["before_data"])["value"], parsed(modified["after_data"])["value"]) == ("1", "2")
    assert admin.audit(action="login", user="admin")
    with refused(404):
        admin.audit_event(10**9)


# --- accounts


def test_a_visitor_registers_resets_the_password_and_signs_in(anyone: SeedClient, unique: Unique) -> None:
    name = unique("user")
    anyone.register(username=name, email=f"{name}@example.com", password="correct horse")
    me = anyone.as_user(name, "correct horse").me()
    assert name in str(me)
    assert isinstance(me["roles"], list)
    assert isinstance(me["permissions"], dict)
    with refused(400, 409):
        anyone.register(username=name, email=f"{name}@example.com", password="correct horse")

    anyone.forgot(name, f"{name}@example.com", "correct battery")
    with refused(401):
        anyone.login(name, "correct horse")
    anyone.login(name, "correct battery")


@pytest.mark.parametrize(("username", "password"), [("admin", "wrong"), ("nobody", "admin123")])
def test_a_wrong_password_is_told(anyone: SeedClient, username: str, password: str) -> None:
    with refused(400, 401):
        anyone.login(username, password)


def test_nothing_is_told_without_a_valid_token(anyone: SeedClient) -> None:
    for nobody in (anyone, anyone.with_token("not a token")):
        for call in (nobody.me, nobody.overview, nobody.assets, nobody.processes, nobody.packages, nobody.machines):
            with refused(401):
                call()
        for call in (nobody.robots, nobody.jobs, nobody.queues, nobody.queue_items, nobody.roles, nobody.users):
            with refused(401):
                call()
        for call in (nobody.audit, nobody.settings):
            with refused(401):
                call()
    for nobody in (anyone, anyone.as_robot("not a token")):
        with refused(401):
            nobody.heartbeat(1, "HOST")
        with refused(401):
            nobody.next_job(1)
        with refused(401):
            nobody.update_job_result(1, "completed")
        with refused(401):
            nobody.download_package(1)


def test_a_role_gives_its_permissions_to_its_users(anyone: SeedClient, admin: SeedClient, unique: Unique) -> None:
    name = unique("operator")
    user = anyone.register(username=name, email=f"{name}@example.com", password="correct horse")
    operator = anyone.as_user(name, "correct horse")
    with refused(403):
        operator.assets()

    role = admin.create_role(name=name, permissions=[{"artifact": "assets", "can_view": True, "can_create": True}])
    admin.assign_roles(user["id"], [role["id"]])
    assert name in str(admin.roles_of_user(user["id"]))
    operator = anyone.as_user(name, "correct horse")
    assert name in str(operator.me()["roles"])
    asset = operator.create_asset(name=unique("asset"), type="text", value="1")
    assert asset["id"] in ids(operator.assets())
    with refused(403):
        operator.delete_asset(asset["id"])
    for denied in (operator.jobs, operator.robots, operator.audit, operator.settings, operator.users, operator.roles):
        with refused(403):
            denied()

    admin.update_role(role["id"], name=unique("renamed"))
    assert operator.assets() is not None  # only the name was replaced
    admin.update_role(role["id"], permissions=[{"artifact": "jobs", "can_view": True}])
    operator = anyone.as_user(name, "correct horse")
    operator.jobs()
    with refused(403):
        operator.assets()
    assert admin.audit(entity_type="role", entity_id=role["id"])


# --- entities


@pytest.mark.parametrize(("type_", "value"), [("text", "hello"), ("int", "42"), ("boolean", "true")])
def test_an_asset_keeps_its_value(admin: SeedClient, unique: Unique, type_: str, value: str) -> None:
    name = unique("asset")
    asset = admin.create_asset(name=name, type=type_, value=value)
    assert (asset["type"], asset["value"]) == (type_, value)
    assert [row["id"] for row in admin.assets(search=name)] == [asset["id"]]
    admin.delete_asset(asset["id"])
    with refused(404):
        admin.asset(asset["id"])


@pytest.mark.parametrize(
    ("type_", "secret"),
    [("secret", {"value": "s3cret-value"}), ("credential", {"username": "svc", "password": "s3cret-value"})],
)
def test_a_secret_is_masked(admin: SeedClient, unique: Unique, type_: str, secret: dict[str, str]) -> None:
    asset = admin.create_asset(name=unique("hidden"), type=type_, **secret)
    for seen in (asset, admin.asset(asset["id"]), *admin.assets(search=asset["name"])):
        assert seen["value"] == "***"
        assert "s3cret-value" not in str(seen)
    changed = {field: "s3cret-value-2" for field in secret if field != "username"}
    assert admin.update_asset(asset["id"], **changed)["value"] == "***"
    events = [admin.audit_event(row["id"]) for row in admin.audit(entity_type="asset", search=asset["name"])]
    assert [event["action"] for event in events] == ["asset.update", "asset.create"]
    assert "s3cret-value" not in str(events)


@pytest.mark.parametrize("type_", ["Text", "TEXT", "Int", "Boolean", "Secret", "Credential"])
def test_legacy_casing_of_asset_types_is_normalized(admin: SeedClient, unique: Unique, type_: str) -> None:
    secret = {"int": {"value": "1"}, "boolean": {"value": "true"}, "credential": {"username": "u", "password": "p"}}
    asset = admin.create_asset(name=unique("legacy"), type=type_, **secret.get(type_.lower(), {"value": "v"}))
    assert asset["type"] == type_.lower()


def test_a_process_gets_a_new_version_when_its_definition_changes(admin: SeedClient, unique: Unique) -> None:
    process = a_process(admin, unique("versioned"))
    assert admin.update_process(process["id"], script_path="tools/other.py")["version"] == 2
    assert admin.update_process(process["id"], script_path="tools/other.py")["version"] == 2
    assert admin.process(process["id"])["version"] == 2


def test_processes_are_searched_and_filtered_by_activity(admin: SeedClient, unique: Unique) -> None:
    first, second = (a_process(admin, unique("filtered")) for _ in range(2))
    assert ids(admin.processes(search=first["name"])) == [first["id"]]
    assert admin.update_process(second["id"], is_active=False)["is_active"] is False
    active = ids(admin.processes(active_only=True))
    assert (first["id"] in active, second["id"] in active) == (True, False)
    assert {first["id"], second["id"]} <= set(ids(admin.processes(active_only=False)))
    admin.delete_process(second["id"])
    with refused(404):
        admin.process(second["id"])


def test_packages_are_versions_that_are_searched_and_filtered(admin: SeedClient, unique: Unique) -> None:
    name = unique("package")
    old, new = (admin.upload_package(f"{name}_{version}.zip", ZIP) for version in ("1.0.0", "1.10.0"))
    assert admin.update_package(old["id"], is_active=False)["is_active"] is False
    assert ids(admin.packages(name=name, active_only=True)) == [new["id"]]
    assert set(ids(admin.packages(search=name))) == {old["id"], new["id"]}
    for change in ({"name": unique("renamed")}, {"version": "2.0.0"}):
        with refused(409):  # decision 5: what jobs were made of never changes, so name and version stay
            admin.update_package(old["id"], **change)
    admin.delete_package(old["id"])
    with refused(404):
        admin.package(old["id"])


def test_only_a_zip_is_a_package(admin: SeedClient, unique: Unique) -> None:
    with refused(400, 415, 422):
        admin.upload_package(f"{unique('text')}_1.0.0.txt", b"hello")
    with refused(400, 422):
        admin.upload_package(f"{unique('broken')}_1.0.0.zip", b"hello")


def test_a_script_outside_of_the_package_is_refused(admin: SeedClient, unique: Unique) -> None:
    name = unique("wrong")
    package = admin.upload_package(f"{name}_1.0.0.zip", ZIP)
    with refused(400, 422):
        admin.create_process(name=name, package_id=package["id"], script_path="missing.py")
    with refused(400, 404, 422):
        admin.create_process(name=name, package_id=10**9, script_path="main.py")


def test_a_machine_shows_its_key_once_and_stays_while_it_has_robots(admin: SeedClient, unique: Unique) -> None:
    machine = admin.create_machine(name=unique("machine"), mode="runner")
    assert machine["machine_key"]
    assert (machine["mode"], machine["status"]) == ("runner", "disconnected")
    assert {"last_seen_at", "created_at", "updated_at"} <= machine.keys()
    for seen in (admin.machine(machine["id"]), *admin.machines()):
        assert not seen.get("machine_key")
    assert not admin.create_machine(name=unique("machine"), mode="agent").get("machine_key")
    with refused(400, 409):
        admin.create_machine(name=machine["name"], mode="runner")

    robot = admin.create_robot(name=unique("robot"), machine_id=machine["id"])
    with refused(400, 409):
        admin.delete_machine(machine["id"])
    admin.delete_robot(robot["id"])
    admin.delete_machine(machine["id"])
    with refused(404):
        admin.machine(machine["id"])


def test_an_operator_manages_robots(admin: SeedClient, anyone: SeedClient, unique: Unique) -> None:
    name = unique("robot")
    robot = admin.create_robot(name=name, credential={"username": "svc", "password": "s3cret-value"})
    assert robot["api_token"]
    assert robot["credential_asset_id"]
    assert "s3cret-value" not in str(robot)
    assert admin.asset(robot["credential_asset_id"])["value"] == "***"
    assert robot["status"] == "offline"
    assert ids(admin.robots(search=name, status="offline")) == [robot["id"]]
    with refused(400, 409):
        admin.create_robot(name=name)

    admin.wake_robot(robot["id"])
    online = admin.robot(robot["id"])
    assert (online["status"], bool(online["last_heartbeat"])) == ("online", True)
    assert ids(admin.robots(search=name, status="offline")) == []
    assert ids(admin.robots(search=name, status="online")) == [robot["id"]]
    assert anyone.as_robot(robot["api_token"]).next_job(robot["id"]) is None
    renamed = unique("renamed")
    assert admin.update_robot(robot["id"], name=renamed)["name"] == renamed
    admin.delete_robot(robot["id"])
    with refused(404):
        admin.robot(robot["id"])


# --- jobs and their runners


def test_a_robot_that_registers_again_is_the_same_robot(admin: SeedClient, anyone: SeedClient, unique: Unique) -> None:
    name = unique("again")
    first = anyone.register_robot(name, "HOST (OS one)")
    assert first.keys() == {"robot_id", "api_token", "name"}
    with refused(401):  # decision 9: a name that exists asks for the key of its machine
        anyone.register_robot(name, "HOST (OS two)")

    machine = admin.create_machine(name=unique("machine"), mode="runner")
    admin.update_robot(first["robot_id"], machine_id=machine["id"])
    with_key = SeedClient(anyone.url, anyone.answered, **{"X-Machine-Key": machine["machine_key"]})
    second = with_key.register_robot(name, "HOST (OS two)")
    assert (second["robot_id"], second["name"]) == (first["robot_id"], name)
    assert admin.robot(first["robot_id"])["machine_info"] == "HOST (OS two)"
    assert anyone.as_robot(second["api_token"]).heartbeat(first["robot_id"], "HOST")["status"] == "ok"
    with refused(401):  # decision 9: the token before it has ended
        anyone.as_robot(first["api_token"]).heartbeat(first["robot_id"], "HOST")


def test_a_robot_gets_the_oldest_job_for_it_or_for_anyone(
    admin: SeedClient, anyone: SeedClient, unique: Unique
) -> None:
    process = a_process(admin, unique("ordered"))["id"]
    (mine, runner), (other, other_runner) = (a_runner(anyone, unique("runner")) for _ in range(2))
    foreign = admin.create_job(process_id=process, robot_id=other)
    assigned = admin.create_job(process_id=process, robot_id=mine)
    free = admin.create_job(process_id=process)
    claimed = runner.next_job(mine)
    assert claimed
    assert claimed["id"] == assigned["id"]
    with refused(400, 403, 404, 409):
        other_runner.update_job_result(assigned["id"], "completed")
    with refused(400, 422):
        runner.update_job_result(assigned["id"], "canceled")
    runner.update_job_result(assigned["id"], "failed", error_message="it broke")
    failed = admin.job(assigned["id"])
    assert (failed["status"], failed["error_message"]) == ("failed", "it broke")
    with refused(400, 409):
        runner.update_job_result(assigned["id"], "completed")
    claimed = runner.next_job(mine)
    assert claimed
    assert claimed["id"] == free["id"]
    runner.update_job_result(free["id"], "completed")

    assert ids(admin.jobs(process_id=process, status="pending")) == [foreign["id"]]
    assert set(ids(admin.jobs(process_id=process, robot_id=mine))) == {assigned["id"], free["id"]}
    assert len(admin.jobs(process_id=process)) == 3
    with refused(401, 403):
        other_runner.next_job(mine)
    with refused(401, 403):
        other_runner.heartbeat(mine, "HOST")
    admin.cancel_job(foreign["id"])


def test_pending_and_running_jobs_are_canceled(admin: SeedClient, anyone: SeedClient, unique: Unique) -> None:
    process = a_process(admin, unique("canceled"))["id"]
    robot_id, runner = a_runner(anyone, unique("runner"))
    pending = admin.create_job(process_id=process, robot_id=robot_id)
    assert admin.cancel_job(pending["id"])["status"] == "canceled"
    assert runner.next_job(robot_id) is None
    with refused(400, 409):
        admin.cancel_job(pending["id"])

    running = admin.create_job(process_id=process, robot_id=robot_id)
    assert runner.next_job(robot_id)
    assert admin.cancel_job(running["id"])["status"] == "canceled"
    assert admin.job(running["id"])["status"] == "canceled"
    assert admin.robot(robot_id)["current_job_id"] is None
    with refused(400, 409):
        runner.update_job_result(running["id"], "completed")


def test_an_operator_edits_a_job(admin: SeedClient, anyone: SeedClient, unique: Unique) -> None:
    process = a_process(admin, unique("edited"))["id"]
    robot_id, runner = a_runner(anyone, unique("runner"))
    job = admin.create_job(process_id=process)
    assert admin.update_job(job["id"], robot_id=robot_id)["robot_id"] == robot_id
    with refused(409):  # decision 15: only a robot starts a job
        admin.update_job(job["id"], status="running")
    assert runner.next_job(robot_id)
    told = admin.update_job(job["id"], status="failed", result={"rows": 3}, error_message="by hand")
    assert (told["status"], parsed(told["result"]), told["error_message"]) == ("failed", {"rows": 3}, "by hand")
    assert admin.robot(robot_id)["current_job_id"] is None
    with refused(409):  # decision 15
        admin.update_job(job["id"], status="completed")


# --- queues


def test_queues_are_searched_and_filtered(admin: SeedClient, unique: Unique) -> None:
    first, second = (admin.create_queue(name=unique("queue")) for _ in range(2))
    assert ids(admin.queues(search=first["name"])) == [first["id"]]
    admin.update_queue(second["id"], is_active=False)
    active = ids(admin.queues(active_only=True))
    assert (first["id"] in active, second["id"] in active) == (True, False)
    admin.delete_queue(second["id"])
    with refused(404):
        admin.queue(second["id"])


def test_items_are_listed_by_queue_and_status(admin: SeedClient, unique: Unique) -> None:
    queue, other = (admin.create_queue(name=unique("queue"))["id"] for _ in range(2))
    item = admin.create_queue_item(queue_id=queue, payload={"order": 1})
    admin.create_queue_item(queue_id=other)
    assert parsed(item["payload"]) == {"order": 1}
    assert ids(admin.queue_items(queue_id=queue)) == [item["id"]]
    assert ids(admin.queue_items(queue_id=queue, status=item["status"])) == [item["id"]]
    assert admin.queue_items(queue_id=queue, status="completed") == []
    with refused(409):  # decision 15: an item is worked on before it is completed
        admin.update_queue_item(item["id"], status="completed")
    for status in ("in_progress", "completed"):
        assert admin.update_queue_item(item["id"], status=status)["status"] == status
    assert ids(admin.queue_items(queue_id=queue, status="completed")) == [item["id"]]
    admin.delete_queue_item(item["id"])
    with refused(404):
        admin.queue_item(item["id"])
    with refused(400, 404, 422):
        admin.create_queue_item(queue_id=10**9)


# --- settings and dashboard


@pytest.mark.parametrize("group", ["general", "security", "jobs", "email", "logging"])
def test_a_settings_group_is_put_back_as_it_was_got(admin: SeedClient, group: str) -> None:
    values = admin.settings_group(group)
    assert values == admin.settings()[group]
    assert admin.update_settings(group, values) == values


@pytest.mark.parametrize(
    ("group", "name", "value"),
    [
        ("general", "instance_name", "Factory"),
        ("security", "session_minutes", 60),
        ("security", "self_registration", True),
        ("security", "self_registration", None),
        ("security", "allowed_domains", ["example.com"]),
    ],
)
def test_a_setting_keeps_its_type_and_its_change_is_audited(
    admin: SeedClient, group: str, name: str, value: object
) -> None:
    """The document names the groups only; the settings are ours."""
    before = admin.settings_group(group)
    changed = {**before, name: value}
    assert admin.update_settings(group, {name: value}) == admin.settings_group(group) == changed
    if changed != before:
        event = admin.audit_event(admin.audit(entity_type="settings", entity_id=group, action="modified")[0]["id"])
        assert parsed(event["after_data"])[name] == value
    admin.update_settings(group, before)


def test_an_unknown_settings_group_is_refused(admin: SeedClient) -> None:
    with refused(400, 404):
        admin.settings_group("colors")
    with refused(400, 404):
        admin.update_settings("colors", {"primary": "red"})


def test_the_dashboard_shows_robots_and_recent_jobs(admin: SeedClient, anyone: SeedClient, unique: Unique) -> None:
    name = unique("shown")
    robot_id, _ = a_runner(anyone, name)
    job = admin.create_job(process_id=a_process(admin, name)["id"], robot_id=robot_id)
    overview = admin.overview()
    lists = [value for value in overview.values() if isinstance(value, list)]
    assert any(row.get("name") == name for rows in lists for row in rows)
    assert any(row.get("id") == job["id"] and "process" in str(row) for rows in lists for row in rows)
    admin.cancel_job(job["id"])


# --- SDK authentication


def test_an_sdk_session_gives_one_short_lived_narrow_token(
    admin: SeedClient, anyone: SeedClient, unique: Unique
) -> None:
    machine = unique("dev-host")
    session = anyone.sdk_start(machine)
    left = datetime.fromisoformat(session["expires_at"]) - datetime.now(UTC)
    assert timedelta(minutes=4) < left <= timedelta(minutes=5)
    session_id = session["session_id"]
    assert anyone.sdk_start(machine)["session_id"] != session_id  # decision 13: sessions are never shared
    assert anyone.sdk_status(session_id) == {"status": "pending"}
    with refused(401):
        anyone.sdk_confirm(session_id)
    for _ in range(2):  # idempotent
        admin.sdk_confirm(session_id)

    confirmed = anyone.sdk_status(session_id)
    assert confirmed["status"] == "confirmed"
    assert confirmed["user"]["username"] == "admin"
    assert datetime.fromisoformat(confirmed["expires_at"]) > datetime.now(UTC)
    assert anyone.sdk_status(session_id) == {"status": "expired"}  # single use
    with refused(400, 404, 409, 410):
        admin.sdk_confirm(session_id)
    assert anyone.sdk_start(machine)["session_id"] != session_id

    sdk = anyone.with_token(confirmed["access_token"])
    queue = admin.create_queue(name=unique("queue"))
    sdk.assets()
    assert queue["id"] in ids(sdk.queues())
    assert sdk.create_queue_item(queue_id=queue["id"])["queue_id"] == queue["id"]
    for denied in (
        sdk.robots,
        sdk.jobs,
        sdk.me,
        sdk.overview,
        sdk.queue_items,
        lambda: sdk.upload_package("denied_1.0.0.zip", ZIP),
        lambda: sdk.create_asset(name="denied", type="text", value="1"),
        lambda: sdk.sdk_confirm(anyone.sdk_start(machine)["session_id"]),
    ):
        with refused(403):
            denied()
    with refused(401, 403):
        sdk.next_job(1)


def test_an_unknown_sdk_session_is_expired(admin: SeedClient, anyone: SeedClient) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    assert anyone.sdk_status(unknown) == {"status": "expired"}
    with refused(400, 404, 410):
        admin.sdk_confirm(unknown)
