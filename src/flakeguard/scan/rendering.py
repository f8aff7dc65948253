"""A scan as JSON. Pure; the keys are documented in docs/cli.md."""

from __future__ import annotations

from typing import Any

from flakeguard.analysis.model import AttemptRef, Evidence, Verdict
from flakeguard.scan.collecting import CaseKey, Problem
from flakeguard.scan.judging import JudgedTest, RunView, ScanResult, Sight, SlowTest

PATTERNS_ONLY_NOTE = (
    "No commit has two runs of one job here, so only patterns can be seen: a test is proven flaky only where retries "
    "within one run contradict each other. Tell runs of one commit by --same-commit, or by the commit in their path "
    "(reports/1a2b3c4/run-1/…) or in a property of the reports (sha)."
)


def notes(result: ScanResult) -> list[str]:
    """Return what a reader must know to trust the verdicts."""
    said: list[str] = []
    if result.sight is Sight.PATTERNS_ONLY:
        said.append(PATTERNS_ONLY_NOTE)
    if any(not view.time_is_known for view in result.runs) and len(result.runs) > 1:
        said.append("Not every run's reports say when they were made: runs are in the order of their names.")
    outages = [view.folder for view in result.runs if view.run.outage]
    if outages:
        said.append(f"Outages, counted against no test: {', '.join(outages)}.")
    return said


def as_json(result: ScanResult) -> dict[str, Any]:
    """Return the document that `flakeguard scan --json` prints."""
    names = {view.run.id: view for view in result.runs}
    return {
        "totals": {
            "runs": len(result.runs),
            "commits": len({view.commit for view in result.runs if view.commit}),
            "files": result.files,
            "unreadable_files": len(result.unreadable),
            "tests": sum(result.verdicts.values()),
            "attempts": result.attempts,
            "seconds": round(result.seconds, 3),
            "verdicts": {verdict.value: result.verdicts.get(verdict, 0) for verdict in Verdict},
        },
        "sight": result.sight.value,
        "commits_told_by": result.source.value,
        "notes": notes(result),
        "runs": [_run(view) for view in result.runs],
        **{
            verdict.value: [_test(test, names) for test in result.of(verdict)]
            for verdict in (Verdict.FLAKY, Verdict.BROKEN, Verdict.RECOVERING, Verdict.SUSPECTED)
        },
        "differences": [difference for test in result.differing for difference in _differences(test)],
        "slow": [_slow(test) for test in result.slow],
        "unreadable": [_problem(problem) for problem in result.unreadable],
        "warnings": [_problem(problem) for problem in result.warnings],
    }


def _run(view: RunView) -> dict[str, Any]:
    return {
        "folder": view.folder,
        "commit": view.commit,
        "branch": view.run.branch,
        "job": view.run.job,
        "executed_at": view.run.executed_at.isoformat() if view.time_is_known else None,
        "tests": view.tests,
        "failed": view.failed,
        "outage": view.run.outage,
    }


def _key(key: CaseKey) -> dict[str, Any]:
    return {"suite": key.suite, "file": key.file, "class_name": key.class_name, "name": key.name}


def _test(test: JudgedTest, runs: dict[int, RunView]) -> dict[str, Any]:
    analysis = test.analysis
    posterior = analysis.posterior
    return {
        **_key(test.key),
        "verdict": analysis.verdict.value,
        "was": analysis.was.value if analysis.was else None,
        "reason": analysis.reason,
        "score": round(analysis.score.total, 4),
        "severity": analysis.severity.value,
        "suspicion": round(analysis.suspicion, 4),
        "flake_rate": (
            {"low": round(posterior.low, 4), "mean": round(posterior.mean, 4), "high": round(posterior.high, 4)}
            if posterior
            else None
        ),
        "runs": analysis.counts.runs,
        "passed": analysis.counts.passed,
        "failed": analysis.counts.failed,
        "broken_branches": list(analysis.broken_branches),
        "evidence": [_evidence(evidence, test, runs) for evidence in analysis.evidence],
    }


def _evidence(evidence: Evidence, test: JudgedTest, runs: dict[int, RunView]) -> dict[str, Any]:
    # Where the commit is not known, the analysis had a stand-in for it, which is nobody's business.
    known = {view.commit for view in runs.values()}
    return {
        "kind": evidence.kind.value,
        "commit": evidence.commit if evidence.commit in known else None,
        "job": evidence.job,
        "failed": [_attempt(attempt, test, runs) for attempt in evidence.failed],
        "passed": [_attempt(attempt, test, runs) for attempt in evidence.passed],
    }


def _attempt(attempt: AttemptRef, test: JudgedTest, runs: dict[int, RunView]) -> dict[str, Any]:
    return {
        "run": runs[attempt.run_id].folder,
        "attempt": attempt.attempt,
        "outcome": attempt.outcome.name.lower(),
        "message": test.messages.get((attempt.run_id, attempt.attempt)),
    }


def _differences(test: JudgedTest) -> list[dict[str, Any]]:
    return [
        {
            **_key(test.key),
            "fails_in": difference.failing_job,
            "passes_in": difference.passing_job,
            "commits": difference.commits,
            "last_commit": difference.last_commit,
            "lasting": difference.lasting,
        }
        for difference in test.analysis.differences
    ]


def _slow(test: SlowTest) -> dict[str, Any]:
    return {
        **_key(test.key),
        "median_seconds": round(test.median, 3),
        "longest_seconds": round(test.longest, 3),
        "total_seconds": round(test.total, 3),
        "executions": test.executions,
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {"path": problem.path, "code": problem.code, "message": problem.message}
