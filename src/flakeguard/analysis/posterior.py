"""Beta posteriors of a flake rate, without scipy.

The unit is the run: the chance that a run of the test on good code has a failing attempt. A run that flaked is one
trial with one failure, however often it was retried; runs whose failure is put down to a regression or an outage
are no trials. The prior is Jeffreys' Beta(½, ½) (Brown, Cai & DasGupta 2001, Interval Estimation for a Binomial
Proportion, Statistical Science 16:2).
"""

from functools import lru_cache
from math import exp, lgamma, log, log1p

from flakeguard.analysis.model import Interval

PRIOR = 0.5
_TINY = 1e-300
_PRECISION = 1e-12
_QUANTILE_PRECISION = 1e-9
_MAX_TERMS = 500
_BISECTIONS = 60


def log_beta(alpha: float, beta: float) -> float:
    """Logarithm of Euler's beta function."""
    return lgamma(alpha) + lgamma(beta) - lgamma(alpha + beta)


def beta_cdf(x: float, alpha: float, beta: float) -> float:
    """Regularised incomplete beta function I_x(a, b), for 0 ≤ x ≤ 1 and positive a, b.

    By the continued fraction 8.17.22 of the NIST Digital Library of Mathematical Functions, evaluated with Lentz's
    method (Press et al., Numerical Recipes, 3rd edition, §6.4); it converges fast for x < (a+1)/(a+b+2), and the
    other side follows from I_x(a, b) = 1 - I_{1-x}(b, a).
    """
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = exp(alpha * log(x) + beta * log1p(-x) - log_beta(alpha, beta))
    if x < (alpha + 1) / (alpha + beta + 2):
        return front * _fraction(x, alpha, beta) / alpha
    return 1.0 - front * _fraction(1.0 - x, beta, alpha) / beta


def _fraction(x: float, a: float, b: float) -> float:
    c = 1.0
    d = 1.0 / _away_from_zero(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, _MAX_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        step = 1.0
        for coefficient in (even, odd):
            d = 1.0 / _away_from_zero(1.0 + coefficient * d)
            c = _away_from_zero(1.0 + coefficient / c)
            step = c * d
            value *= step
        if abs(step - 1.0) < _PRECISION:
            break
    return value


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


def beta_quantile(share: float, alpha: float, beta: float) -> float:
    """Return the x with I_x(a, b) = share.

    Newton's method on the cumulative distribution, kept inside a shrinking bracket (Numerical Recipes, `rtsafe`).
    """
    low, high = 0.0, 1.0
    x = alpha / (alpha + beta)
    scale = log_beta(alpha, beta)
    for _ in range(_BISECTIONS):
        miss = beta_cdf(x, alpha, beta) - share
        low, high = (x, high) if miss < 0 else (low, x)
        density = exp((alpha - 1) * log(x) + (beta - 1) * log1p(-x) - scale)
        step = miss / density if density > _TINY else 1.0
        following = x - step
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - x) <= _QUANTILE_PRECISION * x:
            return following
        x = following
    return x


@lru_cache(maxsize=1 << 14)
def flake_rate(flaked: int, runs: int, confidence: float = 0.95) -> Interval:
    """Posterior of the flake rate per run after `flaked` of `runs` runs; equal tails beside `confidence`."""
    alpha, beta = PRIOR + flaked, PRIOR + runs - flaked
    tail = (1.0 - confidence) / 2
    return Interval(
        low=beta_quantile(tail, alpha, beta),
        mean=alpha / (alpha + beta),
        high=beta_quantile(1.0 - tail, alpha, beta),
    )


def passes_until_improbable(rate: float, confidence: float) -> int:
    """Fewest passes in a row that a test failing at `rate` gives with a probability below 1 - confidence."""
    if rate >= 1.0:
        return 1
    if rate <= 0.0:
        raise ValueError("passes never make a rate of 0 improbable")
    return int(log(1.0 - confidence) / log1p(-rate)) + 1


def predicted_failures(failing: int, flaked: int, runs: int) -> float:
    """Chance that the next `failing` runs all fail by flaking, after `flaked` of `runs` did (Beta-binomial)."""
    alpha, beta = PRIOR + flaked, PRIOR + runs - flaked
    return exp(log_beta(alpha + failing, beta) - log_beta(alpha, beta))
