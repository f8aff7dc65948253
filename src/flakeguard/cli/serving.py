"""Run one role in this process until it is told to stop."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable
from types import FrameType

import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flakeguard.app import create_app
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.health import worker_health
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.runner import running_worker
from fluxbase.monitoring import exposition
from fluxbase.resources import Addresses, open_resources

_GRACE_SECONDS = 5
_LOOK_FOR_PARENT_SECONDS = 1.0
SUPERVISED = "FLAKEGUARD_SUPERVISED"


class _Server(uvicorn.Server):
    """Uvicorn that lets go of open event streams when it is told to stop."""

    def __init__(self, config: uvicorn.Config, on_exit: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_exit = on_exit

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop streams first: the server waits for its connections."""
        self._on_exit()
        super().handle_exit(sig, frame)


def serve_api(settings: FlakeGuardSettings, addresses: Addresses) -> None:
    """Serve API and dashboard until SIGTERM or SIGINT."""
    app: FastAPI = create_app(settings, addresses)

    def close_streams() -> None:
        live = getattr(app.state, "live", None)
        if live is not None:
            live.close()

    server = _Server(_config(app, settings.host, settings.port), close_streams)
    asyncio.run(_until_orphaned(server))


def work(settings: FlakeGuardSettings, addresses: Addresses) -> None:
    """Process jobs until SIGTERM or SIGINT; jobs under way are finished or handed back."""
    asyncio.run(_work(settings, addresses))


async def _work(settings: FlakeGuardSettings, addresses: Addresses) -> None:
    registry = CollectorRegistry()
    async with open_resources(
        addresses, application_name="flakeguard-worker", max_connections=settings.database_max_connections
    ) as resources:

        async def health(_request: Request) -> Response:
            body, healthy = await worker_health(resources, settings)
            return JSONResponse(body, 200 if healthy else 503)

        async def metrics(_request: Request) -> Response:
            return exposition(registry)

        app = Starlette(routes=[Route("/health", health), Route("/metrics", metrics)])
        server = _Server(_config(app, settings.host, settings.health_check_port), lambda: None)
        async with running_worker(resources, settings, WorkerMetrics(registry)):
            await _until_orphaned(server)


def _config(app: FastAPI | Starlette, host: str, port: int) -> uvicorn.Config:
    return uvicorn.Config(
        app, host=host, port=port, log_config=None, access_log=False, server_header=False, proxy_headers=False,
        lifespan="on" if isinstance(app, FastAPI) else "off", timeout_graceful_shutdown=_GRACE_SECONDS,
    )  # fmt: skip


async def _until_orphaned(server: uvicorn.Server) -> None:
    """Serve; a role that `flakeguard up` started also ends when that is gone, however it went."""
    watch = asyncio.create_task(_watch_parent(server)) if os.environ.get(SUPERVISED) else None
    try:
        await server.serve()
    finally:
        if watch is not None:
            watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watch


async def _watch_parent(server: uvicorn.Server) -> None:
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(_LOOK_FOR_PARENT_SECONDS)
    server.handle_exit(signal.SIGTERM, None)
