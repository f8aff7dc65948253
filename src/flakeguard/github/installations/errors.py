"""What can stand in the way of binding an installation."""

from fluxbase.errors import ConflictError, InvalidRequestError, NotFoundError, PermissionDeniedError, UnavailableError


class BindingNotConfiguredError(UnavailableError):
    """This server cannot bind installations: GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET are not set."""

    code = "github_not_configured"


class InvalidBindingError(InvalidRequestError):
    """This binding was begun in another session, or has taken too long: begin again."""

    code = "invalid_state"


class CodeRefusedError(PermissionDeniedError):
    """GitHub did not take the code that your browser brought back: begin again."""

    code = "github_refused"


class NotAdministratorError(PermissionDeniedError):
    """GitHub does not say that you administer the account that the App is installed for."""

    code = "not_github_administrator"


class BoundElsewhereError(ConflictError):
    """This installation is bound to another organisation: an admin there has to disconnect it first."""

    code = "bound_elsewhere"


class InstallationGoneError(NotFoundError):
    """The App is not installed there any more."""

    code = "installation_gone"


class GitHubAwayError(UnavailableError):
    """GitHub cannot be reached, or answers what cannot be understood; try again shortly."""

    code = "github_unavailable"
