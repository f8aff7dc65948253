"""From the events of an XML parser to attempts: what the elements of JUnit's dialects mean.

The builder knows no parser. It takes `start`, `end`, `text` and `simple_cases`, puts finished attempts into `ready`
and what it learns beside them into a `ReportInfo`.
"""

from collections.abc import Callable, Mapping
from typing import Literal

from flakeguard.reports.cases import OpenCase
from flakeguard.reports.executions import Execution
from flakeguard.reports.frameworks import FormatEvidence
from flakeguard.reports.identity import normalise_file, normalise_suite
from flakeguard.reports.model import (
    SUITE_SEPARATOR,
    Limits,
    Outcome,
    ParsedAttempt,
    ReportInfo,
)
from flakeguard.reports.roots import ROOTS, local_name, not_a_report
from flakeguard.reports.simple_cases import SimpleCases, attempts_of
from flakeguard.reports.texts import TextSink, clean, cut, name_within
from flakeguard.reports.values import parse_line, parse_seconds, parse_timestamp

SUITE_CASE_NAME = "<init>"
"""Name of the test case that stands for a suite which itself failed (Jenkins names it so)."""

type Attributes = Mapping[str, str]
type _Text = Literal["details", "system-out", "system-err", "property"]

_FAILURE_ELEMENTS = {"failure": Outcome.FAILED, "error": Outcome.ERROR}
_RERUN_ELEMENTS = {
    "flakyFailure": Outcome.FAILED,
    "flakyError": Outcome.ERROR,
    "rerunFailure": Outcome.FAILED,
    "rerunError": Outcome.ERROR,
}


class TooDeepError(Exception):
    """Elements are nested deeper than any report nests them."""


