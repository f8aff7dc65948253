"""Fluxbase as an application of its own, and as the part of another one that stands on it."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

from fastapi import FastAPI

from fluxbase import http
from fluxbase.auth.mail.delivery import mail_delivery
from fluxbase.auth.routes import router as auth_router
from fluxbase.jobs import jobs_in_process
from fluxbase.jobs.admin_routes import router as jobs_admin_router
from fluxbase.jobs.routes import router as jobs_router
from fluxbase.monitoring import monitoring_router
from fluxbase.monitoring.detailed import router as detailed_monitoring_router
from fluxbase.monitoring.health import installed_version
from fluxbase.monitoring.siblings import answering_siblings
from fluxbase.monitoring.watching import watched
from fluxbase.realtime.routes import router as realtime_router
from fluxbase.realtime.service import running_realtime
from fluxbase.resources import Addresses, open_resources
from fluxbase.rest import introspection
from fluxbase.rest import routes as rest
from fluxbase.service_keys.routes import router as service_keys_router
from fluxbase.settings import Settings
from fluxbase.storage import body_limit, running_cleaner
from fluxbase.storage.routes import router as storage_router

type Running = Callable[[FastAPI], AbstractAsyncContextManager[None]]

_ROUTERS = (
    auth_router,
    service_keys_router,
    jobs_router,
    jobs_admin_router,
    realtime_router,
    detailed_monitoring_router,
    storage_router,
)
_RUNNING: tuple[Running, ...] = (
    watched,
    answering_siblings,
    introspection.watching_catalog,
    mail_delivery,
    jobs_in_process,
    running_realtime,
    running_cleaner,
)


def create_app(settings: Settings, addresses: Addresses) -> http.Application:
    """Fluxbase alone; connections open when it starts and close when it ends."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with open_resources(
            addresses, application_name="fluxbase", max_connections=settings.database_max_connections
        ) as resources:
            app.state.resources = resources
            async with running_backend(app):
                yield

    app = http.Application(
        title="Fluxbase", version=installed_version(), lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.settings = settings
    http.install(app, settings=settings, body_limits=body_limits(settings))
    include_backend(app)
    app.include_router(monitoring_router(well="healthy"))
    return app


def include_backend(app: http.Application) -> None:
    """Add the routes of every room. `app.state.settings` must be set."""
    app.shortcut = rest.Shortcut().find  # the busiest paths
    app.router.routes.extend(rest.routes())
    for router in _ROUTERS:
        app.include_router(router)


def body_limits(settings: Settings) -> Mapping[str, int]:
    """Path prefixes of the rooms whose bodies are larger than others, with the limit in bytes: for `http.install`."""
    return {"/api/v1/storage": body_limit(settings)}


@asynccontextmanager
async def running_backend(app: FastAPI) -> AsyncGenerator[None]:
    """Run what the rooms need beside their routes (listeners, workers); `app.state.resources` must be open."""
    async with AsyncExitStack() as rooms:
        for running in _RUNNING:
            await rooms.enter_async_context(running(app))
        yield
