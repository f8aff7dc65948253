"""The run page's answers in words and shares: what a template needs, and nothing to decide there. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flakeguard.analysis.explanation import FailureExplained, RunExplained
from flakeguard.analysis.model import Answer, AttemptRef, Evidence, EvidenceKind, Odds
from flakeguard.analysis.wording import ANSWER_LABELS, counted
from flakeguard.dashboard.model import FailureText, TestName
from flakeguard.dashboard.texts import failure_text
from flakeguard.quarantine.decisions import Latest, quarantined_until
from flakeguard.reports.model import Outcome

_CAUSE_LABELS = {"yours": "your change", "known_flake": "flake", "main_broken": "main is broken", "outage": "outage"}
_KIND_TEXTS: Mapping[EvidenceKind, str] = {
    EvidenceKind.RETRY: "Failed and passed in one run",
    EvidenceKind.RERUN: "Failed and passed on the same commit and job",
    EvidenceKind.ISOLATED: "Failed alone between passes",
    EvidenceKind.FAILING: "Failed on the last commits",
    EvidenceKind.PASSING: "Passed",
    EvidenceKind.DIFFERENCE: "Two jobs disagree on the same commit",
    EvidenceKind.OUTAGE: "Most of the whole run failed",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """One possible cause and its probability; `offset` is where its part of the bar begins."""

    key: str
    label: str
    share: float
    offset: float


@dataclass(frozen=True, slots=True)
class Proof:
    """One reason, with attempts that say so: of `attempts` in all, those that are named."""

    kind: str
    text: str
    commit: str
    branch: str
    job: str
    failed: tuple[AttemptRef, ...]
    passed: tuple[AttemptRef, ...]
    attempts: int

    @property
    def named(self) -> tuple[AttemptRef, ...]:
        """The attempts to link to, the failing ones first."""
        return self.failed + self.passed


@dataclass(frozen=True, slots=True)
class AnsweredFailure:
    """A failing test of a run, as its card shows it."""

    id: int
    name: TestName
    verdict: str
    answer: str
    label: str
    reason: str
    likely: float
    causes: tuple[Cause, ...]
    attempts: tuple[Outcome, ...]
    text: FailureText | None
    proofs: tuple[Proof, ...]
    passed_in_the_end: bool
    quarantined_until: datetime | None


@dataclass(frozen=True, slots=True)
class AnsweredRun:
    """The answer of a run. `tone` names its colour: an answer, or `none` when nothing is yours."""

    headline: str
    tone: str
    counts: tuple[tuple[str, str, int], ...]
    failures: tuple[AnsweredFailure, ...]
    hidden: int


def present(run: RunExplained, held: Mapping[int, Latest]) -> AnsweredRun:
    """The answers of `run` in words; `held` are open decisions by test."""
    failures = tuple(_failure(failure, held.get(failure.test_case_id)) for failure in run.failures)
    counts = tuple((answer, counted(answer, count), count) for answer in Answer if (count := run.count(answer)))
    return AnsweredRun(run.headline, _tone(run), counts, failures, max(0, run.failures_total - len(failures)))


def _tone(run: RunExplained) -> str:
    if run.outage:
        return Answer.OUTAGE
    for answer in (Answer.YOURS, Answer.CANNOT_TELL):
        if run.count(answer):
            return answer
    return "none"


def stored_proofs(findings: Mapping[str, Any]) -> tuple[Proof, ...]:
    """The stored evidence of a test (`flakeguard.analysis.findings`) but for contradictions, which are drawn whole."""
    drawn = (EvidenceKind.RETRY, EvidenceKind.RERUN)
    return tuple(_stored(piece) for piece in findings.get("evidence", ()) if piece["kind"] not in drawn)


def _stored(piece: Mapping[str, Any]) -> Proof:
    failed = tuple(AttemptRef(run, attempt, Outcome(outcome)) for run, attempt, outcome in piece["failed"])
    passed = tuple(AttemptRef(run, attempt, Outcome(outcome)) for run, attempt, outcome in piece["passed"])
    kind = EvidenceKind(piece["kind"])
    return Proof(
        kind=kind,
        text=_KIND_TEXTS[kind],
        commit=piece["commit"],
        branch=piece["branch"],
        job=job_title(piece["job"]),
        failed=failed,
        passed=passed,
        attempts=piece.get("attempts", 0),  # findings that were stored before it was counted do not tell
    )


def job_title(job: str | None) -> str:
    """`unit · linux` for job and variant joined by U+001F."""
    return " · ".join(part for part in (job or "").split("\x1f") if part)


def _failure(failure: FailureExplained, held: Latest | None) -> AnsweredFailure:
    explanation = failure.explanation
    causes = _causes(explanation.odds)
    answer = explanation.answer
    likely = getattr(explanation.odds, answer) if answer is not Answer.CANNOT_TELL else max(c.share for c in causes)
    return AnsweredFailure(
        id=failure.test_case_id,
        name=TestName(failure.suite, failure.file, failure.class_name, failure.name, failure.variant),
        verdict=failure.verdict,
        answer=answer,
        label=ANSWER_LABELS[answer],
        reason=explanation.reason,
        likely=likely,
        causes=causes,
        attempts=failure.attempts,
        text=failure_text(failure.failure_type, failure.message, failure.details),
        proofs=tuple(_proof(piece) for piece in explanation.evidence),
        passed_in_the_end=failure.passed_in_the_end,
        quarantined_until=quarantined_until(failure.verdict, held),
    )


def _causes(odds: Odds) -> tuple[Cause, ...]:
    causes: list[Cause] = []
    offset = 0.0
    for key, label in _CAUSE_LABELS.items():
        share: float = getattr(odds, key)
        causes.append(Cause(key, label, share, offset))
        offset += share
    return tuple(causes)


def _proof(piece: Evidence) -> Proof:
    text = _KIND_TEXTS[piece.kind]
    if piece.shared:
        text += ", together with most of its class"
    return Proof(
        kind=piece.kind,
        text=text,
        commit=piece.commit,
        branch=piece.branch,
        job=job_title(piece.job),
        failed=piece.failed,
        passed=piece.passed,
        attempts=piece.attempts,
    )
