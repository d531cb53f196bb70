"""The recorded traffic of the reference server, replayed: an existing client can't tell the difference.

Each answer has the recorded status, and every recorded field with a value of the same type. Where we answer another
status on purpose, DEVIATIONS says so, with the number of the decision in the contract.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from support.api import zipped

TRANSCRIPT = Path(__file__).with_name("transcript.jsonl")
PACKAGES = {
    "invoice_bot_1.0.0.zip": ["main.py", "lib/util.py"],
    "whatever.zip": ["main.py"],
    "x_1.0.0.tar": ["main.py"],
}

DEVIATIONS = {
    "create asset, name taken": (409, 2),
    "create asset, bad type": (422, 2),
    "register user twice": (422, 2),  # the recorded password, `x`, breaks the password policy before the name is asked
    "upload package again": (409, 2),
    "upload, not a zip": (422, 2),
    "delete machine with robots": (409, 2),
    "heartbeat for another robot": (403, 8),
    "job result, twice": (409, 14),
    "job result, bad status": (422, 2),
    "create queue item, missing queue": (422, 2),
    "unknown settings group": (404, 2),
    "sdk token: enqueue": (201, 7),
}
"""Label: the status that we answer, and the decision that asks for it."""

OTHER_TYPES = {("list queue items", "[0].payload"): 7}
"""Label and field: a value whose type differs from the recorded one, and the decision that asks for it."""

AS_DANA = {"a user without roles is forbidden", "me, no roles", "the user may now list jobs", "me, with a role"}


class Player:
    """Plays the recording, with the tokens and ids of this server in the places of the recorded ones."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client
        self._tokens: dict[str, str] = {}
        self._session = ""

    def play(self, entry: dict[str, Any]) -> tuple[int, Any]:
        label, asked = entry["label"], entry["request"]
        response = self._client.open(
            asked["path"],
            method=asked["method"],
            query_string=self._own(asked.get("params")),
            headers=self._headers(label, asked.get("headers", {})),
            buffered=True,
            **self._body(asked),
        )
        answer = response.get_json(silent=True)
        self._remember(label, answer)
        return response.status_code, answer

    def _body(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "json" in asked:
            return {"json": self._own(asked["json"])}
        form = dict(asked.get("form", {}))
        for field, name in asked.get("files", {}).items():
            form[field] = (io.BytesIO(zipped(dict.fromkeys(PACKAGES[name], "pass"))), name)
        return {"data": form} if form else {}

    def _headers(self, label: str, recorded: dict[str, str]) -> dict[str, str]:
        if "X-Robot-Token" in recorded:
            return {"X-Robot-Token": self._tokens["robot"]}
        if "Authorization" not in recorded:
            return {}
        whose = "sdk" if label.startswith("sdk token") else "dana" if label in AS_DANA else "admin"
        return {"Authorization": f"Bearer {self._tokens[whose]}"}

    def _own(self, values: dict[str, Any] | None) -> dict[str, Any] | None:
        return {**values, "session_id": self._session} if values and "session_id" in values else values

    def _remember(self, label: str, answer: Any) -> None:
        names = {
            "login (OAuth2 password form)": ("admin", "access_token"),
            "login as the new user": ("dana", "access_token"),
            "register robot": ("robot", "api_token"),
            "sdk auth status, confirmed": ("sdk", "access_token"),
        }
        if label in names:
            name, field = names[label]
            self._tokens[name] = answer[field]
        if label.startswith("sdk auth start"):
            self._session = answer["session_id"]


def test_every_recorded_answer_is_given_again(client: FlaskClient) -> None:
    player, faults = Player(client), []
    for line in TRANSCRIPT.read_text(encoding="utf-8").splitlines():
        entry = json.loads(line)
        status, answer = player.play(entry)
        expected, _ = DEVIATIONS.get(entry["label"], (entry["status"], None))
        if status != expected:
            faults.append(f"{entry['label']}: {status} instead of {expected}: {answer}")
        elif status == entry["status"]:
            for at, fault in differences(entry["response"], answer):
                if (entry["label"], at) not in OTHER_TYPES:
                    faults.append(f"{entry['label']}: {at} {fault}")
    assert faults == []


def differences(recorded: Any, given: Any, path: str = "") -> list[tuple[str, str]]:
    """What a client that reads the recorded fields would miss: where, and what."""
    if recorded is None or given is None or (isinstance(recorded, str) and recorded.startswith("<")):
        return []
    if not isinstance(given, type(recorded)):
        return [(path, f"is {given!r}, recorded was {recorded!r}")]
    if isinstance(recorded, dict):
        absent = [(f"{path}.{name}", "is missing") for name in recorded if name not in given]
        shared = [name for name in recorded if name in given]
        return absent + [
            fault for name in shared for fault in differences(recorded[name], given[name], f"{path}.{name}")
        ]
    if isinstance(recorded, list):
        return differences(recorded[0], given[0], f"{path}[0]") if recorded and given else []
    return []


@pytest.mark.parametrize("label", sorted(DEVIATIONS))
def test_a_deviation_names_a_decision_and_a_recorded_request(label: str) -> None:
    labels = {json.loads(line)["label"] for line in TRANSCRIPT.read_text(encoding="utf-8").splitlines()}
    assert label in labels
    assert 1 <= DEVIATIONS[label][1] <= 18
