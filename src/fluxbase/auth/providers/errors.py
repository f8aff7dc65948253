"""What can go wrong between us, a provider and an account."""

from fluxbase.errors import (
    ConflictError,
    InvalidRequestError,
    NotAuthenticatedError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
)


class UnknownProviderError(NotFoundError):
    """No provider of that name is configured."""

    code = "unknown_provider"


class InvalidStateError(InvalidRequestError):
    """This sign-in was begun elsewhere, has taken too long, or is finished already: begin again."""

    code = "invalid_state"


class ProviderRefusedError(NotAuthenticatedError):
    """The provider did not sign you in."""

    code = "provider_refused"


class ProviderAwayError(UnavailableError):
    """The provider cannot be reached, or answers what cannot be understood; try again shortly."""

    code = "provider_unavailable"


class AddressUnverifiedError(PermissionDeniedError):
    """The provider does not vouch for your e-mail address: verify it there first."""

    code = "provider_email_unverified"


class AccountUnconfirmedError(ConflictError):
    """An account with this address exists, but its address was never confirmed: sign in, and connect from there."""

    code = "account_unconfirmed"


class IdentityRevokedError(PermissionDeniedError):
    """This identity was disconnected from its account: sign in otherwise, and connect it again there."""

    code = "identity_revoked"


class IdentityTakenError(ConflictError):
    """This identity belongs to another account."""

    code = "identity_taken"


class LastWayInError(ConflictError):
    """This is the only way into your account: set a password first."""

    code = "last_way_in"
