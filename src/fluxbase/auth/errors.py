"""What can be wrong with an account, a password or a session."""

from fluxbase.errors import ConflictError, InvalidRequestError, NotAuthenticatedError, PermissionDeniedError


class InvalidCredentialsError(NotAuthenticatedError):
    """The e-mail address or the password is wrong."""

    code = "invalid_credentials"


class InvalidCodeError(NotAuthenticatedError):
    """This link or code is wrong, was used already, or has expired: ask for another one."""

    code = "invalid_code"


class InvalidRefreshTokenError(NotAuthenticatedError):
    """This refresh token is none of ours, or has expired: sign in again."""

    code = "invalid_refresh_token"


class RefreshTokenReusedError(InvalidRefreshTokenError):
    """This refresh token was used before: its session is ended, because two hold it. Sign in again."""

    code = "refresh_token_reused"


class AccountLockedError(PermissionDeniedError):
    """Too many failed attempts: this account is locked for a while. Try again later."""

    code = "account_locked"


class EmailNotConfirmedError(PermissionDeniedError):
    """Confirm your e-mail address first: open the link in the mail that was sent to you."""

    code = "email_not_confirmed"


class WrongPasswordError(PermissionDeniedError):
    """That is not your current password."""

    code = "wrong_password"


class SignInAgainError(PermissionDeniedError):
    """Sign in again, and do this within ten minutes: a session that is older is not enough for it."""

    code = "sign_in_again"


class EmailExistsError(ConflictError):
    """An account with this e-mail address exists already."""

    code = "email_exists"


class InvalidEmailError(InvalidRequestError):
    """That is no e-mail address."""

    code = "invalid_email"


class WeakPasswordError(InvalidRequestError):
    """The password cannot be used."""

    code = "weak_password"


class InvalidMetadataError(InvalidRequestError):
    """user_metadata cannot be stored."""

    code = "invalid_metadata"


class SignupRefusedError(PermissionDeniedError):
    """This installation takes no new accounts."""

    code = "signup_refused"


class MailNotConfiguredError(InvalidRequestError):
    """This installation sends no mail: its operator has to set FLUXBASE_SMTP_HOST."""

    code = "mail_not_configured"


class InvalidRedirectError(InvalidRequestError):
    """redirect_to leads to an address that is neither the public one nor one of FLUXBASE_AUTH_REDIRECT_URLS."""

    code = "invalid_redirect"
