"""What can be done with organisations. Each function is one use case in a transaction of its own."""

import asyncpg

from flakeguard.projects import audit, deletion, naming, repository
from flakeguard.projects.access import Action, require_organization
from flakeguard.projects.errors import ConfirmationError, SlugTakenError
from flakeguard.projects.model import Organization, Role
from fluxbase.auth import User
from fluxbase.db import Connection, Database

_SLUG_ATTEMPTS = 50


async def create(database: Database, user: User, *, name: str, slug: str | None = None) -> Organization:
    """A new organisation with `user` as its owner; without a slug one is made from the name.

    Raises:
        InvalidNameError, InvalidSlugError: 400.
        SlugTakenError: 409, only for a slug that was asked for.
    """
    name = naming.clean_name(name)
    wanted = naming.check_organization_slug(slug) if slug else None
    async with database.transaction() as connection:
        created = await _insert(connection, name, wanted)
        await repository.add_member(connection, created.id, user.id, Role.OWNER)
        await audit.record_by(connection, user, "org.created", organization_id=created.id, slug=created.slug)
    return created


async def _insert(connection: Connection, name: str, wanted: str | None) -> Organization:
    candidates = [wanted] if wanted else [naming.slug_for(name, attempt=n + 1) for n in range(_SLUG_ATTEMPTS)]
    for slug in candidates:
        created = await repository.add_organization(connection, name=name, slug=slug)
        if created is not None:
            return created
    raise SlugTakenError


async def list_all(database: Database, user: User) -> list[Organization]:
    """Those the user is a member of."""
    async with database.transaction(user.claims) as connection:
        return await repository.list_organizations(connection, user.id)


async def get(database: Database, user: User, organization: str) -> Organization:
    """By slug or id.

    Raises:
        NotFoundError: No such organisation for this user.
    """
    async with database.transaction(user.claims) as connection:
        return await require_organization(connection, user, organization)


async def rename(
    database: Database, user: User, organization: str, *, name: str | None = None, slug: str | None = None
) -> Organization:
    """Change name or slug; None leaves as it is.

    Raises:
        NotFoundError, PermissionDeniedError, InvalidNameError, InvalidSlugError, SlugTakenError: As they say.
    """
    async with database.transaction() as connection:
        found = await require_organization(connection, user, organization, Action.ADMINISTER)
        new_name = naming.clean_name(name) if name is not None else found.name
        new_slug = naming.check_organization_slug(slug) if slug is not None else found.slug
        try:
            await repository.update_organization(connection, found.id, name=new_name, slug=new_slug)
        except asyncpg.UniqueViolationError as error:
            raise SlugTakenError from error
        await audit.record_by(connection, user, "org.updated", organization_id=found.id, name=new_name, slug=new_slug)
        return Organization(found.id, new_name, new_slug, found.created_at, found.role)


async def delete(database: Database, user: User, organization: str, *, confirm: str) -> Organization:
    """Delete an organisation with its projects and everything in them, for ever. Owners only.

    Raises:
        NotFoundError, PermissionDeniedError: As they say.
        ConfirmationError: 400, `confirm` is neither its slug nor its name.
    """
    async with database.transaction() as connection:
        found = await require_organization(connection, user, organization, Action.OWN)
    if confirm not in (found.slug, found.name):
        raise ConfirmationError
    await deletion.delete_organization(database, user, found)
    return found
