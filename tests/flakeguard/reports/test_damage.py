"""Truncated, damaged and hostile files."""

import codecs

import pytest

from flakeguard.reports.model import Limits, ReportError

from .conftest import read_report

HEAD = '<testsuites><testsuite name="s">'
TAIL = "</testsuite></testsuites>"


def wrapped(inside: str) -> str:
    return f"{HEAD}{inside}{TAIL}"


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b" \r\n\t ", "empty_file"),
        (codecs.BOM_UTF8, "empty_file"),
        (codecs.BOM_UTF16_LE, "empty_file"),
        (b"\0" * 500, "empty_file"),
        (b"hello world", "not_a_report"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "not_a_report"),
        (b'{"tests": []}', "not_a_report"),
        (b"<project><modelVersion>4.0.0</modelVersion></project>", "not_a_report"),
        (b"<!DOCTYPE html><html><body>502</body></html>", "not_a_report"),
        (b"<?xml version='1.0'?>", "not_a_report"),
        (b"<!-- nothing but a comment -->", "not_a_report"),
        (b"<tests", "not_a_report"),
        (b'<!DOCTYPE t [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><testsuite name="&b;"/>', "forbidden_entities"),
        (b'<!DOCTYPE t [<!ENTITY a SYSTEM "file:///etc/passwd">]><testsuite>&a;</testsuite>', "forbidden_entities"),
        (b'<!DOCTYPE t [<!ENTITY % p SYSTEM "http://localhost/x">%p;]><testsuite/>', "forbidden_entities"),
        (b'<!DOCTYPE t [<!ENTITY a "' + b"x" * 5_000 + b'">]><testsuite/>', "forbidden_entities"),
        (b'<!ENTITY a "b"><testsuite/>', "forbidden_entities"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_report_says_why(content: bytes, code: str):
    with pytest.raises(ReportError) as raised:
        read_report(content)

    assert raised.value.code == code
    assert raised.value.message


def test_nested_suites_without_end_are_given_up():
    with pytest.raises(ReportError) as raised:
        read_report('<testsuite name="x">' * 100_000)

    assert raised.value.code == "unreadable"


def test_what_was_read_before_an_abyss_is_kept():
    read = read_report(wrapped('<testcase name="t"/>' + "<a>" * 10_000))

    assert [a.name for a in read.attempts] == ["t"]
    assert read.info.recovered
    assert "nested too deeply" in read.info.warnings[0]


def test_a_tag_without_end_does_not_fill_the_memory():
    content = wrapped('<testcase name="t"/>' + "<properties a='" + "x" * 3_000_000 + "'/>")
    read = read_report(content, Limits(token_bytes=1_000_000))

    assert [a.name for a in read.attempts] == ["t"]
    assert "tag is too long" in read.info.warnings[0]


def test_harmless_entities_and_a_document_type_are_read():
    read = read_report(
        '<!DOCTYPE testsuite SYSTEM "junit.dtd" [<!ENTITY who "nobody">]>'
        '<testsuite name="s"><testcase name="&who;"><failure message="&who;">&who;!</failure></testcase></testsuite>'
    )

    assert [(a.name, a.message, a.details) for a in read.attempts] == [("nobody", "nobody", "nobody!")]
    assert "which was not read" in read.info.warnings[0]


@pytest.mark.parametrize(
    ("content", "outcomes"),
    [
        (f'{HEAD}<testcase name="a"/><testcase name="b"><failure message="m">sta', "pf"),
        (f'{HEAD}<testcase name="a"/><testcase name="b"><failure message="m"/><system-out><![CDATA[x', "pf"),
        (f'{HEAD}<testcase name="a"/><testcase name="b"><skipped', "p"),
        (f'{HEAD}<testcase name="a"/><testcase name="b" ti', "p"),
        (f'{HEAD}<testcase name="a"/><testcase name="b">', "p"),
        (f'{HEAD}<testcase name="a"/><testcase name="b"><flakyFailure/>', "pfp"),
        (f'{HEAD}<testcase name="a"/><!-- ', "p"),
        (f'{HEAD}<testcase name="a"/>', "p"),
        (HEAD, ""),
    ],
)
def test_a_file_that_ends_too_early_gives_what_was_complete(content: str, outcomes: str):
    read = read_report(content)

    assert read.outcomes == outcomes
    assert read.info.recovered
    assert any("ends too early" in warning for warning in read.info.warnings)


@pytest.mark.parametrize(
    ("inside", "outcomes"),
    [
        ('<testcase name="a"><failure>x</testcase><testcase name="b"/>', "pf"),
        ('<testcase name="a"></wrong></testcase><testcase name="b"/>', "pp"),
        ('<testcase name="a" name="b"/><testcase name="c"/>', "pp"),
        ('<testcase name=a/><testcase name="b"/>', "pp"),
        ('<testcase name="a"/></testsuite></testsuites><testsuite name="s"><testcase name="b"/>', "pp"),
        ('<testcase name="a"/></testsuite></testsuite></testsuites></x><testsuite name="z"><testcase name="b"/>', "pp"),
    ],
)
def test_a_damaged_file_gives_what_could_be_read(inside: str, outcomes: str):
    read = read_report(wrapped(inside))

    assert "".join(sorted(read.outcomes)) == "".join(sorted(outcomes))
    assert read.info.recovered
    assert any("damaged" in warning for warning in read.info.warnings)


@pytest.mark.parametrize(
    "details",
    [
        "a < b && c",
        "List<String> x",
        "&nbsp;",
        "&unknown;",
        "\x1b[31mred\x1b[0m",
        "bell \x07",
        "&#x1b;[1m",
        "&#0;",
        "<1>",
    ],
)
@pytest.mark.parametrize("form", ['<testcase name="a">{}', '<testcase name="a"><properties/>{}'])
def test_illegal_characters_cost_nothing_but_themselves(details: str, form: str):
    case = form.format(f'<failure message="m">{details}</failure></testcase>')
    read = read_report(wrapped(f'{case}<testcase name="b"/>'))

    assert {(a.name, a.outcome.name) for a in read.attempts} >= {("a", "FAILED"), ("b", "PASSED")}
    assert all("\x1b" not in (a.details or "") and "\0" not in (a.details or "") for a in read.attempts)


def test_reports_glued_together_are_all_read():
    one = '<?xml version="1.0"?>\n<testsuite name="{0}"><testcase name="t"/></testsuite>\n'
    read = read_report(one.format("a") + one.format("b") + one.format("c"))

    assert [a.suite for a in read.attempts] == ["a", "b", "c"]
    assert read.info.suites == 3


def test_what_stands_around_a_report_is_passed_over():
    read = read_report("npm warn something <x>\n" + wrapped('<testcase name="a"/>') + "\nDone in 3 s.\0\0")

    assert [a.name for a in read.attempts] == ["a"]
    assert read.info.warnings


def test_blank_lines_before_the_declaration_and_xml_1_1_are_read():
    assert read_report('\n\n <?xml version="1.0"?>' + wrapped('<testcase name="a"/>')).info.warnings == []
    assert read_report('<?xml version="1.1"?>' + wrapped('<testcase name="a"/>')).info.warnings == []


def test_damage_late_in_a_long_file_repeats_and_loses_nothing():
    cases = "".join(f'<testcase classname="k" name="t{n}" time="0.1"/>\n' for n in range(20_000))
    read = read_report(wrapped(f'{cases}<testcase name="x"><failure>&nope; </oops></failure></testcase>{cases}'))

    assert len(read.attempts) == 40_001
    assert read.attempts[19_999].name == "t19999"
    assert read.attempts[20_000].name == "x"
    assert read.info.attempts == 40_001


@pytest.mark.parametrize(
    ("encoding", "declared", "warned"),
    [
        ("windows-1252", "windows-1252", False),
        ("iso-8859-15", "ISO-8859-15", False),
        ("shift_jis", "Shift_JIS", False),
        ("gb18030", "GB18030", False),
        ("utf-16", "UTF-16", False),
        ("utf-16-be", "UTF-16BE", False),
        ("utf-32", "UTF-32", False),
        ("utf-8-sig", "UTF-8", False),
        ("cp037", "cp037", False),
        # .NET's StringWriter declares what its strings are in memory.
        ("utf-8", "utf-16", False),
        ("utf-8", "no-such-encoding", True),
        ("utf-8", "rot13", True),
        ("utf-8", "unicode_escape", True),
    ],
)
def test_encodings(encoding: str, declared: str, warned: bool):
    name = "日本" if encoding in {"shift_jis", "gb18030", "utf-16", "utf-16-be", "utf-32", "utf-8-sig"} else "bé"
    document = f'<?xml version="1.0" encoding="{declared}"?>' + wrapped(f'<testcase name="{name}"/>')
    read = read_report(document.encode(encoding))

    assert [a.name for a in read.attempts] == [name]
    assert bool(read.info.warnings) is warned


def test_bytes_that_are_not_of_the_encoding_are_replaced_with_a_warning():
    read = read_report(wrapped('<testcase name="b?"/><testcase name="c"/>').encode().replace(b"?", b"\xe9"))

    assert [a.name for a in read.attempts] == ["b\ufffd", "c"]
    assert read.info.warnings


@pytest.mark.parametrize(
    "rest",
    ["</testsuit><testcase name='b'/>", "</testsuite><html><body>proxy error</body></html>", "</testsuite><oops/>"],
)
def test_what_follows_a_report_takes_nothing_back(rest: str):
    read = read_report(f"<testsuite name='s'><testcase name='a'/>{rest}".encode())

    assert read.attempts[0].name == "a"
    assert read.info.warnings
