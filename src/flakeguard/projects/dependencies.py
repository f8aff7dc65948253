"""Who reads a project's results: a member, or one of the project's own keys."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from flakeguard.projects.access import require_project
from flakeguard.projects.api_keys import authenticate_key
from flakeguard.projects.model import Project, Scope
from fluxbase.auth import current_user
from fluxbase.db import Claims, Database
from fluxbase.errors import NotFoundError
from fluxbase.http.credentials import credentials_of


@dataclass(frozen=True, slots=True)
class Reader:
    """A project, and the claims to read it with: `database.transaction(reader.claims)`."""

    project: Project
    claims: Claims


def database_of(request: Request) -> Database:
    """The pool of this application."""
    return request.app.state.resources.database


def carries_key(request: Request) -> bool:
    """Whether the request's bearer token has the look of an API key; every other one is a person's."""
    return (credentials_of(request.scope).bearer or "").startswith("fg_")


async def project_reader(request: Request, project_id: int) -> Reader:
    """Let in a session of a member, or a key of this project with the scope `results:read`.

    Raises:
        NotAuthenticatedError: 401.
        InsufficientScopeError: 403.
        NotFoundError: 404, no such project for this user or key.
    """
    database = database_of(request)
    if carries_key(request):
        key = await authenticate_key(database, request.headers["authorization"])
        if key.project_id != project_id:
            raise NotFoundError("There is no such project, or this key is not one of its keys.")
        key.require(Scope.RESULTS_READ)
        return Reader(key.project, key.claims)
    user = await current_user(request)
    async with database.transaction(user.claims) as connection:
        return Reader(await require_project(connection, user, project_id), user.claims)


ProjectReader = Annotated[Reader, Depends(project_reader)]
DatabaseOf = Annotated[Database, Depends(database_of)]
