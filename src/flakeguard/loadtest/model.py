"""What a load is, and what was measured. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

SCENARIOS: Final[Mapping[str, int]] = {"light": 100, "normal": 500, "heavy": 1000, "stress": 2000}
"""Jobs a minute of the worker document's four loads."""


@dataclass(frozen=True, slots=True)
class Load:
    """`jobs` runs of `cases` test cases each in so many repositories; all at once, or `per_minute` evenly spread."""

    jobs: int
    concurrency: int
    cases: int
    processes: int = 1
    per_minute: int | None = None
    repositories: int = 10


@dataclass(frozen=True, slots=True)
class Measured:
    """A load test's outcome. Times are seconds; a job's latency is from when it was owed until it is done.

    Attributes:
        analyzed_seconds: until the last verdicts were stored; what is told at GitHub follows. None of no-op jobs.
        cpu_seconds: processor time of each part of the machine's work, by its name.
        stored: test results in the database at the end.
        verdicts: tests by their verdict at the end.
    """

    jobs: int
    succeeded: int
    failed: int
    seconds: float
    latencies: Sequence[float]
    memory_bytes: int
    analyzed_seconds: float | None = None
    cpu_seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    stored: int = 0
    verdicts: Mapping[str, int] = field(default_factory=dict[str, int])

    @property
    def per_minute(self) -> float:
        """Jobs done a minute."""
        return 60 * self.succeeded / self.seconds if self.seconds else 0.0

    @property
    def analyzed_per_minute(self) -> float:
        """Jobs whose verdicts were stored, a minute."""
        return 60 * self.succeeded / self.analyzed_seconds if self.analyzed_seconds else 0.0

    @property
    def success_percent(self) -> float:
        """Jobs done, of all."""
        return 100 * self.succeeded / self.jobs if self.jobs else 0.0

    def cpu_ms(self, part: str) -> float:
        """Milliseconds of processor time that the part took for a job; 0 where it is not known."""
        return 1000 * self.cpu_seconds.get(part, 0.0) / self.jobs if self.jobs else 0.0

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
            "analyzed_per_minute": round(self.analyzed_per_minute, 1),
            "success_percent": round(self.success_percent, 2),
            "latency_seconds": latency | {"max": round(max(self.latencies, default=0.0), 4)},
            "cpu_ms_per_job": {part: round(self.cpu_ms(part), 2) for part in self.cpu_seconds},
        }
