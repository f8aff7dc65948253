"""The queue API of the worker document, and what operators need beside it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field
from starlette.requests import Request

from flakeguard.worker.operating import commanding, inspecting
from flakeguard.worker.operating.accepted import accepted
from flakeguard.worker.operating.guard import require_operator
from flakeguard.worker.operating.inspecting import queue_named
from fluxbase.http.context import request_id
from fluxbase.resources import Resources

router = APIRouter(prefix="/queues", tags=["queues"], dependencies=[Depends(require_operator)])

type Limit = Annotated[int, Query(ge=1, le=inspecting.MOST)]


class NewJob(BaseModel):
    """A job to enqueue: its name decides what its data must be."""

    name: str = Field(max_length=100)
    data: dict[str, Any]


def _resources(request: Request) -> Resources:
    return request.app.state.resources


@router.get("")
async def queues(request: Request) -> dict[str, Any]:
    """Every queue now."""
    return {"queues": [stats.as_json() for stats in await inspecting.all_stats(_resources(request))]}


@router.get("/{queue}/stats")
async def stats(request: Request, queue: str) -> dict[str, Any]:
    """One queue now."""
    return (await inspecting.queue_stats(_resources(request), queue_named(queue))).as_json()


@router.get("/{queue}/failed")
async def failed(request: Request, queue: str, limit: Limit = inspecting.MOST) -> dict[str, Any]:
    """What failed for good, newest first, each with its cause."""
    found = await inspecting.failures(_resources(request), queue_named(queue), limit=limit)
    return {"jobs": [failure.as_json() for failure in found]}


@router.get("/{queue}/jobs")
async def jobs(request: Request, queue: str, state: str | None = None, limit: Limit = 50) -> dict[str, Any]:
    """Jobs of a state, or of every state, newest first."""
    found = await inspecting.jobs(_resources(request).redis, queue_named(queue), state=state, limit=limit)
    return {"jobs": [job.as_json() for job in found]}


@router.get("/{queue}/jobs/{job_id}")
async def job(request: Request, queue: str, job_id: str) -> dict[str, Any]:
    """One job."""
    return (await inspecting.job(_resources(request), queue_named(queue), job_id)).as_json()


@router.post("/{queue}/jobs", status_code=202)
async def enqueue(request: Request, queue: str, new: NewJob) -> dict[str, Any]:
    """Enqueue a job; it is kept in PostgreSQL until it is done."""
    name = queue_named(queue)
    data = accepted(name, new.name, new.data)
    job_id = await commanding.enqueue(_resources(request), name, new.name, data, correlation_id=request_id(request))
    return {"id": job_id, "queue": name, "name": new.name}


@router.post("/{queue}/retry/{job_id}", status_code=202)
async def retry(request: Request, queue: str, job_id: str) -> dict[str, Any]:
    """Try a failed job again."""
    await commanding.retry(_resources(request), queue_named(queue), job_id, actor="the queue API")
    return {"retried": 1}


@router.post("/{queue}/retry-failed", status_code=202)
async def retry_failed(request: Request, queue: str) -> dict[str, Any]:
    """Try every failed job of the queue again."""
    return {"retried": await commanding.retry_failed(_resources(request), queue_named(queue), actor="the queue API")}


@router.post("/{queue}/pause")
async def pause(request: Request, queue: str) -> dict[str, Any]:
    """Let no worker begin with a job of the queue."""
    await commanding.pause(_resources(request), queue_named(queue))
    return {"paused": True}


@router.post("/{queue}/resume")
async def resume(request: Request, queue: str) -> dict[str, Any]:
    """Let workers begin again."""
    await commanding.resume(_resources(request), queue_named(queue))
    return {"paused": False}
