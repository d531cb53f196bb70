"""The pages, as a browser without scripts sees them."""

from __future__ import annotations

import gzip
import html
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from bvo_audit import query
from bvo_hookspecs import AuthProvider, DashboardCard, DetailPanel, EntityType
from support.api import Api
from support.browser import HTML, Browser
from support.hooks import Mover
from support.watch import an_alert


def template(app: Flask, name: str, text: str) -> None:
    from jinja2 import ChoiceLoader, DictLoader

    assert app.jinja_env.loader
    app.jinja_env.loader = ChoiceLoader([DictLoader({name: text}), app.jinja_env.loader])


# --- signing in and out


def test_a_page_sends_a_visitor_to_the_login_form_and_back(visitor: Browser) -> None:
    sent = visitor.get("/ui/jobs/?status=failed", 302).location
    assert sent == "/ui/login?next=/ui/jobs/?status%3Dfailed"
    assert 'value="/ui/jobs/?status=failed"' in visitor.get(sent).text
    assert visitor.log_in(next="/ui/jobs/?status=failed").location == "/ui/jobs/?status=failed"


def test_a_wrong_password_keeps_the_user_name(visitor: Browser) -> None:
    page = visitor.post("/ui/login", 401, username='ad"min', password="wrong").text
    assert "Invalid credentials" in page
    assert 'value="ad&#34;min"' in page
    assert "wrong" not in page
    visitor.get("/ui/", 302)


@pytest.mark.parametrize(
    "target", ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:1", "ui/"]
)
def test_login_leads_to_no_other_site(visitor: Browser, target: str) -> None:
    assert visitor.log_in(next=target).location == "/ui/"


def test_an_auth_provider_with_a_page_of_its_own_has_a_button(
    visitor: Browser, contribute: Callable[..., None]
) -> None:
    contribute(AuthProvider(name="saml", login_page="/saml", label="Acme & Sons"))
    page = visitor.get("/ui/login?next=/ui/jobs/?status%3Dfailed%26page_size=2").text
    assert 'href="/saml?next=/ui/jobs/%3Fstatus%3Dfailed%26page_size%3D2">Sign in with Acme &amp; Sons</a>' in page
    assert 'href="/saml">' in visitor.post("/ui/login", 401, username="admin", password="wrong").text


def test_a_form_of_another_site_signs_nobody_in(client: FlaskClient) -> None:
    form = {"username": "admin", "password": "admin123"}
    response = client.post("/ui/login", data=form, headers={**HTML, "Sec-Fetch-Site": "cross-site"})
    assert response.status_code == 403
    assert "Set-Cookie" not in response.headers


def test_who_is_signed_in_needs_no_login_form(signed_in: Browser) -> None:
    assert signed_in.get("/ui/login?next=/ui/jobs/", 302).location == "/ui/jobs/"


def test_an_old_session_comes_to_the_login_form(visitor: Browser) -> None:
    visitor.client.set_cookie("access_token_cookie", "not.a.token")
    assert visitor.get("/ui/", 302).location == "/ui/login?next=/ui/"
    assert "Sign in" in visitor.get("/ui/login").text


def test_signing_out_ends_the_session(signed_in: Browser) -> None:
    assert signed_in.submit("/ui/", "/ui/logout").location == "/ui/logged-out"
    assert "You are signed out" in signed_in.get("/ui/logged-out").text
    signed_in.get("/ui/", 302)


def test_signing_out_needs_the_token_of_the_form(signed_in: Browser) -> None:
    signed_in.post("/ui/logout", 403)
    signed_in.get("/ui/")


def test_the_well_known_password_is_shown_in_development_only(make_app: Callable[..., Flask]) -> None:
    assert "admin123" in make_app().test_client().get("/ui/login", headers=HTML).text
    assert "admin123" not in make_app(BVO_ENV="production").test_client().get("/ui/login", headers=HTML).text


# --- lists and details of whatever is registered


