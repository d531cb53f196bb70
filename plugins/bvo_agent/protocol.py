"""What the server sends with a claimed job, and what is sent back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True)
class Job:
    """One claimed attempt of a job. Durations are seconds; what an older server leaves out is None."""

    id: int
    attempt: int
    parameters: Any
    process_name: str
    script_path: str
    package_id: int
    package_name: str
    package_sha256: str | None
    lease_token: str | None
    lease_seconds: float | None
    heartbeat_seconds: float | None
    confirm_seconds: float | None
    timeout_seconds: float | None

    @classmethod
    def from_claim(cls, claim: Mapping[str, Any]) -> Job:
        """Reads the `job` of a next-job answer. Raises KeyError, TypeError or ValueError otherwise."""
        process, package = claim["process"], claim.get("package") or {}
        return cls(
            id=int(claim["id"]),
            attempt=int(claim.get("attempt") or 1),
            parameters=claim.get("parameters") or {},
            process_name=str(process.get("name", "")),
            script_path=str(process["script_path"]),
            package_id=int(package.get("id") or process["package_id"]),
            package_name=f"{package.get('name', '?')} {package.get('version', '')}".strip(),
            package_sha256=package.get("sha256"),
            lease_token=claim.get("lease_token"),
            lease_seconds=claim.get("lease_seconds"),
            heartbeat_seconds=claim.get("heartbeat_seconds"),
            confirm_seconds=claim.get("confirm_seconds"),
            timeout_seconds=claim.get("timeout_seconds"),
        )

    @property
    def lease_headers(self) -> dict[str, str]:
        """The header that fences what is sent for this attempt; empty for an older server."""
        return {"X-Lease-Token": self.lease_token} if self.lease_token else {}


@dataclass(frozen=True, kw_only=True)
class Report:
    """How a job ended."""

    part: ClassVar = "update"
    status: str
    result: dict[str, Any]
    error_message: str | None
    logs: str
    error_code: str | None = None

    @property
    def completed(self) -> bool:
        return self.status == "completed"

    def body(self) -> dict[str, Any]:
        """What is sent; without an error code as older servers know it."""
        body = asdict(self)
        return body if self.error_code else {name: body[name] for name in body if name != "error_code"}


@dataclass(frozen=True, kw_only=True)
class Stopped:
    """How a script was ended whose job the server had ended before."""

    part: ClassVar = "stopped"
    completed: ClassVar = False
    words: str

    def body(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class NotStarted:
    """The job is given back: its claim could not be confirmed, as far as the runner knows, and nothing was started."""

    part: ClassVar = "release"
    completed: ClassVar = False

    def body(self) -> dict[str, Any]:
        return {"started": False}


Message = Report | Stopped | NotStarted
"""What the server is told of a job in the end; `part` is the last part of the address."""
