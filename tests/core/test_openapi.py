"""`/openapi.json`: every route of the API, with what it takes, gives and asks for."""

from __future__ import annotations

import re
from typing import Any

from flask import Flask

from bvo import openapi
from support.api import Api


def described(anonymous: Api) -> dict[str, Any]:
    document: dict[str, Any] = anonymous.ok(anonymous.get("/openapi.json"))
    return document


def test_every_route_of_the_api_is_described(app: Flask, anonymous: Api) -> None:
    document = described(anonymous)
    assert document["openapi"].startswith("3.1")
    shown = {
        (path, method.upper())
        for path, operations in document["paths"].items()
        for method in operations
        if method != "parameters"
    }
    served = {
        (re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/")
    }
    assert shown == served


def test_every_operation_says_who_may_call_it_and_how_it_is_refused(anonymous: Api) -> None:
    document = described(anonymous)
    jobs, login = document["paths"]["/api/jobs"], document["paths"]["/api/auth/login"]
    assert jobs["post"]["security"] == [{"user": []}]
    assert "`jobs:create`" in jobs["post"]["description"]
    assert {"401", "403"} <= set(jobs["post"]["responses"])
    assert document["paths"]["/api/runner/next-job"]["post"]["security"] == [{"robot": []}]
    assert login["post"]["security"] == []
    assert set(document["components"]["securitySchemes"]) == {"user", "robot"}


def test_errors_are_described_as_problems(anonymous: Api) -> None:
    for name, response in described(anonymous)["components"]["responses"].items():
        assert list(response.get("content", {})) in ([], ["application/problem+json"]), name


def test_every_reference_leads_somewhere(anonymous: Api) -> None:
    document = described(anonymous)
    for reference in set(re.findall(r"'\$ref': '#/([^']+)'", str(document))):
        at: Any = document
        for part in reference.split("/"):
            at = at[part]


def test_the_description_is_the_same_however_often_it_is_asked_for(app: Flask, anonymous: Api) -> None:
    first = described(anonymous)
    app.extensions.pop(openapi.DOCUMENT)
    assert described(anonymous) == first
