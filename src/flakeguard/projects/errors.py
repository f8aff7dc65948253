"""What can stand in the way of organisations, projects and keys."""

from fluxbase.errors import (
    ConflictError,
    InvalidRequestError,
    NotAuthenticatedError,
    NotFoundError,
    PermissionDeniedError,
)


class InvalidNameError(InvalidRequestError):
    """A name has 1 to 200 characters and no control characters."""

    code = "invalid_name"


class InvalidSlugError(InvalidRequestError):
    """A slug has 3 to 64 small letters, digits and hyphens, and begins and ends with a letter or digit."""

    code = "invalid_slug"


class InvalidBranchError(InvalidRequestError):
    """A branch has a name that git would take."""

    code = "invalid_branch"


class InvalidRoleError(InvalidRequestError):
    """A role is one of OWNER, ADMIN, MEMBER, VIEWER."""

    code = "invalid_role"


class SlugTakenError(ConflictError):
    """This slug is taken; choose another."""

    code = "slug_taken"


class LastOwnerError(ConflictError):
    """An organisation keeps at least one owner: make somebody else an owner first."""

    code = "last_owner"


class ConfirmationError(InvalidRequestError):
    """Deleting needs the slug of what is to be deleted, typed in `confirm`."""

    code = "confirmation_required"


class OrganizationsRemainError(ConflictError):
    """Organisations of which you are the only member would go with your account; confirm that."""

    code = "organizations_remain"


class OwnerNotInvitableError(InvalidRequestError):
    """Nobody can be invited as OWNER: invite as ADMIN, and let an owner promote them."""

    code = "owner_not_invitable"


class AlreadyMemberError(ConflictError):
    """They are a member already."""

    code = "already_member"


class InvalidInviteError(NotFoundError):
    """This invite does not exist, was used, or was revoked; ask for a new one."""

    code = "invalid_invite"


class InviteExpiredError(InvalidRequestError):
    """This invite has expired; ask for a new one."""

    code = "invite_expired"


class InviteEmailMismatchError(PermissionDeniedError):
    """This invite is for another e-mail address than the one you are signed in with."""

    code = "invite_email_mismatch"


class InvalidScopeError(InvalidRequestError):
    """An API key needs one or more of the known scopes."""

    code = "invalid_scope"


class InvalidExpiryError(InvalidRequestError):
    """A number of days or hours is out of range."""

    code = "invalid_expiry"


class KeyRevokedError(ConflictError):
    """This key was revoked; create a new one."""

    code = "key_revoked"


class InvalidApiKeyError(NotAuthenticatedError):
    """The API key is missing, unknown or revoked: send `Authorization: Bearer fg_…` with a key of the project."""

    code = "invalid_api_key"


class ExpiredApiKeyError(NotAuthenticatedError):
    """The API key has expired: rotate it in the project's settings."""

    code = "expired_api_key"


class InsufficientScopeError(PermissionDeniedError):
    """The API key lacks the scope for this."""

    code = "insufficient_scope"
