"""Output of any size, shape and encoding."""

from __future__ import annotations

import resource
import sys
import time
from itertools import pairwise
from types import SimpleNamespace

import pytest

from bvo_agent.output import LOG_LIMIT_BYTES, TAIL_BYTES

MEBIBYTE = 1024 * 1024


@pytest.mark.parametrize("line", ["('x' * 127 + '\\n') * 8192", "'x' * 1048576"], ids=["lines", "one huge line"])
def test_huge_output_is_cut_and_its_tail_is_kept(plane, run_once, line):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    script = f"import sys\nfor _ in range(60): sys.stdout.write({line})\nprint('the end')"
    plane.add_job({"main.py": script})
    assert run_once()
    sent = len(plane.log_text)
    assert LOG_LIMIT_BYTES <= sent < LOG_LIMIT_BYTES + 200
    assert f"[{60 * MEBIBYTE + 8 - LOG_LIMIT_BYTES} bytes of output were left out]" in plane.log_text[-100:]
    assert plane.result["logs"].endswith("the end\n")
    assert len(plane.result["logs"]) == TAIL_BYTES
    assert max(len(body["text"].encode()) for body in plane.seen["log"]) <= 64 * 1024
    if sys.platform == "linux":
        # The control plane keeps the log in this process; the rest must not grow with the output.
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60 * 1024


def test_invalid_utf8_and_nul_are_replaced(plane, run_once):
    plane.add_job({"main.py": "import os; os.write(1, b'a\\xffb\\0c\\xc3\\xa4')"})
    assert run_once()
    assert plane.result["logs"] == plane.log_text == "a\ufffdb\ufffdcä"


def test_output_appears_while_the_script_runs(plane, run_once):
    plane.add_job({"main.py": "import time\nfor n in range(8):\n    print(n)\n    time.sleep(0.1)"})
    assert run_once()
    times = plane.times["log"]
    assert len(times) >= 2
    assert times[0] < plane.times["update"][0] - 0.5
    assert min(later - earlier for earlier, later in pairwise(times[:-1])) > 0.25


def test_a_chunk_is_sent_again_under_the_same_sequence(plane, run_once):
    plane.answers["log"] = [0, 503]
    plane.add_job({"main.py": "print('hello')"})
    assert run_once()
    assert [(body["sequence"], body["text"]) for body in plane.seen["log"]] == [(1, "hello\n")]


def test_a_child_that_keeps_the_pipe_open_does_not_hold_up_the_result(plane, run_once):
    script = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])"
    plane.add_job({"main.py": f"{script}\nprint('done')"})
    started = time.monotonic()
    assert run_once()
    assert time.monotonic() - started < 4
    assert plane.result["logs"] == "done\n"


def test_a_script_may_close_its_output(plane, run_once):
    plane.add_job({"main.py": "import os, time; os.close(1); os.close(2); time.sleep(0.2); os._exit(0)"})
    assert run_once()


def test_no_character_is_split_at_the_limit_or_between_chunks(make_log, monkeypatch):
    monkeypatch.setattr("bvo_agent.journal.PIECE_BYTES", 4)
    log, sent = make_log(limit=10), []
    client = SimpleNamespace(post=lambda path, body, headers: sent.append(body["text"]))
    log.write("äöü€€".encode())
    log.close()
    while log.journal.send(client):
        pass
    assert sent[:3] == ["äö", "ü", "€\n"]
    assert "".join(sent[3:]) == "[3 bytes of output were left out]\n"
    assert log.tail() == "äöü€€"


def test_a_full_disk_cuts_the_log_and_not_its_tail(make_log, monkeypatch, tmp_path):
    log = make_log()
    log.write(b"kept\n")
    with monkeypatch.context() as full:
        full.setattr("bvo_agent.journal.Journal.append", full_disk)
        log.write(b"lost\n")
    log.write(b"after the hole\n")
    log.close()
    assert (tmp_path / "1.log").read_text() == "kept\n\n[20 bytes of output were left out]\n"
    assert log.tail() == "kept\nlost\nafter the hole\n"


def full_disk(*arguments):
    raise OSError(28, "No space left on device")
