"""What can be wrong with a second factor."""

from fluxbase.errors import ConflictError, NotAuthenticatedError, PermissionDeniedError


class InvalidChallengeError(NotAuthenticatedError):
    """The sign-in has taken too long or is finished already: begin again with your password."""

    code = "invalid_challenge"


class WrongCodeError(NotAuthenticatedError):
    """That code is wrong, or was used already. Wait for the next one."""

    code = "invalid_2fa_code"


class CodeRefusedError(PermissionDeniedError):
    """That code is wrong, or was used already. Wait for the next one."""

    code = "invalid_2fa_code"


class AlreadyEnabledError(ConflictError):
    """Two-factor authentication is on already: turn it off first."""

    code = "2fa_enabled"


class NotEnabledError(ConflictError):
    """Two-factor authentication is not on."""

    code = "2fa_not_enabled"
