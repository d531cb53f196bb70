"""What a script printed is there once, whatever happens to the server or the runner."""

from __future__ import annotations

import re
import threading

import pytest

from bvo_agent import journal
from bvo_agent.client import Client
from bvo_agent.errors import Unavailable
from bvo_agent.journal import Journal
from bvo_agent.outbox import Outbox
from bvo_agent.protocol import Job, Report
from bvo_agent.shutdown import Shutdown

LOST_ANSWER = -1
JOB = Job.from_claim({"id": 5, "process": {"script_path": "main.py", "package_id": 1}, "lease_token": "lease-5"})
LINES = "".join(f"line {number}\n" for number in range(1000))
PRINT = "import sys, time\nfor number in range(1000): sys.stdout.write(f'line {number}\\n')\n"


class Away(list):
    """Answers that never end, until they are cleared."""

    def __init__(self, *answers):
        super().__init__(answers)

    def pop(self, index):
        self.append(answer := super().pop(index))
        return answer


@pytest.fixture
def left(plane, home):
    """Leaves the journal of a runner that was killed."""

    def leave(text, url=plane.url):
        home.journals.mkdir(parents=True)
        log = Journal.begin(home.journals, JOB, url)
        log.append(text.encode())
        return log

    return leave


def test_the_log_is_sent_before_the_result_once_the_server_is_back(plane, run_once, wait_until, home, monkeypatch):
    monkeypatch.setattr("bvo_agent.log_sender.FLUSH_SECONDS", 0.2)
    plane.answers["log"] = Away(503, 0)
    plane.add_job({"main.py": PRINT})
    runner = threading.Thread(target=run_once)
    runner.start()
    wait_until(lambda: list(home.outbox.glob("*.json")))
    assert plane.seen["update"] == []
    plane.answers["log"].clear()
    runner.join()
    assert plane.log_text == LINES
    assert plane.times["log"][-1] < plane.times["update"][0]
    assert list(home.journals.iterdir()) == []


def test_answers_that_are_lost_double_nothing(plane, run_once, monkeypatch):
    monkeypatch.setattr("bvo_agent.journal.PIECE_BYTES", 4000)
    plane.answers["log"] = [LOST_ANSWER, LOST_ANSWER, 503, LOST_ANSWER]
    plane.add_job({"main.py": PRINT})
    assert run_once()
    assert plane.log_text == LINES


@pytest.mark.parametrize("answers", [Away(503), Away(LOST_ANSWER), [LOST_ANSWER]], ids=["away", "deaf", "heard"])
def test_what_a_killed_runner_had_read_is_sent_by_the_next_one(plane, start_runner, wait_until, home, answers):
    """Then the job is given up, whose script is dead by then."""
    plane.answers["log"] = Away(*answers) if isinstance(answers, Away) else list(answers)
    plane.add_job({"main.py": f"{PRINT}sys.stdout.flush()\ntime.sleep(600)"})
    runner = start_runner()
    wait_until(lambda: "line 999\n" in "".join(path.read_text() for path in home.journals.glob("*.log")))
    runner.kill()
    runner.wait()
    plane.answers["log"] = []
    assert start_runner("--once").wait(20) == 0
    assert plane.log_text == LINES
    assert plane.headers["log"][-1]["X-Lease-Token"] == plane.headers["release"][0]["X-Lease-Token"] == "lease-1"
    assert plane.times["log"][-1] < plane.times["release"][0]
    assert plane.seen["update"] == []
    assert list(home.journals.iterdir()) == []


def test_a_piece_that_may_have_arrived_is_sent_again_as_it_was(plane, run_once, left):
    log = left("one\n")
    with pytest.raises(Unavailable):
        log.send(Client("http://127.0.0.1:9"))
    log.append(b"two\nthree\n")
    assert run_once()
    assert [(body["sequence"], body["text"]) for body in plane.seen["log"]] == [(1, "one\n"), (2, "two\nthree\n")]


