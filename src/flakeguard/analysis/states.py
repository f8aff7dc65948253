"""What a batch of tests knows before and after an analysis: windows in, verdicts out. Pure.

A test has two windows: one of all branches, one of the default branch. The second is None while both hold the same.
"""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.analysis.evaluate import evaluate_window
from flakeguard.analysis.model import Analysis, Run, Verdict
from flakeguard.analysis.window import Decoder, OrderOf, known, merge, prune, quiet


@dataclass(frozen=True)
class Windows:
    """The packed windows of one test."""

    everywhere: bytes = b""
    default: bytes | None = None

    def with_run(self, run: Run, code: int, default_branch: str, order_of: OrderOf, size: int) -> "Windows":
        """These windows with one more run."""
        if run.branch == default_branch:
            return self._each(lambda window: merge(window, run.id, code, order_of, size))
        return Windows.of(merge(self.everywhere, run.id, code, order_of, size), self.on_default)

    @classmethod
    def of(cls, everywhere: bytes, default: bytes) -> "Windows":
        """Two windows, the second folded away when it says nothing more."""
        return cls(everywhere, None if default == everywhere else default)

    @property
    def on_default(self) -> bytes:
        """The default branch's window."""
        return self.everywhere if self.default is None else self.default

    def since(self, cutoff: datetime, order_of: OrderOf) -> "Windows":
        """These windows without runs older than `cutoff`."""
        return self._each(lambda window: prune(window, cutoff, order_of))

    def among(self, runs: Container[int]) -> "Windows":
        """These windows without runs that are not among `runs` (deleted since)."""
        return self._each(lambda window: known(window, runs))

    def _each(self, change: Callable[[bytes], bytes]) -> "Windows":
        everywhere = change(self.everywhere)
        return Windows.of(everywhere, everywhere if self.default is None else change(self.default))

    @cached_property
    def quiet(self) -> bool:
        """Whether every run in them is a single pass."""
        return quiet(self.everywhere) and (self.default is None or quiet(self.default))


class Judge:
    """Evaluates the tests of one batch at one clock; what many tests share is computed once."""

    def __init__(self, runs: Mapping[int, Run], *, default_branch: str, now: datetime, config: AnalysisConfig) -> None:
        """Judge with these runs; they must not change meanwhile."""
        self._runs = runs
        self._decoder = Decoder(runs)
        self._default_branch = default_branch
        self._now = now
        self._config = config
        self._quiet: dict[bytes, Analysis] = {}
        self._merged: dict[tuple[bytes, bytes | None, int, int], Windows] = {}

    def merged(self, windows: Windows, run: Run, code: int) -> Windows:
        """The windows with one more run, without what the lookback no longer sees.

        Tests that passed in the same runs have the same bytes, and get the same object.
        """
        key = (windows.everywhere, windows.default, run.id, code)
        if (seen := self._merged.get(key)) is None:
            size, cutoff = self._config.window_size, self._now - self._config.lookback
            grown = windows.among(self._runs).with_run(run, code, self._default_branch, self._order_of, size)
            seen = self._merged[key] = grown.since(cutoff, self._order_of)
        return seen

    def pruned(self, windows: Windows) -> Windows:
        """The windows without what the lookback no longer sees, and without runs that are gone."""
        return windows.among(self._runs).since(self._now - self._config.lookback, self._order_of)

    def judge(self, windows: Windows, group: str) -> Analysis:
        """Verdict, score and evidence.

        What pull requests have pushed out of the window of all branches is still known of the default branch: a test
        that its own window proves broken there is broken.
        """
        analysis = self._evaluate(windows, windows.everywhere, group)
        if windows.default is None or Verdict.BROKEN is analysis.verdict:
            return analysis
        on_default = self._evaluate(windows, windows.default, group)
        if on_default.verdict is not Verdict.BROKEN:
            return analysis
        streaks = [streak for streak in analysis.streaks if streak.branch != self._default_branch]
        return replace(
            analysis,
            verdict=on_default.verdict,
            was=on_default.was,
            reason=on_default.reason,
            evidence=on_default.evidence,
            streaks=(*on_default.streaks, *streaks),
        )

    def _evaluate(self, windows: Windows, window: bytes, group: str) -> Analysis:
        if windows.quiet:  # the group matters to failures only
            if (analysis := self._quiet.get(window)) is None:
                analysis = self._quiet[window] = self._fully(window, "")
            return analysis
        return self._fully(window, group)

    def _fully(self, window: bytes, group: str) -> Analysis:
        return evaluate_window(
            window, self._decoder, group=group, default_branch=self._default_branch, now=self._now, config=self._config
        )

    def _order_of(self, run_id: int) -> tuple[datetime, bytes]:
        return self._runs[run_id].order


def rebuild(codes: Sequence[tuple[int, int]], runs: Mapping[int, Run], *, default_branch: str, size: int) -> Windows:
    """The windows that these (run id, code) pairs of one test add up to, in whatever order they are given."""
    found = sorted(((runs[run_id], code) for run_id, code in codes if run_id in runs), key=lambda pair: pair[0].order)
    everywhere, default = b"", b""
    for run, code in found[-size:]:
        everywhere = merge(everywhere, run.id, code, lambda run_id: runs[run_id].order, size)
    for run, code in [pair for pair in found if pair[0].branch == default_branch][-size:]:
        default = merge(default, run.id, code, lambda run_id: runs[run_id].order, size)
    return Windows.of(everywhere, default)
