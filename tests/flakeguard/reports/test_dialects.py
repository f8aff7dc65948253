"""What the elements and attributes of JUnit's dialects mean."""

from datetime import UTC, datetime

import pytest

from flakeguard.reports.building import SUITE_CASE_NAME
from flakeguard.reports.model import Limits, Outcome

from .conftest import read_report

P, F, E, S = Outcome


def suite(inside: str, attributes: str = 'name="s"') -> str:
    return f"<testsuite {attributes}>{inside}</testsuite>"


@pytest.mark.parametrize(
    "case",
    [
        '<testcase name="t"/>',
        '<testcase name="t"></testcase>',
        "<testcase name='t'/>",
        '<testcase name="t"\n   time="1" />',
        '<testcase name="t"><properties><property name="a" value="b"/></properties></testcase>',
        '<testcase name="t"><system-out>said</system-out></testcase>',
        '<testcase name="t" status="run" result="completed"/>',
        '<testcase name="t" status="passed"/>',
        '<!-- first --><testcase name="t"/><!-- last -->',
        '<ns:testcase xmlns:ns="urn:x" name="t"/>',
    ],
)
def test_a_pass(case: str):
    read = read_report(suite(case))

    assert [(a.suite, a.name, a.outcome, a.message, a.system_out) for a in read.attempts] == [("s", "t", P, None, None)]


@pytest.mark.parametrize(
    ("case", "outcome", "message", "details"),
    [
        ('<failure message="m" type="T">d</failure>', F, "m", "d"),
        ("<failure/>", F, None, None),
        ("<failure></failure>", F, None, None),
        ('<error message="m"/>', E, "m", None),
        ("<error>first line\nsecond</error>", E, "first line", "first line\nsecond"),
        ("<error><![CDATA[<b> & ]]]]><![CDATA[> c]]></error>", E, "<b> & ]]> c", "<b> & ]]> c"),
        ("<failure>a<![CDATA[ <b> ]]>c &lt; d</failure>", F, "a <b> c < d", "a <b> c < d"),
        ('<failure message="a&#10;b &#x263A; &quot;"/>', F, 'a\nb ☺ "', None),
        ("<skipped/>", S, None, None),
        ('<skipped message="not today"/>', S, "not today", None),
        ("<skipped>why</skipped>", S, "why", "why"),
        ('<system-out>o</system-out><failure message="m"/>', F, "m", None),
        ('<failure message="m">d</failure><skipped/>', F, "m", "d"),
        ('<failure message="one">1</failure><error message="two">2</error>', F, "one", "1\n\ntwo\n\n2"),
        ('<failure message="\x1b[31mred\x1b[0m"/>', F, "red", None),
    ],
)
def test_how_a_case_ended(case: str, outcome: Outcome, message: str | None, details: str | None):
    read = read_report(suite(f'<testcase name="t">{case}</testcase>'))

    assert [(a.outcome, a.message, a.details) for a in read.attempts] == [(outcome, message, details)]


@pytest.mark.parametrize("status", ["disabled", "notrun", "ignored", "skipped", "NOT_RUN"])
def test_a_status_can_say_that_a_case_did_not_count(status: str):
    read = read_report(suite(f'<testcase name="t" status="{status}"><failure message="m"/></testcase>'))

    assert [(a.outcome, a.message) for a in read.attempts] == [(S, "m")]


def test_a_status_can_say_that_a_case_failed():
    assert read_report(suite('<testcase name="t" status="failed"/>')).outcomes == "f"
    assert read_report(suite('<testcase name="t" result="suppressed"/>')).outcomes == "s"


@pytest.mark.parametrize(
    ("inside", "outcomes"),
    [
        ("<flakyFailure/>", "fp"),
        ("<flakyFailure/><flakyError/>", "fep"),
        ("<failure/><rerunFailure/><rerunError/>", "ffe"),
        ("<error/><rerunError/>", "ee"),
        ("<rerunError/><error/>", "ee"),
        # Not Surefire's: failed reruns and no failure of its own; it passed in the end.
        ("<rerunFailure/>", "fp"),
        # nextest, told to fail the run for a flaky test: it did pass.
        ('<failure type="flaky failure" message="test passed on attempt 2/2"/><flakyFailure/>', "fp"),
        ("<failure/><flakyFailure/>", "ff"),
        ("<skipped/><rerunFailure/>", "fs"),
    ],
)
def test_every_retry_is_an_attempt(inside: str, outcomes: str):
    assert read_report(suite(f'<testcase name="t">{inside}</testcase>')).outcomes == outcomes


def test_a_rerun_has_its_own_text_output_and_time():
    read = read_report(
        suite(
            '<testcase name="t" time="3"><failure message="a" type="A">stack a</failure><system-out>out a</system-out>'
            '<rerunFailure message="b" type="B" time="2"><stackTrace>stack b</stackTrace><system-out>out b</system-out>'
            "<system-err>err b</system-err></rerunFailure></testcase>"
        )
    )

    assert [(a.message, a.failure_type, a.details, a.system_out, a.system_err) for a in read.attempts] == [
        ("a", "A", "stack a", "out a", None),
        ("b", "B", "stack b", "out b", "err b"),
    ]
    assert [a.duration_seconds for a in read.attempts] == [3.0, 2.0]


def test_repeated_cases_are_attempts_in_the_order_of_the_file():
    read = read_report(suite('<testcase name="t"><failure/></testcase><testcase name="u"/><testcase name="t"/>'))

    assert read.of("t") == [F, P]


