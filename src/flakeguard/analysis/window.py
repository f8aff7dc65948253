"""The packed window of a test: its last runs in six bytes each, newest first.

An entry is the run's id (u32) and a code (u16), little-endian. The code is a sentinel bit and then two bits per
attempt (`Outcome`), the first attempt highest; bit 15 marks a run whose attempts were reduced to seven. A run is
put in with all its attempts that are known, so any order of arrival ends with the same bytes. The union of two windows
is a union by the larger code, which up to seven attempts is the longer list: commutative, associative, idempotent.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from struct import Struct
from typing import Any

from flakeguard.analysis.course import Courses
from flakeguard.analysis.model import Observation, Run
from flakeguard.reports.model import Outcome

ENTRY_BYTES = 6
MAX_ATTEMPTS = 7
_ENTRY = Struct("<IH")
_WHOLE_ENTRY = Struct(f"{ENTRY_BYTES}s")
_REDUCED = 1 << 15
_ATTEMPT_BITS = 2
_ONE_PASS = 0b100
_CONTEXTS = 4

type Order = tuple[datetime, bytes]
"""Place of a run in a history: its time, then its tie-break."""

type OrderOf = Callable[[int], Order]
"""Looks up the place of a run by its id."""


def pack(attempts: Sequence[Outcome]) -> int:
    """Pack the attempts of one run, oldest first, into a code.

    More than seven are reduced (`reduce_attempts`) and the code is marked.

    Raises:
        ValueError: there is no attempt.
    """
    if not attempts:
        raise ValueError("a run without attempts has no place in a window")
    code = 1
    for outcome in reduce_attempts(attempts):
        code = code << _ATTEMPT_BITS | outcome
    return code | _REDUCED if len(attempts) > MAX_ATTEMPTS else code


def reduce_attempts(attempts: Sequence[Outcome]) -> Sequence[Outcome]:
    """Keep seven of more attempts, in order: the first, the last, the first of every outcome, then the earliest.

    So a contradiction among them stays one, and how the run ended stays known.
    """
    if len(attempts) <= MAX_ATTEMPTS:
        return attempts
    kept = {0, len(attempts) - 1} | {attempts.index(outcome) for outcome in set(attempts)}
    earliest = iter(range(1, len(attempts)))
    while len(kept) < MAX_ATTEMPTS:
        kept.add(next(earliest))
    return [attempts[index] for index in sorted(kept)]


@lru_cache(maxsize=1 << 12)
def unpack(code: int) -> tuple[Outcome, ...]:
    """Return the attempts of a code, oldest first."""
    bits = code & ~_REDUCED
    attempts: list[Outcome] = []
    while bits > 1:
        attempts.append(Outcome(bits & 0b11))
        bits >>= _ATTEMPT_BITS
    return tuple(reversed(attempts))


def entries(window: bytes) -> list[tuple[int, int]]:
    """Return (run id, code) of a window, newest first."""
    return list(_ENTRY.iter_unpack(window))


def run_ids(windows: Iterable[bytes]) -> set[int]:
    """Return the ids of all runs that windows speak of, to load them at once."""
    return {run_id for window in windows for run_id, _ in _ENTRY.iter_unpack(window)}


def merge(window: bytes, run_id: int, code: int, order_of: OrderOf, size: int = 100) -> bytes:
    """Return the window with one run put in its place; at most `size` entries.

    Looks up the place of as few runs as it can: one for a run newer than all others, else a binary search.

    Args:
        window: the packed window.
        run_id: the run to put in.
        code: its packed attempts, all that are known: it replaces that of a run that is there already. A later
            code is not always a larger one (more than seven attempts are reduced).
        order_of: finds the place of a run by id; raises what it likes for an unknown one.
        size: entries kept.
    """
    order = order_of(run_id)
    low, high = 0, len(window) // ENTRY_BYTES
    while low < high:
        middle = (low + high) // 2 if low else 0
        other = _ENTRY.unpack_from(window, middle * ENTRY_BYTES)
        if other[0] == run_id:
            return _replace(window, middle, code)
        if order_of(other[0]) > order:
            low = middle + 1
        else:
            high = middle
    at = low * ENTRY_BYTES
    return (window[:at] + _ENTRY.pack(run_id, code) + window[at:])[: size * ENTRY_BYTES]


def _replace(window: bytes, index: int, code: int) -> bytes:
    run_id = _ENTRY.unpack_from(window, index * ENTRY_BYTES)[0]
    return window[: index * ENTRY_BYTES] + _ENTRY.pack(run_id, code) + window[(index + 1) * ENTRY_BYTES :]


def join(first: bytes, second: bytes, order_of: OrderOf, size: int = 100) -> bytes:
    """Return the union of two windows of one test; at most `size` entries."""
    codes = dict(_ENTRY.iter_unpack(first))
    for run_id, code in _ENTRY.iter_unpack(second):
        codes[run_id] = max(code, codes.get(run_id, 0))
    newest_first = sorted(codes, key=order_of, reverse=True)[:size]
    return b"".join(_ENTRY.pack(run_id, codes[run_id]) for run_id in newest_first)


def prune(window: bytes, cutoff: datetime, order_of: OrderOf) -> bytes:
    """Return the window without the runs older than `cutoff`."""
    end = len(window)
    while end and order_of(_ENTRY.unpack_from(window, end - ENTRY_BYTES)[0])[0] < cutoff:
        end -= ENTRY_BYTES
    return window[:end]


def known(window: bytes, runs: Container[int]) -> bytes:
    """Return the window without runs that are not among `runs` (deleted since)."""
    if not [run_id for run_id, _ in _ENTRY.iter_unpack(window) if run_id not in runs]:
        return window
    return b"".join(_ENTRY.pack(run_id, code) for run_id, code in _ENTRY.iter_unpack(window) if run_id in runs)


def quiet(window: bytes) -> bool:
    """Whether every run of the window is a single pass; looks at bytes only."""
    runs = len(window) // ENTRY_BYTES
    return window[4::ENTRY_BYTES].count(_ONE_PASS) == runs and window[5::ENTRY_BYTES].count(0) == runs


class Decoder(dict[bytes, Observation]):
    """Turns windows into histories; what two tests share (a run, a code) is made once.

    Keep one for the tests of a batch. It is a cache by entry: memory grows with runs times distinct codes.
    """

    def __init__(self, runs: Mapping[int, Run]) -> None:
        """Decode with these runs; they must not change while the decoder lives."""
        super().__init__()
        self.courses = Courses()
        self._runs = runs
        self._memories: list[tuple[tuple[object, ...], dict[bytes, Any]]] = []

    def __missing__(self, entry: bytes) -> Observation:
        run_id, code = _ENTRY.unpack(entry)
        observation = self[entry] = Observation(self._runs[run_id], unpack(code))
        return observation

    def memory[T](self, _of: type[T], *context: object) -> dict[bytes, T]:
        """Return what was remembered of whole windows in this context (a clock, a config ...)."""
        for known, memory in self._memories:
            if all(one is other or one == other for one, other in zip(known, context, strict=True)):
                return memory
        memory: dict[bytes, T] = {}
        self._memories = [(context, memory), *self._memories[: _CONTEXTS - 1]]
        return memory

    def history(self, window: bytes) -> list[Observation]:
        """Return the observations of a window, oldest first.

        Runs that are not known (deleted since) are left out.
        """
        oldest_first = [entry for (entry,) in _WHOLE_ENTRY.iter_unpack(window)][::-1]
        try:
            return [self[entry] for entry in oldest_first]
        except KeyError:
            return [self[entry] for entry in oldest_first if _ENTRY.unpack(entry)[0] in self._runs]
