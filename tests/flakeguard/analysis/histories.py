"""Histories in shorthand, as docs/verdicts.md writes them.

Words are separated by spaces and are one commit each, oldest first: `P` passed, `F` failed, `E` error, `S` skipped;
`FP` failed and passed by a retry in one run; `F|P` two runs of the commit; `P*5` five commits; `F!` the run is an
outage; `F~` the test's group failed together in the run; `job@F` another job; `branch:F` another branch; `=F` the
same commit as the word before; `31d` a pause of 31 days.
"""

from datetime import UTC, datetime, timedelta

from flakeguard.analysis.config import DEFAULT_CONFIG
from flakeguard.analysis.evaluate import evaluate
from flakeguard.analysis.model import Observation, Run
from flakeguard.reports.model import Outcome

START = datetime(2025, 1, 1, tzinfo=UTC)
GROUP = "tests.Group"
OUTCOMES = {"P": Outcome.PASSED, "F": Outcome.FAILED, "E": Outcome.ERROR, "S": Outcome.SKIPPED}


def history(text: str, *, every: timedelta = timedelta(minutes=10)) -> list[Observation]:
    """Read shorthand into observations, oldest first."""
    found: list[Observation] = []
    at, commit = START, 0
    for word in text.split():
        if is_pause(word):
            at += timedelta(days=int(word[:-1]))
            continue
        pieces, _, times = word.partition("*")
        for _ in range(int(times or 1)):
            commit += not pieces.startswith("=")
            for piece in pieces.lstrip("=").split("|"):
                at += every
                found.append(observation(len(found), at, f"c{commit}", piece))
    return found


def observation(number: int, at: datetime, commit: str, piece: str) -> Observation:
    branch, _, rest = piece.rpartition(":")
    job, _, attempts = rest.rpartition("@")
    run = Run(
        id=number,
        executed_at=at,
        key=number.to_bytes(4),
        commit=commit,
        branch=branch or "main",
        job=job or "linux",
        outage=attempts.endswith("!"),
        mass_failures=frozenset({GROUP} if attempts.endswith("~") else ()),
    )
    return Observation(run, tuple(OUTCOMES[letter] for letter in attempts.rstrip("!~")))


def analyse(text: str, config=DEFAULT_CONFIG):
    """Evaluate shorthand at the time of its end (a pause at the end counts)."""
    return judge(history(text), clock(text), config)


def judge(observations, now, config=DEFAULT_CONFIG):
    return evaluate(observations, group=GROUP, default_branch="main", now=now, config=config)


def clock(text: str) -> datetime:
    """Time at which shorthand ends, pauses at its end included."""
    found = history(text)
    at = found[-1].run.executed_at if found else START
    for word in reversed(text.split()):
        if not is_pause(word):
            break
        at += timedelta(days=int(word[:-1]))
    return at


def is_pause(word: str) -> bool:
    return word.endswith("d") and word[:-1].isdigit()
