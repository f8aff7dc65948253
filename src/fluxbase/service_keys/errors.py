"""What can be wrong with a service key."""

from fluxbase.errors import ConflictError, InvalidRequestError, NotAuthenticatedError, NotFoundError


class InvalidServiceKeyError(NotAuthenticatedError):
    """The service key is not one of this installation."""

    code = "invalid_service_key"


class ServiceKeyRevokedError(NotAuthenticatedError):
    """The service key was revoked: use another one."""

    code = "service_key_revoked"


class ServiceKeyDisabledError(NotAuthenticatedError):
    """The service key is disabled: enable it again, or use another one."""

    code = "service_key_disabled"


class ServiceKeyExpiredError(NotAuthenticatedError):
    """The service key has expired: use another one."""

    code = "service_key_expired"


class ServiceKeyReplacedError(NotAuthenticatedError):
    """The service key was replaced and its grace period is over: use the new one."""

    code = "service_key_replaced"


class InvalidScopeError(InvalidRequestError):
    """There is no such scope."""

    code = "invalid_scope"


class InvalidNameError(InvalidRequestError):
    """A key's name has 1 to 100 characters, none of them a control character."""

    code = "invalid_name"


class InvalidExpiryError(InvalidRequestError):
    """A key expires in the future."""

    code = "invalid_expiry"


class ServiceKeyNotFoundError(NotFoundError):
    """There is no service key of this id."""


class KeyRevokedError(ConflictError):
    """The key was revoked, which is final: make a new one."""

    code = "key_revoked"


class KeyReplacedError(ConflictError):
    """The key was rotated already: rotate the one that replaced it."""

    code = "key_replaced"


class KeyEndedError(ConflictError):
    """The key has ended, which is final: make a new one."""

    code = "key_ended"
