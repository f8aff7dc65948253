"""The check run "FlakeGuard Analysis" and the pull request's comment, in words. Pure.

GitHub's limits are kept by leaving out whole rows, and saying so: 65,535 of summary, text and comment, 50 annotations
in a request, 3 actions.
"""

from collections.abc import Set as AbstractSet

from flakeguard.analysis.model import Answer
from flakeguard.analysis.wording import ANSWER_LABELS
from flakeguard.github.publishing.conclusion import actions, conclude
from flakeguard.github.publishing.markdown import block, clip, code, fitting, folded, link, size
from flakeguard.github.publishing.model import Annotation, CheckRun, Commit, CommitFailure, End
from flakeguard.github.publishing.tables import (
    answers_table,
    candidates_table,
    commit_headline,
    counts,
    day,
    percent,
    run_address,
)

NAME = "FlakeGuard Analysis"
MARKER = "<!-- flakeguard:analysis -->"
MOST_BYTES = 65_535
ANNOTATIONS_A_REQUEST = 50
MOST_ANNOTATIONS = 200

_TITLE_CHARACTERS = 200
_ANNOTATION_TITLE = 255
_ANNOTATION_MESSAGE = 4_000
_COMMENT_ROWS = 25
_CANDIDATES_BYTES = 30_000
_SAID_BYTES = 25_000
_CANDIDATES_IN_COMMENT_BYTES = 15_000
_OPEN_MESSAGES = 5
_SHORT_SHA = 8
_LEVELS = {Answer.YOURS: "failure", Answer.CANNOT_TELL: "warning"}


def render_check_run(commit: Commit, *, handled: AbstractSet[str]) -> CheckRun:
    """The check run; `handled` are the identifiers of buttons that somebody answers."""
    summary = counts(commit)
    if commit.failures:
        summary += f"\n\n{answers_table(commit, MOST_BYTES - size(summary) - 2)}"
    return CheckRun(
        title=clip(commit_headline(commit), _TITLE_CHARACTERS),
        summary=summary,
        text=_text(commit),
        conclusion=conclude(commit),
        annotations=_annotations(commit),
        actions=actions(commit, handled),
        details_url=commit.address,
    )


def render_comment(commit: Commit) -> str:
    """The comment, with the marker that it is found by."""
    head = f"{MARKER}\n### {commit_headline(commit)}\n\n{counts(commit)}"
    parts = [head]
    tail = f"<sub>FlakeGuard, of commit {code(commit.sha[:_SHORT_SHA])}</sub>"
    if commit.failures:
        room = MOST_BYTES - size(head) - size(tail) - _CANDIDATES_IN_COMMENT_BYTES - 200
        parts.append(answers_table(commit, room, _COMMENT_ROWS))
        if candidates := candidates_table(commit, _CANDIDATES_IN_COMMENT_BYTES):
            parts.append(folded("Flaky tests among them", candidates))
    return "\n\n".join([*parts, tail])


def _text(commit: Commit) -> str:
    parts: list[str] = []
    if candidates := candidates_table(commit, _CANDIDATES_BYTES):
        parts.append(f"### Flaky tests\n\n{candidates}")
    if messages := _messages(commit):
        parts.append("### What the failures said\n\n" + messages)
    return "\n\n".join(parts)


def _messages(commit: Commit) -> str:
    pieces = [piece for failure in commit.failing if (piece := _said(commit, failure)) is not None]
    shown = pieces[: fitting(pieces, _SAID_BYTES)]
    parts = shown[:_OPEN_MESSAGES]
    if folds := shown[_OPEN_MESSAGES:]:
        parts.append(folded(f"What {len(folds):,} more said", "\n\n".join(folds)))
    if len(shown) < len(pieces):
        parts.append("_What further failures said is on their runs' pages._")
    return "\n\n".join(parts)


def _said(commit: Commit, failure: CommitFailure) -> str | None:
    message = failure.message or failure.details
    if not message or not message.strip() or failure.answer is Answer.OUTAGE:
        return None
    return f"{link(code(failure.name), run_address(commit, failure))}\n\n{block(message)}"


def _annotations(commit: Commit) -> tuple[Annotation, ...]:
    """One for each failure whose place is known; none of an outage, which is no line's fault."""
    found = [
        _annotation(failure, failure.location.path, failure.location.line)
        for failure in commit.failures
        if failure.location is not None and failure.answer is not Answer.OUTAGE
    ]
    return tuple(found[:MOST_ANNOTATIONS])


def _annotation(failure: CommitFailure, path: str, line: int) -> Annotation:
    answer = ANSWER_LABELS[failure.answer]
    level = _LEVELS.get(failure.answer, "notice") if failure.end is End.FAILED else "notice"
    odds = "" if failure.answer is Answer.CANNOT_TELL else f" ({percent(failure.likely)})"
    held = f", quarantined until {day(failure.quarantined_until)}" if failure.quarantined_until else ""
    said = (failure.message or failure.details or "").strip()[:_ANNOTATION_MESSAGE]
    return Annotation(
        path=path,
        line=line,
        level=level,
        title=clip(f"{answer}: {clip(failure.name, 150)}", _ANNOTATION_TITLE),
        message=f"{answer}{odds}{held}. {failure.reason}" + (f"\n\n{said}" if said else ""),
    )
