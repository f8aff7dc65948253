"""The body of an upload as a stream: the part `file` of a multipart form, or the body itself."""

import json
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from typing import Any, cast

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser
from starlette.requests import ClientDisconnect, Request

from fluxbase.errors import InvalidRequestError

_FORM = "multipart/form-data"
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
        message = Message()
        message["content-type"] = declared or "application/octet-stream"
        if message.get_content_type() != _FORM:
            return _RawBody(body_of(request), declared, request.headers.get("x-metadata"))
        boundary = message.get_param("boundary")
        if not isinstance(boundary, str) or not boundary:
            raise InvalidRequestError("multipart/form-data needs a boundary.")
        try:
            return _Form(body_of(request), boundary.encode("latin-1", "replace"))
        except FormParserError as error:
            raise InvalidRequestError(f"The form cannot be read: {error}") from None

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


@dataclass(slots=True)
class _Part:
    name: str | None = None
    header: tuple[bytearray, bytearray] = field(default_factory=lambda: (bytearray(), bytearray()))
    headers: dict[str, str] = field(default_factory=dict[str, str])


class _Form(Incoming):
    """A form with one part `file`, and perhaps one `metadata`."""

    def __init__(self, body: AsyncIterator[bytes], boundary: bytes) -> None:
        self._body = body
        self._part = _Part()
        self._ready: deque[bytes] = deque()
        self._metadata = bytearray()
        self._files = 0
        self._complete = False
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": lambda data, start, end: self._part.header[0].extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._part.header[1].extend(data[start:end]),
                "on_header_end": self._header,
                "on_headers_finished": self._open,
                "on_part_data": self._data,
                "on_end": self._end,
            },
        )

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
                break
        while self._ready:
            yield self._ready.popleft()

    def metadata(self) -> Mapping[str, Any]:
        return parse_json(bytes(self._metadata))

    async def _read(self) -> bool:
        """Take the next chunk of the body; False at its end."""
        chunk = await anext(self._body, None)
        if chunk is None:
            if not self._complete:
                raise InvalidRequestError("The form ends before its closing boundary; nothing of it was stored.")
            return False
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise InvalidRequestError(f"The form is malformed: {error}") from None
        return True

    def _begin(self) -> None:
        self._part = _Part()

    def _header(self) -> None:
        name, value = self._part.header
        self._part.headers[name.decode("latin-1").lower()] = value.decode("utf-8", "replace")
        self._part.header = (bytearray(), bytearray())

    def _open(self) -> None:
        message = Message()
        message["content-disposition"] = self._part.headers.get("content-disposition", "")
        name = message.get_param("name", header="content-disposition")
        self._part.name = name if isinstance(name, str) else None
        if self._part.name == "file":
            self._files += 1
            if self._files > 1:
                raise InvalidRequestError("The form has more than one part named `file`: one object a request.")
            self.content_type = self._part.headers.get("content-type")

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._part.name == "file":
            self._ready.append(data[start:end])
        elif self._part.name == "metadata":
            self._metadata += data[start:end]
            if len(self._metadata) > _FIELD_BYTES:
                raise InvalidRequestError(f"The part `metadata` is larger than {_FIELD_BYTES} bytes.")

    def _end(self) -> None:
        self._complete = True
