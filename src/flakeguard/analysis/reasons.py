"""One sentence for every verdict."""

from collections.abc import Sequence

from flakeguard.analysis.model import BrokenStreak, Counts, JobDifference, Verdict


def reason(
    verdict: Verdict,
    was: Verdict | None,
    counts: Counts,
    *,
    streaks: Sequence[BrokenStreak] = (),
    differences: Sequence[JobDifference] = (),
    passes: int = 0,
    needed: int | None = None,
) -> str:
    """Say why.

    Args:
        verdict: the verdict.
        was: of a recovering test, what it was.
        counts: what the window held.
        streaks: failing ends of branches.
        differences: jobs that disagree.
        passes: passing runs since the last flake or break.
        needed: passing runs that would prove it healed.
    """
    match verdict:
        case Verdict.BROKEN:
            return _broken(streaks)
        case Verdict.FLAKY:
            where = _number(counts.contradictions, "commit and job", "commits and jobs")
            return f"Passed and failed on the same code: {where}, in {_of_runs(counts.flaky_runs, counts.runs)}."
        case Verdict.SUSPECTED:
            return f"Failed in isolated runs between passes ({counts.flaky_runs} of {counts.runs}); no rerun proves it."
        case Verdict.RECOVERING:
            goal = f"of {needed} that prove it healed" if needed else "and none of its flakes is old enough yet"
            return f"Was {was}; {_number(passes, 'pass', 'passes')} since, {goal}."
        case Verdict.UNPROVEN:
            return f"Only {_number(counts.runs, 'run that counts', 'runs that count')}: too few to judge."
        case Verdict.STABLE:
            return _stable(counts, streaks, differences)


def _broken(streaks: Sequence[BrokenStreak]) -> str:
    streak = streaks[0]
    where = "commit" if streak.commits == 1 else f"{streak.commits} commits"
    return f"Failed on the last {where} of {streak.branch or 'its branch'} without a pass."


def _stable(counts: Counts, streaks: Sequence[BrokenStreak], differences: Sequence[JobDifference]) -> str:
    if not counts.failed:
        return "Passed in its only run." if counts.runs == 1 else f"Passed in all of {counts.runs} runs."
    lasting = next((difference for difference in differences if difference.lasting), None)
    if lasting is not None:
        failing, passing = (_job(job) for job in (lasting.failing_job, lasting.passing_job))
        return f"Fails in {failing} and passes in {passing}: a difference between jobs."
    failures = f"Failed in {counts.failed} of {_number(counts.executions, 'execution', 'executions')}"
    if streaks:
        return f"{failures}; the newest on {streaks[0].branch or 'its branch'} are too few to judge."
    return f"{failures}, which regressions that were fixed explain."


def _of_runs(some: int, runs: int) -> str:
    return "its only run" if runs == 1 else f"{some} of {runs} runs"


def _job(job: str) -> str:
    """Write job and variant as one name."""
    return job.replace("\x1f", " ").strip() or "one job"


def _number(count: int, singular: str, plural: str) -> str:
    return f"{count} {singular if count == 1 else plural}"
