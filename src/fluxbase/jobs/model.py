"""Jobs as the database has them and as others see them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID


class JobStatus(StrEnum):
    """The words of `jobs.jobs.status`."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Claim:
    """One attempt of one worker at a job. (id, claim) never comes again."""

    id: UUID
    claim: int
    name: str
    payload: Mapping[str, Any]
    attempt: int
    max_attempts: int
    scheduled_at: datetime
    user_id: UUID | None


@dataclass(frozen=True, slots=True)
class StoredJob:
    """A job as its submitter sees it. Times are UTC; `progress` is from 0 to 1."""

    id: UUID
    name: str
    status: JobStatus
    payload: Mapping[str, Any]
    result: Any
    progress: float | None
    progress_message: str | None
    priority: int
    attempts: int
    max_attempts: int
    error: str | None
    scheduled_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    created_at: datetime
    updated_at: datetime
    cancel_requested_at: datetime | None
    user_id: UUID | None

    def as_json(self) -> dict[str, Any]:
        """The shape of a job in the API."""
        return {name: _plain(getattr(self, name)) for name in self.__slots__}


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job to be. None is the function's own word, now, or nobody."""

    name: str
    payload: Mapping[str, Any]
    priority: int = 0
    max_attempts: int | None = None
    scheduled_at: datetime | None = None
    idempotency_key: str | None = None
    user_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class DeclaredFunction:
    """What workers said of a function."""

    name: str
    callable_by: frozenset[str]
    max_attempts: int


@dataclass(frozen=True, slots=True)
class JobsStats:
    """How the queue is. `oldest_due_seconds`: how long the job that is due longest has waited for a worker."""

    queue: Mapping[str, int]
    due: int
    oldest_due_seconds: float
    workers: tuple[Mapping[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        """`workers`, `queue` (jobs by status), `due`, `oldest_due_seconds`."""
        return {
            "workers": [{key: _plain(value) for key, value in worker.items()} for worker in self.workers],
            "queue": dict(self.queue),
            "due": self.due,
            "oldest_due_seconds": round(self.oldest_due_seconds, 3),
        }


def _plain(value: Any) -> Any:
    match value:
        case UUID():
            return str(value)
        case datetime():
            return value.isoformat().replace("+00:00", "Z")
        case _:
            return value
