"""What the button about an issue does: one issue for the flakes that none is open for, and a link to those that are."""

from collections.abc import Collection, Sequence
from typing import Protocol

from flakeguard.github.errors import GitHubRefusedError, GoneError
from flakeguard.github.facts import Issue
from flakeguard.github.publishing.conclusion import to_report
from flakeguard.github.publishing.issue import LABEL, MOST_TESTS, mark_of, render_issue
from flakeguard.github.publishing.model import Commit, CommitFailure

_FORBIDDEN = 403
_NO_PERMISSION = (
    "The App may not write issues here: give it the repository permission Issues: write in its settings, and accept it"
    " in the installation."
)


class Tracker(Protocol):
    """Issues of repositories at GitHub. Errors are those of `flakeguard.github.errors`."""

    async def open_issues(self, owner: str, repo: str, label: str) -> Sequence[Issue]:
        """The open ones with a label."""
        ...

    async def open_issue(self, owner: str, repo: str, title: str, body: str, label: str) -> Issue:
        """Open one."""
        ...


async def report(tracker: Tracker, commit: Commit, pr_numbers: Collection[int], *, by: str) -> str:
    """Open an issue for the commit's flakes, once for each of them while it is open; what was done, for the login `by`.

    Whoever calls sees to it that nobody else does the same for the repository at this moment.

    Raises:
        flakeguard.github.errors: GitHub is away, limits us, or refuses for another reason than a missing permission.
    """
    flakes = to_report(commit)
    if not flakes:
        return "No flaky test of this commit is known any more."
    try:
        return await _report(tracker, commit, flakes, pr_numbers, by)
    except GoneError:
        return f"{commit.repository} has no issues: they are switched off in its settings."
    except GitHubRefusedError as error:
        if error.status != _FORBIDDEN:
            raise
        return _NO_PERMISSION


async def _report(
    tracker: Tracker, commit: Commit, flakes: Sequence[CommitFailure], pr_numbers: Collection[int], by: str
) -> str:
    owner, _, repo = commit.repository.partition("/")
    ours = [issue for issue in await tracker.open_issues(owner, repo, LABEL) if issue.ours]
    open_already = {
        failure.test_case_id: issue for failure in flakes for issue in ours if mark_of(failure) in issue.body
    }
    said = [f"Open already: {address}." for address in sorted({issue.html_url for issue in open_already.values()})]
    fresh = [failure for failure in flakes if failure.test_case_id not in open_already][:MOST_TESTS]
    if fresh:
        text = render_issue(commit, fresh, pr_numbers, by=by)
        made = await tracker.open_issue(owner, repo, text.title, text.body, LABEL)
        said.insert(0, f"Opened {made.html_url} for {len(fresh)} test{'' if len(fresh) == 1 else 's'}.")
    return " ".join(said)
