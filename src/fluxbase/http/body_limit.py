"""Bodies have a size limit: by what Content-Length says, and by counting what comes."""

from collections.abc import Mapping

from starlette.types import Message, Receive, Scope

from fluxbase.errors import InvalidRequestError, PayloadTooLargeError
from fluxbase.http.head import head_of


class BodyLimit:
    """Refuse bodies over `limit_bytes`, or over the limit of the longest prefix in `by_prefix` that fits the path."""

    def __init__(self, *, limit_bytes: int, by_prefix: Mapping[str, int] | None = None) -> None:
        self._default = limit_bytes
        self._by_prefix = sorted((by_prefix or {}).items(), key=lambda entry: -len(entry[0]))

    async def __call__(self, scope: Scope, receive: Receive) -> Receive:
        """Check what a request declares, and count what comes.

        Raises:
            PayloadTooLargeError: 413; reading the body may raise it too.
        """
        limit = self._limit_of(scope["path"])
        _check_declared(head_of(scope).get("content-length"), limit)
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > limit:
                    raise _too_large(limit)
            return message

        return counted

    def _limit_of(self, path: str) -> int:
        return next((limit for prefix, limit in self._by_prefix if path.startswith(prefix)), self._default)


def _check_declared(content_length: str | None, limit: int) -> None:
    if content_length is None:
        return
    if not content_length.isascii() or not content_length.isdigit():
        raise InvalidRequestError("Content-Length is not a number.")
    if int(content_length) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> PayloadTooLargeError:
    return PayloadTooLargeError(f"The request body is larger than the {limit} bytes that this path takes.")
