"""How urgent a run is: somebody waits for a red one, and everybody for a red default branch. Pure."""

from typing import Literal

from flakeguard.github.facts import Run

type Priority = Literal["low", "normal", "high", "critical"]

_FAILED = ("failure", "timed_out", "startup_failure")
_RAN_NOTHING = ("skipped", "stale")
_WAITS = "action_required"


def priority_of(run: Run, default_branch: str | None) -> Priority:
    """The priority of fetching a completed run's artifacts."""
    on_default = run.head_branch is not None and run.head_branch == default_branch and run.event != "pull_request"
    if run.conclusion in _FAILED:
        return "critical" if on_default else "high"
    return "normal" if on_default or run.pr_numbers else "low"


def ran_nothing(run: Run) -> bool:
    """Whether a completed run cannot have left results."""
    return run.conclusion in _RAN_NOTHING


def waits_for_approval(run: Run) -> bool:
    """Whether a run that GitHub calls completed has not begun: it is a fork's, and completed anew when it has run."""
    return run.conclusion == _WAITS
