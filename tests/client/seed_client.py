"""A client of the orchestrator, written from the reference document alone: it knows HTTP and nothing of the product.

One method per endpoint of the document, each with the document's own line. Where the document names no fields, a method
passes on what it is given. An answer that is not a success is raised as `Refused`.
"""

from __future__ import annotations

import json as jsonlib
import re
from typing import Any

import requests

Json = dict[str, Any]

ENDPOINTS = frozenset(
    tuple(line.split())
    for line in """
    GET /
    POST /api/auth/login
    POST /api/auth/register
    POST /api/auth/forgot
    GET /api/auth/me
    GET /api/dashboard/overview
    GET /api/assets
    GET /api/assets/{asset_id}
    POST /api/assets
    PUT /api/assets/{asset_id}
    DELETE /api/assets/{asset_id}
    GET /api/processes
    GET /api/processes/{process_id}
    POST /api/processes
    PUT /api/processes/{process_id}
    DELETE /api/processes/{process_id}
    POST /api/packages/upload
    GET /api/packages
    GET /api/packages/{pkg_id}
    PUT /api/packages/{pkg_id}
    DELETE /api/packages/{pkg_id}
    GET /api/packages/{package_id}/download
    GET /api/machines
    POST /api/machines
    GET /api/machines/{machine_id}
    DELETE /api/machines/{machine_id}
    GET /api/robots
    GET /api/robots/{robot_id}
    POST /api/robots
    PUT /api/robots/{robot_id}
    DELETE /api/robots/{robot_id}
    POST /api/robots/{robot_id}/heartbeat
    GET /api/jobs
    GET /api/jobs/{job_id}
    POST /api/jobs
    PUT /api/jobs/{job_id}
    POST /api/jobs/{job_id}/cancel
    GET /api/queues
    GET /api/queues/{queue_id}
    POST /api/queues
    PUT /api/queues/{queue_id}
    DELETE /api/queues/{queue_id}
    GET /api/queue-items
    GET /api/queue-items/{item_id}
    POST /api/queue-items
    PUT /api/queue-items/{item_id}
    DELETE /api/queue-items/{item_id}
    GET /api/access/roles
    GET /api/access/roles/{role_id}
    POST /api/access/roles
    PUT /api/access/roles/{role_id}
    DELETE /api/access/roles/{role_id}
    GET /api/access/users
    GET /api/access/users/{user_id}/roles
    POST /api/access/users/{user_id}/roles
    GET /api/audit
    GET /api/audit/{event_id}
    GET /api/settings
    GET /api/settings/{group}
    PUT /api/settings/{group}
    POST /api/runner/register-robot
    POST /api/runner/heartbeat
    POST /api/runner/next-job
    POST /api/runner/jobs/{job_id}/update
    POST /api/sdk/auth/start
    POST /api/sdk/auth/confirm
    GET /api/sdk/auth/status
    """.strip().splitlines()
)


class Refused(Exception):
    """The server did not do it: its status and what it says in `detail`."""

    def __init__(self, response: requests.Response) -> None:
        self.status = response.status_code
        try:
            self.detail = response.json()["detail"]
        except (ValueError, KeyError, TypeError):
            self.detail = None
        super().__init__(f"{response.request.method} {response.url}: {response.status_code} {response.text[:500]}")


