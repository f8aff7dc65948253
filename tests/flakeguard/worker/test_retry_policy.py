"""Which errors are tried again, when, and which are not: the worker document's table."""

import errno

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError

from flakeguard.worker.errors import InvalidJobError, NoAppError, RetryLater, kind_of, wait_asked_for
from flakeguard.worker.jobs import RunsAnalyzeJobData, RunsIngestJobData, TestsRecomputeJobData
from flakeguard.worker.queues import PRIORITIES, bullmq_name, public_name
from flakeguard.worker.retry_policy import (
    JITTER,
    MOST_WAITING_SECONDS,
    Bury,
    Failure,
    Kind,
    Retry,
    Wait,
    decide,
    delay_ms,
)

REPOSITORY = {"owner": "acme", "repo": "project", "installationId": 67890}


def longest() -> float:
    return 1.0


def test_the_documents_table() -> None:
    assert [delay_ms(tries, longest) for tries in range(1, 6)] == [5_000, 10_000, 20_000, 30_000, 30_000]


@given(st.integers(0, 1000), st.floats(0, 1, exclude_max=True))
def test_jitter_only_shortens_and_stays_bounded(tries: int, drawn: float) -> None:
    assert 5_000 * (1 - JITTER) - 1 <= delay_ms(tries, lambda: drawn) <= 30_000


@pytest.mark.parametrize("kind", [Kind.NETWORK, Kind.PROCESSING, Kind.SYSTEM])
def test_three_retries_after_the_first_try(kind: Kind) -> None:
    decisions = [decide(Failure(kind, tries), longest) for tries in range(1, 5)]
    assert decisions == [Retry(5_000), Retry(10_000), Retry(20_000), Bury("failed 4 times")]


def test_validation_errors_are_never_tried_again() -> None:
    assert isinstance(decide(Failure(Kind.VALIDATION, 1), longest), Bury)


@pytest.mark.parametrize("kind", [Kind.RATE_LIMIT, Kind.OUTAGE])
def test_waits_cost_no_try_but_end_after_a_day(kind: Kind) -> None:
    assert decide(Failure(kind, 4, waits=500, waited_seconds=MOST_WAITING_SECONDS - 60), longest) == Wait(30_000)
    assert isinstance(decide(Failure(kind, 1, waits=9, waited_seconds=MOST_WAITING_SECONDS), longest), Bury)


@given(st.sampled_from([Kind.NETWORK, Kind.RATE_LIMIT]), st.floats(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_what_the_refuser_asks_for_wins(kind: Kind, asked: float, drawn: float) -> None:
    decision = decide(Failure(kind, 1, asked_seconds=asked), lambda: drawn)
    assert isinstance(decision, Retry | Wait)
    assert asked * 1000 - 1 <= decision.delay_ms <= asked * 1000 + 1_001


@given(st.floats(0, 1e9), st.floats(0, MOST_WAITING_SECONDS - 1))
def test_nobody_is_waited_for_longer_than_a_day(asked: float, waited: float) -> None:
    decision = decide(Failure(Kind.RATE_LIMIT, 1, waited_seconds=waited, asked_seconds=asked), longest)
    assert isinstance(decision, Wait)
    assert waited + decision.delay_ms / 1000 <= MOST_WAITING_SECONDS + 0.001


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (InvalidJobError("no owner"), Kind.VALIDATION),
        (RetryLater(60, counts=False), Kind.RATE_LIMIT),
        (RetryLater(counts=True), Kind.NETWORK),
        (TimeoutError(), Kind.NETWORK),
        (OSError(errno.ENOSPC, "disk full"), Kind.SYSTEM),
        (MemoryError(), Kind.SYSTEM),
        (ConnectionRefusedError(), Kind.OUTAGE),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 5432)"), Kind.OUTAGE),
        (RedisConnectionError("gone"), Kind.OUTAGE),
        (asyncpg.CannotConnectNowError("starting up"), Kind.OUTAGE),
        (asyncpg.AdminShutdownError("stops"), Kind.OUTAGE),
        (asyncpg.ConnectionDoesNotExistError("cut"), Kind.OUTAGE),
        (asyncpg.UndefinedColumnError("a newer version dropped it"), Kind.OUTAGE),
        (NoAppError(), Kind.OUTAGE),
        (OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), Kind.OUTAGE),
        (asyncpg.CharacterNotInRepertoireError("a NUL"), Kind.VALIDATION),
        (asyncpg.UniqueViolationError("ours"), Kind.PROCESSING),
        (ValueError("a bug"), Kind.PROCESSING),
    ],
)
def test_kinds_of_errors(error: Exception, kind: Kind) -> None:
    assert kind_of(error) is kind


def test_a_wait_that_was_asked_for_is_known() -> None:
    assert wait_asked_for(RetryLater(61.5, counts=False)) == 61.5
    assert wait_asked_for(ValueError()) is None


def test_queues_have_one_public_name_and_two_spellings() -> None:
    assert bullmq_name("runs:ingest") == "runs-ingest"
    assert public_name("runs-ingest") == public_name("runs:ingest") == "runs:ingest"
    assert public_name("tests-recompute") == "tests:recompute"
    assert public_name("runs") is None


def test_priorities_are_in_bullmqs_order() -> None:
    numbers = [PRIORITIES[name] or 0 for name in ("critical", "high", "normal", "low")]
    assert numbers == sorted(set(numbers))


def test_job_data_is_the_documents() -> None:
    metadata = {"runStatus": "completed", "conclusion": "failure", "headSha": "abc", "headBranch": "main"}
    told = {"workflowRunId": 1, "repository": REPOSITORY, "priority": "low", "metadata": metadata}
    assert RunsIngestJobData.of("process-run", told | {"unknown": 1}).to_json() == told
    analyze = {"workflowRunId": 1, "repository": REPOSITORY, "analysisConfig": {"lookbackDays": 7}}
    assert RunsAnalyzeJobData.of("analyze-run", analyze).to_json() == analyze | {"forceRecompute": False}
    recompute = {"repository": {"owner": "a", "repo": "b"}, "recomputeScope": {"type": "all", "patterns": ["x"]}}
    assert TestsRecomputeJobData.of("recompute", recompute).recompute_scope.patterns == ("x",)


@pytest.mark.parametrize(
    "data", [{}, {"workflowRunId": "1", "repository": REPOSITORY}, {"workflowRunId": 1, "repository": {"owner": "a"}}]
)
def test_job_data_that_is_not_what_its_name_promises_says_what_is_missing(data: dict[str, object]) -> None:
    with pytest.raises(InvalidJobError, match=r"process-run: data\."):
        RunsIngestJobData.of("process-run", data)
