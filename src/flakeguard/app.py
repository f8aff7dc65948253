"""The web application of FlakeGuard: API and pages, on open resources."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from flakeguard import __version__
from flakeguard.analysis.routes import router as analysis_router
from flakeguard.dashboard import live
from flakeguard.dashboard.routes import router as dashboard_router
from flakeguard.github.webhooks import routes as webhooks
from flakeguard.ingestion.routes import router as ingestion_router
from flakeguard.projects.accounts import HOOKS
from flakeguard.projects.routes import router as projects_router
from flakeguard.quarantine.routes import router as quarantine_router
from flakeguard.settings import FlakeGuardSettings
from fluxbase import http, web
from fluxbase.app import body_limits, include_backend, running_backend
from fluxbase.monitoring import monitoring_router
from fluxbase.resources import Addresses, open_resources

ENVELOPES = ("/api/v1/orgs", "/api/v1/projects", "/api/v1/ingest", "/api/v1/ingestions")


def create_app(settings: FlakeGuardSettings, addresses: Addresses) -> http.Application:
    """API and dashboard of one process; connections open when it starts and close when it ends."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with open_resources(
            addresses, application_name="flakeguard-api", max_connections=settings.database_max_connections
        ) as resources:
            app.state.resources = resources
            async with running_backend(app), live.live_changes(app):
                yield

    app = http.Application(title="FlakeGuard", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.settings = settings
    app.state.account_hooks = HOOKS
    web.install(app, packages=("flakeguard.dashboard",), macros={"fg": "fg.html"}, application="FlakeGuard")
    http.install(
        app,
        settings=settings,
        envelope_prefixes=ENVELOPES,
        body_limits={
            **body_limits(settings),
            "/api/v1/ingest": settings.max_upload_bytes,
            webhooks.PATH: webhooks.LARGEST_BODY_BYTES,
        },
        error_page=web.error_page,
        rate_limited=("/api/",),
        rate_unlimited=ENVELOPES,  # uploads have a limit of their own, and pages ask the rest
    )
    include_backend(app)
    for router in (
        projects_router,
        ingestion_router,
        analysis_router,
        quarantine_router,
        webhooks.router,
        monitoring_router(),
        dashboard_router,
    ):
        app.include_router(router)
    return app