class SeedClient:
    """The API with the headers of one principal; `answered` holds the endpoints that answered with a success."""

    def __init__(self, url: str, answered: set[tuple[str, str]] | None = None, **headers: str) -> None:
        self.url = url
        self.answered = set() if answered is None else answered
        self.headers = headers

    def as_user(self, username: str, password: str) -> SeedClient:
        return self.with_token(self.login(username, password)["access_token"])

    def with_token(self, access_token: str) -> SeedClient:
        return SeedClient(self.url, self.answered, Authorization=f"Bearer {access_token}")

    def as_robot(self, api_token: str) -> SeedClient:
        return SeedClient(self.url, self.answered, **{"X-Robot-Token": api_token})

    def as_anyone(self) -> SeedClient:
        return SeedClient(self.url, self.answered)

    # --- Root

    def root(self) -> Json:
        """`GET /` — simple root response (`{"message": "Hello FastAPI!"}`)"""
        return self._call("GET", "/")

    # --- Auth

    def login(self, username: str, password: str) -> Json:
        """`POST /api/auth/login` — login (OAuth2 password form: `username`, `password`)"""
        return self._call("POST", "/api/auth/login", data={"username": username, "password": password})

    def register(self, **user: Any) -> Json:
        """`POST /api/auth/register` — register a user (JSON payload)"""
        return self._call("POST", "/api/auth/register", json=user)

    def forgot(self, username: str, email: str, new_password: str) -> Json:
        """`POST /api/auth/forgot` — reset password (JSON: `username`, `email`, `newPassword`)"""
        body = {"username": username, "email": email, "newPassword": new_password}
        return self._call("POST", "/api/auth/forgot", json=body)

    def me(self) -> Json:
        """`GET /api/auth/me` — returns current user + roles + permissions map"""
        return self._call("GET", "/api/auth/me")

    # --- Dashboard

    def overview(self) -> Json:
        """`GET /api/dashboard/overview` — dashboard summary, robot list, recent jobs"""
        return self._call("GET", "/api/dashboard/overview")

    # --- Assets

    def assets(self, search: str | None = None) -> list[Json]:
        """`GET /api/assets?search=` — list assets"""
        return self._call("GET", "/api/assets", query={"search": search})

    def asset(self, asset_id: int) -> Json:
        """`GET /api/assets/{asset_id}` — get asset"""
        return self._call("GET", "/api/assets/{asset_id}", asset_id)

    def create_asset(self, **asset: Any) -> Json:
        """`POST /api/assets` — create asset"""
        return self._call("POST", "/api/assets", json=asset)

    def update_asset(self, asset_id: int, **changes: Any) -> Json:
        """`PUT /api/assets/{asset_id}` — update asset"""
        return self._call("PUT", "/api/assets/{asset_id}", asset_id, json=changes)

    def delete_asset(self, asset_id: int) -> None:
        """`DELETE /api/assets/{asset_id}` — delete asset"""
        self._call("DELETE", "/api/assets/{asset_id}", asset_id)

    # --- Processes

    def processes(self, search: str | None = None, active_only: bool | None = None) -> list[Json]:
        """`GET /api/processes?search=&active_only=` — list processes"""
        return self._call("GET", "/api/processes", query={"search": search, "active_only": active_only})

    def process(self, process_id: int) -> Json:
        """`GET /api/processes/{process_id}` — get process"""
        return self._call("GET", "/api/processes/{process_id}", process_id)

    def create_process(self, **process: Any) -> Json:
        """`POST /api/processes` — create process"""
        return self._call("POST", "/api/processes", json=process)

    def update_process(self, process_id: int, **changes: Any) -> Json:
        """`PUT /api/processes/{process_id}` — update process (increments `version` when definition changes)"""
        return self._call("PUT", "/api/processes/{process_id}", process_id, json=changes)

    def delete_process(self, process_id: int) -> None:
        """`DELETE /api/processes/{process_id}` — delete process"""
        self._call("DELETE", "/api/processes/{process_id}", process_id)

    # --- Packages

    def upload_package(self, file_name: str, content: bytes) -> Json:
        """`POST /api/packages/upload` — upload package zip (multipart form)"""
        return self._call("POST", "/api/packages/upload", files={"file": (file_name, content)})

    def packages(
        self, search: str | None = None, active_only: bool | None = None, name: str | None = None
    ) -> list[Json]:
        """`GET /api/packages?search=&active_only=&name=` — list packages"""
        return self._call("GET", "/api/packages", query={"search": search, "active_only": active_only, "name": name})

    def package(self, pkg_id: int) -> Json:
        """`GET /api/packages/{pkg_id}` — get package"""
        return self._call("GET", "/api/packages/{pkg_id}", pkg_id)

    def update_package(self, pkg_id: int, **changes: Any) -> Json:
        """`PUT /api/packages/{pkg_id}` — update package (name/version/active)"""
        return self._call("PUT", "/api/packages/{pkg_id}", pkg_id, json=changes)

    def delete_package(self, pkg_id: int) -> None:
        """`DELETE /api/packages/{pkg_id}` — delete package (best-effort deletes zip from disk)"""
        self._call("DELETE", "/api/packages/{pkg_id}", pkg_id)

    def download_package(self, package_id: int) -> bytes:
        """`GET /api/packages/{package_id}/download` — download package zip (**requires** `X-Robot-Token`)"""
        return self._call("GET", "/api/packages/{package_id}/download", package_id)

    # --- Machines

    def machines(self) -> list[Json]:
        """`GET /api/machines` — list machines"""
        return self._call("GET", "/api/machines")

    def create_machine(self, **machine: Any) -> Json:
        """`POST /api/machines` — create machine"""
        return self._call("POST", "/api/machines", json=machine)

    def machine(self, machine_id: int) -> Json:
        """`GET /api/machines/{machine_id}` — get machine"""
        return self._call("GET", "/api/machines/{machine_id}", machine_id)

    def delete_machine(self, machine_id: int) -> None:
        """`DELETE /api/machines/{machine_id}` — delete machine (blocked if robots exist)"""
        self._call("DELETE", "/api/machines/{machine_id}", machine_id)

    # --- Robots

    def robots(self, search: str | None = None, status: str | None = None) -> list[Json]:
        """`GET /api/robots?search=&status=` — list robots"""
        return self._call("GET", "/api/robots", query={"search": search, "status": status})

    def robot(self, robot_id: int) -> Json:
        """`GET /api/robots/{robot_id}` — get robot"""
        return self._call("GET", "/api/robots/{robot_id}", robot_id)

    def create_robot(self, **robot: Any) -> Json:
        """`POST /api/robots` — create robot (generates `api_token`)"""
        return self._call("POST", "/api/robots", json=robot)

    def update_robot(self, robot_id: int, **changes: Any) -> Json:
        """`PUT /api/robots/{robot_id}` — update robot"""
        return self._call("PUT", "/api/robots/{robot_id}", robot_id, json=changes)

    def delete_robot(self, robot_id: int) -> None:
        """`DELETE /api/robots/{robot_id}` — delete robot"""
        self._call("DELETE", "/api/robots/{robot_id}", robot_id)

    def wake_robot(self, robot_id: int) -> Json:
        """`POST /api/robots/{robot_id}/heartbeat` — operator-triggered heartbeat (sets robot online)"""
        return self._call("POST", "/api/robots/{robot_id}/heartbeat", robot_id)

    # --- Jobs

    def jobs(self, status: str | None = None, process_id: int | None = None, robot_id: int | None = None) -> list[Json]:
        """`GET /api/jobs?status=&process_id=&robot_id=` — list jobs"""
        return self._call("GET", "/api/jobs", query={"status": status, "process_id": process_id, "robot_id": robot_id})

    def job(self, job_id: int) -> Json:
        """`GET /api/jobs/{job_id}` — get job"""
        return self._call("GET", "/api/jobs/{job_id}", job_id)

    def create_job(self, **job: Any) -> Json:
        """`POST /api/jobs` — create job (creates `pending` job)"""
        return self._call("POST", "/api/jobs", json=job)

    def update_job(self, job_id: int, **changes: Any) -> Json:
        """`PUT /api/jobs/{job_id}` — update job (status/assignment/result/error)"""
        return self._call("PUT", "/api/jobs/{job_id}", job_id, json=changes)

    def cancel_job(self, job_id: int) -> Json:
        """`POST /api/jobs/{job_id}/cancel` — cancel job (pending/running → canceled)"""
        return self._call("POST", "/api/jobs/{job_id}/cancel", job_id)

    # --- Queues and their items

    def queues(self, search: str | None = None, active_only: bool | None = None) -> list[Json]:
        """`GET /api/queues?search=&active_only=` — list queues"""
        return self._call("GET", "/api/queues", query={"search": search, "active_only": active_only})

    def queue(self, queue_id: int) -> Json:
        """`GET /api/queues/{queue_id}` — get queue"""
        return self._call("GET", "/api/queues/{queue_id}", queue_id)

    def create_queue(self, **queue: Any) -> Json:
        """`POST /api/queues` — create queue"""
        return self._call("POST", "/api/queues", json=queue)

    def update_queue(self, queue_id: int, **changes: Any) -> Json:
        """`PUT /api/queues/{queue_id}` — update queue"""
        return self._call("PUT", "/api/queues/{queue_id}", queue_id, json=changes)

    def delete_queue(self, queue_id: int) -> None:
        """`DELETE /api/queues/{queue_id}` — delete queue"""
        self._call("DELETE", "/api/queues/{queue_id}", queue_id)

    def queue_items(self, queue_id: int | None = None, status: str | None = None) -> list[Json]:
        """`GET /api/queue-items?queue_id=&status=` — list queue items"""
        return self._call("GET", "/api/queue-items", query={"queue_id": queue_id, "status": status})

    def queue_item(self, item_id: int) -> Json:
        """`GET /api/queue-items/{item_id}` — get queue item"""
        return self._call("GET", "/api/queue-items/{item_id}", item_id)

    def create_queue_item(self, **item: Any) -> Json:
        """`POST /api/queue-items` — create queue item"""
        return self._call("POST", "/api/queue-items", json=item)

    def update_queue_item(self, item_id: int, **changes: Any) -> Json:
        """`PUT /api/queue-items/{item_id}` — update queue item"""
        return self._call("PUT", "/api/queue-items/{item_id}", item_id, json=changes)

    def delete_queue_item(self, item_id: int) -> None:
        """`DELETE /api/queue-items/{item_id}` — delete queue item"""
        self._call("DELETE", "/api/queue-items/{item_id}", item_id)

    # --- Access

    def roles(self) -> list[Json]:
        """`GET /api/access/roles` — list roles (+ permissions)"""
        return self._call("GET", "/api/access/roles")

    def role(self, role_id: int) -> Json:
        """`GET /api/access/roles/{role_id}` — get role"""
        return self._call("GET", "/api/access/roles/{role_id}", role_id)

    def create_role(self, **role: Any) -> Json:
        """`POST /api/access/roles` — create role (with permissions)"""
        return self._call("POST", "/api/access/roles", json=role)

    def update_role(self, role_id: int, **changes: Any) -> Json:
        """`PUT /api/access/roles/{role_id}` — update role (optionally replace permissions)"""
        return self._call("PUT", "/api/access/roles/{role_id}", role_id, json=changes)

    def delete_role(self, role_id: int) -> None:
        """`DELETE /api/access/roles/{role_id}` — delete role"""
        self._call("DELETE", "/api/access/roles/{role_id}", role_id)

    def users(self) -> list[Json]:
        """`GET /api/access/users` — list users"""
        return self._call("GET", "/api/access/users")

    def roles_of_user(self, user_id: int) -> Any:
        """`GET /api/access/users/{user_id}/roles` — get roles for user"""
        return self._call("GET", "/api/access/users/{user_id}/roles", user_id)

    def assign_roles(self, user_id: int, role_ids: list[int]) -> Any:
        """`POST /api/access/users/{user_id}/roles` — assign roles to user (`role_ids`)"""
        return self._call("POST", "/api/access/users/{user_id}/roles", user_id, json={"role_ids": role_ids})

    # --- Audit

    def audit(self, **filters: Any) -> list[Json]:
        """`GET /api/audit` — list audit events with filters

        - Time: `from_time`, `to_time` (also supports legacy `from`, `to`)
        - Actor: `user`, `username`, `user_id`
        - Action: `action` or `action_type` (`created|modified|deleted|status_changed|login|logout`)
        - Entity: `entity_type`, `entity_id`
        - Search: `search` (also supports legacy `q`)
        - Paging: `page`, `page_size`
        """
        page = self._call("GET", "/api/audit", query=filters)
        return page if isinstance(page, list) else page["items"]  # the document pages, and does not show a page

    def audit_event(self, event_id: int) -> Json:
        """`GET /api/audit/{event_id}` — get audit event details (before/after/metadata)"""
        return self._call("GET", "/api/audit/{event_id}", event_id)

    # --- Settings

    def settings(self) -> Json:
        """`GET /api/settings` — get all settings groups"""
        return self._call("GET", "/api/settings")

    def settings_group(self, group: str) -> Json:
        """`GET /api/settings/{group}` — get a settings group"""
        return self._call("GET", "/api/settings/{group}", group)

    def update_settings(self, group: str, values: Json) -> Json:
        """`PUT /api/settings/{group}` — update a settings group (audited)"""
        return self._call("PUT", "/api/settings/{group}", group, json=values)

    # --- Runner

    def register_robot(self, name: str, machine_info: str, **more: Any) -> Json:
        """`POST /api/runner/register-robot` — register/get robot token by name"""
        body = {"name": name, "machine_info": machine_info, **more}
        return self._call("POST", "/api/runner/register-robot", json=body)

    def heartbeat(self, robot_id: int, machine_info: str) -> Json:
        """`POST /api/runner/heartbeat` — runner heartbeat (**requires** `X-Robot-Token`)"""
        body = {"robot_id": robot_id, "machine_info": machine_info}
        return self._call("POST", "/api/runner/heartbeat", json=body)

    def next_job(self, robot_id: int) -> Json | None:
        """`POST /api/runner/next-job` — claim next job (**requires** `X-Robot-Token`)"""
        return self._call("POST", "/api/runner/next-job", json={"robot_id": robot_id})["job"]

    def update_job_result(
        self,
        job_id: int,
        status: str,
        result: Json | None = None,
        error_message: str | None = None,
        logs: str | None = None,
    ) -> Json:
        """`POST /api/runner/jobs/{job_id}/update` — set job `completed|failed` (**requires** `X-Robot-Token`)"""
        body = {"status": status, "result": result, "error_message": error_message, "logs": logs}
        return self._call("POST", "/api/runner/jobs/{job_id}/update", job_id, json=body)

    # --- SDK development auth

    def sdk_start(self, machine_name: str) -> Json:
        """`POST /api/sdk/auth/start` — start/reuse a 5-minute session (no auth)"""
        return self._call("POST", "/api/sdk/auth/start", json={"machine_name": machine_name})

    def sdk_confirm(self, session_id: str) -> Json:
        """`POST /api/sdk/auth/confirm` — confirm session (requires `Authorization: Bearer <user-jwt>`)"""
        return self._call("POST", "/api/sdk/auth/confirm", json={"session_id": session_id})

    def sdk_status(self, session_id: str) -> Json:
        """`GET /api/sdk/auth/status?session_id=...` — poll status (returns `pending|confirmed|expired`)"""
        return self._call("GET", "/api/sdk/auth/status", query={"session_id": session_id})

    # --- how a call is made

    def _call(self, method: str, endpoint: str, *ids: object, query: Json | None = None, **body: Any) -> Any:
        remaining = iter(ids)
        path = re.sub(r"{\w+}", lambda _: str(next(remaining)), endpoint)
        params = {name: written(value) for name, value in (query or {}).items() if value is not None}
        response = requests.request(method, self.url + path, params=params, headers=self.headers, timeout=30, **body)
        if not response.ok:
            raise Refused(response)
        self.answered.add((method, endpoint))
        if response.content and response.headers["Content-Type"].startswith("application/json"):
            return response.json()
        return response.content


def written(value: Any) -> Any:
    """A value as a query string has it: `true`, not `True`."""
    return jsonlib.dumps(value) if isinstance(value, bool) else value


def parsed(value: Any) -> Any:
    """A field that the document lets be JSON in a string (job parameters, audit details), as a value."""
    return jsonlib.loads(value) if isinstance(value, str) and value else value
