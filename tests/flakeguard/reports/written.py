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
    status: str | None
    cdata: bool
    properties: bool
    early_output: bool
    long_form: bool
    style: str  # of quotes and order


PARTS: dict[str, st.SearchStrategy[object]] = {
    "name": NAME,
    "class_name": NAME,
    "seconds": st.none() | st.floats(0, 9999).map(lambda value: round(value, 3)),
    "line": st.none() | st.integers(1, 9999),
    "outcome": st.sampled_from(Outcome),
    "message": st.none() | NAME,
    "details": TEXT | TEXT.map(lambda text: text * 9),
    "system_out": st.just("") | TEXT | TEXT.map(lambda text: text * 90),
    "status": st.none(),
    "cdata": st.booleans(),
    "properties": st.booleans(),
    "early_output": st.booleans(),
    "long_form": st.booleans(),
    "style": st.sampled_from(["plain", "plain", "plain", "apostrophes", "shuffled", "broken lines"]),
}
CASES = st.builds(Written, **PARTS)
# A framework writes all of its cases alike: only then are they read as a run.
ALIKE = [
    st.builds(
        Written,
        **PARTS
        | {"style": st.just("plain"), "seconds": st.floats(0, 99).map(lambda value: round(value, 3)), "line": line}
        | {"status": status, "details": details},
    )
    for line in (st.none(), st.integers(1, 99))
    for status in (st.none(), st.sampled_from(["run", "run", "passed", "disabled", "failed"]))
    for details in (st.just(""), TEXT)
]
UNIFORM = st.sampled_from(ALIKE).flatmap(lambda cases: st.lists(cases, min_size=4, max_size=40))
SUITES = st.lists(st.tuples(NAME, st.lists(CASES, max_size=12) | UNIFORM), max_size=4)


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
        *([f'status="{case.status}"'] if case.status is not None else []),
    ]
    if case.style == "shuffled":
        attributes.reverse()
    opening = "<testcase" + ("\n   " if case.style == "broken lines" else " ") + " ".join(attributes)
    printed = f"<system-out>{_text(case.system_out, cdata=case.cdata)}</system-out>" if case.system_out else ""
    inside = "<properties><property name='p' value='v'/></properties>" if case.properties else ""
    inside += printed if case.early_output else ""
    if case.outcome is not Outcome.PASSED:
        element = ELEMENTS[case.outcome]
        message = "" if case.message is None else " " + _attribute("message", case.message, case.style)
        body = _text(case.details, cdata=case.cdata)
        inside += f"<{element}{message}/>" if not body else f"\n  <{element}{message}>{body}</{element}>\n"
    inside += "" if case.early_output else printed
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
