"""The tables of the check run and the comment, cut by whole rows. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime

from flakeguard.analysis.model import Answer
from flakeguard.analysis.wording import ANSWER_LABELS, counted, headline
from flakeguard.github.publishing.markdown import code, fitting, folded, link, size, text
from flakeguard.github.publishing.model import Commit, CommitFailure, End

_MARKS = {
    Answer.YOURS: "🔴",
    Answer.CANNOT_TELL: "🟡",
    Answer.MAIN_BROKEN: "🟠",
    Answer.KNOWN_FLAKE: "🔵",
    Answer.OUTAGE: "⚪",
}
_PASSED = "🟢"
_ROOM_FOR_NOTE = 600
_OPEN_ROWS = 10
_JOBS_NAMED = 3
_SURE, _HARDLY = 0.995, 0.005
_SHORT_SHA = 8


def commit_headline(commit: Commit) -> str:
    """The commit in one sentence."""
    if not commit.runs:
        return "No test results of this commit are known."
    if commit.failing:
        if all(failure.answer is Answer.OUTAGE for failure in commit.failing):
            failed, tests = (sum(getattr(run, name) for run in commit.outages) for name in ("failed", "tests"))
            if tests:
                return f"This is an outage: {failed:,} of {tests:,} tests failed. It counts against no test."
        return headline([failure.answer for failure in commit.failing])
    if commit.failures:
        return f"Nothing failed in the end; {_plural(len(commit.failures), 'test')} passed only when run again."
    return "Nothing failed."


def counts(commit: Commit) -> str:
    """Answers and tests, as in `1 yours, 2 known flakes. 1,200 of 1,203 tests passed in 4 jobs, 3 skipped`."""
    answers = [failure.answer for failure in commit.failing]
    told = [f"{answers.count(one)} {counted(one, answers.count(one))}" for one in Answer if one in answers]
    if held := sum(failure.quarantined_until is not None for failure in commit.failing):
        told.append(f"{held} in quarantine")
    if commit.unseen:
        told.append(f"{commit.unseen:,} not looked at")
    tests, failed, skipped = (sum(getattr(run, name) for run in commit.runs) for name in ("tests", "failed", "skipped"))
    jobs = _plural(len(commit.runs), "job")
    numbers = f"{tests - failed:,} of {_plural(tests, 'test')} passed in {jobs}"
    if skipped:
        numbers += f", {skipped:,} skipped"
    said = f"{', '.join(told)}. {numbers}." if told else f"{numbers}."
    return f"{said} {link('See all of it', commit.address)}." if commit.address else said


def answers_table(commit: Commit, most_bytes: int, most_rows: int | None = None) -> str:
    """Every failure with its answer, odds and reason; the first ones that have room. The answer is what a phone shows.

    An outage is said in one line, so its tests are folded.
    """
    head = "| Answer | Test | Why |\n|---|---|---|"
    rows = [_answer_row(commit, failure) for failure in commit.failures]
    speaking = sum(failure.answer is not Answer.OUTAGE for failure in commit.failures)
    return _table(commit, head, rows, most_bytes, most_rows, unseen=commit.unseen, most_open=min(_OPEN_ROWS, speaking))


def candidates_table(commit: Commit, most_bytes: int) -> str:
    """The flaky ones with what they did before; empty when there are none."""
    flaky = sorted((one for one in commit.failures if one.is_candidate), key=lambda one: -one.flake)
    if not flaky:
        return ""
    head = "| Test | Failures | Rerun pass rate | Last failed | Confidence |\n|---|--:|--:|---|--:|"
    return _table(commit, head, [_candidate_row(commit, failure) for failure in flaky], most_bytes)


def percent(share: float) -> str:
    """`94 %`; never all, never nothing."""
    if share >= _SURE:
        return "over 99 %"
    return "under 1 %" if share < _HARDLY else f"{share * 100:.0f} %"


def day(moment: datetime) -> str:
    """`26 Dec 2026`, by UTC."""
    return f"{moment.astimezone(UTC):%-d %b %Y}"


def run_address(commit: Commit, failure: CommitFailure) -> str | None:
    """The failure on its run's page."""
    return commit.page(failure.project_id, f"runs/{failure.run_id}#failure-{failure.test_case_id}")


def test_address(commit: Commit, failure: CommitFailure) -> str | None:
    """The test's page."""
    return commit.page(failure.project_id, f"flakes/{failure.test_case_id}")


def _table(
    commit: Commit,
    head: str,
    rows: Sequence[str],
    most_bytes: int,
    most_rows: int | None = None,
    *,
    unseen: int = 0,
    most_open: int = _OPEN_ROWS,
) -> str:
    room = most_bytes - 2 * size(head) - _ROOM_FOR_NOTE
    shown = min(fitting(rows, room), len(rows) if most_rows is None else most_rows)
    parts = _folding(head, rows[:shown], most_open)
    if hidden := len(rows) - shown + unseen:
        more = f"{_plural(hidden, 'further test')} {'is' if hidden == 1 else 'are'} not shown here"
        parts.append(f"_{link(more, commit.address)}._")
    return "\n\n".join(parts)


def _folding(head: str, rows: Sequence[str], most_open: int) -> list[str]:
    """The first rows as they are, and the others under a fold; one alone is not worth it."""
    if len(rows) == most_open + 1:
        most_open += 1
    parts = ["\n".join([head, *rows[:most_open]])] if most_open else []
    if folds := rows[most_open:]:
        label = f"{len(folds):,} more" if most_open else _plural(len(folds), "test")
        parts.append(folded(label, "\n".join([head, *folds])))
    return parts


def _answer_row(commit: Commit, failure: CommitFailure) -> str:
    mark = _MARKS[failure.answer] if failure.end is End.FAILED else _PASSED
    told = [f"{mark} **{link(ANSWER_LABELS[failure.answer], run_address(commit, failure))}**"]
    if failure.answer is not Answer.CANNOT_TELL:
        told.append(f"{percent(failure.likely)} likely")
    if failure.end is not End.FAILED:
        told.append(str(failure.end))
    if failure.quarantined_until is not None:
        told.append(f"quarantined until {day(failure.quarantined_until)}")
    return f"| {'<br>'.join(told)} | {_test_cell(commit, failure)} | {text(failure.reason)} |"


def _test_cell(commit: Commit, failure: CommitFailure) -> str:
    name = link(code(failure.name), test_address(commit, failure))
    jobs = [text(job, 80) for job in failure.jobs[:_JOBS_NAMED]]
    if more := len(failure.jobs) - _JOBS_NAMED:
        jobs += [f"{more} more"] if more > 0 else []
    place = " in ".join(part for part in (text(failure.where, 120), ", ".join(jobs)) if part)
    return f"{name}<br><sub>{place}</sub>" if place else name


def _candidate_row(commit: Commit, failure: CommitFailure) -> str:
    past = failure.past
    failures = f"{past.failing_runs} of {_plural(past.runs, 'run')}" if past.runs else "–"
    rate = f"{percent_of(past.reruns_passed, past.reruns)} of {past.reruns}" if past.reruns else "never rerun"
    last = "only here"
    if past.last_failed_at is not None:
        last = day(past.last_failed_at)
        if past.last_failed_sha:
            last += f" on {code(past.last_failed_sha[:_SHORT_SHA])}"
    name = link(code(failure.name), test_address(commit, failure))
    return f"| {name} | {failures} | {rate} | {last} | {percent(failure.flake)} |"


def percent_of(some: int, total: int) -> str:
    """A counted share: `0 %` and `100 %` are facts here."""
    return f"{100 * some / total:.0f} %"


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
