"""An analysis as JSON, for the row and the API: reason, evidence, counts. Pure."""

from datetime import datetime
from typing import Any

from flakeguard.analysis.model import Analysis, BrokenStreak, Counts, Evidence, JobDifference

type Json = dict[str, Any]


def findings(analysis: Analysis) -> Json:
    """Everything of an analysis that has no column of its own."""
    return {
        "reason": analysis.reason,
        "was": analysis.was,
        "suspicion": round(analysis.suspicion, 6),
        "above_threshold": analysis.above_threshold,
        "counts": _flat(analysis.counts),
        "evidence": [evidence_as_json(piece) for piece in analysis.evidence],
        "streaks": [_flat(streak) | {"since": streak.since.isoformat()} for streak in analysis.streaks],
        "differences": [_flat(difference) for difference in analysis.differences],
        "passes_since": analysis.passes_since,
        "passes_needed": analysis.passes_needed,
        "first_contradiction": _time(analysis.first_contradiction),
        "last_contradiction": _time(analysis.last_contradiction),
    }


def evidence_as_json(piece: Evidence) -> Json:
    """One piece of evidence; those that failed and passed are [run id, number of the attempt, outcome]."""
    return {
        "kind": piece.kind,
        "commit": piece.commit,
        "branch": piece.branch,
        "job": piece.job,
        "failed": [[ref.run_id, ref.attempt, int(ref.outcome)] for ref in piece.failed],
        "passed": [[ref.run_id, ref.attempt, int(ref.outcome)] for ref in piece.passed],
        "at": piece.at.isoformat(),
        "attempts": piece.attempts,
        "shared": piece.shared,
    }


def _flat(value: BrokenStreak | Counts | JobDifference) -> Json:
    """The fields of a value that holds nothing deeper (`asdict` copies each, and this runs for every failing test)."""
    return {name: getattr(value, name) for name in value.__slots__}


def _time(moment: datetime | None) -> str | None:
    return moment and moment.isoformat()
