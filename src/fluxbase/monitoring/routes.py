"""`/health`, `/health/live`, `/health/ready` and `/metrics`."""

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fluxbase.monitoring.health import report
from fluxbase.monitoring.siblings import metrics_text

_RETRY = {"Retry-After": "5"}


def monitoring_router(*, well: str = "ok") -> APIRouter:
    """The routes that monitoring asks, without authentication; `well` is what `status` says when all is well."""
    router = APIRouter(tags=["monitoring"])

    async def health(request: Request) -> Response:
        """Whether the service can do its work: 503 while the database is gone."""
        status, body = await report(request.app.state.resources, well=well)
        return JSONResponse(body, status_code=status, headers=None if status == 200 else _RETRY)  # noqa: PLR2004 -- OK

    async def live() -> dict[str, str]:
        """Whether the process answers at all; a failure of its servers is no reason to restart it."""
        return {"status": well}

    router.add_api_route("/health", health, methods=["GET"], summary="Health")
    router.add_api_route("/health/ready", health, methods=["GET"], summary="Readiness")
    router.add_api_route("/health/live", live, methods=["GET"], summary="Liveness")
    router.add_api_route("/metrics", metrics, methods=["GET"], summary="Prometheus metrics")
    return router


async def metrics(request: Request) -> Response:
    """All metrics of this application, of all its processes, in Prometheus' text format."""
    return Response(await metrics_text(request.app), media_type=CONTENT_TYPE_LATEST)
