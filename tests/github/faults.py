"""Scripted faults of the fake GitHub: what goes wrong, and where or how often.

    fake.faults.on("POST .*/check-runs", faults.broken(502), times=2)     # the next two
    fake.faults.at_rate(0.2, faults.anything(), seed=7)                   # a fifth of all, the same with each seed
    fake.faults.clear()

Patterns are searched for in `METHOD path`; artifacts' contents are at `STORED`, where `half` and `cut` are worth most.
A fault is not held to GitHub's description: proxies answer what they like.
"""

import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

STORED = r"GET /\d+/\d+$"


@dataclass(frozen=True)
class Fault:
    """What happens instead of the answer; `after` doing what was asked, whose answer is lost then."""

    name: str = "scripted"
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    reset_in: int | None = None  # seconds until the limit is renewed
    delay: float = 0  # seconds
    half: bool = False  # of the true answer, which promised all of it
    drip: float = 0  # seconds from each byte of the true answer to the next
    unmeasured: bool = False  # the true answer, without saying how long it is
    cut: bool = False  # the connection, without a word
    after: bool = False

    @property
    def answers(self) -> bool:
        """Whether something comes of the true answer."""
        return self.half or self.unmeasured or self.drip > 0


def secondary_limit(seconds: int = 1) -> Fault:
    """403, not before `seconds`."""
    told = {"message": "You have exceeded a secondary rate limit."}
    return Fault("secondary limit", 403, {"retry-after": str(seconds)}, told)


def limit_used_up(seconds: int = 1) -> Fault:
    """403: nothing is left of the hour's limit, which is renewed in `seconds`."""
    told = {"message": "API rate limit exceeded"}
    return Fault("limit used up", 403, {"x-ratelimit-remaining": "0"}, told, reset_in=seconds)


def too_many(seconds: int = 1) -> Fault:
    """429, not before `seconds`."""
    return Fault("too many", 429, {"retry-after": str(seconds)})


def broken(status: int = 500, *, after: bool = False) -> Fault:
    """500, 502 or 503, with a proxy's page."""
    return Fault(f"broken {status}", status, {"content-type": "text/html"}, "<html>Unicorn!</html>", after=after)


def silent(seconds: float = 600, *, after: bool = False) -> Fault:
    """No answer until the client goes, or for `seconds`."""
    return Fault("silent", 504, delay=seconds, after=after)


def cut(*, after: bool = False) -> Fault:
    """The connection is closed without an answer."""
    return Fault("cut", cut=True, after=after)


def half() -> Fault:
    """Half of what Content-Length promised."""
    return Fault("half", half=True)


def dripping(seconds: float = 0.05) -> Fault:
    """A byte at a time, so that the connection is never silent for long."""
    return Fault("dripping", drip=seconds)


def unmeasured() -> Fault:
    """All of it, without Content-Length: whoever reads it cannot tell whether that was all."""
    return Fault("unmeasured", unmeasured=True)


def expired() -> Fault:
    """410: the artifact was kept long enough."""
    return Fault("expired", 410, body={"message": "Artifact has expired"})


def anything(seconds: int = 1) -> Sequence[Fault]:
    """All that passes, where retrying helps: limits, broken servers, silence, closed connections, halves."""
    return [
        secondary_limit(seconds), limit_used_up(seconds), too_many(seconds), broken(500), broken(502), broken(503),
        silent(), cut(), half(),
    ]  # fmt: skip


NAMED = {
    made.__name__: made
    for made in (secondary_limit, limit_used_up, too_many, broken, silent, cut, half, dripping, unmeasured, expired)
}  # how another process names them


@dataclass
class _Scripted:
    pattern: str
    choices: Sequence[Fault]
    times: int | None
    rate: float
    chance: random.Random

    def takes(self, asked: str) -> Fault | None:
        if self.times == 0 or not re.search(self.pattern, asked) or self.chance.random() >= self.rate:
            return None
        if self.times is not None:
            self.times -= 1
        return self.chance.choice(self.choices)


class Faults:
    """Those that are scripted; `happened` counts by name those that did happen."""

    def __init__(self) -> None:
        self.happened: Counter[str] = Counter()
        self._scripted: list[_Scripted] = []

    def on(self, pattern: str, fault: Fault, times: int | None = 1) -> None:
        """The next `times` requests of the pattern; all of them when None."""
        self._scripted.append(_Scripted(pattern, [fault], times, 1, random.Random(0)))

    def at_rate(self, rate: float, choices: Sequence[Fault], pattern: str = "", seed: int = 1) -> None:
        """A part of the requests of the pattern, from 0 to 1, drawn with the seed."""
        self._scripted.append(_Scripted(pattern, choices, None, rate, random.Random(seed)))

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        self._scripted.clear()

    def of(self, method: str, path: str) -> Fault | None:
        """What happens to a request."""
        for one in self._scripted:
            if fault := one.takes(f"{method} {path}"):
                self.happened[fault.name] += 1
                return fault
        return None
