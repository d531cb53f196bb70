"""What views add to their description by hand: headers, files that come in, files that go out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask_smorest import Blueprint

View = Callable[..., Any]

BINARY = {"type": "string", "format": "binary"}
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-ID": {
        "description": "The name of this request in the server's log",
        "required": True,
        "schema": {"type": "string", "examples": ["7f1e1a52-2f0c-4b0e-9a51-0d8f0f7f6f0e"]},
    },
    "X-Pagination": {
        "description": "JSON: total (counted up to 10,001), total_pages, page, page_size",
        "required": True,
        "schema": {"type": "string", "examples": ['{"total": 1, "total_pages": 1, "page": 1, "page_size": 50}']},
    },
    "Link": {
        "description": 'The page that follows, as rel="next"; absent on the last one',
        "schema": {"type": "string", "examples": ['<https://bvo.example.com/api/jobs?after=17>; rel="next"']},
    },
    "Retry-After": {
        "description": "Seconds to wait before the next attempt",
        "schema": {"type": "string", "pattern": "^[0-9]+$", "examples": ["2"]},
    },
    "ETag": {
        "description": "The SHA-256 of the content, in quotes",
        "required": True,
        "schema": {"type": "string", "examples": [f'"{"9f86d081" * 8}"']},
    },
    "Content-Disposition": {
        "description": "The file's name",
        "required": True,
        "schema": {"type": "string", "examples": ["attachment; filename=report_1.2.3.zip"]},
    },
    "Digest": {
        "description": "The SHA-256 of the content, in Base64",
        "required": True,
        "schema": {"type": "string", "examples": ["sha-256=n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="]},
    },
}


def header(name: str, description: str) -> dict[str, Any]:
    """A header that a view reads by itself, for `blueprint.doc(parameters=[…])`."""
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string"}}


def multipart(example: str, **texts: str) -> dict[str, Any]:
    """The body of an upload, for `blueprint.doc(requestBody=…)`: a `file`, and texts with their descriptions."""
    properties: dict[str, Any] = {name: {"type": "string", "description": text} for name, text in texts.items()}
    schema = {"type": "object", "properties": {"file": BINARY, **properties}, "required": ["file"]}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema, "example": {"file": example}}}}


def sends_file(blueprint: Blueprint, content_type: str, *headers: str) -> Callable[[View], View]:
    """Describe a view that sends a file with its digest as ETag, and 304 to who has that already."""
    names = ("ETag", "Content-Disposition", *headers)

    def describe(view: View) -> View:
        view = blueprint.doc(parameters=[header("If-None-Match", "The ETag of the copy that the client has")])(view)
        view = blueprint.alt_response(304, description="The client's copy is still right")(view)
        sent: View = blueprint.response(200, BINARY, content_type=content_type, headers={name: name for name in names})(
            view
        )
        return sent

    return describe
