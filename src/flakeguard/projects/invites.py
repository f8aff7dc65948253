"""Invites: for one address, for seven days, for one acceptance."""

import hashlib
import secrets
from datetime import timedelta

from flakeguard.projects import audit, repository
from flakeguard.projects.access import Action, may_manage, require_organization
from flakeguard.projects.errors import (
    AlreadyMemberError,
    InvalidInviteError,
    InviteEmailMismatchError,
    InviteExpiredError,
    OwnerNotInvitableError,
)
from flakeguard.projects.members import parse_role
from flakeguard.projects.model import Invite, Organization, Role
from fluxbase.auth import User, emails
from fluxbase.db import Connection, Database
from fluxbase.errors import NotFoundError, PermissionDeniedError
from fluxbase.resources import utc_now

LIFETIME = timedelta(days=7)
_LARGEST_ID = 2**63 - 1


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


async def create(database: Database, user: User, organization: str, *, email: str, role: str) -> tuple[Invite, str]:
    """A new invite and its token, which is shown here and never again. Earlier invites to the address are revoked.

    Raises:
        NotFoundError, PermissionDeniedError, InvalidRoleError, InvalidEmailError: As they say.
        OwnerNotInvitableError: 400.
        AlreadyMemberError: 409.
    """
    invited_as, address = parse_role(role), emails.cleaned(email)
    token, now = f"fgi_{secrets.token_urlsafe(32)}", utc_now()
    async with database.transaction() as connection:
        found = await require_organization(connection, user, organization, Action.ADMINISTER)
        if invited_as is Role.OWNER:
            raise OwnerNotInvitableError
        if not may_manage(found.role, invited_as):
            raise PermissionDeniedError(
                f"Your role here is {found.role}; only an owner can invite somebody as {invited_as}."
            )
        await repository.lock_organization(connection, found.id)
        if await repository.is_member_address(connection, found.id, address):
            raise AlreadyMemberError
        invite = await repository.add_invite(
            connection,
            organization_id=found.id,
            email=address,
            role=invited_as,
            token_hash=_digest(token),
            invited_by=user.id,
            now=now,
            expires_at=now + LIFETIME,
        )
        await audit.record_by(
            connection, user, "org.invite_created", organization_id=found.id, email=address, role=invited_as
        )
    return invite, token


async def list_all(database: Database, user: User, organization: str) -> list[Invite]:
    """Pending invites, newest first.

    Raises:
        NotFoundError, PermissionDeniedError: As they say.
    """
    async with database.transaction(user.claims) as connection:
        found = await require_organization(connection, user, organization, Action.ADMINISTER)
        return await repository.list_pending_invites(connection, found.id, utc_now())


async def revoke(database: Database, user: User, organization: str, invite_id: int) -> Invite:
    """Make a pending invite worthless. Admins can revoke what they could have invited.

    Raises:
        NotFoundError, PermissionDeniedError: As they say.
    """
    async with database.transaction() as connection:
        found = await require_organization(connection, user, organization, Action.ADMINISTER)
        known = 0 < invite_id <= _LARGEST_ID
        invite = await repository.revoke_invite(connection, found.id, invite_id, utc_now()) if known else None
        if invite is None:
            raise NotFoundError("There is no such pending invite.")
        if not may_manage(found.role, invite.role):
            raise PermissionDeniedError(f"Your role here is {found.role}; only an owner can revoke this invite.")
        await audit.record_by(
            connection, user, "org.invite_revoked", organization_id=found.id, email=invite.email, role=invite.role
        )
    return invite


async def peek(database: Database, token: str) -> Invite | None:
    """What an invite's page shows before anybody signs in; None when it cannot be accepted any more."""
    async with database.transaction() as connection:
        invite = await repository.find_pending_invite(connection, _digest(token))
    return invite if invite is not None and invite.expires_at > utc_now() else None


async def accept(database: Database, user: User, token: str) -> Organization:
    """Join the organisation of an invite to one's own address.

    Raises:
        InvalidInviteError: 404, unknown, used or revoked.
        InviteExpiredError: 400.
        InviteEmailMismatchError: 403.
        AlreadyMemberError: 409.
    """
    now = utc_now()
    async with database.transaction() as connection:
        invite = await repository.find_pending_invite(connection, _digest(token))
        if invite is None:
            raise InvalidInviteError
        if invite.email.lower() != user.email.lower():
            raise InviteEmailMismatchError
        if invite.expires_at <= now:
            raise InviteExpiredError
        if not await repository.accept_invite(connection, invite.id, now):
            raise InvalidInviteError
        if not await repository.add_member(connection, invite.organization_id, user.id, invite.role):
            raise AlreadyMemberError
        await audit.record_by(
            connection, user, "org.invite_accepted", organization_id=invite.organization_id, role=invite.role
        )
        return await require_organization(connection, user, str(invite.organization_id))


async def allows_sign_up(connection: Connection, email: str, token: str | None) -> bool:
    """Whether this address may make an account by this token, where sign-up is by invite."""
    if token is None:
        return False
    invite = await repository.find_pending_invite(connection, _digest(token))
    return invite is not None and invite.expires_at > utc_now() and invite.email.lower() == email.lower()
