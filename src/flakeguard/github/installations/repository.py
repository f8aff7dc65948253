"""Installations and their repositories in the database. Takes the connection, never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from flakeguard.github.facts import Account, Repository
from fluxbase.db import Connection, load

SQL = load(__package__)


@dataclass(frozen=True, slots=True)
class Installation:
    """The App, installed for an account; bound to `organization_id`, or to nobody yet."""

    id: int
    account_id: int
    account_login: str
    account_type: str
    organization_id: int | None
    suspended_at: datetime | None
    deleted_at: datetime | None


@dataclass(frozen=True, slots=True)
class KnownRepository:
    """A repository, the installation that reaches it, and the project that gets its results.

    `chosen_in` is the organisation whose member chose that project, or chose that nobody gets them.
    """

    id: int
    installation_id: int
    full_name: str
    default_branch: str | None
    private: bool
    project_id: int | None
    removed_at: datetime | None
    chosen_in: int | None = None
    chosen_project_id: int | None = None


@dataclass(frozen=True, slots=True)
class ListedRepository:
    """A repository as the GitHub page lists it."""

    id: int
    installation_id: int
    full_name: str
    private: bool
    project_id: int | None
    removed_at: datetime | None
    project_name: str | None
    last_run_at: datetime | None


async def hold_installation(
    connection: Connection, installation_id: int, account: Account | None, *, api_url: str
) -> Installation | None:
    """The installation, made when an event is the first to tell of it; None when it is unknown and no account is told.

    Whoever binds it waits until this transaction ends, and this one waits for a binding under way: what is kept as
    unbound is either seen by the binding, or was never unbound.
    """
    told = (None, None) if account is None else (account.id, account.login)
    row = await connection.fetchrow(SQL["hold_installation"], installation_id, *told)
    if row is None and account is not None:
        return await hold_alone(connection, installation_id, account, api_url=api_url)
    return Installation(**row) if row else None


async def hold_alone(
    connection: Connection, installation_id: int, account: Account | None, *, api_url: str
) -> Installation | None:
    """The same, for who changes it: two that held it together would wait for each other's end."""
    if account is not None:
        await connection.execute(
            SQL["know_installation"], installation_id, api_url, account.id, account.login, account.type
        )
    return await lock_installation(connection, installation_id)


async def find_installation(connection: Connection, installation_id: int) -> Installation | None:
    """The installation."""
    row = await connection.fetchrow(SQL["find_installation"], installation_id)
    return Installation(**row) if row else None


async def lock_installation(connection: Connection, installation_id: int) -> Installation | None:
    """The installation, for a change of whose it is."""
    row = await connection.fetchrow(SQL["lock_installation"], installation_id)
    return Installation(**row) if row else None


async def set_deleted(connection: Connection, installation_id: int, at: datetime | None) -> None:
    """Note that it was removed at GitHub (None: it was not); its repositories are out of reach then."""
    await connection.execute(SQL["set_deleted"], installation_id, at)
    if at is not None:
        await connection.execute(SQL["remove_all_repositories"], installation_id, at)


async def set_suspended(connection: Connection, installation_id: int, at: datetime | None) -> None:
    """Note that it was suspended (None: no longer is)."""
    await connection.execute(SQL["set_suspended"], installation_id, at)


async def bind(
    connection: Connection, installation_id: int, organization_id: int | None, *, by: UUID | None, at: datetime | None
) -> None:
    """Make the installation an organisation's, or nobody's; projects of another organisation get no more of it.

    What its own members had chosen for repositories is kept while it is nobody's, for when they bind it again.
    """
    await connection.execute(SQL["unmap_all"], installation_id, organization_id)
    await connection.execute(SQL["bind_installation"], installation_id, organization_id, by, at)


async def find_repository(connection: Connection, repository_id: int) -> KnownRepository | None:
    """The repository of that id at GitHub."""
    row = await connection.fetchrow(SQL["find_repository"], repository_id)
    return KnownRepository(**row) if row else None


async def put_repository(
    connection: Connection, installation_id: int, told: Repository, *, added: bool = False
) -> KnownRepository:
    """Keep what is told of a repository that `installation_id` reaches.

    One that another installation reached before has moved: its project gets no more of it. `added` makes good a
    removal.
    """
    row = await connection.fetchrow(
        SQL["put_repository"], told.id, installation_id, told.full_name, told.default_branch, told.private, added
    )
    assert row is not None  # noqa: S101 -- INSERT … DO UPDATE … RETURNING gives a row or raises
    return KnownRepository(**row)


async def remove_repositories(
    connection: Connection, installation_id: int, repositories: Sequence[int], at: datetime
) -> None:
    """The installation reaches these no more. Those that moved on meanwhile are another's and stay as they are."""
    await connection.execute(SQL["remove_repositories"], installation_id, list(repositories), at)


async def keep_only(connection: Connection, installation_id: int, repositories: Sequence[int], at: datetime) -> None:
    """The installation reaches these and no others."""
    await connection.execute(SQL["keep_only_repositories"], installation_id, list(repositories), at)


async def unmapped(connection: Connection, installation_id: int) -> list[KnownRepository]:
    """Repositories within reach whose results no project gets."""
    rows = await connection.fetch(SQL["unmapped_repositories"], installation_id)
    return [KnownRepository(**row) for row in rows]


async def map_repository(connection: Connection, repository_id: int, project_id: int) -> None:
    """Let a project get the results of a repository.

    Raises:
        asyncpg.ForeignKeyViolationError: The project is not of the organisation that the installation is bound to.
    """
    await connection.execute(SQL["map_repository"], repository_id, project_id)


async def choose_project(connection: Connection, repository_id: int, project_id: int | None) -> None:
    """The same (None: let nobody get them) because a person says so: it stays until a person says otherwise."""
    await connection.execute(SQL["choose_project"], repository_id, project_id)


async def list_installations(connection: Connection, organization_id: int) -> list[Installation]:
    """Those bound to an organisation, as far as the connection's role may see them; removed ones last."""
    return [Installation(**row) for row in await connection.fetch(SQL["list_installations"], organization_id)]


async def list_repositories(connection: Connection, organization_id: int, most: int) -> list[ListedRepository]:
    """Repositories of an organisation's installations, by name; removed ones last."""
    return [ListedRepository(**row) for row in await connection.fetch(SQL["list_repositories"], organization_id, most)]


async def find_choice(connection: Connection, organization_id: int, repository_id: int) -> asyncpg.Record | None:
    """`id`, `full_name` and `project_id` of a repository within an organisation's reach, locked."""
    return await connection.fetchrow(SQL["find_choice"], organization_id, repository_id)
