"""What a running script gets to know of the server's assets, under the lease of its attempt."""

from __future__ import annotations

import threading
import urllib.parse
from dataclasses import dataclass
from typing import Any

from bvo_agent.client import Client
from bvo_agent.errors import Refused, Unavailable
from bvo_agent.masking import Masks
from bvo_agent.protocol import Job
from bvo_agent.retry import retrying

PATIENCE_SECONDS = 60.0
SECRET_FIELDS = {"secret": "value", "credential": "password"}
"""By an asset's type: what is masked from now on."""


@dataclass(frozen=True)
class Assets:
    """Nothing is kept: each request asks the server, which audits it and knows the newest value."""

    client: Client
    job: Job
    masks: Masks

    def answer(self, name: str, ended: threading.Event) -> dict[str, Any]:
        """The asset as the server shows it, or `{"error": text}`. Tries for up to 60 s, or until `ended`."""
        path = f"/api/runner/assets/{urllib.parse.quote(name, safe='')}"
        try:
            asset = retrying(
                lambda: self.client.get(path, self.job.lease_headers), ended.wait, PATIENCE_SECONDS, ended.is_set
            )
        except Refused as error:
            return {"error": error.detail}
        except Unavailable as error:
            return {"error": f"The asset {name!r} could not be fetched: {error}."}
        secret = asset.get(SECRET_FIELDS.get(str(asset.get("type")), ""))
        if secret is not None:
            self.masks.add(str(secret))
        return asset
