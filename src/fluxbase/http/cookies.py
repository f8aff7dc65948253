"""The session's cookie: `__Host-` where the address is https, so that no neighbouring domain can set it."""

from starlette.requests import HTTPConnection
from starlette.responses import Response

from fluxbase.http.context import is_https

_PLAIN, _SECURE = "fluxbase_session", "__Host-fluxbase_session"


def uses_tls(request: HTTPConnection) -> bool:
    """Whether browsers reach us by https: the public address says so, or, without one, this request."""
    public_url: str | None = request.app.state.settings.public_url
    return public_url.lower().startswith("https://") if public_url else is_https(request)


def cookie_name(request: HTTPConnection) -> str:
    """The cookie's name on this installation."""
    return _SECURE if uses_tls(request) else _PLAIN


def session_token(request: HTTPConnection) -> str | None:
    """The session's token that the browser sent, unverified."""
    return request.cookies.get(cookie_name(request)) or None


def set_session(response: Response, request: HTTPConnection, token: str, *, max_age_seconds: int) -> None:
    """Hand `token` to the browser; no script can read it, and no other site's request carries it."""
    response.set_cookie(
        cookie_name(request),
        token,
        max_age=max_age_seconds,
        path="/",
        secure=uses_tls(request),
        httponly=True,
        samesite="lax",
    )


def clear_session(response: Response, request: HTTPConnection) -> None:
    """Make the browser forget its session."""
    response.delete_cookie(cookie_name(request), path="/", secure=uses_tls(request), httponly=True, samesite="lax")
