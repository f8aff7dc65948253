"""`/api/v1/admin/jobs`: what operators look at and switch."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict

from fluxbase.auth.callers import caller_of
from fluxbase.db import Database
from fluxbase.errors import NotFoundError
from fluxbase.jobs.health import jobs_stats
from fluxbase.jobs.scheduling import enable_schedule, list_schedules

router = APIRouter(prefix="/api/v1/admin/jobs", tags=["jobs"])


class SchedulePatch(BaseModel):
    """A schedule's switch."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool


async def _database_of_admin(request: Request) -> Database:
    (await caller_of(request)).require_admin()
    return request.app.state.resources.database


@router.get("/stats", summary="Queue depths and workers")
async def read_stats(request: Request) -> dict[str, Any]:
    """`{workers, queue, due, oldest_due_seconds}`."""
    database = await _database_of_admin(request)
    async with database.transaction() as connection:
        return (await jobs_stats(connection)).as_json()


@router.get("/workers", summary="Workers")
async def read_workers(request: Request) -> dict[str, Any]:
    """`{workers}`: those that live, and those that stopped within the last hour."""
    database = await _database_of_admin(request)
    async with database.transaction() as connection:
        return {"workers": (await jobs_stats(connection)).as_json()["workers"]}


@router.get("/schedules", summary="Schedules")
async def read_schedules(request: Request) -> dict[str, Any]:
    """`{schedules}`, by name."""
    database = await _database_of_admin(request)
    async with database.transaction() as connection:
        return {"schedules": [_schedule(row) for row in await list_schedules(connection)]}


@router.patch("/schedules/{name}", summary="Switch a schedule on or off")
async def update_schedule(
    request: Request, name: Annotated[str, Path(max_length=200)], body: SchedulePatch
) -> dict[str, Any]:
    """The schedule."""
    database = await _database_of_admin(request)
    async with database.transaction() as connection:
        row = await enable_schedule(connection, name, enabled=body.enabled)
    if row is None:
        raise NotFoundError(f"There is no schedule {name}.")
    return _schedule(row)


def _schedule(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
        for name, value in row.items()
    }
