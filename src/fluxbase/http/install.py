"""Put the kit around an application, in the order that matters."""

from collections.abc import Mapping, Sequence

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware

from fluxbase.http.application import Application, Surrounded
from fluxbase.http.body_limit import BodyLimit
from fluxbase.http.context import RequestContext
from fluxbase.http.csrf import CsrfProtection
from fluxbase.http.errors import ErrorPage, ErrorResponder
from fluxbase.http.security_headers import SecurityHeaders
from fluxbase.http.surround import Surround
from fluxbase.monitoring.metrics import metrics_of
from fluxbase.ratelimit.http import RequestLimit
from fluxbase.settings import Settings

# Where no session is needed yet: the right origin is asked for, a token is not.
_SIGN_IN_PATHS = (
    *(f"/api/v1/auth/{way}" for way in ("signup", "signin", "login", "refresh", "link", "2fa/verify", "verify-email")),
    *(f"/api/v1/auth/{way}" for way in ("verify-email/resend", "magiclink", "magiclink/verify", "otp", "otp/verify")),
    *(f"/api/v1/auth/{way}" for way in ("password/reset", "password/reset/confirm", "oauth/exchange")),
    "/signin",
    "/signin/code",
    "/signup",
    "/forgot",
    "/link",
)


def install(
    app: Application,
    *,
    settings: Settings,
    envelope_prefixes: Sequence[str] = (),
    body_limits: Mapping[str, int] | None = None,
    error_page: ErrorPage | None = None,
    csrf_origin_only: Sequence[str] = (),
    rate_limited: Sequence[str] = ("/",),
    rate_unlimited: Sequence[str] = (),
) -> None:
    """Surround `app` with request ids, logs, metrics, headers, errors, limits and CSRF protection.

    Args:
        app: `app.state.settings` and, before the first request, `app.state.resources` must be set.
        settings: Body limit, public address, trusted proxies.
        envelope_prefixes: Paths that answer errors as `{"error": {"code", "message", "request_id"}}`.
        body_limits: Path prefixes that take larger (or only smaller) bodies, in bytes.
        error_page: Draws a problem for browsers; may answer with a redirect instead.
        csrf_origin_only: Further paths like the sign-in form's, for which the origin is checked but no token.
        rate_limited: Path prefixes to which the limit on requests per client applies.
        rate_unlimited: Prefixes among them to which it does not, such as those that have limits of their own.
    """
    responder = ErrorResponder(envelope_prefixes=envelope_prefixes, error_page=error_page)
    for kind in (HTTPException, RequestValidationError):
        app.add_exception_handler(kind, responder.handle)
    origin_only = (*_SIGN_IN_PATHS, *csrf_origin_only)
    app.envelope_prefixes = envelope_prefixes
    app.surround = Surround(
        context=RequestContext(trusted_proxies=settings.trusted_proxies),
        metrics=metrics_of(app),
        security=SecurityHeaders(public_url=settings.public_url),
        responder=responder,
        steps=(
            RequestLimit(settings=settings, limited=rate_limited, unlimited=rate_unlimited),
            BodyLimit(limit_bytes=settings.body_limit_bytes, by_prefix=body_limits),
            CsrfProtection(public_url=settings.public_url, origin_only=origin_only),
        ),
    )
    app.user_middleware.insert(0, Middleware(Surrounded, app.surround))
