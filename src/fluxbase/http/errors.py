"""Problems to responses: two JSON dialects and a page for browsers, and the middleware that lets nothing escape."""

from collections.abc import Callable, Sequence
from html import escape
from http import HTTPStatus

import asyncpg
import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from fluxbase.http.context import request_id
from fluxbase.http.problem import Problem, problem_of

logger = structlog.get_logger(__name__)

type ErrorPage = Callable[[Request, Problem], Response]

_MACHINE_PREFIXES = ("/api/", "/v1/", "/rest/", "/auth/v1/", "/storage/", "/realtime/", "/health", "/metrics")
_TOO_MANY_CONNECTIONS = "53300"


class ErrorResponder:
    """Turns an exception into the response of the path it happened on."""

    def __init__(self, *, envelope_prefixes: Sequence[str] = (), error_page: ErrorPage | None = None) -> None:
        self._prefixes = tuple(envelope_prefixes)
        self._page = error_page or plain_page

    async def handle(self, request: Request, error: Exception) -> Response:
        """The signature that Starlette's exception handlers have."""
        return self.respond(request, error)

    def respond(self, request: Request, error: Exception) -> Response:
        """Log `error` as it deserves, and say it in the dialect of the request's path."""
        problem = problem_of(error, request_id(request))
        _log(problem, error)
        if _wants_page(request):
            return self._page(request, problem)
        return self._as_json(request.url.path, problem)

    def _as_json(self, path: str, problem: Problem) -> JSONResponse:
        enveloped = any(path == prefix or path.startswith(f"{prefix}/") for prefix in self._prefixes)
        body = _envelope(problem) if enveloped else _bare(problem)
        return JSONResponse(body, status_code=problem.status, headers=dict(problem.headers))


def _envelope(problem: Problem) -> dict[str, object]:
    error: dict[str, object] = {
        "code": problem.code,
        "message": problem.message,
        "request_id": problem.request_id,
    }
    return {"error": error | ({"details": problem.details} if problem.details else {})}


def _bare(problem: Problem) -> dict[str, object]:
    # `error` is the name that FlakeGuard's documents use, `code` the same in Fluxbase's capitals.
    body: dict[str, object] = {
        "error": problem.code,
        "code": problem.code.upper(),
        "message": problem.message,
        "request_id": problem.request_id,
    }
    more = {"hint": problem.hint, "details": problem.details}
    return body | {name: value for name, value in more.items() if value}


def _wants_page(request: Request) -> bool:
    accepts = "text/html" in request.headers.get("accept", "") or "hx-request" in request.headers
    return accepts and not request.url.path.startswith(_MACHINE_PREFIXES)


def plain_page(_request: Request, problem: Problem) -> Response:
    """An error page that needs nothing: no template, no style, no script."""
    title = HTTPStatus(problem.status).phrase if problem.status in HTTPStatus else "Error"
    html = (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title>"
        f"<h1>{problem.status} {escape(title)}</h1><p>{escape(problem.message)}</p>"
        f"<p>Request id: <code>{escape(problem.request_id)}</code></p><p><a href=/>Home</a></p>"
    )
    return HTMLResponse(html, status_code=problem.status, headers=dict(problem.headers))


def _log(problem: Problem, error: Exception) -> None:
    if problem.unexpected:
        logger.error("request failed", error=type(error).__name__, exc_info=error)
    elif isinstance(error, asyncpg.DiskFullError):
        logger.error("no space left on device", server="postgresql", error=str(error))
    elif problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        crowded = getattr(error, "sqlstate", None) == _TOO_MANY_CONNECTIONS
        logger.warning(
            "too many connections" if crowded else "server unavailable", error=f"{type(error).__name__}: {error}"
        )
