"""What can be wrong with an account, a password or a session."""

from fluxbase.errors import ConflictError, InvalidRequestError, NotAuthenticatedError, PermissionDeniedError


class InvalidCredentialsError(NotAuthenticatedError):
    """The e-mail address or the password is wrong."""

    code = "invalid_credentials"


class WrongPasswordError(PermissionDeniedError):
    """That is not your current password."""

    code = "wrong_password"


class EmailExistsError(ConflictError):
    """An account with this e-mail address exists already."""

    code = "email_exists"


class InvalidEmailError(InvalidRequestError):
    """That is no e-mail address."""

    code = "invalid_email"


class WeakPasswordError(InvalidRequestError):
    """The password cannot be used."""

    code = "weak_password"


class SignupRefusedError(PermissionDeniedError):
    """This installation takes no new accounts."""

    code = "signup_refused"
