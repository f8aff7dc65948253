"""Random reports are read as they were meant, whatever hand wrote them and wherever a chunk ends."""

import io
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flakeguard.reports.junit import parse_junit
from flakeguard.reports.model import Limits, Outcome, ReportError
from flakeguard.reports.texts import clean

from .conftest import read_report
from .written import CASES, SUITES, Written, report_xml

ENCODINGS = ["utf-16", "utf-16-le", "utf-8-sig", "gb18030"]
DIRT = [b"<", b">", b"&", b'"', b"]]>", b"<![CDATA[", b"<!--", b"\0", b"</testcase>"]
SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.xml"))


def _meant(suite: str, case: Written) -> tuple[object, ...]:
    details = clean(case.details).strip()
    message = (case.message or "").strip() or details.split("\n", 1)[0].strip() or None
    shown = case.outcome is not Outcome.PASSED
    outcome = case.outcome
    if case.status == "disabled":
        outcome = Outcome.SKIPPED
    elif case.status == "failed" and not shown:
        outcome = Outcome.FAILED
    bad = outcome is not Outcome.PASSED
    return (
        suite,
        case.class_name,
        case.name,
        case.line,
        outcome,
        case.seconds,
        message if shown else None,
        (details or None) if shown else None,
        bool(case.system_out.strip()) and bad,
    )


@settings(max_examples=150, deadline=None)
@given(suites=SUITES, chunk_bytes=st.sampled_from([3, 17, 64, 300, 4_096, 131_072]))
def test_what_was_meant_is_read(suites: list[tuple[str, list[Written]]], chunk_bytes: int):
    result = read_report(report_xml(suites), Limits(chunk_bytes=chunk_bytes))

    assert [
        (a.suite, a.class_name, a.name, a.line, a.outcome, a.duration_seconds, a.message, a.details, bool(a.system_out))
        for a in result.attempts
    ] == [_meant(name, case) for name, cases in suites for case in cases]
    assert result.info.suites == len(suites)
    assert not result.info.recovered
    assert result.info.warnings == []


@settings(max_examples=25, deadline=None)
@given(
    cases=st.lists(CASES, min_size=1, max_size=8),
    encoding=st.sampled_from(["utf-16", "utf-16-le", "utf-8-sig", "gb18030"]),
)
def test_the_encoding_makes_no_difference(cases: list[Written], encoding: str):
    text = report_xml([("suite", cases)]).replace('encoding="UTF-8"', f'encoding="{encoding}"')

    assert read_report(text.encode(encoding)).attempts == read_report(report_xml([("suite", cases)])).attempts


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_bytes_that_mean_nothing_are_refused_or_survived(content: bytes):
    try:
        read_report(content)
    except ReportError as error:
        assert error.code  # noqa: PT017 - that it is this error and no other is the point


@settings(max_examples=120, deadline=None)
@given(
    name=st.sampled_from(SAMPLES),
    seed=st.integers(0, 2**32),
    chunk_bytes=st.sampled_from([97, 1_024, 131_072]),
)
def test_a_mutilated_report_never_raises_anything_else(name: Path, seed: int, chunk_bytes: int):
    content = bytearray(name.read_bytes())
    dice = random.Random(seed)
    for _ in range(dice.randint(1, 8)):
        at = dice.randrange(len(content))
        match dice.randrange(4):
            case 0:
                content[at] = dice.randrange(256)
            case 1:
                del content[at : at + dice.randint(1, 40)]
            case 2:
                content[at:at] = dice.choice(
                    [b"<", b">", b"&", b'"', b"]]>", b"<![CDATA[", b"<!--", b"\0", b"</testcase>"]
                )
            case _:
                content[at:at] = content[max(0, at - 60) : at]
    try:
        read_report(bytes(content), Limits(chunk_bytes=chunk_bytes))
    except ReportError as error:
        assert error.code  # noqa: PT017 - that it is this error and no other is the point


@pytest.mark.parametrize("name", SAMPLES, ids=lambda path: path.stem)
def test_what_was_complete_before_a_cut_is_kept(name: Path):
    content = name.read_bytes()
    whole = read_report(content)
    for at in range(len(content) // 7, len(content), len(content) // 7):
        if content[:at].rstrip().endswith(b"</testsuites>"):
            continue  # nothing but the last line's end is missing
        cut = parse_junit(io.BytesIO(content[:at]))
        try:
            attempts = list(cut)
        except ReportError:
            continue
        assert len(attempts) <= len(whole.attempts)
        assert [attempt[:4] for attempt in attempts] == [attempt[:4] for attempt in whole.attempts[: len(attempts)]]
        assert len(attempts) >= content[:at].count(b"</testcase>")
        assert cut.info.recovered
        assert cut.info.warnings
