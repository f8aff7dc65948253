"""What a load is, and what was measured. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

SCENARIOS: Final[Mapping[str, int]] = {"light": 100, "normal": 500, "heavy": 1000, "stress": 2000}
"""Jobs a minute of the worker document's four loads."""


@dataclass(frozen=True, slots=True)
class Load:
    """`jobs` runs of `cases` test cases each; all at once, or `per_minute` evenly spread."""

    jobs: int
    concurrency: int
    cases: int
    processes: int = 1
    per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """A load test's outcome. Times are seconds; a job's latency is from its acceptance until it is done."""

    jobs: int
    succeeded: int
    failed: int
    seconds: float
    latencies: Sequence[float]
    memory_bytes: int

    @property
    def per_minute(self) -> float:
        """Jobs done a minute."""
        return 60 * self.succeeded / self.seconds if self.seconds else 0.0

    def latency(self, share: float) -> float:
        """The latency that this share of the jobs did not exceed; 0 when none was done."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        body = {name: value for name, value in asdict(self).items() if name != "latencies"}
        latency = {f"p{share * 100:g}": round(self.latency(share), 4) for share in (0.5, 0.95, 0.99)}
        return body | {
            "seconds": round(self.seconds, 3),
            "jobs_per_minute": round(self.per_minute, 1),
            "success_percent": round(100 * self.succeeded / self.jobs, 2) if self.jobs else 0.0,
            "latency_seconds": latency | {"max": round(max(self.latencies, default=0.0), 4)},
        }
