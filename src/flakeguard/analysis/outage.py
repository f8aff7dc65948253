"""When a run says more about the machine than about the tests: outages and mass failures."""

from collections.abc import Iterable

from flakeguard.analysis.config import DEFAULT_CONFIG, AnalysisConfig

_PAIR = 2
"""The fewest tests that can fail together."""


def is_outage(tests: int, failed: int, config: AnalysisConfig = DEFAULT_CONFIG) -> bool:
    """Whether a whole run is an outage, which counts against no test.

    Args:
        tests: test cases of the run that were not skipped.
        failed: those of them whose last attempt failed.
        config: size and share that make an outage.
    """
    return tests >= config.outage_min_tests and failed > config.outage_share * tests


def mass_failures(groups: Iterable[tuple[str, int, int]], config: AnalysisConfig = DEFAULT_CONFIG) -> frozenset[str]:
    """Return the groups of tests that failed together in one run.

    A group counts when at least `mass_min_failed` of its tests and at least the share `mass_share` failed. When
    `mass_run_groups` groups do, the run is partly out, and two failures are enough for a further group.

    Args:
        groups: (group, tests that were not skipped, tests with a failing attempt); each group once.
        config: the thresholds.
    """
    candidates = [(group, failed) for group, tests, failed in groups if failed >= max(_PAIR, config.mass_share * tests)]
    large = frozenset(group for group, failed in candidates if failed >= config.mass_min_failed)
    if len(large) < config.mass_run_groups:
        return large
    return frozenset(group for group, _ in candidates)
