"""What every request came to, phase by phase, and whether that is what an outage may do."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx

BROKEN, HUNG = "broken", "hung"
"""Beside statuses: the connection was refused or cut; no answer in time."""
HEALED_WITHIN_SECONDS = 5.0
_CALM_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One request: what it was for, its status, and when it began and ended."""

    kind: str
    status: int | str
    began: float
    ended: float

    @property
    def failed(self) -> bool:
        return self.status not in (200, 201, 202)


@dataclass
class Phase:
    """A time of hurting and healing. `allowed` are the failures that it excuses, until it has healed."""

    name: str
    allowed: frozenset[int | str]
    began: float
    hurt_until: float = 0.0
    ended: float = 0.0
    note: str = ""


class Record:
    """Of the whole run."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.phases: list[Phase] = []
        self.delays: list[tuple[float, float]] = []  # when a change was told, and how long after its insert's answer
        self.broken_sockets: list[tuple[float, int | None]] = []
        self.wrong: list[str] = []
        """What nothing excuses."""

    @asynccontextmanager
    async def phase(self, name: str, *allowed: int | str) -> AsyncIterator[Phase]:
        """Hurt in the block; what follows is time to heal, and then a calm without any failure."""
        phase = Phase(name, frozenset(allowed), time.monotonic())
        self.phases.append(phase)
        yield phase
        phase.hurt_until = time.monotonic()
        await asyncio.sleep(HEALED_WITHIN_SECONDS + _CALM_SECONDS)
        phase.ended = time.monotonic()

    def add(self, kind: str, status: int | str, began: float) -> None:
        self.outcomes.append(Outcome(kind, status, began, time.monotonic()))

    def check(self, answer: httpx.Response) -> None:
        """A failure says so clearly: when to try again, what it is, and under which id the logs have it."""
        if not answer.headers.get("retry-after", "").isdigit():
            self.wrong.append(f"{answer.status_code} without Retry-After: {answer.request.url} {answer.text[:300]}")
        try:
            is_clear = {"error", "message", "request_id"} <= answer.json().keys()
        except ValueError:
            is_clear = False
        if not is_clear:
            self.wrong.append(f"{answer.status_code} that says nothing: {answer.request.url} {answer.text[:300]}")

    def of(self, phase: Phase) -> list[Outcome]:
        return [one for one in self.outcomes if phase.began <= one.ended < phase.ended]

    def sockets_of(self, phase: Phase) -> list[int | None]:
        return [code for at, code in self.broken_sockets if phase.began <= at < phase.ended]

    # ── judgement ──

    def faults(self) -> list[str]:
        """Everything that was not as it should be."""
        return self.wrong + [fault for phase in self.phases for fault in self._faults_of(phase)]

    def _faults_of(self, phase: Phase) -> Iterator[str]:
        outcomes = self.of(phase)
        for (kind, status), number in Counter((one.kind, one.status) for one in outcomes if one.failed).items():
            if status not in phase.allowed:
                yield f"{phase.name}: {number} x {kind} -> {status}"
        if (late := self.healed_after(phase)) > HEALED_WITHIN_SECONDS:
            yield f"{phase.name}: failures until {late:.1f} s after its end"
        calm = Counter(one.kind for one in outcomes if one.ended > phase.hurt_until and not one.failed)
        yield from (f"{phase.name}: no {kind} succeeded after it" for kind in self._steady - calm.keys())
        if BROKEN not in phase.allowed and (codes := self.sockets_of(phase)):
            yield f"{phase.name}: {len(codes)} sockets broke ({codes})"

    @property
    def _steady(self) -> set[str]:
        """The kinds that go on all the time."""
        return {one.kind for one in self.of(self.phases[0])}

    def healed_after(self, phase: Phase) -> float:
        """Seconds from the end of the hurting to the last failure's; 0 when there was none."""
        return max((one.ended - phase.hurt_until for one in self.of(phase) if one.failed), default=0.0)

    # ── the table ──

    def table(self) -> str:
        head = f"{'':25}{'s':>4}{'requests':>9}  {'failures':24}{'healed':>8}{'slowest':>9}{'broken':>8}{'told':>7}"
        return "\n".join([head, *map(self._line, self.phases)])

    def _line(self, phase: Phase) -> str:
        outcomes = self.of(phase)
        failures = Counter(str(one.status) for one in outcomes if one.failed)
        said = ", ".join(f"{number} x {status}" for status, number in sorted(failures.items())) or "none"
        slowest = max((one.ended - one.began for one in outcomes), default=0.0)
        told = max((delay for at, delay in self.delays if phase.began <= at < phase.ended), default=0.0)
        return (
            f"{phase.name:25}{phase.ended - phase.began:4.0f}{len(outcomes):9,}  {said:24}"
            f"{max(self.healed_after(phase), 0):8.1f}{slowest:9.1f}{len(self.sockets_of(phase)):8}{told:7.1f}"
            f"  {phase.note}"
        )
