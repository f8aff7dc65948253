"""Which attempt left an artifact: GitHub lists those of all attempts together, and none names its own. Pure.

An attempt starts only after the one before it is completed, so its artifacts are those created from its own
`run_started_at` until the next attempt's.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Protocol

_FIRST = datetime.min.replace(tzinfo=UTC)
_LAST = datetime.max.replace(tzinfo=UTC)


class Created(Protocol):
    """Something that was made at some time."""

    @property
    def created_at(self) -> datetime:
        """When."""
        ...


def of_attempt[Artifact: Created](
    artifacts: Iterable[Artifact], attempt: int, starts: Mapping[int, datetime]
) -> list[Artifact]:
    """The artifacts that this attempt left.

    Args:
        artifacts: all of the run's.
        attempt: counts from 1.
        starts: `run_started_at` of the attempts that are known; that of `attempt` and of the one after it decide.
    """
    begins = _FIRST if attempt == 1 else starts.get(attempt, _FIRST)
    ends = min((start for number, start in starts.items() if number > attempt), default=_LAST)
    return [artifact for artifact in artifacts if begins <= artifact.created_at < ends]
