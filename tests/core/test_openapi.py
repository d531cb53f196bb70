"""`/openapi.json`: every route of the API, with what it takes, gives and asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import openapi_spec_validator
import pytest
from flask import Flask
from openapi_schema_validator import OAS31Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from bvo import access, create_app, openapi, registry
from bvo.access import Access
from bvo_hookspecs import EntityType
from support.databases import SqliteDatabases

PROBLEM = "application/problem+json"
BEYOND_API = {"/", "/healthz", "/openapi.json"}
NO_PROBLEM = {("/healthz", "503"): "monitors read which part has failed, in the shape of the 200"}


@pytest.fixture(scope="module")
def app(sqlite: SqliteDatabases, tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return create_app({"BVO_DATABASE_URL": sqlite.fresh(), "BVO_DATA_DIR": tmp_path_factory.mktemp("data")})


@pytest.fixture(scope="module")
def document(app: Flask) -> dict[str, Any]:
    shown: dict[str, Any] = app.test_client().get("/openapi.json").get_json()
    return shown


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Of each operation: its path, its method and itself."""
    for path, found in document["paths"].items():
        yield from ((path, method.upper(), operation) for method, operation in found.items() if method != "parameters")


def served(app: Flask) -> dict[tuple[str, str], Access]:
    """Of each path and method that has to be described: what its view declares."""
    return {
        (re.sub(r"<(?:[^:>]+:)?([^>]+)>", r"{\1}", rule.rule), method): declared
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if (rule.rule.startswith("/api/") or rule.rule in BEYOND_API)
        and (declared := access.declared(app, rule.endpoint))
    }


def registry_of(app: Flask) -> registry.Registry:
    with app.app_context():
        return registry.current()


