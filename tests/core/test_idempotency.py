"""`Idempotency-Key`: a POST that is sent again is carried out once and answered twice."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update
from sqlalchemy.exc import OperationalError
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import abort
from werkzeug.test import TestResponse, encode_multipart

from bvo import events, idempotency, idempotency_keys, secrets, sessions
from bvo.database import db, transaction, utcnow
from bvo.idempotency_keys import IN_FLIGHT, RETENTION, IdempotencyKey
from bvo.worker import CORE_TASKS
from bvo_hookspecs import Principal
from support.api import Api, zipped
from support.plugins import Site
from support.problems import refused
from support.state import State
from support.things import Thing, ThingService, make_tables

THINGS = "/api/things"
REPLAYED = "Idempotent-Replayed"


@pytest.fixture
def app(site: Site, make_app: Callable[..., Flask]) -> Flask:
    """In place of the usual app: one with things."""
    site.declare("support.things", entry_point="things")
    app = make_app()
    with app.app_context():
        make_tables()
    return app


def send(api: Api, path: str, body: Any = None, key: str = "key-1") -> TestResponse:
    return api.post(path, body, headers={"Idempotency-Key": key})


def create(api: Api, name: str = "cup", key: str = "key-1") -> TestResponse:
    return send(api, THINGS, {"name": name}, key)


def names(app: Flask) -> list[str]:
    with app.app_context():
        return list(db.session.scalars(select(Thing.name).order_by(Thing.id)))


def keys(app: Flask) -> int:
    with app.app_context():
        return len(db.session.scalars(select(IdempotencyKey.id)).all())


def grow_old(app: Flask, age: timedelta) -> None:
    """Let every key that there is be of this age."""
    with app.app_context(), transaction() as session:
        session.execute(update(IdempotencyKey).values(started_at=utcnow() - age))


def in_a_thread(call: Callable[[], TestResponse]) -> TestResponse:
    """As another client would call: inside of a request, this thread would share that request's session."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result(30)


def test_the_same_request_again_gets_the_same_answer_and_does_nothing(admin: Api, app: Flask, state: State) -> None:
    first = create(admin)
    assert (first.status_code, REPLAYED in first.headers) == (201, False)
    with state.unchanged():
        second = create(admin)
    assert second.status_code == 201
    assert second.data == first.data
    assert second.headers[REPLAYED] == "true"
    for header in ("Content-Type", "ETag"):
        assert second.headers.get(header) == first.headers.get(header)
    assert names(app) == ["cup"]


def test_without_a_key_every_request_is_carried_out(admin: Api, app: Flask) -> None:
    admin.ok(admin.post(THINGS, {"name": "cup"}))
    refused(admin.post(THINGS, {"name": "cup"}), 409, "already exists")
    assert keys(app) == 0


def test_the_key_of_another_request_is_refused(admin: Api, app: Flask) -> None:
    create(admin)
    refused(create(admin, "jug"), 422, "used for another request")
    other_query = send(admin, f"{THINGS}?dry=1", {"name": "cup"})
    refused(other_query, 422, "used for another request")
    assert names(app) == ["cup"]


def test_a_key_belongs_to_its_user_and_its_route(admin: Api, user_with: Callable[..., Api], app: Flask) -> None:
    create(admin)
    other = user_with("things:create")
    assert create(other, "jug").status_code == 201
    assert send(admin, "/api/queues", {"name": "q"}).status_code == 201
    assert REPLAYED in send(admin, f"{THINGS}/", {"name": "cup"}).headers  # the same resource, however it is written
    assert names(app) == ["cup", "jug"]


def test_a_refusal_is_repeated_as_well(admin: Api, app: Flask) -> None:
    refused(create(admin, ""), 422)
    again = create(admin, "")
    refused(again, 422)
    assert again.headers[REPLAYED] == "true"


