"""Which artifacts of a run hold test results, and which files in them. Pure.

Patterns are globs over lower-case names in which blanks, dots and underscores are dashes, so that `*test-result*` finds
`Test Results (ubuntu)` and `test_results`. One that begins with `!` takes away what it matches.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from re import sub
from typing import Protocol

DEFAULT_NAMES = (
    "*junit*", "*xunit*", "*test-result*", "*testresult*", "*test-report*", "*testreport*", "*tests-result*",
    "*tests-report*", "*test-output*", "*test-log*", "*surefire*", "*failsafe*", "*pytest*", "*playwright*",
    "*cypress*",
    "*vitest*", "*jest*", "*mocha*", "*karma*", "*nextest*", "*cargo-test*", "*gotest*", "*go-test*", "*ctest*",
    "*gtest*", "*rspec*", "*phpunit*", "*testng*", "*tap-result*", "*unit-test*", "*unittest*", "*integration-test*",
    "*e2e*", "*test-xml*", "*xml-result*", "*xml-report*",
    "!*coverage*", "!*screenshot*", "!*video*", "!*trace*", "!*blob-report*",
)  # fmt: skip
"""What projects call the artifacts that hold their results."""

DEFAULT_FILES = ("*.xml",)


@dataclass(frozen=True, slots=True)
class ArtifactRules:
    """What is fetched: globs of artifacts' names and of the files in them, and how much of both.

    Attributes:
        names: globs of artifacts.
        files: globs of paths inside an artifact; what matches and begins like something else than a report is left out.
        most_bytes: larger artifacts are not fetched.
        most_artifacts: no more are fetched of one run.
    """

    names: Sequence[str] = DEFAULT_NAMES
    files: Sequence[str] = DEFAULT_FILES
    most_bytes: int = 512 * 1024 * 1024
    most_artifacts: int = 200


class Listed(Protocol):
    """An artifact, as far as choosing looks at it."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def size_bytes(self) -> int:
        """What GitHub says of its size."""
        ...

    @property
    def expired(self) -> bool:
        """Whether GitHub has deleted it."""
        ...


@dataclass(frozen=True, slots=True)
class PassedOver:
    """An artifact (or a file in one) that was not taken, and why."""

    name: str
    why: str

    def __str__(self) -> str:
        return f"{self.name}: {self.why}"


@dataclass(frozen=True, slots=True)
class Choice[Artifact: Listed]:
    """Artifacts to fetch, in the order listed, and those that are named like results and cannot be had.

    `others` are those that are not named like test results.
    """

    chosen: tuple[Artifact, ...]
    passed_over: tuple[PassedOver, ...]
    others: tuple[str, ...]


def choose[Artifact: Listed](artifacts: Iterable[Artifact], rules: ArtifactRules) -> Choice[Artifact]:
    """Choose the artifacts with test results."""
    chosen: list[Artifact] = []
    passed_over: list[PassedOver] = []
    others: list[str] = []
    for artifact in artifacts:
        if not matches(artifact.name, rules.names):
            others.append(artifact.name)
        elif why := _why_not(artifact, rules, len(chosen)):
            passed_over.append(PassedOver(artifact.name, why))
        else:
            chosen.append(artifact)
    return Choice(tuple(chosen), tuple(passed_over), tuple(others))


def matches(name: str, patterns: Sequence[str]) -> bool:
    """Whether some pattern takes the name and none takes it away."""
    plain = _plain(name)
    wanted = [pattern for pattern in patterns if not pattern.startswith("!")]
    unwanted = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    return _any(plain, wanted) and not _any(plain, unwanted)


def matches_file(path: str, patterns: Sequence[str]) -> bool:
    """The same for a path inside an artifact: nothing but its case is levelled; `*` crosses slashes."""
    lower = path.replace("\\", "/").lower()
    wanted = [pattern.lower() for pattern in patterns if not pattern.startswith("!")]
    unwanted = [pattern[1:].lower() for pattern in patterns if pattern.startswith("!")]
    return any(fnmatchcase(lower, one) for one in wanted) and not any(fnmatchcase(lower, one) for one in unwanted)


def _any(plain: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(plain, _plain_pattern(pattern)) for pattern in patterns)


def _plain(name: str) -> str:
    return sub(r"[\s._]+", "-", name.lower())


def _plain_pattern(pattern: str) -> str:
    return sub(r"[\s._]+", "-", pattern.lower())


def _why_not(artifact: Listed, rules: ArtifactRules, already: int) -> str | None:
    if artifact.expired:
        return "it has expired: GitHub has deleted it"
    if artifact.size_bytes > rules.most_bytes:
        return f"it is larger than {rules.most_bytes} bytes (FG_MAX_ARTIFACT_BYTES): upload the reports alone"
    if already >= rules.most_artifacts:
        return f"the run has more than {rules.most_artifacts} artifacts with test results (FG_MAX_ARTIFACTS)"
    return None
