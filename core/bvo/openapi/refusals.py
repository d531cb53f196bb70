"""Every status by which an operation can refuse, as problem documents."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from werkzeug.http import HTTP_STATUS_CODES

PROBLEM = "application/problem+json"
REFUSALS = {
    "400": ("The body can't be read", "The body is not JSON: Expecting value at line 1, column 1. Mend it."),
    "401": ("Not authenticated", "Not authenticated. Log in, or send a token."),
    "403": ("Not permitted", "You lack the permission jobs:create. Ask an administrator for a role that has it."),
    "404": ("There is none, or none that the caller may see", "Job not found: there is none with the id 17."),
    "409": ("What exists or happens already stands against it", "A job that is completed can't become canceled."),
    "412": ("It has changed since the client saw it", "Job 17 has changed since you read it."),
    "413": ("The body is too large", "The request is too large: at most 4194304 bytes are taken here. Send less."),
    "415": ("The body is not sent as JSON", "Send the body as JSON, with the header Content-Type: application/json."),
    "422": ("A value is not valid", "process_id: Missing data for required field."),
    "429": ("Too many requests", "Too many attempts. Wait 30 seconds."),
    "500": ("The server failed", "The server failed at this request. It was logged; nothing was changed."),
    "503": ("The server can't work now", "The database is busy or can't be reached. Nothing was changed; try again."),
}  # fmt: skip
"""Of each status: what it means, and a `detail` for the example."""


def add(operation: dict[str, Any], path: str, *, public: bool) -> None:
    """Describe every refusal: those that the view declares, and those that follow from what it asks and takes."""
    responses = operation["responses"]
    for status in _implied(operation, path, public=public):
        responses.setdefault(status, {"$ref": f"#/components/responses/{status}"})
    operation["responses"] = {status: _whole(status, response) for status, response in sorted(responses.items())}


def _implied(operation: dict[str, Any], path: str, *, public: bool) -> set[str]:
    content = operation.get("requestBody", {}).get("content", {})
    implied = {"500"} | ({"503"} if path.startswith("/api/") else set())
    implied |= set() if public else {"401", "403"}
    implied |= {"404"} if "{" in path else set()
    implied |= {"413", "422"} if content else set()
    return implied | ({"400", "415"} if "application/json" in content else set())


def _whole(status: str, response: dict[str, Any]) -> dict[str, Any]:
    """A refusal without a content of its own is a problem; every answer has the header with the request's id."""
    if status >= "400" and "content" not in response:
        words = response.get("description", "")
        plain = status in REFUSALS and words in ("", HTTPStatus(int(status)).phrase)
        return {"$ref": f"#/components/responses/{status}"} if plain else _response(status, words)
    return {**response, "headers": {**response.get("headers", {}), "X-Request-ID": _header("X-Request-ID")}}


def _header(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/headers/{name}"}


def _response(status: str, description: str) -> dict[str, Any]:
    names = ("X-Request-ID", "Retry-After") if status in ("429", "503") else ("X-Request-ID",)
    media = {"schema": {"$ref": "#/components/schemas/bvo.Problem"}, "example": _example(status, description)}
    return {
        "description": description,
        "content": {PROBLEM: media},
        "headers": {name: _header(name) for name in names},
    }


def _example(status: str, description: str) -> dict[str, Any]:
    words, told = REFUSALS.get(status, ("", ""))
    detail = told if description == words else f"{description}."
    title = HTTP_STATUS_CODES[int(status)]
    shown = {"type": "about:blank", "title": title, "status": int(status), "detail": detail}
    field, _, message = detail.partition(": ")
    return {**shown, "errors": {field: [message]}} if status == "422" and message else shown


RESPONSES = {status: _response(status, words) for status, (words, _) in REFUSALS.items()}
