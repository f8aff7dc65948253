"""The body of an upload as a stream: the part `file` of a multipart form, or the body itself."""

import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

from starlette.requests import ClientDisconnect, Request

from fluxbase.errors import InvalidRequestError
from fluxbase.http.multipart import Form, PartHead, boundary_of

_FIELD_BYTES = 64 * 1024


async def body_of(request: Request) -> AsyncIterator[bytes]:
    """The request's chunks.

    Raises:
        InvalidRequestError: The client went away in the middle.
    """
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect as error:
        raise InvalidRequestError("The upload broke off before its end; nothing of it was stored.") from error


async def read_json(request: Request) -> dict[str, Any]:
    """A small JSON object, whatever content type it is sent under; an empty body is an empty object.

    Raises:
        InvalidRequestError: 400, it is large, malformed, or something else.
    """
    body = bytearray()
    async for chunk in body_of(request):
        body += chunk
        if len(body) > _FIELD_BYTES:
            raise InvalidRequestError(f"The body is larger than {_FIELD_BYTES} bytes.")
    return parse_json(bytes(body))


def parse_json(text: bytes) -> dict[str, Any]:
    """A JSON object.

    Raises:
        InvalidRequestError: 400.
    """
    try:
        value: Any = json.loads(text or b"{}")
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError("The body is not valid JSON.", code="invalid_json") from error
    if not isinstance(value, dict):
        raise InvalidRequestError("The body is a JSON object.")
    return cast("dict[str, Any]", value)


class Incoming(ABC):
    """An upload on its way. `start` it, iterate `chunks` once, then read `metadata`."""

    content_type: str | None = None

    @staticmethod
    def of(request: Request) -> "Incoming":
        """For a request's Content-Type.

        Raises:
            InvalidRequestError: It is a form without a boundary, or with one that is too long.
        """
        declared = request.headers.get("content-type")
        boundary = boundary_of(declared or "application/octet-stream")
        if boundary is None:
            return _RawBody(body_of(request), declared, request.headers.get("x-metadata"))
        return _Form(body_of(request), boundary)

    @abstractmethod
    async def start(self) -> None:
        """Read up to the content's first byte; `content_type` is known afterwards.

        Raises:
            InvalidRequestError: There is no content.
        """

    @abstractmethod
    def chunks(self) -> AsyncIterator[bytes]:
        """The content. Afterwards everything behind it has been read too."""

    @abstractmethod
    def metadata(self) -> Mapping[str, Any]:
        """What the client says of the object: a JSON object.

        Raises:
            InvalidRequestError: It is none.
        """


class _RawBody(Incoming):
    def __init__(self, body: AsyncIterator[bytes], content_type: str | None, metadata: str | None) -> None:
        self.content_type = content_type
        self._body = body
        self._metadata = metadata

    async def start(self) -> None:
        """Nothing stands before the content."""

    def chunks(self) -> AsyncIterator[bytes]:
        return self._body

    def metadata(self) -> Mapping[str, Any]:
        return parse_json((self._metadata or "").encode())


class _Form(Incoming):
    """A form with one part `file`, and perhaps one `metadata`."""

    def __init__(self, body: AsyncIterator[bytes], boundary: bytes) -> None:
        self._body = body
        self._part: str | None = None  # the name of the one under way
        self._ready: deque[bytes] = deque()
        self._metadata = bytearray()
        self._files = 0
        self._form = Form(boundary, opened=self._open, data=self._take, closed=lambda: None)

    async def start(self) -> None:
        while not self._files and await self._read():
            pass
        if not self._files:
            raise InvalidRequestError("The form has no part named `file`.")

    async def chunks(self) -> AsyncIterator[bytes]:
        while True:
            while self._ready:
                yield self._ready.popleft()
            if not await self._read():
                return

    def metadata(self) -> Mapping[str, Any]:
        return parse_json(bytes(self._metadata))

    async def _read(self) -> bool:
        """Take the next chunk of the body; False at its end."""
        chunk = await anext(self._body, None)
        if chunk is None:
            self._form.finish()
            return False
        self._form.feed(chunk)
        return True

    def _open(self, head: PartHead) -> None:
        self._part = head.name
        if head.name == "file":
            self._files += 1
            if self._files > 1:
                raise InvalidRequestError("The form has more than one part named `file`: one object a request.")
            self.content_type = head.content_type

    def _take(self, data: bytes) -> None:
        if self._part == "file":
            self._ready.append(data)
        elif self._part == "metadata":
            self._metadata += data
            if len(self._metadata) > _FIELD_BYTES:
                raise InvalidRequestError(f"The part `metadata` is larger than {_FIELD_BYTES} bytes.")
