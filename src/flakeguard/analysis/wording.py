"""What the answers are called, and a run's failures in one sentence: the same on pages and at GitHub. Pure."""

from collections.abc import Mapping, Sequence

from flakeguard.analysis.model import Answer

ANSWER_LABELS: Mapping[str, str] = {
    Answer.YOURS: "Yours",
    Answer.KNOWN_FLAKE: "Known flake",
    Answer.MAIN_BROKEN: "Main is broken",
    Answer.OUTAGE: "Outage",
    Answer.CANNOT_TELL: "Cannot tell",
}
_COUNTED: Mapping[str, tuple[str, str]] = {
    Answer.YOURS: ("yours", "yours"),
    Answer.KNOWN_FLAKE: ("known flake", "known flakes"),
    Answer.MAIN_BROKEN: ("broken on main", "broken on main"),
    Answer.OUTAGE: ("by an outage", "by an outage"),
    Answer.CANNOT_TELL: ("undecided", "undecided"),
}
ORDER = (Answer.YOURS, Answer.CANNOT_TELL, Answer.MAIN_BROKEN, Answer.KNOWN_FLAKE, Answer.OUTAGE)
"""What needs somebody first."""


def counted(answer: Answer, count: int) -> str:
    """What so many failures of this answer are: `known flakes`."""
    return _COUNTED[answer][count > 1]


def headline(answers: Sequence[Answer]) -> str:
    """Failures in one sentence; there is at least one."""
    yours, unknown, total = answers.count(Answer.YOURS), answers.count(Answer.CANNOT_TELL), len(answers)
    noun = "failure" if total == 1 else "failures"
    if yours:
        return f"{yours} of {total} {noun} {'looks' if yours == 1 else 'look'} like your change."
    if unknown == total:
        return f"We cannot tell yet whether the {noun} {'comes' if total == 1 else 'come'} from your change."
    if unknown:
        return f"No failure looks like your change; of {unknown} of {total} we cannot tell."
    if total > 1:
        return f"None of the {total} {noun} looks like your change."
    return "The failure does not look like your change."
