"""A client of the API, for tests that say what they mean."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse


class Api:
    """Calls with the headers of one principal. The verbs return the response; `ok` its JSON, after a check."""

    def __init__(self, client: FlaskClient, **headers: str) -> None:
        self.client = client
        self.headers = headers

    def as_robot(self, token: str) -> Api:
        return Api(self.client, **{"X-Robot-Token": token})

    def get(self, path: str, **options: Any) -> TestResponse:
        return self._call("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        return self._call("POST", path, **({"json": body} if body is not None else {}), **options)

    def put(self, path: str, body: Any, **options: Any) -> TestResponse:
        return self._call("PUT", path, json=body, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self._call("DELETE", path, **options)

    def upload(self, content: bytes, file_name: str = "demo_1.0.0.zip", **form: str) -> TestResponse:
        return self._call("POST", "/api/packages/upload", data={"file": (io.BytesIO(content), file_name), **form})

    def ok(self, response: TestResponse) -> Any:
        assert response.status_code < 300, response.get_data(as_text=True)
        return response.get_json()

    # --- what most tests need to exist

    def a_package(self, name: str = "demo", version: str = "1.0.0", **files: str) -> dict[str, Any]:
        package: dict[str, Any] = self.ok(
            self.upload(zipped(files or {"main.py": "print('hi')"}), f"{name}_{version}.zip")
        )
        return package

    def a_process(self, name: str = "Demo", **files: str) -> dict[str, Any]:
        package = self.a_package(name.lower().replace(" ", "-"), **files)
        body = {"name": name, "package_id": package["id"], "script_path": package["scripts"][0]}
        process: dict[str, Any] = self.ok(self.post("/api/processes", body))
        return process

    def a_job(self, process: dict[str, Any] | None = None, **body: Any) -> dict[str, Any]:
        process = process or self.a_process()
        job: dict[str, Any] = self.ok(self.post("/api/jobs", {"process_id": process["id"], **body}))
        return job

    def a_robot(self, name: str = "robot-1") -> tuple[dict[str, Any], Api]:
        """An operator's robot, and the API as that robot."""
        robot = self.ok(self.post("/api/robots", {"name": name}))
        return robot, self.as_robot(robot["api_token"])

    def _call(self, method: str, path: str, **options: Any) -> TestResponse:
        headers = {**self.headers, **options.pop("headers", {})}
        return self.client.open(path, method=method, headers=headers, **options)


def zipped(files: Mapping[str, str | bytes]) -> bytes:
    """A zip with these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return buffer.getvalue()
