import pytest
from hypothesis import given
from hypothesis import strategies as st

from flakeguard.analysis.config import AnalysisConfig, PatternModel, ScoreWeights
from flakeguard.analysis.model import Severity
from flakeguard.analysis.scoring import (
    executions,
    failure_rate,
    inconsistency,
    recency,
    recent_failures,
    score,
    severity,
)

from .histories import analyse, history

words = st.lists(
    st.sampled_from(["P", "F", "E", "S", "FP", "PF", "FFP", "SP", "x:P", "x:F", "win@F", "F!", "F~"]), max_size=25
)


def marks(text: str) -> bytes:
    return executions(history(text))


def scored(text: str):
    observations = [observation for observation in history(text) if observation.counts]
    return score(observations, executions(observations), ScoreWeights())


def test_failure_rate_leaves_skips_out():
    assert failure_rate(marks("P F S S E P")) == 2 / 4
    assert failure_rate(marks("S S")) == 0


def test_inconsistency_counts_changes_between_executions():
    assert inconsistency(marks("P F P F")) == 1.0
    assert inconsistency(marks("P P F F")) == 1 / 3
    assert inconsistency(marks("P F")) == 0
    assert inconsistency(marks("FP P")) == 1 / 2


def test_a_skip_neither_changes_nor_takes_a_recent_place():
    assert inconsistency(marks("P S P S P")) == 0
    assert inconsistency(marks("P S F S P")) == 1.0
    assert recency(marks("P F S S S")) == recency(marks("P F"))


def test_recency_weighs_the_newest_most():
    total = sum(range(1, 11)) / 10
    assert recency(marks("P*9 F")) == pytest.approx(1 / total)
    assert recency(marks("F P*9")) == pytest.approx(0.1 / total)
    assert recency(marks("F P*10")) == 0
    assert recency(marks("P F")) == pytest.approx(1 / 1.5)
    assert recency(b"") == 0


def test_branch_diversity_needs_two_branches():
    assert scored("P F P").branch_diversity == 0
    assert scored("P x:F y:P P").branch_diversity == 1 / 3


def test_the_parts_are_weighed_40_30_20_10():
    found = scored("P F P x:F")
    assert found.total == pytest.approx(
        0.4 * found.failure_rate + 0.3 * found.inconsistency + 0.2 * found.recency + 0.1 * found.branch_diversity
    )
    assert (found.failure_rate, found.inconsistency, found.branch_diversity) == (0.5, 1.0, 1.0)
    assert found.recency == pytest.approx((1 + 0.5) / 2.5)


def test_a_test_that_always_fails_scores_high_and_is_no_flake():
    analysis = analyse("F*20")
    assert analysis.score.total >= 0.6
    assert analysis.verdict == "broken"


@pytest.mark.parametrize(
    ("total", "failures", "grade"),
    [
        (0.7, 0, Severity.CRITICAL),
        (0.0, 5, Severity.CRITICAL),
        (0.5, 0, Severity.HIGH),
        (0.0, 3, Severity.HIGH),
        (0.3, 0, Severity.MEDIUM),
        (0.0, 2, Severity.MEDIUM),
        (0.29, 1, Severity.LOW),
    ],
)
def test_severity_comes_from_score_or_recent_failures(total, failures, grade):
    assert severity(total, failures) is grade


def test_recent_failures_are_of_the_last_ten_executions():
    assert recent_failures(marks("F P*9")) == 1
    assert recent_failures(marks("F P*10")) == 0


@given(words)
def test_scores_stay_between_0_and_1(text):
    found = scored(" ".join(text))
    for part in (found.total, found.failure_rate, found.inconsistency, found.recency, found.branch_diversity):
        assert 0 <= part <= 1


@given(words, st.integers(0, 24))
def test_adding_a_pass_never_raises_the_failure_rate(text, at):
    more = [*text[:at], "P", *text[at:]]
    assert scored(" ".join(more)).failure_rate <= scored(" ".join(text)).failure_rate


def test_default_weights_sum_to_one_and_others_are_refused():
    weights = ScoreWeights()
    assert sum((weights.failure_rate, weights.inconsistency, weights.recency, weights.branch_diversity)) == 1
    with pytest.raises(ValueError, match="sum to 1"):
        ScoreWeights(failure_rate=0.5)
    with pytest.raises(ValueError, match="negative"):
        ScoreWeights(failure_rate=-0.1, inconsistency=0.8)


@pytest.mark.parametrize(
    "wrong",
    [
        {"min_runs": 0},
        {"window_size": 1001},
        {"outage_share": 1.2},
        {"confidence": 0.3},
        {"suspected_threshold": 1.0},
    ],
)
def test_a_config_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        AnalysisConfig(**wrong)


@pytest.mark.parametrize("wrong", [{"flaky_prior": 0.0}, {"one_job_share": 1.0}, {"rate_alpha": 0.0}])
def test_priors_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match="must"):
        PatternModel(**wrong)
