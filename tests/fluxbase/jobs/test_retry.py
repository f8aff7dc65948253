"""Back-off, and when schedules are due: pure."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxbase.jobs.cron import latest_due, next_due
from fluxbase.jobs.retry import Backoff, delay_seconds


def test_it_doubles_up_to_the_longest() -> None:
    backoff = Backoff(first_seconds=5, longest_seconds=60, jitter=0)
    assert [delay_seconds(backoff, attempts, lambda: 0.5) for attempts in range(1, 7)] == [5, 10, 20, 40, 60, 60]


def test_jitter_takes_off_up_to_its_share() -> None:
    backoff = Backoff(first_seconds=10, jitter=0.2)
    assert delay_seconds(backoff, 1, lambda: 0.0) == 10
    assert delay_seconds(backoff, 1, lambda: 0.999999) == pytest.approx(8, abs=0.001)


@given(st.integers(1, 10_000), st.floats(0, 1e6), st.floats(1, 1e6), st.floats(0, 1), st.floats(0, 1, exclude_max=True))
def test_no_delay_is_negative_or_longer_than_the_longest(
    attempts: int, first: float, multiplier: float, jitter: float, draw: float
) -> None:
    backoff = Backoff(first, multiplier, longest_seconds=1e6, jitter=jitter)
    assert 0 <= delay_seconds(backoff, attempts, lambda: draw) <= 1e6


def test_a_back_off_that_makes_no_sense_is_refused() -> None:
    for wrong in (
        {"first_seconds": -1},
        {"multiplier": 0.5},
        {"jitter": 2},
        {"first_seconds": 9, "longest_seconds": 1},
    ):
        with pytest.raises(ValueError, match="back-off needs"):
            Backoff(**wrong)
    with pytest.raises(ValueError, match="first attempt"):
        delay_seconds(Backoff(), 0, lambda: 0)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_the_wall_clock_of_the_zone_counts() -> None:
    assert next_due("0 7 * * *", "UTC", at("2026-01-10T07:00:00")) == at("2026-01-11T07:00:00")
    assert next_due("0 7 * * *", "Europe/Berlin", at("2026-01-10T12:00:00")) == at("2026-01-11T06:00:00")
    assert next_due("0 7 * * *", "Europe/Berlin", at("2026-07-10T12:00:00")) == at("2026-07-11T05:00:00")


def test_where_clocks_change_it_runs_once() -> None:
    spring = at("2026-03-28T12:00:00")  # on the 29th there is no 02:30 in Berlin
    assert next_due("30 2 * * *", "Europe/Berlin", spring) == at("2026-03-29T01:00:00")
    assert next_due("30 2 * * *", "Europe/Berlin", at("2026-03-29T01:00:00")) == at("2026-03-30T00:30:00")
    autumn = at("2026-10-24T12:00:00")  # on the 25th there are two
    once = next_due("30 2 * * *", "Europe/Berlin", autumn)
    assert once in (at("2026-10-25T00:30:00"), at("2026-10-25T01:30:00"))
    assert next_due("30 2 * * *", "Europe/Berlin", once) == at("2026-10-26T01:30:00")


def test_the_latest_that_was_missed() -> None:
    since = at("2026-01-01T03:00:00")
    assert latest_due("0 3 * * *", "UTC", since, at("2026-01-05T02:59:59")) == at("2026-01-04T03:00:00")
    assert latest_due("0 3 * * *", "UTC", since, at("2026-01-05T03:00:00")) == at("2026-01-05T03:00:00")
    assert latest_due("0 3 * * *", "UTC", since, since + timedelta(minutes=1)) == since
