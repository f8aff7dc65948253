"""Which artifacts are taken, of which attempt, and whose job they are."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from flakeguard.github.artifacts.attempts import of_attempt
from flakeguard.github.artifacts.choosing import ArtifactRules, choose, matches, matches_file
from flakeguard.github.artifacts.naming import Jobs, RunJob, stable_name

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Listed:
    name: str
    size_bytes: int = 10
    expired: bool = False
    created_at: datetime = NOON


@pytest.mark.parametrize(
    "name",
    [
        "junit", "JUnit Test Report", "test-results-ubuntu-latest", "test_results", "Test Results (ubuntu, 3.12)",
        "surefire-reports-17", "playwright-report", "pytest-results-3.12", "unit-test-results", "cypress-results",
        "junit-xml--12345--1--py310--linux", "e2e.results", "failsafe",
    ],
)  # fmt: skip
def test_names_of_real_projects_are_taken(name: str) -> None:
    assert matches(name, ArtifactRules().names)


@pytest.mark.parametrize(
    "name", ["dist", "coverage-report", "test-coverage", "pytest-coverage", "playwright-traces", "docker-image", "logs"]
)
def test_other_names_are_not(name: str) -> None:
    assert not matches(name, ArtifactRules().names)


def test_what_cannot_be_had_is_said() -> None:
    rules = ArtifactRules(most_bytes=100, most_artifacts=1)
    listed = [
        Listed("junit-old", expired=True), Listed("junit-huge", 101), Listed("junit"), Listed("junit-2"), Listed("dist")
    ]  # fmt: skip
    choice = choose(listed, rules)
    assert [one.name for one in choice.chosen] == ["junit"]
    assert choice.others == ("dist",)
    expired, huge, many = map(str, choice.passed_over)
    assert "junit-old: it has expired" in expired
    assert "FG_MAX_ARTIFACT_BYTES" in huge
    assert "FG_MAX_ARTIFACTS" in many


def test_patterns_of_files() -> None:
    assert matches_file("target/surefire-reports/TEST-a.XML", ["*.xml"])
    assert not matches_file("a/coverage.xml", ["*.xml", "!*coverage*"])


def test_artifacts_belong_to_the_attempt_during_which_they_were_made() -> None:
    starts = {1: NOON, 2: NOON + timedelta(hours=1), 3: NOON + timedelta(hours=2)}
    listed = [Listed(f"at-{at}", created_at=NOON + timedelta(minutes=at)) for at in (0, 59, 60, 119, 120)]
    found = {attempt: [one.name for one in of_attempt(listed, attempt, starts)] for attempt in (1, 2, 3)}
    assert found == {1: ["at-0", "at-59"], 2: ["at-60", "at-119"], 3: ["at-120"]}
    assert len(of_attempt(listed, 1, {})) == 5


MATRIX = [RunJob(f"test ({system}, {version})", (system,))
          for system in ("ubuntu-latest", "windows-latest") for version in ("3.12", "3.13")]  # fmt: skip
SHARDS = [RunJob(f"e2e ({shard}, 3)", ("ubuntu-latest",)) for shard in (1, 2, 3)]


@pytest.mark.parametrize(
    ("jobs", "artifact", "name", "variant"),
    [
        (MATRIX, "junit-ubuntu-latest-3.12", "test", "linux-x64, 3.12"),
        (MATRIX, "test-results (windows-latest, 3.13)", "test", "windows-x64, 3.13"),
        (MATRIX, "junit-ubuntu-latest", "junit-ubuntu-latest", ""),  # two jobs agree: neither is taken
        (MATRIX, "junit", "junit", ""),
        (SHARDS, "playwright-report-2", "playwright-report-2", ""),  # no job is called playwright
        (SHARDS, "e2e-results-2", "e2e", "linux-x64"),  # a shard is no variant
        ([RunJob("build", ("ubuntu-latest",))], "junit", "build", "linux-x64"),
        ([RunJob("lint"), RunJob("unit tests")], "test-results", "unit tests", ""),
        ([RunJob("lint"), RunJob("unit"), RunJob("integration")], "integration-test-results", "integration", ""),
        ([RunJob("test (18)"), RunJob("test (20)")], "test-results-18", "test", "18"),
        ([RunJob("test (1)"), RunJob("test (2)")], "test-results-2", "test", ""),
        ([RunJob("test", ("macos-14",))], "junit-test", "test", "macos-arm64"),
        ([], "Test Results", "Test Results", ""),
    ],
)  # fmt: skip
def test_jobs_are_named_where_the_names_agree(jobs: list[RunJob], artifact: str, name: str, variant: str) -> None:
    assert Jobs(jobs).of_artifact(artifact)[:2] == (name, variant)


def test_names_lose_what_differs_from_run_to_run() -> None:
    def stable(name: str) -> str:
        return stable_name(name, run_id=123456, run_attempt=2, head_sha="abcdef0123456789")

    assert stable("junit-xml--123456--2--py310--linux") == "junit-xml-py310-linux"
    assert stable("results-attempt-2") == "results"
    assert stable("results-abcdef0") == "results"
    assert stable("junit-1234567") == "junit-1234567"
    assert stable("123456") == "123456"
