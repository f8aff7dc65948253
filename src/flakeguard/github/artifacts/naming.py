"""Which job left an artifact, told from its name and the names of the run's jobs where they agree. Pure.

Job and variant are part of a test's history, so the same job must get the same names in every run and in every attempt:
times play no part, and where the names do not agree with exactly one job the artifact's own name stands for the job.
What `flakeguard upload` sends from inside the job is named alike, so that both are one run.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

_TOKEN = re.compile(r"\d+(?:\.\d+)+|[a-z]+|\d+")
_MATRIX = re.compile(r"^(?P<name>.+?) \((?P<values>.*)\)$")
_LONGEST = 500
_CONTROLS = re.compile(r"[\x00-\x1f\x7f]")

_SAYS_NOTHING = frozenset(
    [
        "a",
        "all",
        "and",
        "artifact",
        "artifacts",
        "attempt",
        "files",
        "for",
        "junit",
        "latest",
        "log",
        "logs",
        "of",
        "output",
        "report",
        "reporter",
        "reports",
        "result",
        "results",
        "run",
        "surefire",
        "failsafe",
        "test",
        "testreport",
        "testreports",
        "testresult",
        "testresults",
        "tests",
        "the",
        "xml",
        "xunit",
    ]
)
"""Words of artifacts' names that tell results from other artifacts, and no job from another."""

_RUNNERS = (
    (re.compile(r"^ubuntu-.*\barm\b|^ubuntu-.*-arm64$"), "linux-arm64"),
    (re.compile(r"^ubuntu-"), "linux-x64"),
    (re.compile(r"^windows-.*\barm\b"), "windows-arm64"),
    (re.compile(r"^windows-"), "windows-x64"),
    (re.compile(r"^macos-(13|12|11|.*-large|.*-intel)"), "macos-x64"),
    (re.compile(r"^macos-"), "macos-arm64"),
)
"""GitHub's own runners by label: RUNNER_OS and RUNNER_ARCH, as the uploader joins them."""


@dataclass(frozen=True, slots=True)
class RunJob:
    """A job as GitHub names it (`test (ubuntu-latest, 3.12)`), and the labels of the runner it asked for."""

    name: str
    labels: tuple[str, ...] = ()


class JobIdentity(NamedTuple):
    """Name and variant as FlakeGuard keeps them; `job` is the one at GitHub that it was told from, if any."""

    name: str
    variant: str
    job: str | None = None


class _Known(NamedTuple):
    identity: JobIdentity
    tokens: frozenset[str]
    values: frozenset[str]


class Jobs:
    """The jobs of a run, ready to be compared with names of artifacts."""

    def __init__(self, jobs: Iterable[RunJob]) -> None:
        """`jobs` are all that the run ever had, of its first attempt too: a rerun may have but some of them."""
        distinct = {job.name: job for job in jobs}
        parts = {name: _split(name) for name in distinct}
        shards = _shard_positions(parts.values())
        self._known = [
            _Known(
                JobIdentity(parts[name][0], cut(_variant(job, parts[name], shards)), name),
                frozenset(_tokens(name)),
                frozenset(_tokens(" ".join(parts[name][1]))),
            )
            for name, job in distinct.items()
        ]

    def of_artifact(self, name: str) -> JobIdentity:
        """The job that left the artifact; its own name, without run ids and the like taken out, where none agrees.

        `name` comes from `stable_name`.
        """
        said = frozenset(_tokens(name)) - _SAYS_NOTHING
        found = self._agreeing(said) if said else self._only()
        return found or JobIdentity(cut(name), "")

    def _only(self) -> JobIdentity | None:
        """The artifact names no job: the run's only one left it, or its only one with tests in its name."""
        candidates = self._known if len(self._known) == 1 else [one for one in self._known if _is_test_job(one)]
        return _one({one.identity for one in candidates})

    def _agreeing(self, said: frozenset[str]) -> JobIdentity | None:
        """The job whose name holds all that the artifact's says; of several, the one whose matrix values it says."""
        candidates = [one for one in self._known if said <= one.tokens]
        exact = [one for one in candidates if one.values and one.values - _SAYS_NOTHING <= said]
        most = max((len(one.values) for one in exact), default=0)
        return _one({one.identity for one in exact if len(one.values) == most} or {one.identity for one in candidates})


