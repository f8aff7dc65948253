"""Memory stays flat: what is read is handed on, never piled up."""

import io
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from flakeguard.reports.junit import parse_junit

MEGABYTE = 1_000_000
BOUND = 8 * MEGABYTE


class Endless(io.RawIOBase):
    """A stream of pieces that exists nowhere as a whole."""

    def __init__(self, pieces: Callable[[], Iterator[bytes]]) -> None:
        self._make = pieces
        self._pieces = pieces()
        self._rest = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._pieces, self._rest = self._make(), b""
        while offset > len(self._rest):
            self._rest += next(self._pieces)
        self._rest = self._rest[offset:]
        return offset

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size:
            piece = next(self._pieces, b"")
            if not piece:
                break
            self._rest += piece
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


def peak_while_reading(pieces: Callable[[], Iterator[bytes]]) -> tuple[int, int, int]:
    """Attempts, bytes of memory at the highest, and the longest text kept."""
    tracemalloc.start()
    try:
        longest = count = 0
        for attempt in parse_junit(Endless(pieces)):  # type: ignore[arg-type]
            count += 1
            longest = max(longest, len(attempt.details or ""), len(attempt.system_out or ""))
        return count, tracemalloc.get_traced_memory()[1], longest
    finally:
        tracemalloc.stop()


def many_cases() -> Iterator[bytes]:
    yield b'<testsuites><testsuite name="s">'
    for number in range(100):
        yield b"".join(b'<testcase classname="k%d" name="t%d" time="0.1"/>\n' % (number, n) for n in range(900))
        yield b'<testcase name="f%d"><failure message="m"><![CDATA[%s]]></failure></testcase>' % (
            number,
            b"at x\n" * 9_000,
        )
    yield b"</testsuite></testsuites>"


def one_gigantic_text(opening: bytes, closing: bytes) -> Callable[[], Iterator[bytes]]:
    def pieces() -> Iterator[bytes]:
        yield b'<testsuites><testsuite name="s"><testcase name="t"><failure>x</failure><system-out>' + opening
        for _ in range(200):
            yield b"line of output &amp; more\n" * 4_000
        yield closing + b"</system-out></testcase></testsuite></testsuites>"

    return pieces


def damaged() -> Iterator[bytes]:
    yield b'<testsuites><testsuite name="s"></wrong>'
    for number in range(20):
        yield b"".join(b'<testcase name="t%d-%d"><failure>x</wrong></testcase>\n' % (number, n) for n in range(900))
    yield b"</testsuite></testsuites>"


@pytest.mark.parametrize(
    ("pieces", "attempts"),
    [
        (many_cases, 100 * 901),
        (one_gigantic_text(b"", b""), 1),
        (one_gigantic_text(b"<![CDATA[", b"]]>"), 1),
        (damaged, 20 * 900),
    ],
    ids=["many cases", "a gigantic text", "gigantic CDATA", "damaged"],
)
def test_memory_does_not_grow_with_the_report(pieces: Callable[[], Iterator[bytes]], attempts: int):
    count, peak, longest = peak_while_reading(pieces)

    assert count == attempts
    assert peak < BOUND
    assert longest <= 65_536
