"""The pages, as a browser without scripts sees them."""

from __future__ import annotations

import re

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

HTML = {"Accept": "text/html"}


class Browser:
    """Follows links and fills forms; cookies are the client's."""

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def get(self, path: str, status: int = 200, **headers: str) -> TestResponse:
        response = self.client.get(path, headers={**HTML, **headers})
        assert response.status_code == status, response.text
        return response

    def post(self, path: str, status: int = 302, **form: str) -> TestResponse:
        response = self.client.post(path, data=form, headers=HTML)
        assert response.status_code == status, response.text
        return response

    def log_in(self, username: str = "admin", password: str = "admin123", **form: str) -> TestResponse:
        return self.post("/ui/login", username=username, password=password, **form)

    def submit(self, page: str, action: str, status: int = 302) -> TestResponse:
        """Send the form of `page` that goes to `action`, with what is hidden in it."""
        text = self.get(page).text
        form = re.search(rf'<form[^>]* action="{re.escape(action)}">\s*<input[^>]* value="([^"]+)">', text)
        assert form, f"{page} has no form for {action}"
        return self.post(action, status, csrf_token=form[1])