def test_the_result_of_a_killed_runner_follows_the_rest_of_its_log(plane, run_once, home, left):
    left("one\ntwo\n")
    home.outbox.mkdir(parents=True)
    outbox = Outbox(Client(plane.url), home.outbox, home.journals, Shutdown(), lambda refusal: None)
    outbox.put(JOB, Report(status="completed", result={}, error_message=None, logs="one\ntwo\n"))
    assert run_once()
    assert plane.log_text == "one\ntwo\n"
    assert plane.times["log"][0] < plane.times["update"][0]
    assert plane.seen["release"] == []
    assert [*home.journals.iterdir(), *home.outbox.iterdir()] == []


@pytest.mark.parametrize("answer", [409, 404])
def test_the_log_of_a_job_that_is_lost_is_dropped(plane, run_once, home, left, answer):
    left("one\n")
    plane.answers["log"] = [answer]
    assert run_once()
    assert plane.seen["release"] == []
    assert list(home.journals.iterdir()) == []


def test_a_refused_release_is_not_sent_again(plane, run_once, home, left):
    left("")
    plane.answers["release"] = [409]
    assert run_once()
    assert plane.seen["release"] == []
    assert list(home.journals.iterdir()) == []


def test_a_release_that_does_not_arrive_is_sent_again_before_the_next_claim(plane, run_once, left):
    left("one\n")
    plane.answers["release"] = [0, 503]
    assert run_once()
    assert len(plane.seen["release"]) == 1
    assert plane.times["release"][0] < plane.times["next-job"][0]


def test_a_journal_for_another_server_stays(plane, run_once, home, left):
    left("one\n", url="http://other")
    assert run_once()
    assert plane.seen["log"] == plane.seen["release"] == []
    assert sorted(path.name for path in home.journals.iterdir()) == ["5.json", "5.log"]


@pytest.mark.parametrize("damaged", ["5.json", "5.log"])
def test_a_damaged_journal_does_not_stop_the_runner(plane, run_once, home, left, damaged):
    left("one\n")
    if damaged == "5.json":
        (home.journals / damaged).write_text("{")
    else:
        (home.journals / damaged).unlink()
    assert run_once()
    assert plane.seen["release"] == []
    assert list(home.journals.iterdir()) == []


def test_nobody_else_can_read_a_journal(home, left):
    left("one\n")
    assert [path.stat().st_mode & 0o077 for path in home.journals.iterdir()] == [0, 0]


def test_a_write_that_fails_half_way_leaves_no_half(home, left, monkeypatch):
    log = left("one\n")
    with monkeypatch.context() as full:
        full.setattr("pathlib.Path.open", half_open)
        with pytest.raises(OSError, match="No space"):
            log.append(b"two\n")
    log.append(b"three\n")
    assert (home.journals / "5.log").read_text() == "one\nthree\n"


def half_open(path, mode):
    class Half:
        def __enter__(self):
            self.file = open(path, mode)  # noqa: PTH123
            return self

        def write(self, data):
            self.file.write(data[:2])
            self.file.flush()
            raise OSError(28, "No space left on device")

        def __exit__(self, *exception):
            self.file.close()

    return Half()


def test_a_full_disk_holds_up_a_piece_until_there_is_room(plane, run_once, monkeypatch):
    tries, write = [], journal.write_private_json

    def sometimes_full(path, value):
        tries.append(path)
        if value["sequence"] and len(tries) < 5:
            raise OSError(28, "No space left on device")
        write(path, value)

    monkeypatch.setattr("bvo_agent.journal.write_private_json", sometimes_full)
    plane.add_job({"main.py": PRINT})
    assert run_once()
    assert plane.log_text == LINES
    assert len(tries) > 4


def test_a_masked_secret_is_not_in_the_journal(make_log, tmp_path):
    log = make_log()
    log.masks.add("hunter22")
    log.write(b"the password is hunter22, and hunter")
    assert re.fullmatch(r"the password is \*+, and ", (tmp_path / "1.log").read_text())
