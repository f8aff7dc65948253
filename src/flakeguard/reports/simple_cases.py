"""Runs of simple test cases, each read by one regular expression instead of a dozen parser callbacks.

Simple is a `<testcase>` that holds at most properties, one `failure`, `error` or `skipped`, and what was printed:
nearly everything in nearly every report. A report writes all its cases with the same attributes in the same order, so
the expression is made from the first of a run and fits the rest. What does not fit is left to the parser.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache, partial
from itertools import repeat
from typing import Any, NamedTuple, cast

from flakeguard.reports.executions import not_passed
from flakeguard.reports.layouts import GROUPS, CaseLayout, Row, end_of_cases, names_at
from flakeguard.reports.model import Limits, Outcome, ParsedAttempt
from flakeguard.reports.statuses import outcome_of, settled
from flakeguard.reports.texts import clean, name_within, plain_text, unescape
from flakeguard.reports.values import IMPLAUSIBLE_SECONDS, parse_line

type Column = tuple[str, ...]

_SHORTEST_RUN = 4  # fewer cases are read as fast by the parser
_SHORT_CHARACTERS = 2_000  # but a text longer than this is not read twice
_LONG_RUN = 32  # from here it is worth while to read on in one go
_LEAST_SPAN = 2_048  # characters to be read in one go; doubled when that went well
_MOST_SPAN = 131_072
_TEMPLATES = 32  # layouts remembered; a report with more is no typical one
_TEXTS = ("name", "classname", "file")
_OUTCOMES = {"": Outcome.PASSED, "failure": Outcome.FAILED, "error": Outcome.ERROR, "skipped": Outcome.SKIPPED}
_WHITE_SPACE = str.maketrans("\t\r\n", "   ")
_ODD = ("&", "\n", "\t", "\r", "<", "\x1b", "\x00", "#x1B[", "\u241b")
_NOTHING = repeat(None)
_make = cast("Callable[[tuple[object, ...]], ParsedAttempt]", partial(cast("Any", tuple).__new__, ParsedAttempt))


class SimpleCases(NamedTuple):
    """A run: the attributes' names, and per case their values, followed by the groups of `_BODY` and the sentinel."""

    names: tuple[str, ...]
    rows: list[Row]


class SimpleCaseReader:
    """Reads runs, and remembers the layout of the last one and a few before it."""

    def __init__(self) -> None:
        self._layouts: dict[tuple[str, ...], CaseLayout] = {}
        self._layout: CaseLayout | None = None
        self._span = _MOST_SPAN

    def take(self, text: str, at: int) -> tuple[SimpleCases | None, int]:
        """The run of simple cases that begins with the `<testcase` at `at`, and where it ends; None for a short one."""
        layout = self._layout
        rows, end = layout.read(text, at, _SHORTEST_RUN) if layout is not None else ([], at)
        if not rows:
            layout = self._learn(text, at)
            rows, end = layout.read(text, at, _SHORTEST_RUN) if layout is not None else ([], at)
        if layout is None or (len(rows) < _SHORTEST_RUN and end - at < _SHORT_CHARACTERS):
            return None, at
        more, end = self._more(layout, text, end)
        return SimpleCases(layout.names, rows + more), end

    def _more(self, layout: CaseLayout, text: str, at: int) -> tuple[list[Row], int]:
        """The rest of a run: in one go while nothing else comes between the cases, else one by one."""
        if self._span:
            end = end_of_cases(text, at, at + self._span)
            if rows := layout.read_all(text, at, end):
                self._span = min(2 * self._span, _MOST_SPAN)
                return rows, end
        rows, end = layout.read(text, at, len(text))
        self._span = _LEAST_SPAN if len(rows) >= _LONG_RUN else 0
        return rows, end

    def _learn(self, text: str, at: int) -> CaseLayout | None:
        """Take up the layout of the case at `at`; None when it was in use already or there is none."""
        names = names_at(text, at)
        if names is None or (self._layout is not None and names == self._layout.names):
            return None
        if names not in self._layouts:
            if len(self._layouts) >= _TEMPLATES:
                return None
            self._layouts[names] = CaseLayout(names)
        self._layout = self._layouts[names]
        return self._layout


