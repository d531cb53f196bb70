"""Runs the commands of a document as one shell session, in a folder of its own.

A comment above a block says how: `<!-- run: background -->` starts it and goes on, `<!-- run: save as FILE -->` writes
it, `<!-- run: skip (REASON) -->` leaves it out. `<!-- session: NAME -->` begins another session.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from docs.markdown import Block
from support.servers import environment

SKIP = re.compile(r"skip \(.{10,}\)")
SAVE = re.compile(r"save as (?P<path>[\w./-]+)")
BEGIN = r"""\
set -euo pipefail
started=()
stop() {
    code=$?
    for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${started[@]}"; do
        for _ in {1..200}; do kill -0 "$pid" 2>/dev/null || continue 2; sleep 0.1; done
        echo "still there 20 s after SIGTERM: $(tr '\0' ' ' </proc/"$pid"/cmdline)"
        kill -KILL "$pid"
        code=1
    done
    exit "$code"
}
trap stop EXIT
# A SIGTERM between fork and exec is taken by the handler of this shell, and is lost.
await_exec() { while [ "$(readlink "/proc/$1/exe")" = "$(readlink "/proc/$$/exe")" ]; do sleep 0.01; done; }
"""


def sessions(found: Iterable[Block]) -> dict[str, list[Block]]:
    """The blocks to run by session, in their order; the first session is named `""`."""
    grouped: dict[str, list[Block]] = {}
    current = ""
    for block in found:
        current = block.notes.get("session", current)
        if block.language == "bash" or "run" in block.notes:
            grouped.setdefault(current, []).append(block)
    return grouped


def run(
    found: Iterable[Block], folder: Path, replaced: Mapping[str, str], seconds: float = 120, **variables: Any
) -> str:
    """Run the blocks, after replacing some texts; returns what they printed. Fails with all of it where one fails."""
    script = BEGIN + "".join(_lines(block, number) for number, block in enumerate(found))
    for text, instead in replaced.items():
        script = script.replace(text, instead)
    (folder / "home").mkdir()
    process = subprocess.Popen(
        ["bash", "-c", script],
        cwd=folder,
        env={**_surroundings(folder / "home"), **{name: str(value) for name, value in variables.items()}},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        output += f"\nit did not end within {seconds} s"
    logs = "".join(f"\n--- {path.name}\n{path.read_text('utf-8')}" for path in sorted(folder.glob("background-*.log")))
    assert process.returncode == 0, f"exit code {process.returncode}\n{output}{logs}"
    return output


def _lines(block: Block, number: int) -> str:
    how = block.notes.get("run", "")
    if SKIP.fullmatch(how):
        return ""
    say = f"echo {shlex.quote(f'--- {block.place}')}\n"
    if save := SAVE.fullmatch(how):
        path = shlex.quote(save["path"])
        return f"mkdir -p $(dirname {path})\nprintf %s {shlex.quote(block.text)} >{path}\n"
    if how == "background":
        (command,) = block.text.splitlines()
        return f'{say}exec {command} >background-{number}.log 2>&1 &\nstarted+=("$!")\nawait_exec "$!"\n'
    assert not how, f"{block.place}: {how!r} is none of: background, save as FILE, skip (REASON)"
    return say + block.text


def _surroundings(home: Path) -> dict[str, str]:
    """A clean home, and the `bvo` of this Python first."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {name: value for name, value in environment().items() if not name.startswith("XDG_")}
    return {**kept, "PATH": path, "HOME": str(home)}


def has_curl_with_json() -> bool:
    """True where curl is 7.82 or newer."""
    if shutil.which("curl") is None:
        return False
    version = subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    return tuple(int(part) for part in version.split(".")[:2]) >= (7, 82)
