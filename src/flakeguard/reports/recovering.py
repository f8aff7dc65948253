"""Reading what can be read of a damaged report, with libxml2's recovery."""

from collections.abc import Iterator
from typing import Any, cast

from lxml import etree

from flakeguard.reports.building import AttemptBuilder
from flakeguard.reports.condensing import MARK, Condenser
from flakeguard.reports.model import ParsedAttempt, ReportError
from flakeguard.reports.simple_cases import SimpleCases

# Roots around everything: reports glued together have several roots, and each closing tag too many closes one.
_WRAPPER = "flakeguard-recovery"
_WRAPPERS = 64
_PROLOG_CHARACTERS = 65_536


class _Target:
    """Hands lxml's events to a builder, without the wrappers."""

    def __init__(self, builder: AttemptBuilder, condenser: Condenser) -> None:
        self._builder = builder
        self._condenser = condenser

    def start(self, tag: str, attrib: dict[str, str]) -> None:
        """An element begins."""
        if tag != _WRAPPER:
            self._builder.start(tag, attrib)

    def end(self, tag: str) -> None:
        """An element ends."""
        if tag != _WRAPPER:
            self._builder.end()

    def data(self, text: str) -> None:
        """Characters."""
        if self._builder.text_wanted:
            self._builder.text(text)

    def pi(self, target: str, data: str | None) -> None:
        """Where the condenser took something out."""
        part = self._condenser.take(data or "") if target == MARK else None
        if isinstance(part, SimpleCases):
            self._builder.simple_cases(part)
        elif part is not None and self._builder.text_wanted:
            self._builder.text(part)

    def close(self) -> None:
        """The document ended."""


def recover(pieces: Iterator[str], condenser: Condenser, builder: AttemptBuilder) -> Iterator[list[ParsedAttempt]]:
    """Attempts of a damaged document, in memory that does not grow with it.

    Args:
        pieces: the document's text, condensed and repaired.
        condenser: what condensed it.
        builder: takes the events.

    Raises:
        ReportError: the document has another root, or declares entities.
    """
    # The target interface builds no tree. The document type was cut off, so only XML's own entities exist; nothing
    # is fetched.
    parser = etree.XMLParser(
        target=cast("Any", _Target(builder, condenser)),
        recover=True,
        resolve_entities=True,
        no_network=True,
        load_dtd=False,
        huge_tree=True,
        encoding="utf-8",
    )
    parser.feed(f"<{_WRAPPER}>".encode() * _WRAPPERS)
    first = True
    for piece in pieces:
        text = _from_the_report_on(piece) if first else piece
        first = False
        parser.feed(text.encode("utf-8", "replace"))
        yield builder.take()
    try:
        parser.close()
    except etree.XMLSyntaxError:
        builder.warn("the damaged part could not be read to its end")
    builder.abandon()
    yield builder.take()


def _from_the_report_on(text: str) -> str:
    """The first piece without what stands before the report: log lines, a document type."""
    prolog_end = min((at for at in (text.find("<testsuite"), text.find("<testrun")) if at >= 0), default=-1)
    if "<!ENTITY" in text[: prolog_end if prolog_end >= 0 else _PROLOG_CHARACTERS]:
        raise ReportError("forbidden_entities", "the file declares entities, which no report needs")
    if prolog_end < 0:
        raise ReportError("not_a_report", "the file is neither XML nor contains a report")
    return text[prolog_end:]
