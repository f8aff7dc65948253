"""Templates to responses. A page and its refresh share one part: the block that an htmx request asks for by id."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any, cast

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from fluxbase.http import csrf_token
from fluxbase.web import filters
from fluxbase.web.assets import Assets
from fluxbase.web.links import here, link

type Context = dict[str, Any]
"""What a template is told, by name."""

_COMPONENTS = "components.html"


class Pages:
    """The templates of some packages, with the kit's components as `ui` and filters in all of them.

    Args:
        packages: Import packages with a `templates` folder; earlier ones win, the kit's own come last.
        macros: Further component files, by the name under which templates know them.
        now: The clock that relative times are told by.
        application: The name that pages show.
    """

    def __init__(
        self,
        packages: Sequence[str],
        *,
        now: Callable[[], datetime],
        macros: Mapping[str, str] | None = None,
        application: str = "Fluxbase",
    ) -> None:
        self.environment = Environment(
            loader=ChoiceLoader([PackageLoader(package) for package in (*packages, "fluxbase.web")]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._add_filters(now)
        shared = cast("dict[str, Any]", self.environment.globals)
        shared |= {"static": Assets().url, "application": application, "link": link, "here": here, "options": options}
        for name, file in {"ui": _COMPONENTS, **(macros or {})}.items():
            shared[name] = self.environment.get_template(file).module

    def _add_filters(self, now: Callable[[], datetime]) -> None:
        known = cast("dict[str, Callable[..., Any]]", self.environment.filters)
        for function in (
            filters.absolute,
            filters.between,
            filters.breakable,
            filters.day,
            filters.duration,
            filters.number,
            filters.odds,
            filters.percent,
            filters.plural,
            filters.short_sha,
            filters.size,
        ):
            known[function.__name__] = function

        def ago(moment: datetime | None) -> Markup:
            return filters.time_element(moment, now())

        known["ago"] = ago

    def render(self, template: str, block: str | None, context: Mapping[str, Any]) -> str:
        """The whole page, or only its block `block`."""
        found = self.environment.get_template(template)
        if block is None:
            return found.render(context)
        return "".join(found.blocks[block](found.new_context(dict(context))))

    def block_for(self, template: str, target: str) -> str | None:
        """The block of `template` that draws the element with the id `target`, if it has one."""
        found: Template = self.environment.get_template(template)
        name = target.replace("-", "_")
        return name if name in found.blocks else None


def options(values: Iterable[str], chosen: str) -> list[tuple[str, str]]:
    """(value, text) pairs for a select; a chosen value that is not offered (an old link) comes first."""
    offered = list(values)
    return [(value, value) for value in ([chosen] if chosen and chosen not in offered else []) + offered]


def pages_of(request: Request) -> Pages:
    """The kit that `install` made."""
    return request.app.state.pages


def is_partial(request: Request) -> bool:
    """Whether htmx asks for a part of the page, and not for a whole one (a link, or going back in history)."""
    headers = request.headers
    return (
        headers.get("hx-request") == "true"
        and "hx-boosted" not in headers
        and "hx-history-restore-request" not in headers
    )


def render(
    request: Request,
    template: str,
    *,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    **context: Any,
) -> HTMLResponse:
    """Answer with `template`, or, for htmx, with the block named like the element it wants to replace.

    Private by default: nothing here may be kept by a cache that another person reads.
    """
    pages = pages_of(request)
    block = pages.block_for(template, request.headers.get("hx-target", "")) if is_partial(request) else None
    html = pages.render(template, block, {"request": request, "csrf": csrf_token(request), **context})
    return HTMLResponse(
        html, status_code=int(status), headers={"Cache-Control": "no-store", "Vary": "HX-Request", **(headers or {})}
    )


def redirect(request: Request, target: str) -> Response:
    """See `target` next; for htmx as a header, because it would follow a redirect into the part it replaces."""
    if is_partial(request):
        return Response(headers={"HX-Redirect": target})
    return RedirectResponse(target, status_code=int(HTTPStatus.SEE_OTHER))
