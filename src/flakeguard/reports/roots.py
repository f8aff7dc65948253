"""Which root elements make a report, and what the others probably are."""

from flakeguard.reports.model import ReportError

ROOTS = frozenset({"testsuites", "testsuite", "testrun"})
"""Root elements of a report (`testrun` is Eclipse's export)."""

_OTHER_ROOTS = {
    "project": "a Maven POM or an Ant build",
    "result": "Jenkins' own record of a build; use the files that the tests wrote",
    "coverage": "a coverage report",
    "report": "a coverage report",
    "html": "a web page",
    "TestRun": "a Visual Studio result; use a JUnit logger",
    "test-run": "an NUnit 3 result; convert it to JUnit",
    "test-results": "an NUnit 2 result; convert it to JUnit",
    "assemblies": "an xUnit.net result; use a JUnit logger",
    "testng-results": "a TestNG result; TestNG writes JUnit reports beside it",
    "robot": "a Robot Framework result; use --xunit",
    "checkstyle": "a Checkstyle result",
}


def local_name(name: str) -> str:
    """An element's name without its namespace, be it a prefix or in braces."""
    return name.rsplit("}", 1)[-1].rsplit(":", 1)[-1] if ":" in name or "}" in name else name


def not_a_report(root: str) -> ReportError:
    """The error for XML with another root."""
    guess = _OTHER_ROOTS.get(root)
    kind = f" (it looks like {guess})" if guess else ""
    return ReportError("not_a_report", f"no JUnit report: its root element is <{root[:80]}>{kind}")
