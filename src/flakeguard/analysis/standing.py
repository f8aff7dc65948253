"""What stands of a test that only ever passes, from its row; what was found of it may be older. Pure.

An upload that changes nothing about such a test but its window writes the window and the number of runs, and leaves
the findings alone: most tests of most uploads are like that, and findings are the largest part of a row.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flakeguard.analysis.findings import findings as as_findings
from flakeguard.analysis.model import Analysis, Counts, Run, Severity, Verdict
from flakeguard.analysis.reasons import reason
from flakeguard.analysis.scoring import NO_SCORE
from flakeguard.analysis.window import quiet

_UNREMARKABLE = (Verdict.STABLE, Verdict.UNPROVEN)


def standing_reason(found: str, *, verdict: str, runs: int, failures: int, analyzed_at: datetime | None) -> str:
    """The sentence for a verdict as it stands: that of the findings, or of a row without failures, its own.

    `found` is the findings' sentence, "" when none were written; the rest is the row's.
    """
    if analyzed_at is None or failures or verdict not in _UNREMARKABLE:
        return found
    return reason(Verdict(verdict), None, Counts(runs=runs))


def standing_findings(row: Mapping[str, Any], runs: Mapping[int, Run]) -> dict[str, Any]:
    """The findings as they stand: those that were written, or of a window of passes alone, its own.

    Args:
        row: of `flake_stats`: `findings`, `verdict`, `runs`, `window_all`, `analyzed_at`.
        runs: those that the window names.
    """
    if row["analyzed_at"] is None or row["verdict"] not in _UNREMARKABLE or not quiet(row["window_all"]):
        return dict(row["findings"])
    counted = [run for run in runs.values() if not run.outage]
    counts = Counts(
        runs=row["runs"],
        executions=row["runs"],
        passed=row["runs"],
        outages=len(runs) - len(counted),
        commits=len({run.commit for run in counted}),
        branches=len({run.branch for run in counted}),
    )
    verdict = Verdict(row["verdict"])
    return as_findings(
        Analysis(
            verdict=verdict,
            was=None,
            reason=reason(verdict, None, counts),
            score=NO_SCORE,
            severity=Severity.LOW,
            above_threshold=False,
            posterior=None,
            suspicion=0.0,
            counts=counts,
        )
    )
