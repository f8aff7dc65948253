"""What the elements of a test case say of one execution, made into an attempt."""

from collections.abc import Mapping

from flakeguard.reports.model import Limits, Outcome, ParsedAttempt
from flakeguard.reports.texts import clean, cut, name_within


class Execution:
    """One execution while its elements are read."""

    __slots__ = ("attributes", "details", "outcome", "seconds", "system_err", "system_out")

    def __init__(self, outcome: Outcome = Outcome.PASSED, attributes: Mapping[str, str] | None = None) -> None:
        """Begin with the attributes of the element that says how it ended, if there is one."""
        self.outcome = outcome
        self.attributes: Mapping[str, str] = attributes if attributes is not None else {}
        self.seconds: float | None = None
        self.details: list[str] = []
        self.system_out: list[str] = []
        self.system_err: list[str] = []

    def attempt(self, base: ParsedAttempt, limits: Limits) -> ParsedAttempt:
        """The attempt: `base`, which says of what test case, with what this execution adds."""
        if self.outcome is Outcome.PASSED:
            return base
        return not_passed(
            base,
            self.outcome,
            self.attributes,
            details="\n\n".join(self.details).strip(),
            system_out="\n".join(self.system_out),
            system_err="\n".join(self.system_err),
            limits=limits,
        )


def not_passed(
    base: ParsedAttempt,
    outcome: Outcome,
    attributes: Mapping[str, str],
    *,
    details: str,
    system_out: str,
    system_err: str,
    limits: Limits,
) -> ParsedAttempt:
    """A failed, errored or skipped attempt.

    Args:
        base: the attempt without its end.
        outcome: how it ended.
        attributes: of the `failure`, `error` or `skipped`: message, type, and the place in some dialects.
        details: that element's text, cleaned.
        system_out: what was printed, cleaned.
        system_err: the same of the error stream.
        limits: how long the texts may be.
    """
    message = attributes.get("message")
    message = clean(message).strip() if message else ""
    if not message:
        message = details.split("\n", 1)[0].strip()
    failure_type = attributes.get("type")
    location = attributes.get("file")
    if location and base.file is None:
        line = attributes.get("line")
        details = f"at {clean(location)}{':' + line if line else ''}\n{details}".rstrip()
    return ParsedAttempt(
        base.suite,
        base.file,
        base.class_name,
        base.name,
        base.line,
        outcome,
        base.duration_seconds,
        name_within(clean(failure_type), limits.name_characters) if failure_type else None,
        cut(message, limits.message_characters) if message else None,
        cut(details, limits.details_characters) if details else None,
        cut(system_out, limits.output_characters) if system_out else None,
        cut(system_err, limits.output_characters) if system_err else None,
    )
