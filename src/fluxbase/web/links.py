"""Addresses that keep what the page shows: every filter, sort and page is in the URL."""

from urllib.parse import urlencode

from starlette.requests import Request

_RESET_PAGE = "page"
_SAID_ONCE = "notice"
"""What the page before did: true of one page, and of none that it leads to."""


def link(request: Request, **changes: object) -> str:
    """The current address with `changes` to its query; `None` and `""` remove a parameter.

    Changing anything but the page goes back to the first page.
    """
    left = {*changes, _SAID_ONCE}
    pairs = [(name, value) for name, value in request.query_params.multi_items() if value and name not in left]
    if _RESET_PAGE not in changes:
        pairs = [(name, value) for name, value in pairs if name != _RESET_PAGE]
    pairs += [(name, str(value)) for name, value in changes.items() if value not in (None, "")]
    return request.url.path + (f"?{urlencode(pairs)}" if pairs else "")


def here(request: Request) -> str:
    """The current path and query, to be asked for again."""
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def safe_next(target: str | None, fallback: str = "/") -> str:
    """`target` when it is a path on this site, so that no sign-in link can lead elsewhere."""
    # Browsers drop control characters and turn backslashes: what is left could lead elsewhere.
    if (
        target
        and target.startswith("/")
        and not target.startswith("//")
        and "\\" not in target
        and target.isprintable()
    ):
        return target
    return fallback
