"""`/api/v1/monitoring` and `/debug/pprof`: what goes on inside, for the operator."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fluxbase.errors import NotFoundError
from fluxbase.monitoring import rooms
from fluxbase.monitoring.access import require_monitor, require_profiler
from fluxbase.monitoring.profiling import cpu_profile, heap_profile
from fluxbase.settings import Settings

_LONGEST_SECONDS = 120
_RETRY = {"Retry-After": "5"}

router = APIRouter(tags=["monitoring"])
Seconds = Annotated[float, Query(gt=0, le=_LONGEST_SECONDS)]


@router.get("/api/v1/monitoring/health", summary="Health of each room", dependencies=[Depends(require_monitor)])
async def health(request: Request) -> Response:
    """`{status, services: {<room>: {status, message?, latency_ms?}}}`; 503 while the database is gone."""
    status, body = await rooms.health(request.app)
    return JSONResponse(body, status_code=status, headers=None if status == 200 else _RETRY)  # noqa: PLR2004 -- OK


@router.get("/api/v1/monitoring/metrics", summary="Numbers of each room", dependencies=[Depends(require_monitor)])
async def numbers(request: Request) -> dict[str, Any]:
    """`database`, `realtime`, `storage`, `jobs`, `memory` and `uptime_seconds`, for people with jq."""
    return await rooms.numbers(request.app)


async def _profiler(request: Request) -> None:
    settings: Settings = request.app.state.settings
    if not settings.pprof_enabled:
        raise NotFoundError("Profiling is off: set debug.pprof (FLUXBASE_DEBUG_PPROF) and restart.")
    await require_profiler(request)


@router.get("/debug/pprof/profile", summary="CPU profile", dependencies=[Depends(_profiler)], include_in_schema=False)
async def profile(seconds: Seconds = 30) -> Response:
    """Stacks of all threads of this process, a hundred times a second, as gzipped profile.proto."""
    return _download(await cpu_profile(seconds), "cpu.prof")


@router.get("/debug/pprof/heap", summary="Heap profile", dependencies=[Depends(_profiler)], include_in_schema=False)
async def heap(seconds: Seconds = 5) -> Response:
    """What this process allocates within the time of the request and keeps, as gzipped profile.proto."""
    return _download(await heap_profile(seconds), "heap.prof")


def _download(content: bytes, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type="application/octet-stream", headers=headers)
