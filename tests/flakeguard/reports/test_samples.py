"""What pytest, Jest, Vitest, Mocha, Node, Playwright and Surefire wrote, read attempt by attempt."""

from pathlib import Path

import pytest

from flakeguard.reports.hidden_reruns import HIDDEN_RERUN
from flakeguard.reports.model import Outcome
from flakeguard.reports.summary import summarise

from .conftest import Read, read_report

SAMPLES = Path(__file__).parent / "samples"
P, F, E, S = Outcome


def sample(name: str) -> Read:
    return read_report((SAMPLES / f"{name}.xml").read_bytes())


@pytest.mark.parametrize(
    ("name", "framework", "suites", "cases", "attempts", "outcomes"),
    [
        # adds, two amounts and a total pass; one of 14 tests has a failure and an error: it erred in the end.
        ("pytest", "pytest", 1, 14, 15, (4, 5, 3, 2)),
        ("pytest-rerunfailures", "pytest", 1, 14, 31, (5, 4, 3, 2)),
        ("pytest-xdist-reruns", "pytest", 1, 14, 31, (5, 4, 3, 2)),
        ("pytest-flaky", "pytest", 1, 14, 29, (6, 3, 3, 2)),
        ("pytest-subtests", "pytest", 1, 4, 4, (2, 2, 0, 0)),
        # jest-junit writes the file that cannot be loaded twice.
        ("jest", "jest", 2, 9, 10, (6, 2, 0, 1)),
        ("vitest", "vitest", 1, 6, 6, (3, 1, 0, 2)),
        ("mocha", "mocha", 4, 5, 5, (3, 2, 0, 0)),
        ("node", "node", 2, 6, 6, (3, 1, 0, 2)),
        ("playwright", "playwright", 2, 8, 8, (4, 0, 2, 2)),
        ("playwright-retries", "playwright", 2, 8, 16, (4, 0, 2, 2)),
        ("surefire-reruns", "surefire", 1, 8, 15, (5, 1, 1, 1)),
    ],
)
def test_the_counts_are_the_frameworks_own(
    name: str, framework: str, suites: int, cases: int, attempts: int, outcomes: tuple[int, int, int, int]
):
    with (SAMPLES / f"{name}.xml").open("rb") as stream:
        read = summarise(name, stream)

    assert (read.format, read.suites, read.cases, read.attempts) == (framework, suites, cases, attempts)
    assert (read.passed, read.failed, read.errors, read.skipped) == outcomes
    assert read.passed + read.failed + read.errors + read.skipped == read.cases
    assert read.error is None


@pytest.mark.parametrize("name", ["pytest-rerunfailures", "pytest-xdist-reruns"])
def test_attempts_that_pytest_shows_as_passes_failed(name: str):
    read = sample(name)

    assert read.of("test_flaky") == [F, F, P]
    assert read.of("test_never") == [F, F, F]
    assert read.of("test_needs_setup") == [F, F, E]
    assert read.of("test_adds") == [P]
    hidden = next(attempt for attempt in read.attempts if attempt.name == "test_flaky")
    assert (hidden.message, hidden.failure_type) == (HIDDEN_RERUN, "rerun")


def test_subtests_are_no_reruns():
    assert sample("pytest-subtests").of("test_subs_ok") == [P]


def test_pytest_without_reruns_shows_both_ends_of_a_test_that_failed_twice():
    read = sample("pytest")

    assert read.of("test_fails_twice") == [F, E]
    assert read.of("test_flaky") == [F]
    assert read.info.properties == {}
    assert read.info.timestamp is not None
    assert read.info.timestamp.tzinfo is not None


def test_colours_and_nul_are_gone_from_what_pytest_kept():
    shown = next(attempt for attempt in sample("pytest").attempts if attempt.name == "test_prints_colours")

    assert shown.message == "ValueError: red message with ]]> and #x00 inside"
    assert shown.outcome is F


def test_surefires_reruns_come_in_order_of_execution():
    read = sample("surefire-reruns")

    assert read.of("isFlaky") == [F, F, P]
    assert read.of("errsOnce") == [E, P]
    assert read.of("neverPasses") == [F, F, F]
    assert read.of("alwaysErrs") == [E, E, E]
    flaky = [attempt for attempt in read.attempts if attempt.name == "isFlaky"]
    assert [attempt.message for attempt in flaky] == ["not yet: 1", "not yet: 2", None]
    assert [attempt.system_out for attempt in flaky] == ["run 1\n", "run 2\n", None]
    assert [attempt.duration_seconds for attempt in flaky] == [None, None, 0.001]
    broken = next(attempt for attempt in read.attempts if attempt.name == "errsOnce")
    assert broken.message == '<broken> & "odd"'
    assert broken.failure_type == "java.lang.IllegalStateException"


def test_playwrights_projects_are_different_tests():
    read = sample("playwright-retries")

    assert {attempt.suite for attempt in read.attempts} == {"first > shop.spec.js", "second > shop.spec.js"}
    assert read.of("cart › is flaky") == [F, F, P, F, F, P]
    assert read.of("cart › never passes") == [E, E, E, E, E, E]


def test_vitests_failures_of_one_case_are_one_attempt_with_clean_output():
    read = sample("vitest")
    never = next(attempt for attempt in read.attempts if attempt.name == "cart > never passes")

    assert read.of("cart > never passes") == [F]
    assert never.system_out is not None
    assert "red" in never.system_out
    assert "\x1b" not in never.system_out
    assert never.details is not None
    assert never.details.count("shop.test.mjs:6:103") == 2


def test_nodes_suites_nest():
    assert {(attempt.suite, attempt.name) for attempt in sample("node").attempts} >= {
        ("", "stands alone"),
        ("cart", "adds"),
        ("cart > when empty", "adds"),
    }


def test_mochas_file_belongs_to_the_suite():
    assert {attempt.file for attempt in sample("mocha").attempts} == {"/project/shop.spec.js"}
