"""Claims and leases: nothing starts unconfirmed, and nothing runs on after its lease."""

from __future__ import annotations

import signal

import pytest

LOST_ANSWER = -1


def renewals(plane) -> list[float]:
    """When the server heard of the lease."""
    heard = zip(plane.times["heartbeat"], plane.seen["heartbeat"], strict=True)
    return [at for at, body in heard if body["leases"]]


def nothing_of_the_job(plane, home) -> bool:
    """Nothing was told of it but, where nobody knows if the claim was confirmed, that it was not started."""
    told = [plane.seen[part] for part in ("log", "update", "stopped")]
    return not any(told) and not any(home.journals.iterdir())


def test_a_script_starts_after_its_claim_is_confirmed(plane, run_once):
    plane.answers["heartbeat"] = [0, 503, 503, 503]
    plane.add_job({"main.py": "print('ran')"}, confirm_seconds=15)
    assert run_once()
    assert plane.seen["next-job"][0]["confirms"] is True
    assert renewals(plane)[0] < plane.times["log"][0]


@pytest.mark.parametrize("answer", [0, 401], ids=["no answer", "a refusal"])
def test_a_claim_that_can_not_be_confirmed_starts_nothing_and_is_given_back(plane, run_once, home, tmp_path, answer):
    plane.answers["heartbeat"] = [answer] * 999
    script = f"open({str(tmp_path / 'ran')!r}, 'w')"
    plane.add_job({"main.py": script}, confirm_seconds=0.6)
    assert not run_once()
    assert not (tmp_path / "ran").exists()
    assert nothing_of_the_job(plane, home)
    assert plane.seen["release"] == [{"started": False}]
    assert plane.headers["release"][0]["X-Lease-Token"] == "lease-1"


def test_a_job_that_was_not_started_is_given_back_as_soon_as_the_server_answers(plane, run_once, home):
    plane.answers["heartbeat"] = [0] * 999
    plane.answers["release"] = [0, 503]
    plane.add_job({"main.py": "print('ran')"}, confirm_seconds=0.6)
    assert not run_once()
    assert plane.seen["release"] == [{"started": False}]
    assert not any(home.outbox.iterdir())


def test_a_runner_that_is_stopped_before_the_confirmation_gives_the_job_back(plane, start_runner, wait_until, home):
    plane.answers["heartbeat"] = [0] * 999
    plane.add_job({"main.py": "print('ran')"}, confirm_seconds=60)
    runner = start_runner()
    wait_until(lambda: plane.seen["next-job"])
    runner.send_signal(signal.SIGTERM)
    assert runner.wait(20) == 0
    assert nothing_of_the_job(plane, home)
    assert plane.seen["release"] == [{"started": False}]


def test_a_claim_that_the_server_gave_away_starts_and_reports_nothing(plane, run_once, home):
    number = plane.add_job({"main.py": "print('ran')"}, confirm_seconds=15)
    plane.lease_states[number] = "lost"
    assert not run_once()
    assert nothing_of_the_job(plane, home)
    assert plane.seen["release"] == []


def test_after_the_confirmation_the_whole_lease_counts(plane, run_once):
    plane.add_job({"main.py": "import time; time.sleep(1)"}, confirm_seconds=0.9, heartbeat_seconds=60)
    assert run_once()


def test_a_claim_is_repeated_with_its_key_until_an_answer_arrives(plane, run_once):
    plane.answers["next-job"] = [0, 503, LOST_ANSWER]
    plane.add_job({"main.py": "print('ran')"})
    assert run_once()
    assert run_once()
    first, *more, last = plane.claim_keys
    assert first
    assert more == [first] * 3
    assert last not in (None, first)
    assert len(plane.seen["update"]) == 1
    assert plane.headers["update"][0]["X-Lease-Token"] == "lease-1-again"


def test_each_claim_has_a_key_of_its_own(plane, start_runner, wait_until):
    """An empty answer is an answer, too."""
    start_runner()
    wait_until(lambda: len(plane.claim_keys) >= 3)
    assert len(set(plane.claim_keys)) == len(plane.claim_keys)


@pytest.mark.parametrize("told", ["with the job", "with the last heartbeat"])
@pytest.mark.parametrize("answer", [0, 503], ids=["cut off", "refusing"])
def test_a_runner_that_is_cut_off_ends_its_script_before_its_lease_ends(plane, run_once, tmp_path, answer, told):
    """Also one that ignores SIGTERM, and however long the grace is."""
    stamps = tmp_path / "stamps"
    script = f"""
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open({str(stamps)!r}, "w", buffering=1) as file:
    while True:
        print(time.monotonic(), file=file)
        time.sleep(0.02)
"""
    if told == "with the job":
        plane.add_job({"main.py": script}, lease_seconds=4, heartbeat_seconds=0.2)
    else:
        plane.add_job({"main.py": script}, lease_seconds=600, heartbeat_seconds=60)
        plane.lease_seconds, plane.heartbeat_seconds = 4, 0.2
    plane.answers["heartbeat"] = CutOff(answer, stamps)
    assert not run_once()
    assert float(stamps.read_text().split()[-1]) < renewals(plane)[-1] + 4
    assert plane.seen["update"] == plane.seen["release"] == []


def test_a_job_that_a_runner_gave_up_is_released_when_the_server_is_back(plane, run_once, tmp_path):
    stamps = tmp_path / "stamps"
    script = f"import time; print('begun'); open({str(stamps)!r}, 'w'); time.sleep(600)"
    plane.add_job({"main.py": script}, lease_seconds=1.6, heartbeat_seconds=0.2)
    plane.answers["heartbeat"] = CutOff(503, stamps)
    assert not run_once()
    plane.answers["heartbeat"] = []
    assert run_once()
    assert plane.log_text == "begun\n"
    assert plane.headers["release"][0]["X-Lease-Token"] == "lease-1"
    assert plane.seen["update"] == []


class CutOff(list):
    """The server is away from when the script has begun."""

    def __init__(self, answer, sign):
        super().__init__([answer])
        self.sign = sign

    def __bool__(self):
        return self.sign.exists()

    def pop(self, index):
        return self[0]