def attempts_of(
    cases: SimpleCases,
    *,
    suite: str,
    file: str | None,
    normalise: Callable[[str], str | None],
    seconds_of: Callable[[str], float | None],
    warn: Callable[[str], None],
    limits: Limits,
) -> list[ParsedAttempt]:
    """The attempts of a run, made by C's own loops: this is the bulk of every report.

    Args:
        cases: the run.
        suite: the suite around it.
        file: that suite's file, for cases that name none.
        normalise: what makes of a file's name one that every machine would give it.
        seconds_of: reads a duration that is no plain number, and warns.
        warn: takes a warning.
        limits: how long names and texts may be.
    """
    names, rows = cases
    columns = dict(zip((*names, "printed", "printed", "kind"), zip(*rows, strict=True), strict=False))
    texts = {name: _values(columns[name], warn, limits) for name in _TEXTS if name in columns}
    files: Iterable[str | None] = repeat(file)
    if "file" in texts:
        files = ((normalise(name) if name else file) for name in texts["file"])
    attempts = list(
        map(
            _make,
            zip(
                repeat(suite),
                files,
                texts.get("classname") or repeat(""),
                texts["name"],
                map(parse_line, columns["line"]) if "line" in columns else _NOTHING,
                repeat(Outcome.PASSED),
                _seconds(columns["time"], seconds_of) if "time" in columns else _NOTHING,
                *repeat(_NOTHING, 5),
                strict=False,
            ),
        )
    )
    said = _said(columns.get("status"), columns.get("result"))
    for index, kind in enumerate(columns["kind"]):
        if kind or (said and said[index] is not None):
            groups = rows[index][len(names) : len(names) + GROUPS]
            outcome = settled(_OUTCOMES[kind], said[index]) if said else _OUTCOMES[kind]
            attempts[index] = _not_passed(attempts[index], outcome, groups, limits)
    return attempts


def _said(statuses: Column | None, results: Column | None) -> list[Outcome | None] | None:
    """What the attributes say of each case; None when they say nothing of any."""
    if statuses is None and results is None:
        return None
    pairs = list(zip(statuses or repeat(""), results or repeat(""), strict=False))
    meanings = {pair: outcome_of(*pair) for pair in set(pairs)}
    return [meanings[pair] for pair in pairs] if any(meaning is not None for meaning in meanings.values()) else None


def _values(column: Column, warn: Callable[[str], None], limits: Limits) -> list[str]:
    """A column of attribute values, as an XML parser would have given and the builder have cleaned them."""
    values = list(column)
    joined = "".join(values)
    if any(odd in joined for odd in _ODD):
        if "<" in joined:
            warn("the file contains characters that XML does not allow: they were replaced or left out")
        values = [clean(_attribute_value(value)) for value in values]
    if len(joined) > limits.name_characters and max(map(len, values)) > limits.name_characters:
        values = [name_within(value, limits.name_characters) for value in values]
    return values


def _attribute_value(source: str) -> str:
    """An attribute's value from its source: white space becomes blanks, references are resolved."""
    if not source.isprintable():
        source = source.translate(_WHITE_SPACE)
    return unescape(source)


def _seconds(times: Column, seconds_of: Callable[[str], float | None]) -> Iterable[float | None]:
    """The durations, in one go when all of them are plain numbers."""
    try:
        seconds = list(map(float, times))
    except ValueError:
        return map(seconds_of, times)
    # When their sum is plausible so is each; of a NaN neither comparison is true.
    return seconds if min(seconds) >= 0 and sum(seconds) < IMPLAUSIBLE_SECONDS else map(seconds_of, times)


def _not_passed(attempt: ParsedAttempt, outcome: Outcome, groups: Row, limits: Limits) -> ParsedAttempt:
    """The attempt of a case with a failure, error or skip, told by the groups of `_BODY`."""
    out_before, err_before, _, source, section, text, out_after, err_after = groups
    return not_passed(
        attempt,
        outcome,
        _attributes(source) if source else {},
        details=clean(section or unescape(text)).strip(),
        system_out=_printed(out_before, out_after) if out_before or out_after else "",
        system_err=_printed(err_before, err_after) if err_before or err_after else "",
        limits=limits,
    )


@lru_cache(maxsize=256)
def _names_between(parts: tuple[str, ...]) -> tuple[str, ...]:
    """The names in what stands between values; a report's failures repeat the same few."""
    return tuple(part.strip(" \t\r\n=") for part in parts)


def _attributes(source: str) -> dict[str, str]:
    """Attributes from their source, which matched `_ATTRIBUTES`: every second part between quotes is a value."""
    parts = source.split('"')
    names = _names_between(tuple(parts[:-1:2]))
    if "&" in source or not source.isprintable():
        return dict(zip(names, map(_attribute_value, parts[1::2]), strict=True))
    return dict(zip(names, parts[1::2], strict=True))


def _printed(before: str, after: str) -> str:
    """What was printed, whether it stands before or after the failure."""
    sources = [source for source in (before, after) if source and not source.isspace()]
    return "\n".join(clean(plain_text(source)) for source in sources)
