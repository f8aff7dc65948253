"""Which framework wrote a report, as far as the report itself proves it."""

from collections.abc import Mapping

DEFAULT_FORMAT = "junit"

_ROOT_NAMES = {
    "jest tests": "jest",
    "vitest tests": "vitest",
    "Mocha Tests": "mocha",
    "nextest-run": "nextest",
    "bun test": "bun",
}
_SUITE_NAMES = {
    "pytest": "pytest",
    "nosetests": "nose",
    "rspec": "rspec",
    "cucumber.runtime.formatter.JUnitFormatter": "cucumber",
    "bats": "bats",
}
_SCHEMAS = {"surefire-test-report": "surefire", "jenkinsci/xunit-plugin": "marathon"}
_PROPERTIES = {
    "go.version": "gotestsum",
    "surefire.test.class.path": "surefire",
    "surefire.real.class.path": "surefire",
    "test.fileName": "web-test-runner",
    "browser.fullName": "karma",
}
_PLAYWRIGHT_ROOT = ("id", "name", "tests", "failures", "skipped", "errors", "time")
_NODE_SUITE = ("name", "time", "disabled", "errors", "tests", "failures", "skipped", "hostname")
_GRADLE_SUITE = ("name", "tests", "skipped", "failures", "errors", "timestamp", "hostname", "time")


class FormatEvidence:
    """Gathers, from the start tags, what only one framework writes; the first proof counts."""

    def __init__(self) -> None:
        self._proof: str | None = None
        self._hint: str | None = None

    @property
    def is_playwright(self) -> bool:
        """Whether Playwright wrote it: its suites carry their project in `hostname`."""
        return self._proof == "playwright"

    def root(self, name: str, attributes: Mapping[str, str]) -> None:
        """The root element."""
        if name == "testrun":
            self._proved("eclipse")
        self._proved(_ROOT_NAMES.get(attributes.get("name", "")))
        if name == "testsuites" and tuple(attributes) == _PLAYWRIGHT_ROOT:
            self._proved("playwright")

    def suite(self, attributes: Mapping[str, str]) -> None:
        """A `<testsuite>`."""
        if self._proof is not None:
            return
        name = attributes.get("name", "")
        self._proved(_SUITE_NAMES.get(name))
        if name.startswith("pytest-xdist"):
            self._proved("pytest")
        if "assertions" in attributes and "errors" in attributes and "warnings" in attributes:
            self._proved("phpunit")
        schema = attributes.get("xsi:noNamespaceSchemaLocation") or attributes.get(_SCHEMA_LOCATION, "")
        self._proved(next((proof for part, proof in _SCHEMAS.items() if part in schema), None))
        if tuple(attributes) == _NODE_SUITE:
            self._proved("node")
        if tuple(attributes) == _GRADLE_SUITE:
            self._hint = self._hint or "gradle"

    def first_case(self, attributes: Mapping[str, str], parent: str) -> None:
        """The first `<testcase>`, and the name of the element around it."""
        if parent == "testsuites" and attributes.get("classname") == "test":
            self._proved("node")
        if "assertions" in attributes and "class" in attributes:
            self._proved("phpunit")
        if attributes.get("status") in {"run", "notrun"} and "result" in attributes:
            self._proved("googletest")
        if attributes.get("name", "").startswith(("Command Test:", "File Existence Test:", "File Content Test:")):
            self._proved("container-structure-test")

    def property(self, name: str) -> None:
        """A report's property."""
        if self._proof is None:
            self._proved(_PROPERTIES.get(name))
        if name == "random-seed" or (name == "filters" and self._hint is None):
            self._hint = "catch2"

    def verdict(self) -> str:
        """The framework, or "junit" when nothing proves one."""
        return self._proof or self._hint or DEFAULT_FORMAT

    def _proved(self, framework: str | None) -> None:
        if self._proof is None and framework is not None:
            self._proof = framework


_SCHEMA_LOCATION = "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation"