class AttemptBuilder:
    """Builds attempts from parser events; see the module's text for the protocol."""

    def __init__(self, info: ReportInfo, limits: Limits) -> None:
        self.info = info
        self.ready: list[ParsedAttempt] = []
        self.text_wanted = False
        self.began = False
        self._limits = limits
        self._path: list[str] = []  # names of the open elements
        self._suites: list[tuple[str, str | None]] = []  # what to go back to when a suite ends
        self._suite = ""
        self._file: str | None = None
        self._case: OpenCase | None = None
        self._execution: Execution | None = None  # the rerun that is open, inside a case
        self._suite_failure: Execution | None = None
        self._sink: TextSink | None = None
        self._sink_depth = 0
        self._sink_kind: _Text = "details"
        self._property: str | None = None
        self._files: dict[str, str] = {}
        self._bad_time: str | None = None
        self._bad_times = 0
        self._evidence = FormatEvidence()
        self._starts: dict[str, Callable[[str, Attributes], None]] = {
            "testsuites": self._start_root,
            "testrun": self._start_root,
            "testsuite": self._start_suite,
            "testcase": self._start_case,
            "property": self._start_property,
            "failure": self._start_failure,
            "error": self._start_failure,
            "skipped": self._start_skipped,
            "ignored": self._start_skipped,
            "system-out": self._start_output,
            "system-err": self._start_output,
            **dict.fromkeys(_RERUN_ELEMENTS, self._start_rerun),
        }
        self._ends: dict[str, Callable[[], None]] = {
            "testsuite": self._end_suite,
            "testcase": self._end_case,
            "failure": self._end_failure,
            "error": self._end_failure,
            **dict.fromkeys(_RERUN_ELEMENTS, self._end_rerun),
        }

    # -- the protocol -------------------------------------------------------------------------------------

    def start(self, name: str, attributes: Attributes) -> None:
        """An element begins.

        Raises:
            ReportError: the document's root is no report's root.
            TooDeepError: the limit of nesting is passed.
        """
        name = local_name(name)
        if not self._path and name not in ROOTS and not self.began:  # what follows a report takes nothing back
            raise not_a_report(name)
        self.began = True
        self._path.append(name)
        if len(self._path) > self._limits.depth:
            raise TooDeepError
        handler = self._starts.get(name)
        if handler is not None:
            handler(name, attributes)

    def end(self) -> None:
        """The innermost open element ends."""
        if not self._path:
            return
        if self._sink is not None and len(self._path) == self._sink_depth:
            self._end_text()
        handler = self._ends.get(self._path.pop())
        if handler is not None:
            handler()

    def text(self, piece: str) -> None:
        """Text inside the innermost open element; only wanted while `text_wanted` is true."""
        if self._sink is not None:
            self._sink.add(piece)

    def simple_cases(self, cases: SimpleCases) -> None:
        """A run of simple cases that the condenser took out."""
        if not self._path:
            return
        if not self.info.attempts:
            first = dict(zip(cases.names, cases.rows[0], strict=False))
            self._evidence.first_case({name: value or "" for name, value in first.items()}, self._path[-1])
        self.info.attempts += len(cases.rows)
        self.ready += attempts_of(
            cases,
            suite=self._suite,
            file=self._file,
            normalise=self._normalised,
            seconds_of=self._seconds,
            warn=self.warn,
            limits=self._limits,
        )

    def take(self) -> list[ParsedAttempt]:
        """Hand out the attempts that are ready."""
        ready, self.ready = self.ready, []
        return ready

    def finish(self) -> None:
        """The document ended: settle what can only be said at the end."""
        self.info.format = self._evidence.verdict()
        if self._bad_times:
            more = f" (and {self._bad_times - 1:,} more)" if self._bad_times > 1 else ""
            self.warn(f"the time {self._bad_time!r} is no usable number of seconds{more}: left out")

    def abandon(self) -> None:
        """The document ended too early: keep what is certain of the open elements.

        A case that already showed a failure, a skip or a rerun counts; one that showed nothing may have
        been about to, and is left out with a warning.
        """
        while self._path:
            case = self._case
            if self._path[-1] == "testcase" and case is not None and not case.has_outcome:
                self.warn(f"the file ends inside test case {self._label(case)}: it is left out")
                self._case = case.outer
                self._path.pop()
                continue
            self.end()

    def warn(self, message: str) -> None:
        """Record a warning, once, within the limit."""
        warnings = self.info.warnings
        if len(warnings) < self._limits.warnings and message not in warnings:
            warnings.append(message)

    # -- suites and cases ---------------------------------------------------------------------------------

    def _start_root(self, name: str, attributes: Attributes) -> None:
        if len(self._path) > 1:
            return
        self._evidence.root(name, attributes)
        self._notice_timestamp(attributes)

    def _start_suite(self, name: str, attributes: Attributes) -> None:
        if len(self._path) == 1:
            self._start_root(name, attributes)
        self.info.suites += 1
        self._evidence.suite(attributes)
        self._notice_timestamp(attributes)
        self._suites.append((self._suite, self._file))
        own = self._name(normalise_suite(attributes.get("name", "")))
        # Playwright writes the project (a browser, say) here; the same test of two projects is two tests.
        project = attributes.get("hostname", "") if self._evidence.is_playwright else ""
        parts = (self._suite, self._name(project), own)
        self._suite = SUITE_SEPARATOR.join(part for part in parts if part)
        if file := attributes.get("file") or attributes.get("filepath"):
            self._file = self._normalised(file)

    def _end_suite(self) -> None:
        if self._suites:
            self._suite, self._file = self._suites.pop()

    def _start_case(self, _name: str, attributes: Attributes) -> None:
        if not self.info.attempts:
            self._evidence.first_case(attributes, self._path[-2] if len(self._path) > 1 else "")
        self._case = OpenCase(dict(attributes), self._case)

    def _end_case(self) -> None:
        case = self._case
        if case is None:
            return
        self._case = case.outer
        self._execution = None
        case.settle(self._seconds(case.attributes.get("time")))
        for execution in case.executions():
            self._emit(case.attributes, execution)

    def _emit(self, attributes: Attributes, execution: Execution) -> None:
        """Put a finished attempt into `ready`."""
        file = attributes.get("file") or attributes.get("filepath")
        base = ParsedAttempt(
            self._suite,
            self._normalised(file) if file else self._file,
            self._name(attributes.get("classname") or attributes.get("class") or ""),
            self._name(attributes.get("name") or ""),
            parse_line(attributes.get("line") or attributes.get("lineno")),
            Outcome.PASSED,
            execution.seconds,
            None,
            None,
            None,
            None,
            None,
        )
        self.info.attempts += 1
        self.ready.append(execution.attempt(base, self._limits))

    # -- what is inside a case ----------------------------------------------------------------------------

    def _start_failure(self, name: str, attributes: Attributes) -> None:
        outcome = _FAILURE_ELEMENTS[name]
        case = self._case
        if case is None:
            if self._suites:
                self._suite_failure = Execution(outcome, attributes)
                self._open_text("details")
            return
        case.has_outcome = True
        execution = case.main
        if execution.outcome is Outcome.PASSED:
            execution.outcome = outcome  # of several failures the first one broke the test
            execution.attributes = attributes
        elif message := attributes.get("message"):
            execution.details.append(cut(clean(message), self._limits.message_characters))
        self._open_text("details")

    def _end_failure(self) -> None:
        execution, self._suite_failure = self._suite_failure, None
        if execution is not None:
            self._emit({"classname": self._suites_own_name(), "name": SUITE_CASE_NAME}, execution)

    def _start_skipped(self, _name: str, attributes: Attributes) -> None:
        case = self._case
        if case is None:
            return
        case.skipped = case.has_outcome = True
        if case.main.outcome is Outcome.PASSED:
            case.main.attributes = attributes
            self._open_text("details")

    def _start_rerun(self, name: str, attributes: Attributes) -> None:
        case = self._case
        if case is None:
            return
        case.has_outcome = True
        self._execution = execution = Execution(_RERUN_ELEMENTS[name], attributes)
        execution.seconds = self._seconds(attributes.get("time"))
        case.reruns.append((name.startswith("flaky"), execution))
        self._open_text("details")

    def _end_rerun(self) -> None:
        self._execution = None

    def _start_output(self, name: str, _attributes: Attributes) -> None:
        if self._case is not None:
            self._open_text("system-out" if name == "system-out" else "system-err")

    def _start_property(self, _name: str, attributes: Attributes) -> None:
        key = attributes.get("name")
        if key is None or self._case is not None or len(self.info.properties) >= self._limits.properties:
            return
        key = cut(key, self._limits.property_characters)
        self._evidence.property(key)
        self._property = key
        if "value" in attributes:
            self._set_property(attributes["value"])
        else:
            self._open_text("property")

    def _set_property(self, value: str) -> None:
        """The first value counts: outer suites' properties come before inner ones'."""
        if self._property is not None:
            value = cut(clean(value), self._limits.property_characters)
            self.info.properties.setdefault(self._property, value)
        self._property = None

    # -- texts --------------------------------------------------------------------------------------------

    def _open_text(self, kind: _Text) -> None:
        """Collect the text of the element that has just begun, closing the one around it."""
        if self._sink is not None:
            self._end_text()
        limits = self._limits
        limit = {
            "details": limits.details_characters,
            "property": limits.property_characters,
        }.get(kind, limits.output_characters)
        self._sink = TextSink(limit)
        self._sink_kind = kind
        self._sink_depth = len(self._path)
        self.text_wanted = True

    def _end_text(self) -> None:
        """Put the collected text where it belongs."""
        sink, self._sink, self.text_wanted = self._sink, None, False
        text = sink.value() if sink is not None else ""
        if self._sink_kind == "property":
            self._set_property(text.strip())
            return
        case = self._case
        execution = self._suite_failure or self._execution or (case.main if case is not None else None)
        if execution is None or not text.strip():
            return
        if self._sink_kind == "details":
            execution.details.append(text.strip())
        elif self._sink_kind == "system-out":
            execution.system_out.append(text)
        else:
            execution.system_err.append(text)

    def _name(self, text: str) -> str:
        """A name, cleaned; a longer one than the limit is cut, but so that it stays itself."""
        return name_within(clean(text), self._limits.name_characters)

    def _seconds(self, text: str | None) -> float | None:
        """A duration; one that is there but unusable is worth a warning."""
        seconds = parse_seconds(text)
        if seconds is None and text:
            self._bad_times += 1
            self._bad_time = self._bad_time or text[:40]
        return seconds

    def _notice_timestamp(self, attributes: Attributes) -> None:
        """Keep the first timestamp."""
        if self.info.timestamp is None:
            self.info.timestamp = parse_timestamp(attributes.get("timestamp"))

    def _normalised(self, file: str) -> str | None:
        """A file as every machine names it; reports repeat the same few."""
        known = self._files.get(file)
        if known is None:
            if len(self._files) > 10_000:  # noqa: PLR2004 - memory stays flat in a report of many files
                self._files.clear()
            known = self._files[file] = self._name(normalise_file(file))
        return known or None

    def _suites_own_name(self) -> str:
        """The innermost suite's own name."""
        return self._suite.rsplit(SUITE_SEPARATOR, 1)[-1]

    def _label(self, case: OpenCase) -> str:
        """A case's name for a warning."""
        return repr(cut(self._name(case.attributes.get("name") or ""), 200))
