"""Problems as pages that say what happened and what can be done."""

from http import HTTPStatus
from urllib.parse import quote

from jinja2 import TemplateError
from starlette.requests import Request
from starlette.responses import Response

from fluxbase.http import Problem
from fluxbase.http.errors import plain_page
from fluxbase.web.links import here
from fluxbase.web.pages import redirect, render

SIGN_IN = "/signin"

_TITLES = {
    400: "That request cannot be understood",
    403: "You may not see or do this",
    404: "There is nothing here",
    405: "That cannot be done here",
    409: "Something else happened first",
    413: "That is too large",
    422: "That request cannot be understood",
    429: "Slow down a little",
    500: "Something went wrong on our side",
    503: "Back in a moment",
}
_ADVICE = {
    403: "Ask an owner or admin of the organization for a role that may. A page that was open for long: reload it.",
    404: "It may have been deleted, or it belongs to an organization you are not a member of.",
    429: "Wait a minute and try again.",
    500: "The request id below helps whoever looks into the logs.",
    503: "A server this one needs cannot be reached. Your data are safe; this page tries again by itself.",
}


def error_page(request: Request, problem: Problem) -> Response:
    """Draw `problem`; who is not signed in goes to sign in first and comes back afterwards."""
    if problem.status == HTTPStatus.UNAUTHORIZED:
        # Also of a part: it has the address of the page that it refreshes.
        back = f"?next={quote(here(request), safe='')}" if request.method == "GET" else ""
        return redirect(request, SIGN_IN + back)
    try:
        return render(
            request,
            "error.html",
            status=problem.status,
            headers=problem.headers,
            problem=problem,
            title=_TITLES.get(problem.status, "That did not work"),
            advice=_ADVICE.get(problem.status),
            retry_after_seconds=_retry_after_seconds(request, problem),
        )
    except (TemplateError, KeyError, AttributeError):  # an error page must not fail where the kit is not installed
        return plain_page(request, problem)


def _retry_after_seconds(request: Request, problem: Problem) -> str | None:
    """When the page tries again, where that repeats nothing but a look."""
    if problem.status != HTTPStatus.SERVICE_UNAVAILABLE or request.method != "GET":
        return None
    return problem.headers.get("Retry-After")
