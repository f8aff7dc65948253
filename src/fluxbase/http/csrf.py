"""Cross-site request forgery: a cookie alone never changes anything.

An unsafe request that a browser's cookie authenticates must come from our own origin (`Sec-Fetch-Site`, `Origin`)
and carry a token that only our pages know: an HMAC of the session's token under a key of the installation, in the
header `X-CSRF-Token` or the form field `csrf_token`. Requests with an Authorization header need neither, because
no browser adds that by itself. Signing in and up need no token (there is no session yet) but the right origin.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from starlette.requests import HTTPConnection
from starlette.types import Message, Receive, Scope

from fluxbase.derived_keys import derived_key
from fluxbase.errors import PayloadTooLargeError, PermissionDeniedError
from fluxbase.http.cookies import session_token
from fluxbase.http.credentials import CARRIERS
from fluxbase.http.head import head_of

HEADER, FIELD = "x-csrf-token", "csrf_token"
_SAFE_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
_FORM = "application/x-www-form-urlencoded"
_LARGEST_FORM = 64 * 1024
_MOST_FIELDS = 100


class CsrfError(PermissionDeniedError):
    """This request does not come from our own pages, or its page is too old: reload and try again."""

    code = "csrf_failed"


class CsrfProtection:
    """Check every unsafe request that carries no key or bearer token."""

    def __init__(self, *, public_url: str | None = None, origin_only: Sequence[str] = ()) -> None:
        self._public_url = public_url
        self._origin_only = frozenset(origin_only)

    async def __call__(self, scope: Scope, receive: Receive) -> Receive:
        """Check a request; a form that was read for its token is received again.

        Raises:
            CsrfError: 403.
        """
        if scope["method"] in _SAFE_METHODS:
            return receive
        headers = head_of(scope)
        if not any(name in headers for name in CARRIERS):
            check_origin(headers, self._public_url)
        # Only Authorization makes the session's cookie count nothing; what exempts and what identifies must agree.
        token = None if "authorization" in headers else session_token(HTTPConnection(scope))
        if token is not None and scope["path"] not in self._origin_only:
            return await _check_token(scope, headers, receive, token)
        return receive


def check_origin(headers: Mapping[str, str], public_url: str | None) -> None:
    """Make sure that a browser's request comes from our own pages; what is no browser says nothing of origins.

    Raises:
        CsrfError: It comes from somewhere else.
    """
    origin = headers.get("origin")
    if origin is not None:
        own = {_origin_of(public_url) if public_url else None, _host_of(headers)}
        try:
            named = {_origin_of(origin), urlsplit(origin).netloc.lower()}
        except ValueError as error:  # http://[
            raise CsrfError from error
        if own.isdisjoint(named):
            raise CsrfError
    elif headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
        raise CsrfError


def _host_of(headers: Mapping[str, str]) -> str | None:
    return headers.get("host", "").lower() or None


def _origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


async def _check_token(scope: Scope, headers: Mapping[str, str], receive: Receive, session: str) -> Receive:
    expected = token_for(scope["app"].state.resources.addresses.secret, session)
    offered = headers.get(HEADER)
    if offered is None and headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM:
        body = await _read(receive)
        offered = _field(body)
        receive = _replay(body, receive)
    if not hmac.compare_digest((offered or "").encode(), expected.encode()):
        raise CsrfError
    return receive


def _field(body: bytes) -> str:
    try:
        return parse_qs(body.decode("utf-8", "replace"), max_num_fields=_MOST_FIELDS).get(FIELD, [""])[0]
    except ValueError as error:
        raise CsrfError from error


async def _read(receive: Receive) -> bytes:
    """The whole form: it is held in memory before anybody is known to have sent it, so it must be a small one."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > _LARGEST_FORM:
            raise PayloadTooLargeError(f"A form of more than {_LARGEST_FORM} bytes carries its token as {HEADER}.")
        if message["type"] != "http.request" or not message.get("more_body", False):
            return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again


def token_for(secret: str, session: str) -> str:
    """The CSRF token of a session; both are secrets, the result may stand in a page of that session."""
    return hmac.new(derived_key(secret, "csrf tokens"), session.encode(), hashlib.sha256).hexdigest()


def csrf_token(request: HTTPConnection) -> str:
    """What our pages put in `hx-headers` and forms; empty while nobody is signed in."""
    session = session_token(request)
    return token_for(request.app.state.resources.addresses.secret, session) if session else ""
