"""What can stand in the way of a decision."""

from fluxbase.errors import ConflictError, InvalidRequestError


class NotAFlakeError(ConflictError):
    """Only what is flaky, suspected or recovering can be quarantined."""

    code = "not_a_flake"


class NoOpenDecisionError(ConflictError):
    """There is no decision that this could change: it was decided or ended meanwhile."""

    code = "no_open_decision"


class InvalidReasonError(InvalidRequestError):
    """A reason has at most 500 characters, and no control characters but line breaks."""

    code = "invalid_reason"
