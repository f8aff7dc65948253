"""Reading a well-formed report with expat."""

from collections.abc import Iterator
from xml.parsers import expat

from flakeguard.reports.building import AttemptBuilder
from flakeguard.reports.condensing import MARK, Condenser
from flakeguard.reports.model import Limits, ParsedAttempt, ReportError
from flakeguard.reports.simple_cases import SimpleCases

_ENDS_TOO_EARLY = frozenset({3, 5, 6, 20})
"""expat's codes: no element found, unclosed token, partial character, unclosed CDATA section."""
_MAX_ENTITIES = 64
_BUFFER_BYTES = 32_768


class DamagedError(Exception):
    """The document is not well-formed; another reading may get further."""


class HugeTokenError(Exception):
    """A single tag is longer than any report's."""


class StrictReader:
    """Feeds expat and passes its events to a builder."""

    def __init__(self, builder: AttemptBuilder, condenser: Condenser, limits: Limits) -> None:
        self._builder = builder
        self._condenser = condenser
        self._limits = limits
        self._entities = 0
        self._fed = 0
        self._parser = parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.buffer_size = _BUFFER_BYTES
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.ProcessingInstructionHandler = self._part
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._entity

    def read(self, pieces: Iterator[str]) -> Iterator[list[ParsedAttempt]]:
        """Attempts as they become complete.

        Args:
            pieces: what the condenser made of the document.

        Raises:
            DamagedError: the document is not well-formed, or not of its encoding.
            ReportError: it is no report, or declares forbidden entities.
        """
        take = self._builder.take
        try:
            for piece in pieces:
                self._feed(piece)
                yield take()
            self._finish()
        except UnicodeDecodeError as error:
            raise DamagedError(str(error)) from error
        yield take()

    def _feed(self, piece: str) -> None:
        """One piece; a tag that never ends must not fill the memory."""
        try:
            self._parser.Parse(piece, False)  # noqa: FBT003 - expat takes positions only
        except expat.ExpatError as error:
            raise DamagedError(str(error)) from error
        self._fed += len(piece)
        if self._fed - self._parser.CurrentByteIndex > self._limits.token_bytes:
            raise HugeTokenError

    def _finish(self) -> None:
        """The end of the file, which may come too early."""
        try:
            self._parser.Parse("", True)  # noqa: FBT003 - expat takes positions only
        except expat.ExpatError as error:
            if error.code not in _ENDS_TOO_EARLY:
                raise DamagedError(str(error)) from error
            if not self._builder.began:
                raise ReportError("not_a_report", "the file ends before its first element") from error
            self._builder.abandon()
            self._builder.info.recovered = True
            self._builder.warn("the file ends too early: what was complete up to there was read")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        builder = self._builder
        builder.start(name, attributes)
        self._parser.CharacterDataHandler = builder.text if builder.text_wanted else None

    def _end(self, _name: str) -> None:
        builder = self._builder
        builder.end()
        self._parser.CharacterDataHandler = builder.text if builder.text_wanted else None

    def _part(self, target: str, data: str) -> None:
        """Where the condenser took something out."""
        if target != MARK:
            return
        part = self._condenser.take(data)
        if isinstance(part, SimpleCases):
            self._builder.simple_cases(part)
        elif part is not None and self._builder.text_wanted:
            self._builder.text(part)

    def _doctype(self, _name: str, system_id: str | None, *_: object) -> None:
        if system_id is not None:
            self._builder.warn("the document type refers to another file, which was not read")

    def _entity(self, name: str, is_parameter: int, value: str | None, *_: object) -> None:
        """Only short entities that contain no other are harmless."""
        self._entities += 1
        harmless = (
            not is_parameter
            and value is not None
            and "&" not in value
            and "%" not in value
            and "<" not in value
            and len(value) <= self._limits.entity_characters
            and self._entities <= _MAX_ENTITIES
        )
        if not harmless:
            raise ReportError(
                "forbidden_entities",
                f"the file declares the entity {name[:80]!r}, which is external, nested or long: not read",
            )
