"""The robot's identity: its token is asked for once, kept in the home folder, renewed when refused."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import Any

from bvo_agent.client import Client
from bvo_agent.errors import Refused, RunnerRefused, Unavailable
from bvo_agent.files import read_json, write_private_json
from bvo_agent.home import Home
from bvo_agent.retry import backoff
from bvo_agent.shutdown import Shutdown

logger = logging.getLogger(__name__)
FRESH_SECONDS = 60.0


@dataclass
class Registration:
    client: Client
    home: Home
    name: str
    machine_info: str
    machine_key: str | None
    shutdown: Shutdown
    _registered_at: float | None = field(default=None, init=False)

    def ensure(self) -> None:
        """Takes the stored token, else registers. Raises RunnerRefused."""
        stored = self._stored().get(self._key)
        if stored:
            self.client.robot_id, self.client.token = stored["robot_id"], stored["api_token"]
            logger.info("robot %s (id %s) uses its stored token", self.name, self.client.robot_id)
        else:
            self._register()

    def renew(self, refusal: Refused) -> None:
        """Registers again after the token was refused. Raises RunnerRefused where that cannot help."""
        if self.machine_key is None:
            raise RunnerRefused(
                f"the server refused the stored token: {refusal.detail}. Start with "
                f"--machine-key-file to register again (the key is shown when the machine is created)."
            )
        if self._registered_at is not None and time.monotonic() - self._registered_at < FRESH_SECONDS:
            raise RunnerRefused(
                f"the server refuses a token that it has just given out: {refusal.detail}. "
                f"Does another runner use the name {self.name!r}? Give this one another with --name."
            )
        logger.warning("the server refused the stored token (%s), registering again", refusal.detail)
        self._register()

    def _register(self) -> None:
        self.client.token = None
        for delay in backoff():
            if self.shutdown.requested:
                return
            try:
                answer = self._ask()
            except Unavailable as error:
                logger.debug("cannot register yet: %s", error)
                self.shutdown.wait(max(delay, error.retry_after or 0))
            except Refused as error:
                raise RunnerRefused(self._advice(error)) from error
            else:
                self._keep(answer)
                return

    def _ask(self) -> dict[str, Any]:
        headers = {"X-Machine-Key": self.machine_key} if self.machine_key else {}
        body = {"name": self.name, "machine_info": self.machine_info}
        return self.client.post("/api/runner/register-robot", body, headers)

    def _keep(self, answer: dict[str, Any]) -> None:
        self.client.robot_id, self.client.token = answer["robot_id"], answer["api_token"]
        self._registered_at = time.monotonic()
        entry = {"robot_id": self.client.robot_id, "api_token": self.client.token}
        write_private_json(self.home.token_file, {**self._stored(), self._key: entry})
        logger.info("registered robot %s (id %s)", self.name, self.client.robot_id)

    def _advice(self, refusal: Refused) -> str:
        if refusal.status == 404:
            return f"{self.client.url} has no runner API ({refusal}). Check --url."
        advice = "Check --machine-key" if self.machine_key else "Give the machine's key with --machine-key-file"
        return f"the server refused to register {self.name!r}: {refusal.detail}. {advice}, and the robot's name."

    @property
    def _key(self) -> str:
        return f"{self.client.url} {self.name}"

    def _stored(self) -> dict[str, Any]:
        stored = read_json(self.home.token_file)
        return stored if isinstance(stored, dict) else {}