def test_every_entity_type_has_a_list_and_a_detail_page(app: Flask, admin: Api, signed_in: Browser) -> None:
    admin.a_job()
    admin.a_robot()
    admin.ok(admin.post("/api/machines", {"name": "host-1", "mode": "runner"}))
    admin.ok(admin.post("/api/assets", {"name": "limit", "type": "int", "value": 42}))
    admin.ok(admin.post("/api/queues", {"name": "orders"}))
    admin.ok(admin.post("/api/queue-items", {"queue_name": "orders", "payload": {"order": 1}}))
    admin.ok(admin.post("/api/api-tokens", {"name": "ci", "scopes": ["jobs:view"]}))
    hook = {"name": "Tickets", "url": "https://example.com", "event_types": ["webhook.*"]}
    admin.ok(admin.post("/api/webhooks", hook))
    told = {"name": "Failed jobs", "recipients": ["ops@example.com"], "event_types": ["job.failed"]}
    admin.ok(admin.post("/api/mail-notifications", told))
    Mover(app).plan()
    an_alert(admin)
    for entity in app.extensions["bvo"].of(EntityType).values():
        path = f"/ui/{entity.plural.replace('_', '-')}/"
        page = signed_in.get(path).text
        rows = re.findall(rf'<a class="leading" href="({path}\d+)">', page)
        assert rows, f"{path} lists nothing"
        signed_in.get(rows[0])


def test_a_list_pages_from_newest_to_oldest(admin: Api, signed_in: Browser) -> None:
    process = admin.a_process()
    jobs = [admin.a_job(process)["id"] for _ in range(3)]
    first = signed_in.get("/ui/jobs/?page_size=2&status=pending").text
    assert f"/ui/jobs/{jobs[2]}" in first
    assert f'/ui/jobs/{jobs[0]}"' not in first
    older = re.search(r'href="([^"]+)" rel="next"', first)
    assert older
    second = signed_in.get(older[1].replace("&amp;", "&")).text
    assert f'/ui/jobs/{jobs[0]}"' in second
    assert 'rel="next"' not in second
    assert 'rel="first"' in second
    assert "status=pending" in older[1]


