"""Byte ranges of RFC 9110, section 14: one range a request. Pure."""

import re
from dataclasses import dataclass

from fluxbase.errors import RangeNotSatisfiableError

_ONE_RANGE = re.compile(r"bytes=[ \t]*(\d*)-(\d*)[ \t]*", re.ASCII | re.IGNORECASE)
# Larger than any object; int() of a text of thousands of digits would be work without an end.
_MOST_DIGITS = 19


@dataclass(frozen=True, slots=True)
class ByteRange:
    """Bytes from `start` up to, but not including, `end`."""

    start: int
    end: int

    def __len__(self) -> int:
        return self.end - self.start

    def content_range(self, size: int) -> str:
        """The header of a 206."""
        return f"bytes {self.start}-{self.end - 1}/{size}"


def parse_range(header: str | None, size: int) -> ByteRange | None:
    """The part of `size` bytes that a Range header asks for; None means all of it.

    Headers that are malformed, in another unit, or ask for several ranges count as absent, as the RFC lets servers do.

    Raises:
        RangeNotSatisfiableError: 416, no byte of the range exists.
    """
    found = _ONE_RANGE.fullmatch(header.strip()) if header else None
    if found is None or found.groups() == ("", ""):
        return None
    first, last = (_number(digits) for digits in found.groups())
    if first is None:
        return _suffix(last or 0, size)
    if last is not None and last < first:
        return None
    if first >= size:
        raise RangeNotSatisfiableError(size)
    return ByteRange(first, size if last is None else min(last + 1, size))


def _suffix(length: int, size: int) -> ByteRange | None:
    if length == 0:
        raise RangeNotSatisfiableError(size)
    return ByteRange(max(0, size - length), size) if size else None


def _number(digits: str) -> int | None:
    if not digits:
        return None
    return int(digits) if len(digits.lstrip("0")) <= _MOST_DIGITS else 10**_MOST_DIGITS
