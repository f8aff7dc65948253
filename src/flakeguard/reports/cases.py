"""A `<testcase>` while its elements are read, and the executions it turns out to tell of."""

from collections.abc import Mapping

from flakeguard.reports.executions import Execution
from flakeguard.reports.model import Outcome
from flakeguard.reports.statuses import outcome_of, settled

_NEXTEST_FLAKY = "flaky failure"  # passed in the end, but nextest was told to fail the run for it


class OpenCase:
    """One `<testcase>` while its elements are read.

    `reruns` holds what `flaky…` (true) and `rerun…` elements tell; `has_outcome` says that something was read of how
    it ended, so that it counts even when the file breaks off inside it.
    """

    __slots__ = ("attributes", "has_outcome", "main", "outer", "reruns", "skipped")

    def __init__(self, attributes: Mapping[str, str], outer: "OpenCase | None") -> None:
        """Begin with the element's attributes, inside of `outer` if cases are nested."""
        self.attributes = attributes
        self.main = Execution()
        self.reruns: list[tuple[bool, Execution]] = []
        self.skipped = False
        self.has_outcome = False
        self.outer = outer

    def settle(self, seconds: float | None) -> None:
        """Decide the main execution's outcome from the case's elements and attributes."""
        main = self.main
        main.seconds = seconds
        if self.skipped and main.outcome is Outcome.PASSED:
            main.outcome = Outcome.SKIPPED
        said = outcome_of(self.attributes.get("status") or "", self.attributes.get("result") or "")
        main.outcome = settled(main.outcome, said)

    def executions(self) -> list[Execution]:
        """The executions as they happened.

        `flaky…` elements are failed attempts before the one that passed; `rerun…` elements are further failures
        after the first, which is the case's own `<failure>`. A case with reruns and no failure of its own passed
        in the end.
        """
        main = self.main
        flaky = [execution for is_flaky, execution in self.reruns if is_flaky]
        reruns = [execution for is_flaky, execution in self.reruns if not is_flaky]
        if flaky and main.attributes.get("type") == _NEXTEST_FLAKY:
            passed = Execution()
            passed.seconds = main.seconds
            return [*flaky, *reruns, passed]
        if main.outcome.is_bad:
            return [*flaky, main, *reruns]
        return [*flaky, *reruns, main]
