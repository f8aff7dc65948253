"""Queues, jobs and failures as operators see them; `as_json` is what HTTP and `--json` say."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

STATES: Final = (
    "waiting", "prioritized", "active", "delayed", "waiting-children", "completed", "failed",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One queue now. `waiting` counts prioritized jobs too; `dead_letters` are PostgreSQL's, `failed` BullMQ's."""

    name: str
    paused: bool
    waiting: int
    active: int
    delayed: int
    completed: int
    failed: int
    dead_letters: int

    def as_json(self) -> dict[str, Any]:
        """In camelCase, as the worker document writes."""
        body = asdict(self)
        body["deadLetters"] = body.pop("dead_letters")
        return body


@dataclass(frozen=True, slots=True)
class JobSeen:
    """A job that BullMQ or the outbox holds. Times are milliseconds since 1970, None where it has not come to that."""

    id: str
    queue: str
    name: str
    state: str
    data: Mapping[str, Any]
    tries: int
    created_at: int | None = None
    started_at: int | None = None
    ended_at: int | None = None
    progress: Any = None
    result: Any = None
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """In camelCase, as the worker document writes."""
        body = asdict(self)
        for ours, theirs in (("created_at", "createdAt"), ("started_at", "startedAt"), ("ended_at", "endedAt")):
            body[theirs] = body.pop(ours)
        return body


@dataclass(frozen=True, slots=True)
class FailureSeen:
    """A job that nobody tries again by itself.

    `kept` is whether it is a dead letter in PostgreSQL, kept until somebody deals with it; the others are only in
    Redis, put there by somebody else, and go when newer failures come.
    """

    id: str
    queue: str
    name: str
    error: str
    failed_at: str | None
    tries: int | None
    stack: str | None
    data: Mapping[str, Any]
    kept: bool

    def as_json(self) -> dict[str, Any]:
        """In camelCase, as the worker document writes."""
        body = asdict(self)
        body["failedAt"] = body.pop("failed_at")
        return body