def test_suites_nest_and_their_names_make_a_path():
    read = read_report(
        '<testsuites><testsuite name="a"><testcase name="t"/><testsuite name="b"><testcase name="t"/></testsuite>'
        '<testsuite><testcase name="t"/></testsuite><testcase name="u"/></testsuite></testsuites>'
    )

    assert [(a.suite, a.name) for a in read.attempts] == [("a", "t"), ("a > b", "t"), ("a", "t"), ("a", "u")]
    assert read.info.suites == 3


def test_the_file_is_the_cases_or_that_of_the_nearest_suite():
    read = read_report(
        '<testsuite name="a" file="outer.py"><testcase name="t" file="own.py" line="12"/><testcase name="u"/>'
        '<testsuite name="b" file="inner.py"><testcase name="v"/></testsuite></testsuite>'
    )

    assert [(a.file, a.line) for a in read.attempts] == [("own.py", 12), ("outer.py", None), ("inner.py", None)]


def test_the_place_of_a_failure_is_no_part_of_the_identity():
    passing = read_report(suite('<testcase name="t"/>')).attempts[0]
    failing = read_report(
        suite('<testcase name="t"><failure message="m" file="main.c" line="38">d</failure></testcase>')
    ).attempts[0]

    assert failing[:4] == passing[:4]
    assert failing.details == "at main.c:38\nd"


def test_a_suite_that_failed_as_a_whole_is_a_case_of_its_own():
    read = read_report(suite('<error message="no class">stack</error><system-out>x</system-out>', 'name="p.T"'))

    assert [(a.suite, a.class_name, a.name, a.outcome, a.message, a.details) for a in read.attempts] == [
        ("p.T", "p.T", SUITE_CASE_NAME, E, "no class", "stack")
    ]


def test_properties_and_the_first_timestamp_are_kept():
    read = read_report(
        '<testsuites time="3.5"><testsuite name="a" timestamp="2024-01-03T12:27:15+01:00"><properties>'
        '<property name="sha" value="abc"/><property name="text">in\nlines</property><property value="nameless"/>'
        '</properties><testcase name="t"><properties><property name="own" value="x"/></properties></testcase>'
        '</testsuite><testsuite name="b" timestamp="2020-01-01T00:00:00"><properties>'
        '<property name="sha" value="later"/></properties></testsuite></testsuites>'
    )

    assert read.info.properties == {"sha": "abc", "text": "in\nlines"}
    assert read.info.timestamp == datetime(2024, 1, 3, 11, 27, 15, tzinfo=UTC)


def test_a_timestamp_without_zone_stays_without():
    assert read_report(suite("", 'timestamp="2024-01-03T 12:40:13"')).info.timestamp == datetime(  # noqa: DTZ001
        2024, 1, 3, 12, 40, 13
    )
    assert read_report(suite("", 'timestamp="yesterday"')).info.timestamp is None


def test_an_unusable_time_is_left_out_with_one_warning():
    cases = "".join(f'<testcase name="{text}" time="{text}"/>' for text in ("NaN", "-1", "x", "999638317"))
    read = read_report(suite(cases + '<testcase name="ok" time="1,234.5"/>'))

    assert [a.duration_seconds for a in read.attempts] == [None, None, None, None, 1234.5]
    assert len(read.info.warnings) == 1


def test_gigantic_texts_are_cut_with_a_mark_and_keep_their_end():
    limits = Limits(message_characters=500, details_characters=1_000, output_characters=2_000)
    read = read_report(
        suite(
            f'<testcase name="t"><failure message="{"m" * 9_000}">{"d" * 90_000}the end</failure>'
            f"<system-out><![CDATA[{'o' * 900_000}last words]]></system-out></testcase>"
        ),
        limits,
    )
    attempt = read.attempts[0]

    for text, limit in ((attempt.message, 500), (attempt.details, 1_000), (attempt.system_out, 2_000)):
        assert text is not None
        assert len(text) <= limit
        assert "cut by FlakeGuard" in text
    assert attempt.details is not None
    assert attempt.details.endswith("the end")
    assert attempt.system_out is not None
    assert attempt.system_out.endswith("last words")


@pytest.mark.parametrize("form", ['<testcase name="{}"/>', "<testcase name='{}'/>"])
def test_a_long_name_is_cut_but_stays_distinct(form: str):
    long = "x" * 5_000
    read = read_report(suite(form.format(long + "1") + form.format(long + "2")))

    assert all(len(a.name) <= Limits().name_characters for a in read.attempts)
    assert len({a.name for a in read.attempts}) == 2


def test_a_case_is_the_same_test_whichever_way_it_was_read():
    """The fast reading, the parser's and the recovery's must agree on every letter of an identity."""
    name = "a &amp; b &#9;&quot;c&quot; &lt;d&gt; é\n  e"
    plain = f'<testcase classname="k" name="{name}" time="1"/>' * 9
    others = [
        f'<testcase classname="k" name="{name}"><failure/></testcase>',
        f'<testcase classname="k" name="{name}"><properties/></testcase>',
        f'<testcase classname="k" name="{name}"><flakyFailure/></testcase>',
        f'<testcase classname="k" name="{name}"></wrong></testcase>',
    ]

    identities = {attempt[:4] for case in [plain, *others] for attempt in read_report(suite(case)).attempts}
    assert identities == {("s", None, "k", 'a & b \t"c" <d> é   e')}
