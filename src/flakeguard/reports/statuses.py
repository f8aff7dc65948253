"""What the `status` and `result` attributes of a test case say of how it ended."""

from flakeguard.reports.model import Outcome

_SKIPPING = frozenset(
    {"disabled", "notrun", "ignored", "skipped", "suppressed", "pending", "notexecuted", "inactive", "todo"}
)
_FAILING = {
    "failed": Outcome.FAILED,
    "fail": Outcome.FAILED,
    "failure": Outcome.FAILED,
    "error": Outcome.ERROR,
    "errored": Outcome.ERROR,
}


def outcome_of(status: str, result: str) -> Outcome | None:
    """What the attributes say: skipped, failed or errored; None when they say nothing or that it passed."""
    status = status.lower().replace("_", "").replace(" ", "")
    if status in _SKIPPING or result.lower() in _SKIPPING:
        return Outcome.SKIPPED
    return _FAILING.get(status)


def settled(outcome: Outcome, said: Outcome | None) -> Outcome:
    """The outcome of a case whose elements show `outcome` and whose attributes said `said`.

    A skip that is said outweighs a failure that is shown: of a disabled test no failure counts for its framework.
    A failure that is said counts where nothing is shown.
    """
    if said is Outcome.SKIPPED or (said is not None and outcome is Outcome.PASSED):
        return said
    return outcome
