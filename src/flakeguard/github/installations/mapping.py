"""Repositories and projects: what a person chose, else the one of the repository's name, else a new one."""

from collections.abc import Iterator

from flakeguard.github.installations.repository import SQL, KnownRepository, map_repository, unmapped
from flakeguard.projects import audit, naming
from flakeguard.projects.errors import InvalidBranchError
from fluxbase.db import Connection

_ATTEMPTS = 50
_DEFAULT_BRANCH = "main"


async def map_to_project(connection: Connection, organization_id: int, repository: KnownRepository) -> int | None:
    """The project that gets the repository's results from now on: free and of its name, or a new one.

    What somebody of the organisation chose before stays: that project, or none.

    Raises:
        RuntimeError: Fifty names are taken.
    """
    if repository.chosen_in == organization_id:
        if repository.chosen_project_id is not None:
            await map_repository(connection, repository.id, repository.chosen_project_id)
        return repository.chosen_project_id
    for slug in _slugs(repository.full_name):
        project_id: int | None = await connection.fetchval(
            SQL["find_free_project"], organization_id, slug, repository.id
        ) or await _make(connection, organization_id, repository, slug)
        if project_id is not None:
            await map_repository(connection, repository.id, project_id)
            return project_id
    raise RuntimeError(f"no free name for a project of {repository.full_name}")


async def map_all(connection: Connection, organization_id: int, installation_id: int) -> None:
    """Give each repository within reach that has none a project, unless somebody chose that nobody gets its results."""
    for repository in await unmapped(connection, installation_id):
        await map_to_project(connection, organization_id, repository)


async def _make(connection: Connection, organization_id: int, repository: KnownRepository, slug: str) -> int | None:
    name = repository.full_name.rpartition("/")[2][: naming.LONGEST_NAME]
    branch = _branch(repository.default_branch)
    project_id: int | None = await connection.fetchval(SQL["make_project"], organization_id, name, slug, branch)
    if project_id is not None:
        await audit.record(
            connection, organization_id=organization_id, project_id=project_id, action="project.created",
            slug=slug, repository=repository.full_name,
        )  # fmt: skip
    return project_id


def _slugs(full_name: str) -> Iterator[str]:
    """The repository's name, with its owner's where that is taken, then with numbers."""
    name = full_name.rpartition("/")[2]
    yield naming.slug_for(name)
    for attempt in range(1, _ATTEMPTS):
        yield naming.slug_for(full_name, attempt=attempt)


def _branch(told: str | None) -> str:
    try:
        return naming.clean_branch(told or _DEFAULT_BRANCH)
    except InvalidBranchError:
        return _DEFAULT_BRANCH
