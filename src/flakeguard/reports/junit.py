"""Reading JUnit XML as the world writes it, as a stream.

Three readings, each more forgiving than the one before. The next is only tried when the one before found
damage, and goes on behind the attempts that were already handed out:

1. *strict*: expat, spared the bulk of the document by the condenser;
2. *repaired*: the same, with undecodable bytes replaced, illegal characters dropped, bare `<` and `&` escaped;
3. *recovered*: libxml2's recovery, on the repaired text.

A file that simply ends too early needs no other reading: what was complete is kept. Only a report of pytest that
hides reruns (`hidden_reruns`) is read twice.
"""

from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from typing import BinaryIO

from flakeguard.reports.building import AttemptBuilder, TooDeepError
from flakeguard.reports.condensing import Condenser
from flakeguard.reports.hidden_reruns import count_repeats, hides_reruns, with_reruns_failed
from flakeguard.reports.model import DEFAULT_LIMITS, Limits, ParsedAttempt, ReportError, ReportInfo
from flakeguard.reports.recovering import recover
from flakeguard.reports.repairing import Repairer, with_legal_markup, without_illegal_characters
from flakeguard.reports.source import Source
from flakeguard.reports.strict import DamagedError, HugeTokenError, StrictReader


class JUnitReport(Iterator[ParsedAttempt]):
    """The attempts of one report, in document order; `info` is complete when they are through."""

    def __init__(self, stream: BinaryIO, limits: Limits = DEFAULT_LIMITS) -> None:
        """Nothing is read before the first attempt is asked for."""
        self.info = ReportInfo()
        self._limits = limits
        self._batches = self._read(stream)
        self._attempts = chain.from_iterable(self._batches)

    def __next__(self) -> ParsedAttempt:
        """The next attempt.

        Raises:
            ReportError: the file is no report; only ever instead of the first attempt.
        """
        return next(self._attempts)

    def __iter__(self) -> Iterator[ParsedAttempt]:  # noqa: PYI034 - C's own iterator: one Python call less each
        """The same attempts, from C."""
        return self._attempts

    def batches(self) -> Iterator[list[ParsedAttempt]]:
        """The attempts in lists as they were read, for who takes many at once; do not mix with iteration."""
        return self._batches

    def _read(self, stream: BinaryIO) -> Iterator[list[ParsedAttempt]]:
        """Read once; twice where attempts can only be understood by what follows them."""
        with closing(Source(stream, self._limits.chunk_bytes)) as source:
            if hides_reruns(source):
                repeats = count_repeats(self._readings(source))
                yield from with_reruns_failed(self._readings(source), repeats)
            else:
                yield from self._readings(source)

    def _readings(self, source: Source) -> Iterator[list[ParsedAttempt]]:
        """Try the readings in turn; a later one passes over what earlier ones handed out."""
        handed_out = 0
        for reading in (_strict, _repaired, _recovered):
            self.info.clear()
            builder = AttemptBuilder(self.info, self._limits)
            if source.encoding.warning:
                builder.warn(source.encoding.warning)
            seen = 0
            try:
                for batch in _surviving(reading(source, builder, self._limits), builder):
                    seen += len(batch)
                    if seen > handed_out:
                        yield batch[handed_out - seen :]
                        handed_out = seen
            except DamagedError:
                continue
            if source.damage:
                builder.warn(source.damage)
            builder.finish()
            return


def parse_junit(stream: BinaryIO, limits: Limits = DEFAULT_LIMITS) -> JUnitReport:
    """Read a JUnit report.

    Memory stays flat whatever the size. A stream that cannot be rewound is copied to a temporary file first.

    Args:
        stream: the report's bytes, uncompressed, in any encoding.
        limits: what to keep at most.

    Returns:
        an iterator of attempts, retries in order of execution, with `.info` beside it. Its first step raises
        `ReportError` when the file is no report.
    """
    return JUnitReport(stream, limits)


def _strict(source: Source, builder: AttemptBuilder, limits: Limits) -> Iterator[list[ParsedAttempt]]:
    """The document as it is."""
    condenser = Condenser()
    return StrictReader(builder, condenser, limits).read(_condensed(source.pieces(), condenser))


def _repaired(source: Source, builder: AttemptBuilder, limits: Limits) -> Iterator[list[ParsedAttempt]]:
    """The document without the damage that single characters do."""
    builder.warn("the file contains characters that XML does not allow: they were replaced or left out")
    condenser = Condenser()
    return StrictReader(builder, condenser, limits).read(_repaired_pieces(source, condenser))


def _recovered(source: Source, builder: AttemptBuilder, _limits: Limits) -> Iterator[list[ParsedAttempt]]:
    """What can be read of a damaged document."""
    builder.warn("the file is damaged XML: what could be read was read, some of it may be missing")
    builder.info.recovered = True
    condenser = Condenser()
    return recover(_repaired_pieces(source, condenser), condenser, builder)


def _condensed(pieces: Iterator[str], condenser: Condenser) -> Iterator[str]:
    """Send a document through the condenser."""
    for piece in pieces:
        yield condenser.feed(piece)
    yield condenser.finish()


def _repaired_pieces(source: Source, condenser: Condenser) -> Iterator[str]:
    """The condensed document, repaired; characters first, so that the condenser sees clean texts."""
    legal = (without_illegal_characters(piece) for piece in source.pieces(errors="replace"))
    repairer = Repairer(with_legal_markup)
    for piece in _condensed(legal, condenser):
        yield repairer.feed(piece)
    yield repairer.finish()


def _surviving(batches: Iterator[list[ParsedAttempt]], builder: AttemptBuilder) -> Iterator[list[ParsedAttempt]]:
    """Stop at what is built to exhaust us, with what was read before."""
    try:
        yield from batches
    except TooDeepError:
        reason = "elements are nested too deeply"
    except HugeTokenError:
        reason = "a tag is too long"
    else:
        return
    if not builder.info.attempts:
        raise ReportError("unreadable", f"{reason} for a report")
    builder.warn(f"{reason}: the rest of the file was not read")
    builder.info.recovered = True
    builder.abandon()
    yield builder.take()
