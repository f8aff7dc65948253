"""Evaluate one test: window in, verdict, score and evidence out. The one entry of production and benchmark."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flakeguard.analysis import evidence as evidences
from flakeguard.analysis.chance import Chance, find_chance
from flakeguard.analysis.config import DEFAULT_CONFIG, AnalysisConfig
from flakeguard.analysis.counting import count
from flakeguard.analysis.course import Course, Courses
from flakeguard.analysis.model import (
    Analysis,
    BrokenStreak,
    Evidence,
    EvidenceKind,
    History,
    Interval,
    JobDifference,
    Observation,
    Verdict,
)
from flakeguard.analysis.posterior import flake_rate, predicted_failures
from flakeguard.analysis.reasons import reason
from flakeguard.analysis.scoring import NO_SCORE, executions, score, severity
from flakeguard.analysis.streaks import (
    Repair,
    failing_ends,
    is_conclusive,
    job_differences,
    last_repair,
    on_enough_commits,
)
from flakeguard.analysis.timeline import Timeline, trace
from flakeguard.analysis.verdict import Facts, is_suspected, judge
from flakeguard.analysis.window import Decoder


def evaluate_window(
    window: bytes,
    decoder: Decoder,
    *,
    group: str,
    default_branch: str,
    now: datetime,
    config: AnalysisConfig = DEFAULT_CONFIG,
) -> Analysis:
    """Evaluate a packed window; see `evaluate`.

    Most tests of a suite passed in the same runs, so they have the same bytes: their analysis is made once for each
    decoder, clock and config. (It does not depend on the group, which only says whose failures are shared.)
    """
    passing = decoder.memory(Analysis, now, config)
    known = passing.get(window)
    if known is not None:
        return known
    history = decoder.history(window)
    analysis = evaluate(
        history, group=group, default_branch=default_branch, now=now, config=config, courses=decoder.courses
    )
    if not analysis.counts.failed:
        passing[window] = analysis
    return analysis


def evaluate(
    history: History,
    *,
    group: str,
    default_branch: str,
    now: datetime,
    config: AnalysisConfig = DEFAULT_CONFIG,
    courses: Courses | None = None,
) -> Analysis:
    """Judge a test by its last runs.

    Args:
        history: observations, oldest first by (executed_at, key); at most the window's size is looked at.
        group: the test's group in `Run.mass_failures`.
        default_branch: the branch that `broken` is about. Where the test never ran on it, the branch of its
            newest run stands in.
        now: the clock; runs older than the lookback are ignored.
        config: thresholds.
        courses: what is known of the runs of other histories, where there are any.
    """
    recent = _recent(history, now, config)
    counted = [observation for observation in recent if observation.counts]
    course = (Courses() if courses is None else courses).of(counted)
    marks = executions(counted)
    if 1 not in marks:
        return _quiet(recent, course, marks, config)
    timeline = trace(counted, group, course)
    main = default_branch if default_branch in course.branches else course.runs[-1].branch
    chance = find_chance(timeline, main, config)
    streaks = failing_ends(timeline, main, lambda failures: _is_broken(failures, chance, config), chance.different)
    repair = _repair(timeline, main, chance, config)
    facts = Facts(
        runs=len(counted),
        broken=any(streak.broken and streak.job is None and streak.branch == main for streak in streaks),
        proven=bool(chance.proven),
        suspected=chance.suspected,
        healing=chance.healing,
        repair_pending=repair is not None and not repair.healed,
    )
    return _analysis(facts, _Findings(recent, marks, timeline, chance, streaks, repair), config)


def _recent(history: History, now: datetime, config: AnalysisConfig) -> Sequence[Observation]:
    start = bisect_left(history, now - config.lookback, key=lambda observation: observation.run.executed_at)
    return history[max(start, len(history) - config.window_size) :]


def _quiet(recent: Sequence[Observation], course: Course, marks: bytes, config: AnalysisConfig) -> Analysis:
    facts = Facts(runs=len(course.runs))
    verdict, was = judge(facts, config)
    counts = count(recent, course, marks)
    return Analysis(
        verdict=verdict,
        was=was,
        reason=reason(verdict, was, counts),
        score=NO_SCORE,
        severity=severity(0.0, 0),
        above_threshold=False,
        posterior=None,
        suspicion=0.0,
        counts=counts,
    )


@dataclass(frozen=True, slots=True)
class _Findings:
    """Everything found in a history with failures."""

    recent: Sequence[Observation]
    marks: bytes
    timeline: Timeline
    chance: Chance
    streaks: tuple[BrokenStreak, ...]
    repair: Repair | None


def _is_broken(failures: Sequence[Observation], chance: Chance, config: AnalysisConfig) -> bool:
    """Whether failures at a branch's end are conclusive, also against what else is known of the test.

    A proven flake is broken only by more failures than its own rate explains. So is a suspected one with as many
    earlier incidents as commits make broken; any weaker suspicion yields to failures on enough commits.
    """
    if not is_conclusive(failures, config.broken_commits):
        return False
    if chance.proven:
        return _predicted(failures, chance) < 1 - config.broken_confidence
    if not chance.suspected:
        return True
    if not on_enough_commits(failures, config.broken_commits):
        return False
    ending = {failure.run.id for failure in failures}
    earlier = sum(
        ending.isdisjoint(failure.run.id for failure in incident.failures) for incident in chance.split.chance
    )
    return earlier < config.broken_commits or _predicted(failures, chance) < 1 - config.confidence


def _predicted(failures: Sequence[Observation], chance: Chance) -> float:
    """Chance that the test fails so often in a row by the rate of its other flakes."""
    put_down_to_chance = {failure.run.id for failure in chance.failures}
    flaked = sum(failure.run.id in put_down_to_chance for failure in failures)
    return predicted_failures(len(failures), chance.split.flaked - flaked, chance.split.runs - flaked)


def _repair(timeline: Timeline, main: str, chance: Chance, config: AnalysisConfig) -> Repair | None:
    if not [stretch for stretch in timeline.stretches if stretch.branch == main]:
        return None
    if chance.healing is not None and not chance.healing.healed and len(timeline.observations) >= config.min_runs:
        return None  # it flakes, which comes before every repair in verdict and reason alike
    return last_repair(timeline, timeline.course.series(main, without=chance.different), config)


def _analysis(facts: Facts, findings: _Findings, config: AnalysisConfig) -> Analysis:
    verdict, was = judge(facts, config)
    timeline, chance = findings.timeline, findings.chance
    by_chance = facts.proven or is_suspected(facts, config)
    counts = count(
        findings.recent,
        timeline.course,
        findings.marks,
        flaky_runs=chance.split.flaked if by_chance else 0,
        contradictions=len(timeline.contradictions),
    )
    ranked = score(timeline.observations, findings.marks, config.weights)
    since, needed = _progress(findings, was, config)
    differences = job_differences(timeline, config.broken_commits)
    times = [contradiction.observations[-1].run.executed_at for contradiction in timeline.contradictions]
    return Analysis(
        verdict=verdict,
        was=was,
        reason=reason(
            verdict,
            was,
            counts,
            streaks=findings.streaks,
            differences=differences,
            passes=since,
            needed=needed,
        ),
        score=ranked,
        severity=severity(ranked.total, counts.recent_failures),
        above_threshold=counts.runs >= config.min_runs and ranked.total >= config.flaky_threshold,
        posterior=_posterior(chance, config) if by_chance else None,
        suspicion=chance.split.suspicion,
        counts=counts,
        evidence=_evidence(findings, was, differences, config),
        streaks=findings.streaks,
        differences=differences,
        passes_since=since,
        passes_needed=needed,
        first_contradiction=min(times, default=None),
        last_contradiction=max(times, default=None),
    )


def _posterior(chance: Chance, config: AnalysisConfig) -> Interval:
    return flake_rate(chance.split.flaked, chance.split.runs, config.confidence)


def _progress(findings: _Findings, was: Verdict | None, config: AnalysisConfig) -> tuple[int, int | None]:
    """Passes since the last flake or break, and how many prove it healed (None: more than a window holds)."""
    healing = findings.chance.healing
    if healing is not None and was is not Verdict.BROKEN:
        return healing.passes, healing.healed_at if healing.healed_at <= config.window_size else None
    if findings.repair is not None:
        return len(findings.repair.last), findings.repair.needed
    return 0, None


def _evidence(
    findings: _Findings, was: Verdict | None, differences: Sequence[JobDifference], config: AnalysisConfig
) -> tuple[Evidence, ...]:
    """Name the attempts: what the verdict stands on first, then everything else, newest first."""
    timeline, chance, limit = findings.timeline, findings.chance, config.evidence_limit
    first = [evidences.of_streak(streak, timeline) for streak in findings.streaks if streak.broken]
    if was is Verdict.FLAKY and chance.passes:
        first.append(evidences.of_passes(chance.passes))
    elif was is Verdict.BROKEN and findings.repair is not None:
        first.append(evidences.both_sides(EvidenceKind.FAILING, findings.repair.failures))
        if findings.repair.last:
            first.append(evidences.of_passes(findings.repair.last))
    rest = [evidences.of_contradiction(found) for found in timeline.contradictions[-limit:]]
    if chance.healing is not None:
        rest += [evidences.of_stretch(found, timeline) for found in chance.stretches[-limit:]]
    rest += [evidences.of_difference(found, timeline) for found in differences if found.lasting]
    rest.sort(key=lambda piece: piece.at, reverse=True)
    return tuple((*first, *rest)[:limit])
