"""profile.proto of github.com/google/pprof, written by hand: it needs six small messages. Pure."""

import gzip
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

type Frame = tuple[str, str, int]
"""Function, file, line."""
type Stack = tuple[Frame, ...]
"""Innermost first."""

_VARINT, _BYTES = 0, 2


@dataclass(frozen=True, slots=True)
class Profile:
    """Samples by stack.

    Attributes:
        kinds: Name and unit of each value, such as ("samples", "count").
        samples: A stack and its values, one for each kind.
        period: Between samples, in the unit of the last kind; 0 when there is none.
        time_nanos: When it began.
        duration_nanos: For how long.
    """

    kinds: Sequence[tuple[str, str]]
    samples: Iterable[tuple[Stack, Sequence[int]]]
    period: int
    time_nanos: int
    duration_nanos: int


def encode(profile: Profile) -> bytes:
    """The profile as gzipped protocol buffers."""
    return gzip.compress(_Encoder().encode(profile))


class _Encoder:
    def __init__(self) -> None:
        self._texts: dict[str, int] = {"": 0}
        self._functions: dict[tuple[str, str], int] = {}
        self._locations: dict[Frame, int] = {}
        self._described: list[bytes] = []

    def encode(self, profile: Profile) -> bytes:
        kinds = [_message(1, self._kind(*kind)) for kind in profile.kinds]
        samples = [_message(2, self._sample(stack, values)) for stack, values in profile.samples]
        last = profile.kinds[-1]
        tail = [
            _number(9, profile.time_nanos),
            _number(10, profile.duration_nanos),
            _message(11, self._kind(*last)),
            _number(12, profile.period),
        ]
        texts = [_message(6, text.encode("utf-8", "replace")) for text in self._texts]
        return b"".join([*kinds, *samples, *self._described, *texts, *tail])

    def _kind(self, name: str, unit: str) -> bytes:
        return _number(1, self._text(name)) + _number(2, self._text(unit))

    def _sample(self, stack: Stack, values: Sequence[int]) -> bytes:
        locations = b"".join(_number(1, self._location(frame)) for frame in stack)
        return locations + b"".join(_number(2, value) for value in values)

    def _location(self, frame: Frame) -> int:
        if frame not in self._locations:
            function, file, line = frame
            number = self._locations[frame] = len(self._locations) + 1
            at = _number(1, self._function(function, file)) + _number(2, line)
            self._described.append(_message(4, _number(1, number) + _message(4, at)))
        return self._locations[frame]

    def _function(self, name: str, file: str) -> int:
        if (name, file) not in self._functions:
            number = self._functions[name, file] = len(self._functions) + 1
            text = self._text(name)
            fields = _number(1, number) + _number(2, text) + _number(3, text) + _number(4, self._text(file))
            self._described.append(_message(5, fields))
        return self._functions[name, file]

    def _text(self, text: str) -> int:
        return self._texts.setdefault(text, len(self._texts))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3 | _VARINT) + _varint(value)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | _BYTES) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    encoded = bytearray()
    while value > 0x7F:  # noqa: PLR2004 -- seven bits a byte
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
