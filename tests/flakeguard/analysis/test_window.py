from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flakeguard.analysis.model import Run
from flakeguard.analysis.window import (
    ENTRY_BYTES,
    MAX_ATTEMPTS,
    Decoder,
    entries,
    join,
    merge,
    pack,
    prune,
    quiet,
    run_ids,
    unpack,
)
from flakeguard.reports.model import Outcome

P, F, E, S = Outcome
attempts = st.lists(st.sampled_from(Outcome), min_size=1, max_size=12)
few_attempts = st.lists(st.sampled_from(Outcome), min_size=1, max_size=MAX_ATTEMPTS)
T0 = datetime(2025, 1, 1, tzinfo=UTC)


def order_of(run_id: int):
    """Ids say nothing of order: every third run has the time of another one and differs by its key."""
    return T0 + timedelta(minutes=(run_id * 7919) % 31), run_id.to_bytes(4)


def merged(arrivals, size=8):
    window = b""
    for run_id, outcomes in arrivals:
        window = merge(window, run_id, pack(outcomes), order_of, size)
    return window


arrivals = st.lists(st.tuples(st.integers(0, 40), few_attempts), max_size=30)


@given(few_attempts)
def test_a_code_gives_the_attempts_back(outcomes):
    assert unpack(pack(outcomes)) == tuple(outcomes)


@given(st.lists(st.sampled_from(Outcome), min_size=MAX_ATTEMPTS + 1, max_size=40))
def test_more_than_seven_attempts_keep_first_last_and_every_outcome_in_order(outcomes):
    kept = unpack(pack(outcomes))
    assert len(kept) == MAX_ATTEMPTS
    assert (kept[0], kept[-1], set(kept)) == (outcomes[0], outcomes[-1], set(outcomes))
    left = iter(outcomes)
    assert all(outcome in left for outcome in kept)
    assert pack(outcomes) < 1 << 16


@given(attempts, attempts)
def test_what_is_known_of_a_run_replaces_what_was(one, other):
    assert merged([(1, one), (1, other)]) == merged([(1, other)])


def test_no_attempts_are_no_entry():
    with pytest.raises(ValueError, match="without attempts"):
        pack([])


@given(few_attempts, few_attempts)
def test_a_longer_list_of_attempts_has_the_larger_code(one, other):
    if len(one) < len(other):
        assert pack(one) < pack(other)


@given(st.lists(st.tuples(st.integers(0, 40), few_attempts), max_size=30, unique_by=lambda run: run[0]), st.randoms())
def test_any_order_of_arrival_gives_the_same_bytes(runs, random):
    shuffled = list(runs)
    random.shuffle(shuffled)
    assert merged(runs) == merged(shuffled) == merged([*runs, *shuffled])


@given(arrivals)
def test_a_window_holds_the_newest_runs_newest_first(runs):
    newest = sorted({run_id for run_id, _ in runs}, key=order_of, reverse=True)[:8]
    assert [run_id for run_id, _ in entries(merged(runs))] == newest


@given(arrivals, arrivals, arrivals)
def test_join_is_commutative_associative_and_idempotent(one, two, three):
    a, b, c = merged(one), merged(two), merged(three)
    assert join(a, b, order_of, 8) == join(b, a, order_of, 8)
    assert run_ids([join(a, b, order_of, 8)]) == run_ids([merged([*one, *two])])
    assert join(join(a, b, order_of, 8), c, order_of, 8) == join(a, join(b, c, order_of, 8), order_of, 8)
    assert join(a, a, order_of, 8) == a


def test_a_newest_run_is_put_in_front_with_one_look():
    looked = []

    def order(run_id):
        looked.append(run_id)
        return T0 + timedelta(minutes=run_id), b""

    window = b""
    for run_id in range(50):
        window = merge(window, run_id, pack([P]), order)
    looked.clear()
    assert entries(merge(window, 50, pack([F]), order))[0] == (50, pack([F]))
    assert looked == [50, 49]


def test_prune_drops_what_is_older_than_the_cutoff():
    window = b""
    for run_id in range(10):
        window = merge(window, run_id, pack([P]), lambda n: (T0 + timedelta(days=n), b""))
    kept = prune(window, T0 + timedelta(days=7), lambda n: (T0 + timedelta(days=n), b""))
    assert [run_id for run_id, _ in entries(kept)] == [9, 8, 7]


@given(st.lists(attempts, max_size=20))
def test_quiet_means_single_passes_only(runs):
    window = b""
    for number, outcomes in enumerate(runs):
        window = merge(window, number, pack(outcomes), lambda n: (T0 + timedelta(n), b""))
    assert quiet(window) == all(outcomes == [P] for outcomes in runs)


def test_a_run_of_many_attempts_is_not_taken_for_a_pass():
    assert not quiet(merge(b"", 4, pack([P] * 8), order_of))


def run(number: int, *, outage=False) -> Run:
    return Run(number, T0 + timedelta(hours=number), b"", f"c{number}", "main", "linux", outage=outage)


def test_a_decoder_gives_the_history_oldest_first_and_leaves_out_deleted_runs():
    window = b""
    for number in range(4):
        window = merge(window, number, pack([F, P]), lambda n: (T0 + timedelta(hours=n), b""))
    decoder = Decoder({number: run(number) for number in (0, 1, 3)})
    history = decoder.history(window)
    assert [observation.run.id for observation in history] == [0, 1, 3]
    assert history[0].attempts == (F, P)
    assert decoder.history(window[-ENTRY_BYTES:])[0] is history[0]
    assert run_ids([window, b""]) == {0, 1, 2, 3}


def test_what_an_observation_says():
    decoder = Decoder({1: run(1), 2: run(2, outage=True)})
    mixed = decoder.history(merge(b"", 1, pack([S, F, P]), order_of))[0]
    assert (mixed.passed, mixed.failed, mixed.skipped, mixed.counts) == (1, 1, 1, True)
    assert not decoder.history(merge(b"", 2, pack([F]), order_of))[0].counts
    assert not decoder.history(merge(b"", 1, pack([S, S]), order_of))[0].counts
