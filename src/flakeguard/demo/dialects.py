"""Reports as pytest, Jest and Maven Surefire write them."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from flakeguard.demo.model import Attempt, Case, Place, Report, Suite
from flakeguard.reports.model import Outcome


class Played(NamedTuple):
    """A test case at a place: its attempts in order, and the seconds of each."""

    case: Case
    attempts: tuple[Attempt, ...]
    seconds: float

    @property
    def last(self) -> Attempt:
        """The attempt that decides."""
        return self.attempts[-1]

    @property
    def total_seconds(self) -> float:
        """All attempts together."""
        return self.seconds * len(self.attempts)


def write(suite: Suite, played: Sequence[Played], place: Place) -> tuple[Report, ...]:
    """The files that a suite leaves behind."""
    if not played:
        return ()
    match suite:
        case Suite.BACKEND:
            return (_pytest(played, place),)
        case Suite.PAYMENTS:
            return tuple(_surefire(group, place) for group in _by_class(played))
        case Suite.FRONTEND | Suite.E2E:
            return (_jest(played, place, suite),)


def _pytest(played: Sequence[Played], place: Place) -> Report:
    """One file, `junit_family=xunit1`; pytest-rerunfailures writes each repeat as a case of its own."""
    root = ET.Element("testsuites", name="pytest tests")
    host = "win-runner-2" if place.job.job_name.endswith("windows") else "linux-runner-4"
    suite = ET.SubElement(
        root, "testsuite", {"name": "pytest", **_counts(played), "timestamp": _time(place.started_at), "hostname": host}
    )
    for one in played:
        for attempt in one.attempts:
            names = {"classname": one.case.class_name, "name": one.case.name, "file": one.case.file or ""}
            element = ET.SubElement(suite, "testcase", {**names, "line": "20", "time": f"{one.seconds:.3f}"})
            _end(element, attempt)
    return Report("reports/backend.xml", _bytes(root))


def _jest(played: Sequence[Played], place: Place, suite: Suite) -> Report:
    """One file by jest-junit: a suite for each component."""
    root = ET.Element("testsuites", {"name": "jest tests", **_counts(played)})
    for group in _by_class(played):
        component = group[0].case.class_name
        element = ET.SubElement(
            root, "testsuite", {"name": component, **_counts(group), "timestamp": _time(place.started_at)}
        )
        for one in group:
            for attempt in one.attempts:
                names = {"classname": component, "name": one.case.name, "file": one.case.file or ""}
                _end(ET.SubElement(element, "testcase", {**names, "time": f"{one.seconds:.3f}"}), attempt)
    return Report(f"reports/{suite}.xml", _bytes(root))


def _surefire(group: Sequence[Played], place: Place) -> Report:
    """A file for each class; repeats stand inside the case: flaky* when it passed in the end, else rerun*."""
    class_name = group[0].case.class_name
    del place  # Surefire writes no time of its own
    suite = ET.Element("testsuite", {"name": class_name, **_counts(group)})
    properties = ET.SubElement(suite, "properties")
    ET.SubElement(properties, "property", name="surefire.real.class.path", value="target/test-classes")
    for one in group:
        element = ET.SubElement(
            suite, "testcase", {"classname": class_name, "name": one.case.name, "time": f"{one.seconds:.3f}"}
        )
        _repeats(element, one.attempts)
    return Report(f"target/surefire-reports/TEST-{class_name}.xml", _bytes(suite))


def _repeats(element: ET.Element, attempts: Sequence[Attempt]) -> None:
    if attempts[-1].outcome is Outcome.PASSED:
        for attempt in attempts[:-1]:
            _told(element, "flakyError" if attempt.outcome is Outcome.ERROR else "flakyFailure", attempt)
        return
    _end(element, attempts[0])
    for attempt in attempts[1:]:
        _told(element, "rerunError" if attempt.outcome is Outcome.ERROR else "rerunFailure", attempt)


def _told(parent: ET.Element, tag: str, attempt: Attempt) -> None:
    """A repeat: its stack is an element of its own."""
    if attempt.failure is not None:
        element = ET.SubElement(parent, tag, message=attempt.failure.message, type=attempt.failure.kind)
        ET.SubElement(element, "stackTrace").text = attempt.failure.details


def _end(element: ET.Element, attempt: Attempt) -> None:
    """How an attempt ended, unless it passed."""
    if attempt.failure is None:
        return
    if attempt.outcome is Outcome.SKIPPED:
        ET.SubElement(element, "skipped", message=attempt.failure.message)
        return
    tag = "error" if attempt.outcome is Outcome.ERROR else "failure"
    told = ET.SubElement(element, tag, message=attempt.failure.message, type=attempt.failure.kind)
    told.text = attempt.failure.details


def _by_class(played: Sequence[Played]) -> list[list[Played]]:
    groups: dict[str, list[Played]] = {}
    for one in played:
        groups.setdefault(one.case.class_name, []).append(one)
    return list(groups.values())


def _counts(played: Sequence[Played]) -> dict[str, str]:
    last = [one.last.outcome for one in played]
    return {
        "tests": str(len(played)),
        "failures": str(last.count(Outcome.FAILED)),
        "errors": str(last.count(Outcome.ERROR)),
        "skipped": str(last.count(Outcome.SKIPPED)),
        "time": f"{sum(one.total_seconds for one in played):.3f}",
    }


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _bytes(root: ET.Element) -> bytes:
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)
