"""What is left of a budget, and who may still call. Pure."""

from dataclasses import replace

import pytest

from flakeguard.github.api.allowance import (
    LONGEST_SECONDS,
    Allowance,
    Refused,
    Told,
    hear,
    packed,
    roomy,
    take,
    told_by,
    unpacked,
)

NOW = 1_000_000.0
HOUR_ENDS = NOW + 1800
KNOWN = Allowance(remaining=600, limit=5000, reset=HOUR_ENDS)


def taken(known: Allowance, *, can_wait: bool = False, now: float = NOW) -> tuple[int | None, Refused | None]:
    after, refused = take(known, now, can_wait=can_wait)
    return after.remaining, refused


def test_who_knows_nothing_lets_everything_pass() -> None:
    assert taken(Allowance()) == (None, None)
    assert taken(replace(KNOWN, remaining=0), now=HOUR_ENDS) == (None, None)  # the hour is over


def test_each_call_takes_one_until_none_is_left() -> None:
    assert taken(replace(KNOWN, remaining=1)) == (0, None)
    assert taken(replace(KNOWN, remaining=0)) == (0, Refused(1801.0))


@pytest.mark.parametrize(("remaining", "passes"), [(501, True), (500, False), (1, False)])
def test_what_can_wait_leaves_a_tenth_to_others(remaining: int, *, passes: bool) -> None:
    known = replace(KNOWN, remaining=remaining)
    assert taken(known)[1] is None
    assert taken(known, can_wait=True)[1] == (None if passes else Refused(1801.0, reserved=True))


def test_asked_to_wait_nobody_calls_until_then() -> None:
    known = hear(KNOWN, Told(wait_seconds=60), NOW)
    assert taken(known, now=NOW + 10)[1] == Refused(50.0)
    assert taken(known, now=NOW + 60) == (599, None)
    assert hear(known, Told(wait_seconds=5), NOW).wait_until == NOW + 60  # a shorter one takes nothing back


def test_answers_come_in_any_order() -> None:
    told = [Told(remaining, 5000, HOUR_ENDS) for remaining in (598, 596, 597)]
    known = KNOWN
    for one in told:
        known = hear(known, one, NOW)
    assert known.remaining == 596
    assert hear(known, Told(4000, 5000, HOUR_ENDS - 3600), NOW) == known  # of the hour before
    assert hear(known, Told(4999, 5000, HOUR_ENDS + 3600), HOUR_ENDS + 1).remaining == 4999
    assert hear(known, Told(590, 5000, HOUR_ENDS + 1), NOW).remaining == 590  # its servers differ by a second


def test_calls_under_way_are_taken_off_and_free_ones_given_back() -> None:
    known, _ = take(KNOWN, NOW, can_wait=False)
    known, _ = take(known, NOW, can_wait=False)
    assert hear(known, Told(599, 5000, HOUR_ENDS), NOW).remaining == 598  # the other one is not answered yet
    assert hear(known, Told(600, 5000, HOUR_ENDS, free=True), NOW).remaining == 599


def test_a_clock_that_is_wrong_stops_nobody_for_more_than_an_hour() -> None:
    known = hear(Allowance(), Told(0, 5000, NOW + 10**6), NOW)
    assert taken(known)[1] == Refused(LONGEST_SECONDS)
    assert taken(known, now=NOW + LONGEST_SECONDS) == (None, None)


def test_headers_say_what_is_left_of_the_budget_that_we_use() -> None:
    headers = {"x-ratelimit-limit": "5000", "x-ratelimit-remaining": "7", "x-ratelimit-reset": "1000100"}
    assert told_by(headers) == Told(7, 5000, 1_000_100.0)
    assert told_by(headers | {"x-ratelimit-resource": "search"}) == Told()
    assert told_by({"x-ratelimit-remaining": "soon"}) == Told()


def test_what_is_kept_is_read_again_and_what_cannot_be_read_is_not_known() -> None:
    assert unpacked(packed(KNOWN)) == KNOWN
    assert packed(Allowance()) == ""
    assert {unpacked(text) for text in ("", "{}", "[1]", '["x", 1, 2, 3]', "nonsense")} == {Allowance()}


def test_there_is_plenty_above_half_of_the_hours_calls_and_where_nothing_is_known() -> None:
    assert roomy(Allowance(), 100)
    assert roomy(Allowance(2501, 5000, reset=200), 100)
    assert not roomy(Allowance(2500, 5000, reset=200), 100)
    assert roomy(Allowance(0, 5000, reset=50), 100)  # of an hour that is over
    assert not roomy(Allowance(wait_until=101), 100)
