"""Runs, artifacts and jobs as GitHub tells of them. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Run:
    """An attempt of a workflow run."""

    id: int
    attempt: int
    number: int
    name: str | None
    head_sha: str
    head_branch: str | None
    event: str
    status: str | None
    conclusion: str | None
    html_url: str
    created_at: datetime
    updated_at: datetime
    started_at: datetime | None
    pr_numbers: tuple[int, ...]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """From GitHub's JSON."""
        return cls(
            id=told["id"], attempt=told.get("run_attempt") or 1, number=told["run_number"], name=told.get("name"),
            head_sha=told["head_sha"], head_branch=told.get("head_branch"), event=told["event"],
            status=told.get("status"), conclusion=told.get("conclusion"), html_url=told["html_url"],
            created_at=_time(told["created_at"]), updated_at=_time(told["updated_at"]),
            started_at=_time_or_none(told.get("run_started_at")),
            pr_numbers=tuple(pull["number"] for pull in told.get("pull_requests") or ()),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Artifact:
    """A ZIP that a run left; `size` in bytes is that of the ZIP."""

    id: int
    name: str
    size: int
    expired: bool
    created_at: datetime | None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """From GitHub's JSON."""
        return cls(
            told["id"], told["name"], told["size_in_bytes"], told["expired"], _time_or_none(told.get("created_at"))
        )


@dataclass(frozen=True, slots=True)
class Job:
    """A job of an attempt."""

    id: int
    name: str
    status: str
    conclusion: str | None
    started_at: datetime | None
    completed_at: datetime | None
    html_url: str | None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """From GitHub's JSON."""
        return cls(
            told["id"], told["name"], told["status"], told.get("conclusion"), _time_or_none(told.get("started_at")),
            _time_or_none(told.get("completed_at")), told.get("html_url"),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Downloaded:
    """What was downloaded: bytes, and SHA-256 of them in hexadecimal."""

    size: int
    sha256: str


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _time_or_none(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
