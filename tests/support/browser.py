"""A browser without scripts: it follows links, and fills in and sends the forms of pages."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

HTML = {"Accept": "text/html"}


class Sheet(HTMLParser):
    """The form of a page that goes to `action`: what it would send, and what is said beside its fields."""

    def __init__(self, page: str, action: str = "") -> None:
        super().__init__()
        self.page = page
        self.action = action
        self.multipart = False
        self.sends: MultiDict[str, Any] = MultiDict()
        self.options: dict[str, list[str]] = {}
        self.attributes: dict[str, dict[str, str | None]] = {}
        self.texts: dict[str, str] = {}
        self._inside = False
        self._found = False
        self._select = self._area = ""
        self._ids: list[tuple[str, str]] = []
        self.feed(page)
        assert self._found, f"there is no form for {action}: {page}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if given.get("id") and tag not in ("input", "br"):
            self._ids.append((tag, str(given["id"])))
        target = given.get("action") or ""
        if given.get("method") == "post" and self.action in ("", target) and (self.action or target != "/ui/logout"):
            self._inside = self._found = True
            self.action, self.multipart = target, "enctype" in given
        if self._inside:
            self._take(tag, given)

    def _take(self, tag: str, given: dict[str, str | None]) -> None:
        name = given.get("name") or ""
        if name:
            self.attributes[name] = given
        if tag == "input":
            self._take_input(name, given)
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            self.options.setdefault(self._select, []).append(given.get("value") or "")
            if "selected" in given or self._select not in self.sends:
                self.sends[self._select] = given.get("value") or ""
        elif tag == "textarea":
            self._area, self.sends[name] = name, ""

    def _take_input(self, name: str, given: dict[str, str | None]) -> None:
        value = given.get("value") or ""
        if given.get("type") == "checkbox":
            self.options.setdefault(name, []).append(value)
        if given.get("type") != "file" and (given.get("type") != "checkbox" or "checked" in given):
            self.sends.add(name, value)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False
        if tag == "select":
            self._select = ""
        if tag == "textarea" and self._area:
            self.sends[self._area] = self.sends[self._area].removeprefix("\n")
            self._area = ""
        if self._ids and self._ids[-1][0] == tag:
            self._ids.pop()

    def handle_data(self, data: str) -> None:
        if self._area:
            self.sends[self._area] += data
        for _, found in self._ids:
            self.texts[found] = (self.texts.get(found, "") + data).strip()

    def error(self, name: str) -> str:
        """What is said to be wrong with a field, where its description leads to it."""
        described = (self.attributes.get(name, {}).get("aria-describedby") or "").split()
        found = [self.texts[place] for place in described if place.endswith("-error")]
        return found[0] if found else self.texts.get(f"field-{name.replace('.', '-')}-error", "")


class Browser:
    """Cookies are the client's."""

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
        """Send the form of `page` that goes to `action`, as it is."""
        return self.send(self.form(page, action), status)

    def form(self, path: str, action: str = "") -> Sheet:
        return Sheet(self.get(path).text, action)

    def send(self, sheet: Sheet, status: int = 302, /, **filled: Any) -> TestResponse:
        """Send a form with these fields filled in; None leaves a field, or a box, empty. `__` stands for a dot."""
        sends = MultiDict(sheet.sends)
        for name, value in filled.items():
            key = name.replace("__", ".")
            sends.poplist(key)
            for item in _items(value):
                sends.add(key, item)
        kind = "multipart/form-data" if sheet.multipart else "application/x-www-form-urlencoded"
        response = self.client.post(sheet.action, data=sends, content_type=kind, headers=HTML)
        assert response.status_code == status, response.text
        return response

    def fill(self, path: str, status: int = 302, /, **filled: Any) -> TestResponse:
        """Open a page, fill in its form and send it."""
        return self.send(self.form(path), status, **filled)


def _items(value: Any) -> Iterator[Any]:
    if value is not None:
        yield from value if isinstance(value, list) else [value]