def one_line(name: str) -> str:
    """A name without line ends: a matrix may hold whole scripts, and GitHub puts them into the job's name."""
    return " ".join(_CONTROLS.sub(" ", name).split())


def cut(name: str) -> str:
    """As much of a name as an upload may tell; long ones that differ only at the end stay different."""
    if len(name) <= _LONGEST:
        return name
    return f"{name[: _LONGEST - 12]}… {hashlib.sha256(name.encode()).hexdigest()[:10]}"


def stable_name(name: str, *, run_id: int, run_attempt: int, head_sha: str) -> str:
    """The artifact's name without what differs from run to run: run id, attempt, commit."""
    text = re.sub(rf"(?<!\d){run_id}(?!\d)(?P<then>[-_. ]+{run_attempt}(?!\d))?", "", name)
    text = re.sub(rf"(?i)[-_. ]*\battempt[-_. ]*{run_attempt}(?!\d)", "", text)
    text = re.sub(rf"(?i)(?<![0-9a-f]){head_sha[:7]}[0-9a-f]*(?![0-9a-z])", "", text)
    text = re.sub(r"(?P<one>[-_. ])[-_. ]+", r"\g<one>", text).strip("-_. ")
    return text or name


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text.lower())


def _split(name: str) -> tuple[str, tuple[str, ...]]:
    found = _MATRIX.match(name)
    if found is None:
        return cut(name), ()
    return cut(found["name"]), tuple(value.strip() for value in found["values"].split(","))


def _is_test_job(known: _Known) -> bool:
    return bool(known.tokens & {"test", "tests", "pytest", "unit", "junit", "e2e", "spec", "specs"})


def _one(found: set[JobIdentity]) -> JobIdentity | None:
    """The only one of them; shards of a job count as one."""
    if len({(identity.name, identity.variant) for identity in found}) != 1:
        return None
    return min(found, key=lambda identity: identity.job or "")


def _variant(job: RunJob, parts: tuple[str, tuple[str, ...]], shards: Mapping[str, frozenset[int]]) -> str:
    name, values = parts
    runner = next((system for label in job.labels for pattern, system in _RUNNERS if pattern.match(label)), None)
    labels = {label.lower() for label in job.labels} if runner else set[str]()
    rest = [
        value for place, value in enumerate(values) if place not in shards.get(name, ()) and value.lower() not in labels
    ]
    return ", ".join([runner, *rest] if runner else rest)


def _shard_positions(jobs: Iterable[tuple[str, tuple[str, ...]]]) -> dict[str, frozenset[int]]:
    """By job name, the places among its matrix values that number its shards (1 to n, or 0 to n - 1), or tell n.

    A test moves from shard to shard as others are added: a shard is no variant.
    """
    by_name: dict[str, list[tuple[str, ...]]] = {}
    for name, values in jobs:
        by_name.setdefault(name, []).append(values)
    return {name: _shards_among(rows) for name, rows in by_name.items()}


def _shards_among(rows: Sequence[tuple[str, ...]]) -> frozenset[int]:
    columns = {place: {row[place] for row in rows if place < len(row)} for place in range(max(map(len, rows)))}
    found = {place for place, values in columns.items() if _number_shards(values)}
    counts = {str(len(columns[place])) for place in found}
    return frozenset(found | {place for place, values in columns.items() if found and values <= counts})


def _number_shards(values: set[str]) -> bool:
    numbers = [re.fullmatch(r"(?:shard[ -]?)?(\d+)(?:\s*(?:/|of)\s*\d+)?", value.lower()) for value in values]
    told = sorted(int(number[1]) for number in numbers if number)
    return len(told) == len(values) > 1 and told in (list(range(len(told))), list(range(1, len(told) + 1)))
