"""One sentence for every verdict."""

from collections.abc import Sequence

from flakeguard.analysis.model import BrokenStreak, Counts, Verdict


def reason(
    verdict: Verdict,
    was: Verdict | None,
    counts: Counts,
    *,
    streaks: Sequence[BrokenStreak] = (),
    passes: int = 0,
    needed: int | None = None,
) -> str:
    """Say why.

    Args:
        verdict: the verdict.
        was: of a recovering test, what it was.
        counts: what the window held.
        streaks: failing ends of branches.
        passes: passing runs since the last flake or break.
        needed: passing runs that would prove it healed.
    """
    match verdict:
        case Verdict.BROKEN:
            return _broken(streaks)
        case Verdict.FLAKY:
            where = _number(counts.contradictions, "commit and job", "commits and jobs")
            return f"Passed and failed on the same code: {where}, {counts.flaky_runs} of {counts.runs} runs."
        case Verdict.SUSPECTED:
            return f"Failed in isolated runs between passes ({counts.flaky_runs} of {counts.runs}); no rerun proves it."
        case Verdict.RECOVERING:
            return f"Was {was}; {_number(passes, 'pass', 'passes')} since of {needed} that prove it healed."
        case Verdict.UNPROVEN:
            return f"Only {_number(counts.runs, 'run', 'runs')} that count: too few to judge."
        case Verdict.STABLE:
            return _stable(counts)


def _broken(streaks: Sequence[BrokenStreak]) -> str:
    streak = streaks[0]
    where = _number(streak.commits, "commit", "commits")
    return f"Failed on the last {where} of {streak.branch or 'its branch'} without a pass."


def _stable(counts: Counts) -> str:
    if not counts.failed:
        return f"Passed in all of {counts.runs} runs."
    return f"Failed in {counts.failed} of {counts.executions} executions, as regressions that were fixed do."


def _number(count: int, singular: str, plural: str) -> str:
    return f"{count} {singular if count == 1 else plural}"
