"""Verdicts and explanations as the API's JSON. Pure."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from flakeguard.analysis.explanation import FailureExplained, RunExplained
from flakeguard.analysis.findings import evidence_as_json
from flakeguard.analysis.model import Answer
from flakeguard.quarantine.decisions import Latest, quarantined_until

type Json = dict[str, Any]


def run_as_json(run: RunExplained, held: Mapping[int, Latest]) -> Json:
    """A run with the answer for each failure; `answers` counts them, and `held` are open decisions by test."""
    return {
        "run_id": run.id,
        "headline": run.headline,
        "sha": run.sha,
        "branch": run.branch,
        "default_branch": run.default_branch,
        "job": run.job,
        "variant": run.variant,
        "pr_number": run.pr_number,
        "run_url": run.run_url,
        "executed_at": run.executed_at.isoformat(),
        "outage": run.outage,
        "tests": run.tests,
        "failed": run.failed,
        "skipped": run.skipped,
        "flaked": run.flaked,
        "answers": {str(answer): run.count(answer) for answer in Answer},
        "failures": [_failure(failure, held.get(failure.test_case_id)) for failure in run.failures],
        "failures_total": run.failures_total,
    }


def _failure(failure: FailureExplained, held: Latest | None) -> Json:
    explanation = failure.explanation
    until = quarantined_until(failure.verdict, held)
    return {
        "test_case_id": failure.test_case_id,
        "suite": failure.suite,
        "file": failure.file,
        "class_name": failure.class_name,
        "name": failure.name,
        "variant": failure.variant,
        "verdict": failure.verdict,
        "attempts": [attempt.name.lower() for attempt in failure.attempts],
        "failure_type": failure.failure_type,
        "message": failure.message,
        "details": failure.details,
        "answer": str(explanation.answer),
        "odds": asdict(explanation.odds),
        "reason": explanation.reason,
        "evidence": [evidence_as_json(piece) for piece in explanation.evidence],
        "quarantined_until": until and until.isoformat(),
    }


def flake_as_json(row: Any) -> Json:
    """One test of the list of flakes."""
    score = {name: row[name] for name in ("failure_rate", "inconsistency", "recency", "branch_diversity")}
    plain = (
        "suite", "file", "class_name", "name", "variant", "verdict", "severity", "score", "runs", "failures",
        "broken_branches", "lifetime_runs", "lifetime_failures", "lifetime_flakes",
    )  # fmt: skip
    return {
        "test_case_id": row["test_case_id"],
        **{name: row[name] for name in plain},
        "score_parts": score,
        "flake_rate": _interval(row),
        **{name: row[name] and row[name].isoformat() for name in ("first_seen_at", "last_seen_at", "last_failed_at")},
    }


def _interval(row: Any) -> Json | None:
    if row["flake_rate"] is None:
        return None
    return {"low": row["flake_rate_low"], "mean": row["flake_rate"], "high": row["flake_rate_high"]}
