"""What CI leaves behind in a load test: each run has one artifact, a ZIP with a JUnit report. Pure."""

import io
from zipfile import ZIP_DEFLATED, ZipFile
from zlib import crc32

_FLAKY_EACH, _FLAKY_AT = 50, 7


def report(run: int, cases: int) -> bytes:
    """The report of a run: 2 % of its tests are flaky and fail in a quarter of the runs, then pass when repeated."""
    lines = ['<testsuites><testsuite name="load">']
    for case in range(cases):
        head = f'<testcase classname="load.Class{case // 20}" name="test_{case}" time="0.0{case % 89}"'
        if case % _FLAKY_EACH == _FLAKY_AT and crc32(f"{case} in {run}".encode()) % 4 == 0:
            failure = f'<failure message="expected {case}" type="AssertionError">at load.py:{case}</failure>'
            lines.append(f"{head}>{failure}</testcase>")
        lines.append(head + "/>")
    return "\n".join([*lines, "</testsuite></testsuites>"]).encode()


def artifact(run: int, cases: int) -> bytes:
    """The ZIP that CI would have uploaded."""
    whole = io.BytesIO()
    with ZipFile(whole, "w", ZIP_DEFLATED) as archive:
        archive.writestr("reports/junit.xml", report(run, cases))
    return whole.getvalue()
