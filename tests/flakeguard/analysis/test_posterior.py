from math import log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betainc, betaincinv, betaln

from flakeguard.analysis.posterior import (
    beta_cdf,
    beta_quantile,
    flake_rate,
    log_beta,
    passes_until_improbable,
    predicted_failures,
)

parameters = st.floats(0.3, 500)
shares = st.floats(0.001, 0.999)


@settings(deadline=None)
@given(st.floats(0, 1), parameters, parameters)
def test_the_incomplete_beta_function_agrees_with_scipy(x, alpha, beta):
    assert beta_cdf(x, alpha, beta) == pytest.approx(betainc(alpha, beta, x), abs=1e-9)


@settings(deadline=None)
@given(shares, parameters, parameters)
def test_quantiles_agree_with_scipy(share, alpha, beta):
    assert beta_quantile(share, alpha, beta) == pytest.approx(betaincinv(alpha, beta, share), rel=1e-5, abs=1e-9)


def test_log_beta_agrees_with_scipy():
    assert log_beta(2.5, 60.5) == pytest.approx(betaln(2.5, 60.5))


@given(st.integers(0, 100), st.integers(0, 100))
def test_the_interval_holds_its_mean_and_narrows_with_runs(flaked, passed):
    rate = flake_rate(flaked, flaked + passed)
    assert 0 <= rate.low < rate.mean < rate.high <= 1
    tenfold = flake_rate(10 * flaked, 10 * (flaked + passed))
    assert tenfold.high - tenfold.low <= rate.high - rate.low


def test_enough_passes_are_the_fewest_that_make_a_rate_improbable():
    for rate in (0.01, 0.1, 0.5, 0.9):
        needed = passes_until_improbable(rate, 0.95)
        assert (1 - rate) ** needed < 0.05 <= (1 - rate) ** (needed - 1)
    assert passes_until_improbable(1.0, 0.95) == 1
    with pytest.raises(ValueError, match="never"):
        passes_until_improbable(0.0, 0.95)


def test_failures_are_predicted_one_after_the_other():
    one_by_one = 1.0
    for failed in range(3):
        one_by_one *= flake_rate(2 + failed, 20 + failed).mean
    assert log(predicted_failures(3, 2, 20)) == pytest.approx(log(one_by_one))
