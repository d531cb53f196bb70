"""What an error answer must be, whatever went wrong."""

from __future__ import annotations

from typing import Any

from werkzeug.test import TestResponse


def refused(response: TestResponse, status: int, *words: str) -> dict[str, Any]:
    """Check that this is a problem document with `status` whose detail has all `words`, and return it."""
    text = response.get_data(as_text=True)
    assert response.status_code == status, text
    assert response.mimetype == "application/problem+json"
    body: dict[str, Any] = response.get_json()
    assert body["status"] == status
    assert isinstance(body["detail"], str)
    assert len(body["detail"]) >= 15, f"this tells nobody what to do: {body['detail']!r}"
    for word in words:
        assert word in body["detail"]
    for inside in ("Traceback", "psycopg", "sqlite3", "sqlalchemy", "SELECT ", "INSERT "):
        assert inside not in text
    return body
