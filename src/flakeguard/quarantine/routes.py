"""Decisions over HTTP: read by members and the project's keys, made by members who are not viewers."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from flakeguard.analysis.settings import analysis_config
from flakeguard.projects.dependencies import ProjectReader
from flakeguard.quarantine import managing, repository
from flakeguard.quarantine.policy import DEFAULT_POLICY
from flakeguard.quarantine.presenting import decision_as_json, listed_as_json
from fluxbase.auth import CurrentUser
from fluxbase.errors import NotFoundError
from fluxbase.http import success

router = APIRouter(prefix="/api/v1/projects/{project_id}", tags=["quarantine"])

_HISTORY = 100


class Wanted(BaseModel):
    """Why a test is quarantined; without it, the figures that speak for it."""

    reason: str = Field("", max_length=2 * managing.LONGEST_REASON)


@router.get("/quarantine", summary="Decisions of a project")
async def list_decisions(
    request: Request,
    reader: ProjectReader,
    state: Annotated[Literal["open", "ended"], Query(description="proposed and active ones, or the others")] = "open",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    offset: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Open ones: proposed first, then what ends first. Ended ones: newest first."""
    async with request.app.state.resources.database.transaction(reader.claims) as connection:
        found, total = await repository.list_decisions(
            connection, reader.project.id, is_open=state == "open", limit=limit, offset=offset
        )
    decisions = [listed_as_json(one) for one in found]
    return success(request, {"decisions": decisions, "total": total, "limit": limit, "offset": offset})


@router.get("/flakes/{test_case_id}/quarantine", summary="Decisions about a test")
async def list_decisions_of_test(request: Request, reader: ProjectReader, test_case_id: int) -> Response:
    """Newest first, at most 100."""
    async with request.app.state.resources.database.transaction(reader.claims) as connection:
        if not await repository.test_exists(connection, reader.project.id, test_case_id):
            raise NotFoundError("There is no such test in this project.")
        found = await repository.decisions_of_test(connection, reader.project.id, test_case_id, _HISTORY)
    return success(request, {"decisions": [decision_as_json(one) for one in found]})


@router.post("/flakes/{test_case_id}/quarantine", summary="Quarantine a test")
async def quarantine(
    request: Request, project_id: int, test_case_id: int, user: CurrentUser, wanted: Wanted | None = None
) -> Response:
    """The decision; of a test that is in quarantine, the one that is there."""
    resources = request.app.state.resources
    decision = await managing.quarantine(
        resources.database, user, project_id, test_case_id, reason=wanted.reason if wanted else "",
        policy=DEFAULT_POLICY, config=analysis_config(request.app.state.settings), now=resources.now(),
    )  # fmt: skip
    return success(request, decision_as_json(decision))


@router.post("/flakes/{test_case_id}/quarantine/dismiss", summary="Dismiss what is proposed")
async def dismiss(request: Request, project_id: int, test_case_id: int, user: CurrentUser) -> Response:
    """The dismissed decision."""
    resources = request.app.state.resources
    decision = await managing.dismiss(
        resources.database, user, project_id, test_case_id, policy=DEFAULT_POLICY, now=resources.now()
    )
    return success(request, decision_as_json(decision))


@router.delete("/flakes/{test_case_id}/quarantine", summary="End a quarantine")
async def end(request: Request, project_id: int, test_case_id: int, user: CurrentUser) -> Response:
    """The ended decision."""
    resources = request.app.state.resources
    decision = await managing.end(resources.database, user, project_id, test_case_id, now=resources.now())
    return success(request, decision_as_json(decision))
