"""The installation's queues, for its operators alone: depths, throughput, failures, and what to do about them."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import Response

from flakeguard.dashboard.forms import notice_of
from flakeguard.dashboard.shell import plain_shell, reading
from flakeguard.worker.operating import commanding, inspecting
from flakeguard.worker.operating.history import last_hour
from flakeguard.worker.operating.inspecting import queue_named
from flakeguard.worker.operating.operators import is_operator
from fluxbase.auth import CurrentUser, User
from fluxbase.errors import NotFoundError
from fluxbase.resources import Resources
from fluxbase.web import Context, redirect, render

router = APIRouter(prefix="/queues")

type Text = Annotated[str, Form(max_length=1000)]
_SHOWN_FAILURES = 50


def _for_operators(request: Request, user: User) -> Resources:
    if not is_operator(user):
        raise NotFoundError  # as if there were no such page
    return request.app.state.resources


@router.get("")
async def queues_page(request: Request, user: CurrentUser) -> Response:
    """Every queue, the last hour, and what failed."""
    resources = _for_operators(request, user)
    async with reading(request, user) as connection:
        shell = await plain_shell(request, connection, user, "queues")
    minutes = await last_hour(resources)
    failures = await inspecting.failures(resources, None, limit=_SHOWN_FAILURES + 1)
    context: Context = {
        "queues": await inspecting.all_stats(resources),
        "failures": [(one, _moment(one.failed_at)) for one in failures[:_SHOWN_FAILURES]],
        "more": len(failures) > _SHOWN_FAILURES,
        "points": [[one.at for one in minutes], [one.ended for one in minutes], [one.waiting for one in minutes]],
        "ended": sum(one.ended for one in minutes),
    }
    return render(request, "queues.html", shell=shell, notice=notice_of(request), **context)


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@router.post("/retry")
async def retry_job(request: Request, user: CurrentUser, queue: Text, job: Text) -> Response:
    """Try a failed job again."""
    await commanding.retry(_for_operators(request, user), queue_named(queue), job, actor=user.email)
    return redirect(request, "/queues?notice=job-retried")


@router.post("/retry-failed")
async def retry_failed_jobs(request: Request, user: CurrentUser, queue: Text) -> Response:
    """Try every failed job of a queue again."""
    await commanding.retry_failed(_for_operators(request, user), queue_named(queue), actor=user.email)
    return redirect(request, "/queues?notice=job-retried")


@router.post("/discard")
async def discard_job(request: Request, user: CurrentUser, queue: Text, job: Text) -> Response:
    """Give a failed job up for good."""
    await commanding.discard(_for_operators(request, user), queue_named(queue), job, actor=user.email)
    return redirect(request, "/queues?notice=job-discarded")


@router.post("/pause")
async def pause_queue(request: Request, user: CurrentUser, queue: Text) -> Response:
    """Let no worker begin with a job of the queue."""
    await commanding.pause(_for_operators(request, user), queue_named(queue))
    return redirect(request, "/queues?notice=queue-paused")


@router.post("/resume")
async def resume_queue(request: Request, user: CurrentUser, queue: Text) -> Response:
    """Let workers begin again."""
    await commanding.resume(_for_operators(request, user), queue_named(queue))
    return redirect(request, "/queues?notice=queue-resumed")
