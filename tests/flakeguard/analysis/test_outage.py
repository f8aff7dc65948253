from hypothesis import given
from hypothesis import strategies as st

from flakeguard.analysis.outage import is_outage, mass_failures


def test_an_outage_is_a_run_of_at_least_20_tests_of_which_more_than_80_percent_failed():
    assert is_outage(20, 17)
    assert not is_outage(20, 16)
    assert not is_outage(19, 19)
    assert not is_outage(0, 0)


def test_a_group_fails_together_when_enough_of_it_does():
    assert mass_failures([("a", 10, 4), ("b", 10, 3), ("c", 5, 2), ("d", 2, 2)]) == {"a"}


def test_in_a_run_that_is_partly_out_two_failures_are_enough():
    groups = [("a", 10, 5), ("b", 6, 3), ("pair", 4, 2), ("single", 1, 1), ("mostly well", 10, 2)]
    assert mass_failures(groups) == {"a", "b", "pair"}


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0, 1)), max_size=20))
def test_more_failures_never_make_fewer_mass_failures(sizes):
    groups = [(str(n), size, int(size * share)) for n, (size, share) in enumerate(sizes)]
    worse = [(name, size, size) for name, size, _ in groups]
    assert mass_failures(groups) <= mass_failures(worse)
