"""An analysis as JSON, for the row and the API: reason, evidence, counts. Pure."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from flakeguard.analysis.model import Analysis, Evidence

type Json = dict[str, Any]


def findings(analysis: Analysis) -> Json:
    """Everything of an analysis that has no column of its own."""
    return {
        "reason": analysis.reason,
        "was": analysis.was,
        "suspicion": round(analysis.suspicion, 6),
        "above_threshold": analysis.above_threshold,
        "counts": asdict(analysis.counts),
        "evidence": [evidence_as_json(piece) for piece in analysis.evidence],
        "streaks": [asdict(streak) | {"since": streak.since.isoformat()} for streak in analysis.streaks],
        "differences": [asdict(difference) for difference in analysis.differences],
        "passes_since": analysis.passes_since,
        "passes_needed": analysis.passes_needed,
        "first_contradiction": _time(analysis.first_contradiction),
        "last_contradiction": _time(analysis.last_contradiction),
    }


def evidence_as_json(piece: Evidence) -> Json:
    """One piece of evidence; attempts are [run id, number of the attempt, outcome]."""
    return piece._asdict() | {
        "failed": [[ref.run_id, ref.attempt, int(ref.outcome)] for ref in piece.failed],
        "passed": [[ref.run_id, ref.attempt, int(ref.outcome)] for ref in piece.passed],
        "at": piece.at.isoformat(),
    }


def _time(moment: datetime | None) -> str | None:
    return moment and moment.isoformat()