def test_a_list_that_was_not_looked_through_to_its_end_says_so_and_leads_on(
    admin: Api, signed_in: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(query, "LOOKED_THROUGH", 2)
    admin.a_process()
    page = signed_in.get("/ui/audit/?search=logged").text
    assert "Nothing matches so far" in page
    assert "Searched back to" in page
    older = re.search(r'href="([^"]+)" rel="next"', page)
    assert older
    last = signed_in.get(older[1].replace("&amp;", "&")).text
    assert "User admin logged in." in last
    assert "Searched back to" not in last


def test_a_filter_narrows_the_list_and_stays_in_the_form(admin: Api, signed_in: Browser) -> None:
    admin.a_job()
    assert 'class="leading"' in signed_in.get("/ui/jobs/?status=pending&robot_id=").text
    page = signed_in.get("/ui/jobs/?status=failed").text
    assert 'class="leading"' not in page
    assert '<option value="failed" selected>' in page
    assert "Nothing matches" in page


def test_a_filter_that_is_no_value_is_told_beside_its_field(signed_in: Browser) -> None:
    page = signed_in.get("/ui/jobs/?status=nonsense", 422).text
    assert 'id="error-status"' in page
    assert signed_in.get("/ui/jobs/?after=x", 400)


def test_an_empty_list_says_how_the_first_row_is_made(signed_in: Browser) -> None:
    assert "api/jobs" in signed_in.get("/ui/jobs/").text


def test_a_detail_page_shows_what_belongs_to_the_row(admin: Api, signed_in: Browser) -> None:
    job = admin.a_job(parameters={"who": "<script>alert(1)</script>", "deep": {"list": [1, None]}})
    page = signed_in.get(f"/ui/jobs/{job['id']}").text
    assert f'href="/ui/processes/{job["process_id"]}"' in page
    assert f'href="/ui/packages/{job["package_id"]}"' in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page
    assert "null" in page
    assert re.search(r'<time datetime="[0-9T:-]+Z"', page)


def test_secrets_are_on_no_page(admin: Api, signed_in: Browser) -> None:
    robot, _ = admin.a_robot()
    token = admin.ok(admin.post("/api/api-tokens", {"name": "ci", "scopes": ["jobs:view"]}))
    for row, secret, path in ((robot, robot["api_token"], "/ui/robots/"), (token, token["token"], "/ui/api-tokens/")):
        assert row["name"] in signed_in.get(path).text
        assert secret not in signed_in.get(path).text
        assert secret not in signed_in.get(f"{path}{row['id']}").text


def test_an_api_token_is_recognised_and_revoked_on_its_page(admin: Api, signed_in: Browser) -> None:
    token = admin.ok(admin.post("/api/api-tokens", {"name": "ci", "scopes": ["jobs:view"]}))
    page = f"/ui/api-tokens/{token['id']}"
    for text in (signed_in.get("/ui/api-tokens/?user_id=1").text, signed_in.get(page).text):
        assert token["prefix"] in text
        assert "jobs:view" in text
        assert re.search(r'<a href="/ui/users/1">admin</a>', text)
    assert signed_in.submit(page, f"{page}/delete").location == "/ui/api-tokens/"
    headers = {"Authorization": f"Bearer {token['token']}"}
    assert signed_in.client.get("/api/jobs", headers=headers).status_code == 401


def test_what_is_not_there_is_a_page_with_a_way_back(signed_in: Browser) -> None:
    for path in ("/ui/nothing/", "/ui/jobs/4711", "/ui/jobs/99999999999999", "/ui/jobs/1/live", "/ui/jobs/1/log"):
        page = signed_in.get(path, 404).text
        assert "Not found" in page


# --- doing something with a row


def test_an_action_changes_the_row_and_says_so(admin: Api, signed_in: Browser) -> None:
    job = admin.a_job()
    page = f"/ui/jobs/{job['id']}"
    assert signed_in.submit(page, f"{page}/cancel").location == page
    answer = signed_in.get(page).text
    assert "Canceled" in answer
    assert f'role="status"><span>Job <a href="{page}">#{job["id"]}</a>: “Cancel” is done.' in answer
    assert f"{page}/cancel" not in answer, "what does not apply any more is not offered"
    assert 'role="status"' not in signed_in.get(page).text, "it is said once"


def test_what_an_action_refuses_is_said_on_the_page(admin: Api, signed_in: Browser) -> None:
    job = admin.a_job()
    page = f"/ui/jobs/{job['id']}"
    token = re.search(r'name="csrf_token" value="([^"]+)"', signed_in.get(page).text)
    assert token
    admin.ok(admin.post(f"/api/jobs/{job['id']}/cancel"))
    answer = signed_in.post(f"{page}/cancel", 409, csrf_token=token[1]).text
    assert 'role="alert"' in answer
    assert f"Job #{job['id']}" in answer


def test_an_action_that_makes_another_row_leads_to_it(admin: Api, signed_in: Browser) -> None:
    job = admin.a_job()["id"]
    page = f"/ui/jobs/{job}"
    admin.ok(admin.post(f"/api/jobs/{job}/cancel"))
    signed_in.submit(page, f"{page}/retry")
    told = f'Job <a href="{page}">#{job}</a>: “Run again” made <a href="/ui/jobs/{job + 1}">#{job + 1}</a>.'
    assert told in signed_in.get(page).text


def test_deleting_leads_to_the_list(admin: Api, signed_in: Browser) -> None:
    process = admin.a_process()
    page = f"/ui/processes/{process['id']}"
    assert signed_in.submit(page, f"{page}/delete").location == "/ui/processes/"
    assert "<span>Process Demo was deleted.</span>" in signed_in.get("/ui/processes/").text
    signed_in.get(page, 404)


def test_a_row_that_is_in_use_stays(admin: Api, signed_in: Browser) -> None:
    job = admin.a_job()
    page = f"/ui/processes/{job['process_id']}"
    answer = signed_in.submit(page, f"{page}/delete", 409).text
    assert 'role="alert"' in answer
    assert re.search(r'role="alert">[^<]{10,}<', answer)
    signed_in.get(page)


def test_nothing_changes_without_the_token_of_the_form(admin: Api, signed_in: Browser) -> None:
    job = admin.a_job()
    signed_in.post(f"/ui/jobs/{job['id']}/cancel", 403)
    assert admin.ok(admin.get(f"/api/jobs/{job['id']}"))["status"] == "pending"


def test_only_actions_and_delete_can_be_called(admin: Api, signed_in: Browser) -> None:
    page = f"/ui/jobs/{admin.a_job()['id']}"
    token = re.search(r'name="csrf_token" value="([^"]+)"', signed_in.get(page).text)
    assert token
    for name in ("create", "get", "check_unique", "__init__", "entity"):
        signed_in.post(f"{page}/{name}", 404, csrf_token=token[1])


# --- permissions


def test_a_user_sees_what_the_roles_allow_and_nothing_else(
    admin: Api, user_with: Callable[..., Api], visitor: Browser
) -> None:
    job = admin.a_job()
    user_with("jobs:view")
    visitor.log_in("user-1", "correct horse")
    page = visitor.get(f"/ui/jobs/{job['id']}").text
    assert f"/ui/jobs/{job['id']}/cancel" not in page
    assert "/ui/processes/" not in page
    visitor.get("/ui/processes/", 403)
    token = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert token
    visitor.post(f"/ui/jobs/{job['id']}/cancel", 403, csrf_token=token[1])


def test_a_user_without_a_role_is_welcomed(admin: Api, user_with: Callable[..., Api], visitor: Browser) -> None:
    user_with()
    visitor.log_in("user-1", "correct horse")
    page = visitor.get("/ui/").text
    assert "Welcome, user-1" in page
    assert 'href="/ui/jobs/"' not in page


# --- cards and panels


def test_a_card_that_fails_is_left_out(app: Flask, signed_in: Browser, contribute: Callable[[Any], None]) -> None:
    template(app, "good.html", "<p>{{ answer }}</p>")
    card = {"template": "good.html", "permission": "jobs:view"}
    contribute(DashboardCard(name="good", title="Good", context=lambda: {"answer": 42}, **card))
    contribute(DashboardCard(name="broken", title="Broken", context=lambda: {"answer": 1 / 0}, **card))
    page = signed_in.get("/ui/").text
    assert "<p>42</p>" in page
    assert "Broken" not in page


def test_a_panel_that_fails_is_left_out(
    app: Flask, admin: Api, signed_in: Browser, contribute: Callable[[Any], None]
) -> None:
    template(app, "bad.html", "{{ nothing.at.all }}")
    contribute(DetailPanel(name="bad", entity_type="job", title="Bad", template="bad.html", context=lambda row_id: {}))
    page = f"/ui/jobs/{admin.a_job()['id']}"
    for path in (page, f"{page}/live"):
        assert 'id="panel-bad"' not in signed_in.get(path).text


def test_a_page_with_a_live_panel_is_asked_again_until_it_rests(
    app: Flask, admin: Api, signed_in: Browser, contribute: Callable[[Any], None]
) -> None:
    state: dict[str, Any] = {"text": "one", "live": True}
    template(app, "live.html", "<p>{{ text }}</p>")
    ticker = {"name": "ticker", "entity_type": "package", "title": "T", "template": "live.html"}
    contribute(DetailPanel(**ticker, context=lambda row_id: dict(state)))
    page = f"/ui/packages/{admin.a_package()['id']}"
    shown = signed_in.get(page).text
    assert f'hx-get="{page}/live"' in shown
    tag = {"If-None-Match": signed_in.get(f"{page}/live").headers["ETag"]}
    assert tag["If-None-Match"] in html.unescape(shown).replace('\\"', '"'), "the page knows what it shows"
    assert signed_in.get(f"{page}/live", 304, **tag).data == b""
    state.update(text="two", live=False)
    last = signed_in.get(f"{page}/live", **tag).text
    assert "<p>two</p>" in last
    assert "hx-get" not in last


def test_a_panel_that_does_not_refresh_is_not_asked_again(
    app: Flask, admin: Api, signed_in: Browser, contribute: Callable[[Any], None]
) -> None:
    template(app, "once.html", "<p>once</p>")
    once = {"name": "once", "entity_type": "job", "title": "O", "template": "once.html", "refresh": False}
    contribute(DetailPanel(**once, context=lambda row_id: {}))
    page = f"/ui/jobs/{admin.a_job()['id']}"
    assert "<p>once</p>" in signed_in.get(page).text
    assert "<p>once</p>" not in signed_in.get(f"{page}/live").text


def test_panels_are_shown_in_order_to_those_who_may_see_them(
    app: Flask, admin: Api, user_with: Callable[..., Api], visitor: Browser, contribute: Callable[[Any], None]
) -> None:
    template(app, "text.html", "<p>{{ text }}</p>")
    for name, order, permission in (("late", 90, ""), ("early", 5, "jobs:view"), ("closed", 1, "packages:view")):
        contribute(
            DetailPanel(
                name=name,
                entity_type="job",
                title=name,
                template="text.html",
                context=lambda row_id: {"text": "x"},
                order=order,
                permission=permission,
            )
        )
    user_with("jobs:view")
    visitor.log_in("user-1", "correct horse")
    page = visitor.get(f"/ui/jobs/{admin.a_job()['id']}").text
    assert page.index('id="panel-early"') < page.index('id="panel-log"') < page.index('id="panel-late"')
    assert 'id="panel-closed"' not in page


def test_fields_that_a_panel_covers_are_left_out_and_the_others_folded(
    app: Flask, admin: Api, signed_in: Browser, contribute: Callable[[Any], None]
) -> None:
    template(app, "size.html", "<p>It has a size.</p>")
    page = f"/ui/assets/{admin.ok(admin.post('/api/assets', {'name': 'url', 'type': 'text', 'value': 'x'}))['id']}"
    assert '<details class="card fold"' not in signed_in.get(page).text
    size = {"name": "size", "entity_type": "asset", "title": "S", "template": "size.html", "covers": ("type",)}
    contribute(DetailPanel(**size, context=lambda row_id: {}))
    folded = signed_in.get(page).text.partition('<details class="card fold"')[2]
    assert "<dt>Created</dt>" in folded
    assert "<dt>Type</dt>" not in folded


def test_what_changes_with_the_row_is_sent_again_after_a_change(admin: Api, signed_in: Browser) -> None:
    job = admin.a_job()
    live = f"/ui/jobs/{job['id']}/live"
    tag = {"If-None-Match": signed_in.get(live).headers["ETag"]}
    signed_in.get(live, 304, **tag)
    admin.ok(admin.post(f"/api/jobs/{job['id']}/cancel"))
    assert "Canceled" in signed_in.get(live, **tag).text


def test_polling_after_the_session_ended_leads_the_page_to_the_login_form(admin: Api, visitor: Browser) -> None:
    page = f"/ui/jobs/{admin.a_job()['id']}"
    headers = {"HX-Request": "true", "Referer": f"http://localhost{page}"}
    response = visitor.get(f"{page}/live", 401, **headers)
    assert response.headers["HX-Redirect"] == f"/ui/login?next={page}"


# --- headers and files


def test_pages_load_nothing_from_elsewhere_and_stay_in_no_cache(signed_in: Browser) -> None:
    for path, status in (("/ui/", 200), ("/ui/jobs/", 200), ("/ui/nothing/", 404)):
        headers = signed_in.get(path, status).headers
        assert "default-src 'none'; script-src 'self'" in headers["Content-Security-Policy"]
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_pages_hold_no_inline_script_or_style(admin: Api, signed_in: Browser) -> None:
    for path in ("/ui/", "/ui/jobs/", f"/ui/jobs/{admin.a_job()['id']}", "/ui/login?x"):
        page = signed_in.client.get(path, headers=HTML).text
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script>|javascript:", page)


def test_a_static_file_is_kept_for_a_year_under_its_version(signed_in: Browser) -> None:
    found = re.search(r'href="(/ui/static/app\.css\?v=\w+)"', signed_in.get("/ui/").text)
    assert found
    plain = signed_in.get(found[1])
    assert "immutable" in plain.headers["Cache-Control"]
    packed = signed_in.get(found[1], **{"Accept-Encoding": "gzip, br"})
    assert gzip.decompress(packed.data) == plain.data
    assert packed.headers["ETag"] != plain.headers["ETag"]
    signed_in.get(found[1], 304, **{"If-None-Match": plain.headers["ETag"]})
    assert signed_in.get("/ui/static/app.css").headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("name", ["..%2f__init__.py", "%2e%2e/__init__.py", "nothing.css", "vendor"])
def test_nothing_but_static_files_is_served(visitor: Browser, name: str) -> None:
    visitor.get(f"/ui/static/{name}", 404)


def test_errors_of_the_api_stay_problems(visitor: Browser) -> None:
    response = visitor.get("/api/jobs", 401)
    assert response.mimetype == "application/problem+json"
