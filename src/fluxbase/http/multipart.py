"""A multipart form, taken apart while it streams in. Sans I/O."""

from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from fluxbase.errors import InvalidRequestError

_TYPE = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class PartHead:
    """What stands above a part, as far as it is told; control characters of the file's name are dropped."""

    name: str | None
    filename: str | None
    content_type: str | None


def boundary_of(content_type: str) -> bytes | None:
    """What parts the parts of a form; None when the content is of another type.

    Raises:
        InvalidRequestError: It is a form without a boundary.
    """
    message = Message()
    message["content-type"] = content_type
    if message.get_content_type() != _TYPE:
        return None
    boundary = message.get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise InvalidRequestError(f"{_TYPE} needs a boundary.")
    return boundary.encode("latin-1", "replace")


class Form:
    """`feed` it the body's chunks, then `finish`. Of each part it tells: `opened`, `data` as it comes, `closed`.

    Raises:
        InvalidRequestError: The boundary is too long.
    """

    def __init__(
        self,
        boundary: bytes,
        *,
        opened: Callable[[PartHead], None],
        data: Callable[[bytes], None],
        closed: Callable[[], None],
    ) -> None:
        self._opened = opened
        self._name, self._value = bytearray(), bytearray()
        self._headers: dict[str, str] = {}
        self._complete = False
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._headers.clear,
                    "on_header_field": lambda chunk, start, end: self._name.extend(chunk[start:end]),
                    "on_header_value": lambda chunk, start, end: self._value.extend(chunk[start:end]),
                    "on_header_end": self._keep_header,
                    "on_headers_finished": self._open,
                    "on_part_data": lambda chunk, start, end: data(chunk[start:end]),
                    "on_part_end": closed,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise InvalidRequestError(f"The form cannot be read: {error}") from None

    def feed(self, chunk: bytes) -> None:
        """Take the next chunk of the body.

        Raises:
            InvalidRequestError: It is malformed.
        """
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise InvalidRequestError(f"The form is malformed: {error}") from None

    def finish(self) -> None:
        """Say that there are no more chunks.

        Raises:
            InvalidRequestError: The last boundary has not come.
        """
        if not self._complete:
            raise InvalidRequestError("The form ends before its closing boundary; nothing of it was stored.")

    def _keep_header(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = self._value.decode("utf-8", "replace")
        self._name.clear()
        self._value.clear()

    def _open(self) -> None:
        message = Message()
        message["content-disposition"] = self._headers.get("content-disposition", "")
        name = message.get_param("name", header="content-disposition")
        filename = "".join(character for character in message.get_filename() or "" if character.isprintable())
        self._opened(
            PartHead(name if isinstance(name, str) else None, filename or None, self._headers.get("content-type"))
        )

    def _end(self) -> None:
        self._complete = True
