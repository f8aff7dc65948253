"""From the runs of a commit to what is said of it: one row for each test that failed there. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from flakeguard.analysis.model import History
from flakeguard.analysis.wording import ORDER
from flakeguard.github.publishing.model import CommitFailure, End, JobRun, Past
from flakeguard.quarantine.decisions import Latest
from flakeguard.reports.model import Outcome

type LastOutcomes = Mapping[tuple[int, int], Outcome]
"""How a test ended in a run, by (test case, run), where it was not skipped."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """A failing test in one of the commit's runs."""

    run: JobRun
    failure: CommitFailure


def newest(runs: Sequence[JobRun]) -> tuple[JobRun, ...]:
    """The newest run of each job, in the jobs' order."""
    by_place = {run.place: run for run in sorted(runs, key=lambda run: run.order)}
    return tuple(by_place[place] for place in sorted(by_place))


def one_for_each_test(
    sightings: Sequence[Sighting],
    runs: Sequence[JobRun],
    ended: LastOutcomes,
    pasts: Mapping[int, Past],
    decisions: Mapping[int, Latest],
) -> tuple[CommitFailure, ...]:
    """Every test that failed once: as its newest failing run says, those that still fail first."""
    by_test: dict[int, list[Sighting]] = {}
    for seen in sorted(sightings, key=lambda seen: seen.run.order):
        by_test.setdefault(seen.failure.test_case_id, []).append(seen)
    found = [
        replace(_merged(seen, runs, ended), past=pasts.get(test_case_id, Past()), decision=decisions.get(test_case_id))
        for test_case_id, seen in by_test.items()
    ]
    found.sort(key=lambda failure: (failure.end is not End.FAILED, ORDER.index(failure.answer), -failure.likely))
    return tuple(found)


def _merged(seen: Sequence[Sighting], runs: Sequence[JobRun], ended: LastOutcomes) -> CommitFailure:
    """`seen` is of one test, oldest first. A job counts as it ended in the newest of its runs that has the test."""
    test_case_id = seen[0].failure.test_case_id
    last: dict[tuple[str, str, str], JobRun] = {}
    for run in sorted(runs, key=lambda run: run.order):
        if (test_case_id, run.id) in ended:
            last[run.place] = run
    failing = {place for place, run in last.items() if ended[test_case_id, run.id].is_bad}
    chosen = [one for one in seen if one.run.place in failing] or list(seen)
    retried = any(one.run.id == last.get(one.run.place, one.run).id for one in seen)
    return replace(
        chosen[-1].failure,
        jobs=tuple(dict.fromkeys(one.run.name for one in chosen if one.run.name)),
        end=End.FAILED if failing else End.RETRY if retried else End.RERUN,
    )


def past_of(history: History, sha: str) -> Past:
    """What a test's window tells, but for outages."""
    counting = [observation for observation in history if observation.counts]
    elsewhere = [seen for seen in counting if seen.failed and seen.run.commit != sha]
    places: dict[tuple[str, str], list[Outcome]] = {}
    for seen in counting:
        places.setdefault(seen.run.place, []).extend(one for one in seen.attempts if one is not Outcome.SKIPPED)
    again = [outcome for attempts in places.values() for outcome in _after_a_failure(attempts)]
    return Past(
        runs=len(counting),
        failing_runs=sum(bool(seen.failed) for seen in counting),
        reruns=len(again),
        reruns_passed=sum(outcome is Outcome.PASSED for outcome in again),
        last_failed_at=elsewhere[-1].run.executed_at if elsewhere else None,
        last_failed_sha=elsewhere[-1].run.commit if elsewhere else None,
    )


def _after_a_failure(attempts: Sequence[Outcome]) -> Sequence[Outcome]:
    first = next((index for index, outcome in enumerate(attempts) if outcome.is_bad), len(attempts))
    return attempts[first + 1 :]
