from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from flakeguard.analysis import course as courses_module
from flakeguard.analysis.course import Course, Courses, rows
from flakeguard.analysis.evaluate import evaluate

from .histories import GROUP, clock, history

places = st.sampled_from(["", "=", "x:", "=x:", "win@", "=win@", "x:win@"])
flags = st.sampled_from(["", "", "", "~", "!"])
outcomes = st.sampled_from(["P", "P", "F", "FP", "S"])


@given(st.lists(st.tuples(places, flags, st.tuples(outcomes, outcomes, outcomes)), min_size=1, max_size=25))
def test_what_other_tests_found_out_of_their_runs_changes_no_analysis(runs):
    courses = Courses()
    for test in range(3):
        text = " ".join(f"{place}{seen[test]}{flag}" for place, flag, seen in runs)
        at = {"group": GROUP, "default_branch": "main", "now": clock(text)}
        assert evaluate(history(text), **at, courses=courses) == evaluate(history(text), **at)


def test_histories_of_the_same_runs_share_a_course():
    courses = Courses()
    passing = history("P P P x:P")
    assert courses.of(passing) is courses.of(history("F P FP x:F"))
    assert courses.of(passing) is not courses.of(passing[:3])


def test_courses_are_forgotten_oldest_first(monkeypatch):
    monkeypatch.setattr(courses_module, "_KEPT", 2)
    courses = Courses()
    observations = history("P P P")
    oldest = courses.of(observations[:1])
    second = courses.of(observations[:2])
    courses.of(observations)
    assert len(courses) == 2
    assert courses.of(observations[:2]) is second
    assert courses.of(observations[:1]) is not oldest


def test_a_series_has_its_commits_in_the_order_of_their_first_run_there():
    course = Course.of(history("win@P P|x:P =win@P P"))
    assert course.all.commits == ("c1", "c2", "c3")
    assert course.series("main", "linux").commits == ("c2", "c3")
    assert course.series("x").indexes == {"c2": [2]}
    assert course.series("main", without=frozenset({"win"})).at(["c3", "c1", "c2"]) == [1, 4]
    assert course.series(job="win").ranks == {"c1": 0, "c2": 1}


@given(st.sets(st.integers(0, 30)))
def test_rows_are_ranges_with_gaps_between_them(numbers):
    found = rows(numbers)
    assert [number for row in found for number in row] == sorted(numbers)
    assert all(one.stop < other.start for one, other in pairwise(found))
