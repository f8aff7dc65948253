"""What FlakeGuard has to say about Fluxbase's accounts: invites let people in, ownership holds them back."""

from flakeguard.projects import deletion, invites, repository
from flakeguard.projects.errors import LastOwnerError, OrganizationsRemainError
from flakeguard.projects.model import Organization, Role
from fluxbase.auth import AccountHooks, User
from fluxbase.db import Connection, Database


async def release(database: Database, user: User, /, *, confirmed: bool) -> None:
    """Make an account deletable: organisations of which it is the only member go, when that is `confirmed`.

    Raises:
        LastOwnerError: 409, it is the last owner of an organisation that has other members.
        OrganizationsRemainError: 409, organisations would go and that was not confirmed.
    """
    async with database.transaction() as connection:
        mine = await repository.list_organizations(connection, user.id)
        alone = [found for found in mine if await _would_be_ownerless(connection, found)]
    if alone and not confirmed:
        names = ", ".join(found.name for found in alone)
        raise OrganizationsRemainError(
            f"These organisations have no other member and would be deleted with all their projects: {names}. "
            "Confirm with delete_organizations."
        )
    for found in alone:
        await deletion.delete_organization(database, user, found)


async def _would_be_ownerless(connection: Connection, organization: Organization) -> bool:
    if organization.role is not Role.OWNER or await repository.count_owners(connection, organization.id) > 1:
        return False
    if await repository.count_members(connection, organization.id) > 1:
        raise LastOwnerError(
            f"You are the last owner of {organization.name}, which has other members: make one of them an owner first."
        )
    return True


# The dashboard's pages (flakeguard.dashboard.routes.signing_in).
_PAGES = {"confirmation": "/link", "recovery": "/link", "magiclink": "/link", "second_factor": "/signin/code"}

HOOKS = AccountHooks(may_sign_up=invites.allows_sign_up, before_delete=release, pages=_PAGES)
