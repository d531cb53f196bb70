"""A job's page: its course, why it waits, its log, and what it left."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from bvo_jobs import lines
from bvo_jobs.lines import Line, Log, Position, Sought
from bvo_jobs.models import Job, LogChunk
from support.api import Api
from support.browser import Browser
from support.work import Work


@pytest.fixture
def work(admin: Api) -> Work:
    """A robot that holds a job."""
    return Work(admin)


def panel(browser: Browser, page: str, name: str) -> str:
    """The panel, with the space between words as one sees it; empty where it is not shown."""
    found = re.search(rf'<section [^>]*id="panel-{name}"[^>]*>(.*?)</section>', browser.get(page).text, re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[1])) if found else ""


def shown(browser: Browser, path: str) -> list[tuple[int, str]]:
    """The numbers and texts of the lines of a log."""
    text = browser.get(path).text
    found = re.findall(r'<li id="L(\d+)"[^>]*><a [^>]*>\d+</a><span>(.*?)</span></li>', text, re.DOTALL)
    return [(int(number), re.sub(r"<[^>]+>", "", line)) for number, line in found]


# --- what became of it


def test_the_course_says_who_made_the_job_where_it_ran_and_how_it_ended(work: Work, signed_in: Browser) -> None:
    page = f"/ui/jobs/{work.job['id']}"
    running = panel(signed_in, page, "course")
    assert "Created by admin" in running
    assert "Attempt 1 started on robot-1" in running
    work.finish(status="failed", error_message="no such invoice")
    ended = panel(signed_in, page, "course")
    assert "Why it failed" in ended
    assert "no such invoice" in ended
    assert re.search(r"Ran for [\d.]+ m?s", ended)


def test_who_may_not_read_the_audit_log_is_not_told_who_did_it(
    work: Work, user_with: Callable[..., Api], visitor: Browser
) -> None:
    user_with("jobs:view")
    visitor.log_in("user-1", "correct horse")
    page = f"/ui/jobs/{work.job['id']}"
    course = panel(visitor, page, "course")
    assert "Attempt 1 started on robot-1" in course
    assert "admin" not in course
    assert "Audit trail" not in visitor.get(page).text
    assert "/ui/robots/" not in visitor.get(page).text


def test_what_came_too_late_is_shown_beside_the_attempt(work: Work, signed_in: Browser) -> None:
    page = f"/ui/jobs/{work.job['id']}"
    work.admin.ok(work.admin.post(f"/api/jobs/{work.job['id']}/cancel"))
    assert work.finish(result={"rows": 238}).status_code == 409
    course = panel(signed_in, page, "course")
    assert "Canceled by admin" in course
    assert "Attempt 1 stopped by the cancel on robot-1" in course
    assert "Reported too late: completed" in course
    assert "238" in course


def test_a_job_and_the_one_that_repeats_it_lead_to_each_other(work: Work, signed_in: Browser) -> None:
    work.finish()
    first = work.job["id"]
    second = work.admin.ok(work.admin.post(f"/api/jobs/{first}/retry"))["id"]
    assert f'<a href="/ui/jobs/{second}">' in signed_in.get(f"/ui/jobs/{first}").text
    assert f'<a href="/ui/jobs/{first}">' in signed_in.get(f"/ui/jobs/{second}").text


def test_the_audit_trail_of_a_job_is_one_click_away(admin: Api, signed_in: Browser) -> None:
    job = admin.a_job()
    trail = re.search(r'<a href="([^"]+)">Audit trail</a>', signed_in.get(f"/ui/jobs/{job['id']}").text)
    assert trail
    listed = signed_in.get(trail[1].replace("&amp;", "&")).text
    assert listed.count("data-row=") == 1
    assert f"#{job['id']}" in listed


def test_a_pending_job_says_what_keeps_each_robot_from_it(admin: Api, signed_in: Browser) -> None:
    robot, _ = admin.a_robot()
    admin.a_robot("robot-2")
    admin.ok(admin.post(f"/api/robots/{robot['id']}/drain"))
    job = admin.a_job(robot_id=robot["id"])
    page = f"/ui/jobs/{job['id']}"
    waiting = panel(signed_in, page, "waiting")
    assert re.search(r"robot-1 The robot is draining: it takes nothing new\. The robot is offline", waiting)
    assert "robot-2 The job is meant for another robot." in waiting
    admin.ok(admin.post(f"/api/jobs/{job['id']}/cancel"))
    assert "draining" not in panel(signed_in, page, "waiting")


def test_facts_without_a_value_are_not_shown_and_digests_are_folded_away(admin: Api, signed_in: Browser) -> None:
    page = signed_in.get(f"/ui/jobs/{admin.a_job()['id']}").text
    above, _, folded = page.partition('<details class="card fold"')
    assert "Package SHA-256" not in above
    assert "Package SHA-256" in folded
    assert "Logs" not in folded
    assert "Canceled by" not in page


def test_parameters_and_result_are_trees_and_json_to_copy(work: Work, signed_in: Browser) -> None:
    work.finish(result={"rows": {"read": 3, "bad": ["<b>"]}})
    page = signed_in.get(f"/ui/jobs/{work.job['id']}").text
    assert '<dl class="tree">' in page
    assert re.search(r'<pre id="text-result"[^>]*>{\s*&#34;rows&#34;', page)
    assert "<b>" not in page


# --- the log


def test_the_end_of_a_long_log_is_shown_and_more_on_demand(work: Work, signed_in: Browser) -> None:
    for sequence in range(1, 6):
        work.log(sequence, "".join(f"line {sequence * 100 + number}\n" for number in range(100)))
    page = f"/ui/jobs/{work.job['id']}"
    assert [number for number, _ in shown(signed_in, page)] == list(range(301, 501))
    earlier = re.search(r'class="earlier"><a [^>]*href="([^"]+)"', signed_in.get(page).text)
    assert earlier
    before = shown(signed_in, earlier[1].replace("&amp;", "&"))
    assert before[0] == (101, "line 200")
    assert before[-1] == (300, "line 399")
    assert shown(signed_in, f"{page}/log?line=7")[6] == (7, "line 106")
    assert len(shown(signed_in, f"{page}/log?line=99999")) == lines.LINES // 2


def test_a_log_is_searched_as_a_whole_and_by_level(work: Work, signed_in: Browser) -> None:
    work.log(1, "starting\nWARNING slow\n" + "nothing\n" * 500 + "ERROR <no> Invoice 7\nTraceback (most rec")
    work.log(2, "ent call last):\nValueError: bad\nno errors were counted\n")
    page = f"/ui/jobs/{work.job['id']}/log"
    assert shown(signed_in, f"{page}?search=INVOICE") == [(503, "ERROR &lt;no&gt; Invoice 7")]
    assert "<mark>Invoice</mark>" in signed_in.get(f"{page}?search=invoice").text
    assert [number for number, _ in shown(signed_in, f"{page}?level=error")] == [503, 504, 505]
    assert [number for number, _ in shown(signed_in, f"{page}?level=warning")] == [2, 503, 504, 505]
    assert "No line fits" in signed_in.get(f"{page}?search=unheard").text


def test_what_follows_is_sent_once_and_an_incomplete_line_again(work: Work, signed_in: Browser) -> None:
    page = f"/ui/jobs/{work.job['id']}"

    def follow(path: str) -> str:
        found = re.search(r'data-follow="([^"]*)"', signed_in.get(path, **{"HX-Request": "true"}).text)
        assert found
        return found[1].replace("&amp;", "&")

    work.log(1, "one\ntwo")
    url = follow(page)
    assert shown(signed_in, url) == [(2, "two")]
    tag = {"HX-Request": "true", "If-None-Match": signed_in.get(url, **{"HX-Request": "true"}).headers["ETag"]}
    assert signed_in.get(url, 304, **tag).data == b""
    work.log(2, " and a half\nthree\n")
    assert shown(signed_in, url) == [(2, "two and a half"), (3, "three")]
    url = follow(url)
    assert shown(signed_in, url) == []
    work.log(3, "four\n")
    work.finish()
    assert shown(signed_in, url) == [(4, "four")]
    assert follow(url) == "", "the job has ended"


def test_the_whole_log_is_a_file(work: Work, signed_in: Browser) -> None:
    text = "".join(f"line {number} \u2713\n" for number in range(1000))
    work.log(1, text)
    answer = signed_in.get(f"/ui/jobs/{work.job['id']}/log.txt")
    assert answer.text == text
    assert answer.mimetype == "text/plain"
    assert "attachment" in answer.headers["Content-Disposition"]


def test_a_log_is_for_those_who_may_see_jobs(work: Work, user_with: Callable[..., Api], visitor: Browser) -> None:
    user_with("robots:view")
    visitor.log_in("user-1", "correct horse")
    for path in ("log", "log.txt", "live"):
        visitor.get(f"/ui/jobs/{work.job['id']}/{path}", 403)


@pytest.mark.parametrize("query", ["line=0", "line=x", "after=1", "after=1.2.x", "level=loud", "before=99999999999"])
def test_a_part_of_the_log_that_is_none_is_refused(work: Work, signed_in: Browser, query: str) -> None:
    signed_in.get(f"/ui/jobs/{work.job['id']}/log?{query}", 400)


def test_a_new_attempt_takes_the_place_of_the_one_that_was_followed(work: Work, signed_in: Browser) -> None:
    work.log(1, "old\n")
    page = f"/ui/jobs/{work.job['id']}/log"
    assert shown(signed_in, f"{page}?attempt=1") == [(1, "old")]
    answer = signed_in.get(f"{page}?attempt=0&after=0.0.1", **{"HX-Request": "true"}).text
    assert "data-replaces" in answer
    assert "old" in answer


# --- lines, apart from pages


@pytest.fixture
def log(app_context: Any, admin: Api) -> Callable[..., Log]:
    """A log that lies in these chunks."""
    job = admin.a_job()

    def make(*chunks: str) -> Log:
        from bvo.database import db, transaction

        with transaction() as session:
            session.get_one(Job, job["id"]).attempt = 1
            for sequence, text in enumerate(chunks, 1):
                session.add(LogChunk(job_id=job["id"], attempt=1, sequence=sequence, text=text))
        db.session.expire_all()
        return Log(job["id"], 1)

    return make


EVERYTHING = Sought()


def numbered(found: Any) -> list[tuple[int, str]]:
    return [(line.number, line.text) for line in found]


def test_lines_are_the_same_however_the_log_is_cut(log: Callable[..., Log], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "LINES", 3)
    monkeypatch.setattr(lines, "CHUNKS", 2)
    whole = log("a", "\nb", "b\n", "\n", "c\nd\n", "e", "e", "\nf")
    expected = list(enumerate(["a", "bb", "", "c", "d", "ee", "f"], 1))
    end = whole.end(EVERYTHING)
    assert (numbered(end.lines), end.earlier) == (expected[4:], 5)
    before = whole.end(EVERYTHING, end.earlier)
    assert (numbered(before.lines), before.earlier) == (expected[1:4], 2)
    first = whole.end(EVERYTHING, before.earlier)
    assert (numbered(first.lines), first.earlier) == (expected[:1], None)
    assert numbered(whole.around(4).lines) == expected[2:5]
    assert whole.around(4).later == 6
    found = whole.end(Sought(text="E"))
    assert numbered(found.lines) == [(6, "ee")]
    assert found.position == end.position
    assert "".join(whole.text()) == "a\nbb\n\nc\nd\nee\nf"


def test_following_from_the_start_gives_every_line(log: Callable[..., Log], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "CHUNKS", 2)
    whole = log("a", "\nb", "b\n", "\n", "c\nd\n", ".", ".", ".", ".", "\nf")
    assert whole.after(Position(), EVERYTHING).more
    seen: dict[int, str] = {}
    position, reached = Position(), None
    while position != reached:
        reached = position
        part = whole.after(position, EVERYTHING)
        seen |= dict(numbered(part.lines))
        position = part.position
    assert list(seen)[-1] == 7
    assert [seen[number] for number in (1, 2, 3, 4, 5, 7)] == ["a", "bb", "", "c", "d", "f"]


def test_who_was_away_for_long_sees_the_end(log: Callable[..., Log], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_NEW_LINES", 50)
    part = log("x\n" * 300).after(Position(), EVERYTHING)
    assert part.replaces
    assert part.lines[-1].number == 300


def test_a_line_is_shown_without_colours_and_in_its_latest_state(log: Callable[..., Log]) -> None:
    shown = log("\x1b[31mred\x1b[0m\n 10 %\r 20 %\r\n" + "x" * 5000).end(EVERYTHING).lines
    assert shown[0].text == "red"
    assert shown[1].text == " 20 %"
    assert shown[2] == Line(3, "x" * lines.MAX_LINE, "", 3000)
