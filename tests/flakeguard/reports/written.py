"""Random reports, as hypothesis strategies: what was meant, and its XML in several hands."""

from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from hypothesis import strategies as st

from flakeguard.reports.model import Outcome

LEGAL = st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="\ufffe\uffff\u241b")
TEXT = st.text(LEGAL | st.sampled_from("<>&\"']\n\t "), max_size=60)
NAME = st.text(LEGAL | st.sampled_from("<>&\"' []"), min_size=1, max_size=20)
ELEMENTS = {Outcome.FAILED: "failure", Outcome.ERROR: "error", Outcome.SKIPPED: "skipped"}


@dataclass(frozen=True)
class Written:
    """One case as it is written down."""

    name: str
    class_name: str
    seconds: float | None
    line: int | None
    outcome: Outcome
    message: str | None
    details: str
    system_out: str
    cdata: bool
    long_form: bool
    style: str  # of quotes and order


CASES = st.builds(
    Written,
    name=NAME,
    class_name=NAME,
    seconds=st.none() | st.floats(0, 9999).map(lambda value: round(value, 3)),
    line=st.none() | st.integers(1, 9999),
    outcome=st.sampled_from(Outcome),
    message=st.none() | NAME,
    details=TEXT | TEXT.map(lambda text: text * 9),
    system_out=st.just("") | TEXT,
    cdata=st.booleans(),
    long_form=st.booleans(),
    style=st.sampled_from(["plain", "plain", "plain", "apostrophes", "shuffled", "broken lines"]),
)
SUITES = st.lists(st.tuples(NAME, st.lists(CASES, max_size=12)), max_size=4)


def _text(text: str, *, cdata: bool) -> str:
    if not cdata:
        return escape(text)
    return "<![CDATA[" + text.replace("]]>", "]]]]><![CDATA[>") + "]]>"


def _attribute(name: str, value: str, style: str) -> str:
    quoted = quoteattr(value, {"\n": "&#10;", "\t": "&#9;"})
    if style == "apostrophes" and "'" not in value:
        quoted = "'" + escape(value, {"\n": "&#10;", "\t": "&#9;"}) + "'"
    return f"{name}={quoted}"


def case_xml(case: Written) -> str:
    attributes = [
        _attribute("classname", case.class_name, case.style),
        _attribute("name", case.name, case.style),
        *([f'time="{case.seconds}"'] if case.seconds is not None else []),
        *([f'line="{case.line}"'] if case.line is not None else []),
    ]
    if case.style == "shuffled":
        attributes.reverse()
    opening = "<testcase" + ("\n   " if case.style == "broken lines" else " ") + " ".join(attributes)
    inside = ""
    if case.outcome is not Outcome.PASSED:
        element = ELEMENTS[case.outcome]
        message = "" if case.message is None else " " + _attribute("message", case.message, case.style)
        body = _text(case.details, cdata=case.cdata)
        inside += f"<{element}{message}/>" if not body else f"\n  <{element}{message}>{body}</{element}>\n"
    if case.system_out:
        inside += f"<system-out>{_text(case.system_out, cdata=case.cdata)}</system-out>"
    if not inside and not case.long_form:
        return f"{opening}/>"
    return f"{opening}>{inside}</testcase>"


def report_xml(suites: list[tuple[str, list[Written]]]) -> str:
    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>\n']
    for name, cases in suites:
        parts.append(f"<testsuite {_attribute('name', name, 'plain')}>\n")
        parts += [f"  {case_xml(case)}\n" for case in cases]
        parts.append("</testsuite>\n")
    return "".join([*parts, "</testsuites>\n"])
