"""Sniffing and unpacking what is uploaded, and summing it up."""

import gzip
import io
import struct
import zipfile
from collections.abc import Iterable

import pytest

from flakeguard.reports.archives import ArchiveLimits, Piece, expand
from flakeguard.reports.model import ReportError
from flakeguard.reports.sniffing import can_be_report
from flakeguard.reports.summary import summarise, summarise_upload

REPORT = b'<?xml version="1.0"?>\n<testsuite name="s"><testcase name="t" time="1"/></testsuite>'


def zipped(members: Iterable[tuple[str, bytes]]) -> io.BytesIO:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    packed.seek(0)
    return packed


def pieces(stream: io.BytesIO, limits: ArchiveLimits | None = None) -> list[tuple[str, bytes | str]]:
    """Names, with contents or the error's code."""
    return [(piece.name, _content(piece)) for piece in expand(stream, "up", limits or ArchiveLimits())]


def _content(piece: Piece) -> bytes | str:
    if piece.stream is None:
        assert piece.error is not None
        return piece.error.code
    try:
        return piece.stream.read()
    except ReportError as error:
        return error.code


@pytest.mark.parametrize(
    ("head", "possible"),
    [
        (REPORT, True), (b"<testsuites/>", True), (b"\xef\xbb\xbf<testsuites>", True),
        (REPORT.decode().encode("utf-16"), True), (b"<x:testsuite xmlns:x='u'>", True),
        (b"<!-- a --><?pi?><!DOCTYPE testsuite [<!ELEMENT a ANY>]>\n<testsuite ", True),
        (b"<project>", False), (b"<testsuitesque>", False), (b"", False), (b"  \n", False), (b"\0\0\0", False),
        (b"hello", False), (b"%PDF-1.7", False), (b'{"a": 1}', False), (b"<html><body>", False),
        (b"<!-- a long licen", None), (b"<?xml version='1.0'?>  ", None), (b"<testsui", None), (b"\x1f\x8b\x08", None),
        (b"PK\x03\x04", None), (b"npm warn\n<testsuite name='a'>", None),
    ],
)  # fmt: skip
def test_the_first_bytes_tell_a_report(head: bytes, possible: bool | None):
    assert can_be_report(head) is possible


def test_a_plain_file_and_a_gzip_are_one_piece():
    assert pieces(io.BytesIO(REPORT)) == [("up", REPORT)]
    assert pieces(io.BytesIO(gzip.compress(REPORT))) == [("up", REPORT)]
    assert pieces(io.BytesIO(gzip.compress(REPORT[:20]) + gzip.compress(REPORT[20:]))) == [("up", REPORT)]


def test_the_reports_of_a_zip_are_pieces_and_other_files_are_passed_over():
    packed = zipped(
        [("a/b.xml", REPORT), ("empty/", b""), ("shot.png", b"\x89PNG"), ("__MACOSX/a.xml", b"x"), ("c", REPORT)]
    )

    assert pieces(packed) == [("a/b.xml", REPORT), ("c", REPORT)]


def test_what_is_refused_leaves_the_rest():
    packed = zipped(
        [
            ("../evil.xml", REPORT), ("/abs.xml", REPORT), ("C:\\x.xml", REPORT), ("in\\..\\..\\x.xml", REPORT),
            ("inner.zip", zipped([("a.xml", REPORT)]).getvalue()), ("a.xml.gz", gzip.compress(REPORT)),
            ("ok.xml", REPORT),
        ]
    )  # fmt: skip

    assert [content for _, content in pieces(packed)] == ["unsafe_name"] * 4 + ["nested_archive"] * 2 + [REPORT]


def test_an_encrypted_file_is_refused():
    packed = bytearray(zipped([("a.xml", REPORT)]).getvalue())
    packed[6] |= 1  # the flag in the file's own header, and in the directory
    packed[packed.index(b"PK\x01\x02") + 8] |= 1

    assert pieces(io.BytesIO(packed)) == [("a.xml", "encrypted")]