def resolved(document: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    at: Any = document
    for part in node["$ref"].removeprefix("#/").split("/"):
        at = at[part]
    found: dict[str, Any] = at
    return found


def bodies(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is sent, and what answers in JSON: where it stands, and its media type's object."""
    for path, method, operation in operations(document):
        for kind, media in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{method} {path} takes {kind}", media
        for status, answer in operation["responses"].items():
            for kind, media in resolved(document, answer).get("content", {}).items():
                if kind.endswith("json"):
                    yield f"{method} {path} answers {status}", media


def test_the_description_is_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    openapi_spec_validator.validate(document)


def test_every_route_of_the_api_is_described(app: Flask, document: dict[str, Any]) -> None:
    assert {(path, method) for path, method, _ in operations(document)} == set(served(app))


def test_every_operation_has_a_name_of_its_own_a_summary_and_a_section(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    assert {"jobs_create", "runner_next_job", "health_healthz"} <= set(names)
    sections = {tag["name"]: tag["description"] for tag in document["tags"]}
    assert all(sections.values())
    for path, method, operation in operations(document):
        assert operation["summary"], (path, method)
        assert [tag in sections for tag in operation["tags"]] == [True], (path, method)
    assert document["paths"]["/api/jobs/{row_id}/log"]["get"]["tags"] == ["jobs"]


def test_every_operation_says_who_may_call_it(document: dict[str, Any]) -> None:
    jobs, login = document["paths"]["/api/jobs"], document["paths"]["/api/auth/login"]
    assert jobs["post"]["security"] == [{"user": []}]
    assert "`jobs:create`" in jobs["post"]["description"]
    assert document["paths"]["/api/runner/next-job"]["post"]["security"] == [{"robot": []}]
    assert login["post"]["security"] == []
    assert set(document["components"]["securitySchemes"]) == {"user", "robot"}


def test_every_operation_describes_its_success_and_every_refusal_that_follows_from_it(
    app: Flask, document: dict[str, Any], subtests: pytest.Subtests
) -> None:
    declared = served(app)
    for path, method, operation in operations(document):
        with subtests.test(f"{method} {path}"):
            statuses = set(operation["responses"])
            assert {status for status in statuses if status < "300"}
            assert "default" not in statuses
            content = operation.get("requestBody", {}).get("content", {})
            found = declared[path, method]
            assert {"401", "403"} <= statuses or found.public
            assert "404" in statuses or "{" not in path
            assert {"400", "413", "415", "422"} <= statuses or "application/json" not in content
            assert {"413", "422"} <= statuses or not content
            assert "422" in statuses or not any(each["in"] == "query" for each in operation.get("parameters", ()))
            assert {"500", "503"} <= statuses or not path.startswith("/api/")


def test_every_refusal_is_a_problem(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status >= "400" and (path, status) not in NO_PROBLEM:
                assert list(resolved(document, answer)["content"]) == [PROBLEM], (method, path, status)


def test_every_answer_has_the_id_of_its_request_and_lists_have_pages(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        for status, answer in operation["responses"].items():
            assert "X-Request-ID" in resolved(document, answer)["headers"], (method, path, status)
    jobs = document["paths"]["/api/jobs"]["get"]
    assert {"X-Pagination", "Link"} <= set(jobs["responses"]["200"]["headers"])
    assert {"page", "page_size", "after"} <= {each["name"] for each in jobs["parameters"]}
    assert "Retry-After" in document["components"]["responses"]["503"]["headers"]


def test_every_body_has_an_example_that_fits_its_schema(document: dict[str, Any], subtests: pytest.Subtests) -> None:
    resources = Registry().with_resource("urn:bvo", Resource(document, specification=DRAFT202012))
    for where, media in bodies(document):
        with subtests.test(where):
            schema = _absolute(media["schema"])
            if "multipart" not in where:
                OAS31Validator(schema, registry=resources).validate(media["example"])
            assert "a text" not in _texts(media["example"]), "a field without an example of its own"


def _absolute(schema: Any) -> Any:
    """The schema with references that lead into the document."""
    if isinstance(schema, dict):
        return {key: f"urn:bvo{value}" if key == "$ref" else _absolute(value) for key, value in schema.items()}
    return schema


def _texts(value: Any) -> set[str]:
    if isinstance(value, dict | list):
        return {text for item in (value.values() if isinstance(value, dict) else value) for text in _texts(item)}
    return {value} if isinstance(value, str) else set()


def test_what_a_column_may_lack_is_null_in_the_description(app: Flask, document: dict[str, Any]) -> None:
    for entity in registry_of(app).of(EntityType).values():
        for name, field in entity.read_schema().fields.items():
            column = entity.model.__table__.columns.get(field.attribute or name)
            if column is not None:
                assert field.allow_none == column.nullable, f"{entity.name}.{name}"
    robot = document["components"]["schemas"]["jobs.JobOut"]["properties"]["robot"]
    assert {"type": "null"} in robot["anyOf"]


def test_what_only_some_answers_have_is_not_required(document: dict[str, Any]) -> None:
    machine = document["components"]["schemas"]["machines.MachineOut"]
    assert set(machine["properties"]) - set(machine["required"]) == {"machine_key"}
    machines = document["paths"]["/api/machines"]
    assert "machine_key" in machines["post"]["responses"]["201"]["content"]["application/json"]["example"]
    assert "machine_key" not in machines["get"]["responses"]["200"]["content"]["application/json"]["example"][0]


def test_what_a_new_row_cant_have_is_only_in_the_description_of_a_change(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert set(schemas["jobs.JobUpdate"]["properties"]) - set(schemas["jobs.JobIn"]["properties"]) == {
        "status",
        "result",
        "error_message",
    }


def test_a_file_is_described_with_its_digest_and_what_spares_it(document: dict[str, Any]) -> None:
    download = document["paths"]["/api/packages/{row_id}/content"]["get"]
    assert list(download["responses"]["200"]["content"]) == ["application/zip"]
    assert {"ETag", "Content-Disposition", "Digest"} <= set(download["responses"]["200"]["headers"])
    assert "304" in download["responses"]
    assert [each["name"] for each in download["parameters"]] == ["If-None-Match"]


def test_every_reference_leads_somewhere_and_no_mark_is_left(document: dict[str, Any]) -> None:
    for reference in set(re.findall(r"'\$ref': '(#/[^']+)'", str(document))):
        resolved(document, {"$ref": reference})
    assert set(re.findall(r"'x-[a-z]+'", str(document))) <= {"'x-unit'"}, "a mark of our own; units are meant"


def test_the_description_is_the_same_however_often_it_is_asked_for(app: Flask, document: dict[str, Any]) -> None:
    app.extensions.pop(openapi.DOCUMENT)
    assert app.test_client().get("/openapi.json").get_json() == document
