"""`/api/v1/jobs`: submit, look, cancel, retry."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from fluxbase.auth.callers import caller_of
from fluxbase.errors import NotAuthenticatedError, NotFoundError
from fluxbase.jobs import submitting
from fluxbase.jobs.model import JobStatus, NewJob
from fluxbase.jobs.repository import find_job, job_internals, list_jobs
from fluxbase.resources import Resources
from fluxbase.settings import Settings

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])

_LARGEST_PAGE = 200


class SubmitBody(BaseModel):
    """A job to be."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    payload: dict[str, Any] = Field(default_factory=dict)
    priority: int = Field(0, ge=-submitting.HIGHEST_PRIORITY, le=submitting.HIGHEST_PRIORITY)
    scheduled_at: AwareDatetime | None = None
    max_attempts: int | None = Field(None, ge=1, le=100)
    idempotency_key: str | None = Field(None, min_length=1, max_length=200, pattern=r"^[^\x00]+$")


def _resources(request: Request) -> Resources:
    return request.app.state.resources


def _limits(request: Request) -> submitting.Limits:
    settings: Settings = request.app.state.settings
    return submitting.Limits(settings.jobs_payload_limit_bytes, settings.jobs_max_pending_per_user)


@router.post("/submit", status_code=201, summary="Submit a job")
async def submit_job(request: Request, body: SubmitBody) -> Response:
    """201 with the job; 200 with the one that has the same idempotency key, name and submitter."""
    job, is_new = await submitting.submit_as(
        _resources(request).database,
        await caller_of(request),
        NewJob(
            name=body.name,
            payload=body.payload,
            priority=body.priority,
            max_attempts=body.max_attempts,
            scheduled_at=_storable(body.scheduled_at),
            idempotency_key=body.idempotency_key,
        ),
        _limits(request),
    )
    return JSONResponse(job.as_json(), 201 if is_new else 200)


def _storable(when: datetime | None) -> datetime | None:
    # The first and last day of what a datetime holds overflow when they change zone.
    if when is not None and not 1970 <= when.year < 9999:  # noqa: PLR2004
        raise submitting.InvalidJobError("scheduled_at lies outside the years 1970 to 9998.")
    return when


@router.get("", summary="List jobs")
async def read_jobs(
    request: Request,
    status: JobStatus | None = None,
    name: Annotated[str | None, Query(max_length=200)] = None,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=_LARGEST_PAGE)] = 50,
) -> dict[str, Any]:
    """`{jobs, next}`, newest first: users see their own, services all. `before=<next>` is the following page."""
    caller = await caller_of(request)
    caller.require("jobs:read")
    _require_somebody(caller.claims.role)
    async with _resources(request).database.transaction(caller.claims) as connection:
        jobs = await list_jobs(connection, status=status, name=name, before=before, limit=limit + 1)
    page = jobs[:limit]
    return {"jobs": [job.as_json() for job in page], "next": str(page[-1].id) if len(jobs) > limit else None}


@router.get("/{job_id}", summary="Look at a job")
async def read_job(request: Request, job_id: UUID) -> dict[str, Any]:
    """The job with its progress and result; for services with the stack of its last error, too."""
    caller = await caller_of(request)
    caller.require("jobs:read")
    _require_somebody(caller.claims.role)
    async with _resources(request).database.transaction(caller.claims) as connection:
        job = await find_job(connection, job_id)
        is_service = caller.claims.role == "service_role"
        internals = await job_internals(connection, job_id) if is_service else dict[str, Any]()
    if job is None:
        raise NotFoundError("There is no such job, or it is not yours.")
    return job.as_json() | {name: str(value) if isinstance(value, UUID) else value for name, value in internals.items()}


@router.post("/{job_id}/cancel", summary="Cancel a job")
async def cancel_job(request: Request, job_id: UUID) -> dict[str, Any]:
    """The job: cancelled when it waited, with `cancel_requested_at` when it runs; 409 when it has ended."""
    caller = await caller_of(request)
    _require_somebody(caller.claims.role)
    return (await submitting.cancel(_resources(request).database, caller, job_id)).as_json()


@router.post("/{job_id}/retry", summary="Run a job again")
async def retry_job(request: Request, job_id: UUID) -> dict[str, Any]:
    """The job, pending again with no attempts; 409 when it has not ended."""
    caller = await caller_of(request)
    _require_somebody(caller.claims.role)
    return (await submitting.retry(_resources(request).database, caller, job_id, _limits(request))).as_json()


def _require_somebody(role: str) -> None:
    if role == "anon":  # who is nobody has no jobs to look at
        raise NotAuthenticatedError