def test_bombs_are_refused():
    limits = ArchiveLimits(file_bytes=1_000_000, ratio_from_bytes=100_000)
    flood = b" " * 900_000

    assert pieces(zipped([("a.xml", flood), ("b.xml", REPORT)]), limits) == [("a.xml", "too_large"), ("b.xml", REPORT)]
    assert pieces(io.BytesIO(gzip.compress(b"ab" * 600_000)), ArchiveLimits(file_bytes=1_000_000)) == [
        ("up", "too_large")
    ]
    many = zipped([(f"{n}.xml", REPORT) for n in range(20)])
    assert pieces(many, ArchiveLimits(files=10)) == [("up", "too_many_files")]
    assert [content for _, content in pieces(many, ArchiveLimits(total_bytes=3 * len(REPORT)))] == (
        [REPORT] * 3 + ["too_large"] * 17
    )


def test_a_gzip_may_grow_as_much_as_its_size_allows():
    printed = b"." * 40_000_000
    report = b'<testsuite name="s"><testcase name="t"><failure/><system-out>%b</system-out></testcase></testsuite>'
    (summary,) = summarise_upload("r.xml.gz", io.BytesIO(gzip.compress(report % printed, 1)))

    assert (summary.error, summary.cases, summary.failed) == (None, 1, 1)


def test_a_directory_that_would_fill_the_memory_is_not_read():
    packed = bytearray(zipped([("a.xml", REPORT)]).getvalue())
    end = packed.rindex(b"PK\x05\x06")
    struct.pack_into("<L", packed, end + 12, 2**31)

    assert pieces(io.BytesIO(packed)) == [("up", "too_many_files")]


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04", b"PK\x03\x04" + b"x" * 200, b"BZh91AY", b"\xfd7zXZ\0", b"7z\xbc\xaf'"]
)
def test_other_and_broken_archives_say_so(content: bytes):
    ((name, code),) = pieces(io.BytesIO(content))

    assert name == "up"
    assert code in {"damaged_archive", "nested_archive"}


def test_of_a_broken_gzip_what_can_be_unpacked_is_read():
    cases = "".join(f'<testcase name="{number}-{number * 7919 % 104729}"/>' for number in range(20_000))
    packed = gzip.compress(f'<testsuite name="s">{cases}</testsuite>'.encode())
    (summary,) = summarise_upload("r.xml.gz", io.BytesIO(packed[: len(packed) // 2]))

    assert summary.error is None
    assert 1_000 < summary.cases < 19_000
    assert any("archive is damaged" in warning for warning in summary.warnings)
    (broken,) = summarise_upload("r.xml.gz", io.BytesIO(packed[:12]))
    assert broken.error is not None


def test_a_stream_that_cannot_be_rewound_is_read_too():
    class Pipe(io.RawIOBase):
        def __init__(self, content: bytes) -> None:
            self._content = io.BytesIO(content)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
            return self._content.readinto(buffer)

    damaged = REPORT.replace(b"/></", b"/><oops></")
    for content, recovered in ((REPORT, False), (damaged, True)):
        summary = summarise("r", Pipe(content))  # type: ignore[arg-type]
        assert (summary.cases, bool(summary.warnings)) == (1, recovered)
    assert pieces(Pipe(REPORT)) == [("up", REPORT)]  # type: ignore[arg-type]


def test_a_summary_counts_each_case_by_its_last_attempt():
    content = b"""<testsuites><testsuite name="a"><testcase name="t" time="1"><failure/></testcase>
    <testcase name="t" time="2"/><testcase name="u"><error/></testcase></testsuite>
    <testsuite name="b"><testcase name="t"><skipped/></testcase><testsuite name="c"><testcase name="t" time="0.5">
    <rerunFailure/><failure/></testcase></testsuite></testsuite></testsuites>"""

    assert summarise("x.xml", io.BytesIO(content)).as_json() == {
        "path": "x.xml", "format": "junit", "suites": 3, "cases": 4, "attempts": 6, "passed": 1, "failed": 1,
        "errors": 1, "skipped": 1, "seconds": 3.5, "warnings": [], "error": None,
    }  # fmt: skip


def test_a_zip_without_reports_is_an_error():
    (summary,) = summarise_upload("a.zip", zipped([("readme.txt", b"hello")]))

    assert summary.error is not None
    assert summary.error.startswith("not_a_report")