@pytest.mark.parametrize("status", [401, 403, 412, 429])
def test_a_refusal_that_may_pass_frees_the_key(
    admin: Api, app: Flask, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(ThingService, "create", lambda self, data: abort(status, "Not now, but perhaps later."))
        refused(create(admin), status)
    assert keys(app) == 0
    assert create(admin).status_code == 201


def test_who_may_not_call_stores_nothing(
    admin: Api, anonymous: Api, user_with: Callable[..., Api], app: Flask, state: State
) -> None:
    nobody, (_, robot) = user_with("things:view"), admin.a_robot()
    with state.unchanged():
        refused(create(anonymous), 401)
    with state.denied():
        refused(create(nobody), 403)
        refused(create(robot), 403)


def test_a_key_is_a_quoted_string_or_a_bare_one(admin: Api) -> None:
    create(admin, key='"8e03978e-40d5"')
    assert REPLAYED in create(admin, key="8e03978e-40d5").headers
    assert create(admin, "jug", key="k" * 255).status_code == 201


@pytest.mark.parametrize("key", ["", '""', "k" * 256, "two words", "k\u00e9y", "tab\tbed"])
def test_a_key_that_is_none_is_refused(admin: Api, app: Flask, key: str) -> None:
    refused(create(admin, key=key), 400, "Idempotency-Key must have 1 to 255 visible ASCII characters")
    assert names(app) == []


def test_an_action_is_carried_out_once(admin: Api, state: State) -> None:
    made = create(admin).get_json()
    for _ in range(2):
        assert send(admin, f"{THINGS}/{made['id']}/paint").status_code == 200
    assert [row["type"] for row in state.rows("events")].count("thing.painted") == 1


def test_robots_and_public_routes_have_no_keys(admin: Api, anonymous: Api, app: Flask) -> None:
    _, robot = admin.a_robot()
    for _ in range(2):
        assert REPLAYED not in send(robot, "/api/runner/next-job", {}).headers
        login = {"username": "admin", "password": "wrong"}
        refused(anonymous.post("/api/auth/login", data=login, headers={"Idempotency-Key": "key-1"}), 401)
    assert keys(app) == 0


def test_while_the_first_request_runs_the_second_is_told_to_wait(
    admin: Api, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, meanwhile = ThingService.create, []

    def creates(self: ThingService, data: Any) -> Any:
        monkeypatch.setattr(ThingService, "create", real)
        meanwhile.append(in_a_thread(lambda: create(admin)))
        meanwhile.append(in_a_thread(lambda: create(admin, "jug")))
        return real(self, data)

    monkeypatch.setattr(ThingService, "create", creates)
    assert create(admin).status_code == 201
    refused(meanwhile[0], 409, "still being carried out")
    assert meanwhile[0].headers["Retry-After"] == "1"
    refused(meanwhile[1], 422)
    assert REPLAYED in create(admin).headers
    assert names(app) == ["cup"]


def test_of_many_at_once_one_is_carried_out(admin: Api, app: Flask) -> None:
    gate = threading.Barrier(8)

    def call(_: int) -> TestResponse:
        api = Api(app.test_client(), **admin.headers)
        gate.wait(10)
        while (answer := create(api)).status_code == 409:
            assert answer.headers["Retry-After"] == "1"
        return answer

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(call, range(8)))
    assert [answer.status_code for answer in answers] == [201] * 8
    assert sorted(REPLAYED in answer.headers for answer in answers) == [False] + [True] * 7
    assert len({answer.data for answer in answers}) == 1
    assert names(app) == ["cup"]


def test_a_failure_of_the_server_frees_the_key(admin: Api, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(events, "emit", fails)  # inside of the transaction, which is rolled back
        refused(create(admin), 500)
    assert (names(app), keys(app)) == ([], 0)
    assert create(admin).status_code == 201


def test_a_failure_after_the_commit_does_not_create_twice(
    admin: Api, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ThingService.create

    def creates_and_fails(self: ThingService, data: Any) -> Any:
        real(self, data)
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(ThingService, "create", creates_and_fails)
        refused(create(admin), 500)
    refused(create(admin), 409, "was carried out, but its answer is lost")
    assert names(app) == ["cup"]


class Killed(BaseException):
    """Ends a request as the end of its process would: nothing after it runs."""


def test_a_process_that_dies_before_the_commit_leaves_nothing_and_the_key_is_free_after_a_while(
    admin: Api, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(events, "emit", dies)
        with pytest.raises(Killed):
            create(admin)
    refused(create(admin), 409, "still being carried out")
    grow_old(app, IN_FLIGHT)
    assert create(admin).status_code == 201
    assert names(app) == ["cup"]


def test_a_process_that_dies_after_the_commit_is_known_to_have_created(
    admin: Api, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = ThingService.create

    def creates_and_dies(self: ThingService, data: Any) -> Any:
        real(self, data)
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(ThingService, "create", creates_and_dies)
        with pytest.raises(Killed):
            create(admin)
    refused(create(admin), 409, "still being carried out")
    grow_old(app, IN_FLIGHT)
    refused(create(admin), 409, "was carried out, but its answer is lost")
    assert names(app) == ["cup"]


def test_a_request_that_was_overtaken_can_not_commit(admin: Api, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """It was frozen for longer than a request counts as running, and then wakes up."""
    real, second = ThingService.create, []

    def freezes(self: ThingService, data: Any) -> Any:
        monkeypatch.setattr(ThingService, "create", real)
        grow_old(app, IN_FLIGHT)
        second.append(in_a_thread(lambda: create(admin)))
        return real(self, {"name": "of the frozen one"})

    monkeypatch.setattr(ThingService, "create", freezes)
    refused(create(admin), 409, "It took so long")
    assert second[0].status_code == 201
    assert names(app) == ["cup"]
    assert create(admin).data == second[0].data


def test_an_answer_that_can_not_be_kept_is_given_all_the_same(
    admin: Api, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> None:
        raise OperationalError("UPDATE", {}, ConnectionError("gone"))

    with monkeypatch.context() as patched:
        patched.setattr(idempotency, "_settle", fails)
        assert create(admin).status_code == 201
    grow_old(app, IN_FLIGHT)
    refused(create(admin), 409, "its answer is lost")


def test_an_answer_that_is_too_large_is_not_kept(admin: Api, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "MAX_ANSWER_BYTES", 10)
    assert create(admin).status_code == 201
    refused(create(admin), 409, "its answer is lost")
    assert names(app) == ["cup"]


def test_a_key_is_forgotten_after_a_day(admin: Api, app: Flask) -> None:
    create(admin)
    grow_old(app, RETENTION - timedelta(minutes=1))
    assert REPLAYED in create(admin).headers
    grow_old(app, RETENTION)
    assert create(admin, "jug").status_code == 201
    assert names(app) == ["cup", "jug"]


def test_expired_keys_are_removed_in_batches(admin: Api, app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency_keys, "BATCH", 2)
    for number in range(5):
        create(admin, f"cup {number}", f"key-{number}")
    grow_old(app, RETENTION + timedelta(seconds=1))
    create(admin, "new", "key-new")
    assert "prune_idempotency_keys" in [task.name for task in CORE_TASKS]
    with app.app_context():
        idempotency_keys.prune()
    assert keys(app) == 1
    assert REPLAYED in create(admin, "new", "key-new").headers


def test_a_secret_that_is_shown_once_is_nowhere_in_clear_and_is_replayed(admin: Api, app: Flask, state: State) -> None:
    first = send(admin, "/api/robots", {"name": "r1"})
    token = first.get_json()["api_token"]
    assert token not in str(state.everything())
    assert send(admin, "/api/robots", {"name": "r1"}).get_json()["api_token"] == token


def test_a_stored_answer_that_is_moved_to_another_row_can_not_be_read(admin: Api, app: Flask) -> None:
    create(admin)
    create(admin, "jug", "key-2")
    with app.app_context(), transaction() as session:
        first, second = session.scalars(select(IdempotencyKey).order_by(IdempotencyKey.id))
        second.body = first.body
    refused(create(admin, "jug", "key-2"), 409, "its answer is lost")
    assert create(admin).status_code == 201


def post(app: Flask) -> TestResponse:
    """Create a queue, as the administrator of that app."""
    with app.app_context():
        token = sessions.issue(Principal(kind="user", id=1, name="admin")).access
    return send(Api(app.test_client(), Authorization=f"Bearer {token}"), "/api/queues", {"name": "q"})


def test_a_stored_fingerprint_can_not_be_guessed_from_the_request(make_app: Callable[..., Flask]) -> None:
    """Else it would be a fast hash of every password that is sent."""
    post(make_app(BVO_SECRET_KEY="a" * 32))
    refused(post(make_app(BVO_SECRET_KEY="b" * 32)), 422, "another request")


def test_stored_answers_move_to_a_new_encryption_key(make_app: Callable[..., Flask]) -> None:
    old, new = "A" * 43, "B" * 43
    first = post(make_app(BVO_ENCRYPTION_KEY=old))
    with make_app(BVO_ENCRYPTION_KEY=f"{new},{old}").app_context():
        assert secrets.count() == 1
        assert secrets.rotate(lambda done: None) == 1
    again = post(make_app(BVO_ENCRYPTION_KEY=new))
    assert (again.data, again.headers[REPLAYED]) == (first.data, "true")


def upload(api: Api, content: bytes, boundary: str, name: str = "demo", key: str = "key-1") -> TestResponse:
    form = {"file": FileStorage(io.BytesIO(content), "demo.zip"), "name": name, "version": "1.0.0"}
    _, body = encode_multipart(form, boundary=boundary)
    kind = f"multipart/form-data; boundary={boundary}"
    return api.post("/api/packages/upload", data=body, headers={"Idempotency-Key": key, "Content-Type": kind})


def test_an_upload_is_the_same_whatever_its_boundary(admin: Api, state: State) -> None:
    content = zipped({"main.py": "print('hi')", "data.bin": bytes(5 * 1024 * 1024)})  # more than other bodies may have
    first = upload(admin, content, "first")
    assert first.status_code == 200
    with state.unchanged():
        second = upload(admin, content, "second")
        refused(upload(admin, zipped({"main.py": "print('ho')"}), "third"), 422, "another request")
        refused(upload(admin, content, "fourth", name="other"), 422, "another request")
    assert (second.data, second.headers[REPLAYED]) == (first.data, "true")
    assert len(state.rows("packages")) == 1


def test_the_key_stands_in_the_api_description_of_each_route_that_honours_it(anonymous: Api) -> None:
    document = anonymous.ok(anonymous.get("/openapi.json"))
    reference = {"$ref": "#/components/parameters/Idempotency-Key"}
    with_key = {
        path
        for path, operations in document["paths"].items()
        if reference in operations.get("post", {}).get("parameters", [])
    }
    assert {THINGS, f"{THINGS}/{{row_id}}/paint", "/api/packages/upload", "/api/jobs"} <= with_key
    assert not {path for path in with_key if path.startswith("/api/runner")} | ({"/api/auth/login"} & with_key)
    assert {"409", "422"} <= set(document["paths"][THINGS]["post"]["responses"])
    assert document["components"]["parameters"]["Idempotency-Key"]["in"] == "header"
