"""Taking a multipart upload apart as it streams in."""

import gzip
import hashlib
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flakeguard.errors import InvalidMetaError, TooManyFilesError, UploadTooLargeError
from flakeguard.ingestion.receiving import Received, UploadLimits, UploadReceiver
from fluxbase.errors import InvalidRequestError

LIMITS = UploadLimits(files=3, file_bytes=100_000, upload_bytes=200_000)
XML = b"<testsuite name='s'><testcase name='t'/></testsuite>"
TYPE = "multipart/form-data; boundary=frontier"


def body(*parts: tuple[str, str | None, bytes], end: bytes = b"--frontier--\r\n") -> bytes:
    pieces = []
    for name, filename, content in parts:
        extra = f'; filename="{filename}"' if filename else ""
        head = f'--frontier\r\nContent-Disposition: form-data; name="{name}"{extra}\r\n\r\n'
        pieces.append(head.encode() + content + b"\r\n")
    return b"".join(pieces) + end


@contextmanager
def receive(data: bytes, size: int = 1000, limits: UploadLimits = LIMITS) -> Iterator[Received]:
    with closing(UploadReceiver.for_content_type(TYPE, limits)) as receiver:
        for at in range(0, len(data), size):
            receiver.feed(data[at : at + size])
        yield receiver.finish()


def refuse(data: bytes) -> None:
    with receive(data):
        pass


@given(size=st.integers(1, 400))
def test_chunking_does_not_matter(size: int) -> None:
    parts = body(("meta", None, b"{}"), ("junit", "a.xml", XML), ("other", None, b"x"))
    with receive(parts, size) as received:
        assert received.meta == b"{}"
        (file,) = received.files
        assert file.filename == "a.xml"
        assert file.size_bytes == len(XML)
        assert file.sha256 == hashlib.sha256(XML).digest()
        assert file.possible is True
        assert gzip.decompress(file.content.read()) == XML


def test_a_gzipped_report_is_kept_and_judged_by_what_is_inside() -> None:
    gzipped = body(("junit", "a.xml.gz", gzip.compress(XML)))
    with receive(body(("junit", "a.xml", XML))) as plain, receive(gzipped) as packed:
        assert packed.files[0].sha256 == plain.files[0].sha256
        assert packed.files[0].possible is True
        assert packed.contents_digest() == plain.contents_digest()


def test_a_zip_is_kept_as_it_is() -> None:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as writer:
        writer.writestr("a.xml", XML)
    with receive(body(("junit", "reports.zip", archive.getvalue()))) as received:
        assert received.files[0].encoding == "zip"
        assert received.files[0].content.read() == archive.getvalue()


@pytest.mark.parametrize("content", [b"", b"<project><modelVersion/></project>", b"not xml at all"])
def test_what_cannot_be_a_report_is_told_apart(content: bytes) -> None:
    with receive(body(("junit", "a.xml", content))) as received:
        assert received.files[0].possible is False


def test_a_gzip_bomb_is_stopped_at_the_limit() -> None:
    bomb = gzip.compress(b"<testsuite>" + b" " * 5_000_000)
    with pytest.raises(UploadTooLargeError, match="FG_MAX_FILE_BYTES"):
        refuse(body(("junit", "a.xml.gz", bomb)))


def test_limits_of_files_and_bytes() -> None:
    with pytest.raises(TooManyFilesError, match="FG_MAX_UPLOAD_FILES"):
        refuse(body(*[("junit", f"{n}.xml", XML) for n in range(4)]))
    with pytest.raises(UploadTooLargeError, match="FG_MAX_FILE_BYTES"):
        refuse(body(("junit", "a.xml", b"x" * 100_001)))
    with pytest.raises(UploadTooLargeError, match="FG_MAX_UPLOAD_BYTES"):
        refuse(body(*[("junit", f"{n}.xml", b"x" * 90_000) for n in range(3)]))


def test_a_body_that_breaks_off_is_refused_whole() -> None:
    with pytest.raises(InvalidRequestError, match="closing boundary"):
        refuse(body(("junit", "a.xml", XML), end=b""))


def test_two_metas_or_a_giant_one_are_refused() -> None:
    with pytest.raises(InvalidMetaError, match="more than one"):
        refuse(body(("meta", None, b"{}"), ("meta", None, b"{}")))
    with pytest.raises(InvalidMetaError, match="larger"):
        refuse(body(("meta", None, b" " * 70_000)))


@pytest.mark.parametrize("content_type", ["", "application/json", "multipart/mixed; boundary=x"])
def test_other_bodies_are_refused_with_what_to_send(content_type: str) -> None:
    with pytest.raises(InvalidRequestError, match="multipart/form-data with one `meta`"):
        UploadReceiver.for_content_type(content_type, LIMITS)


def test_a_boundary_that_is_missing_or_too_long_is_refused() -> None:
    with pytest.raises(InvalidRequestError, match="needs a boundary"):
        UploadReceiver.for_content_type("multipart/form-data", LIMITS)
    with pytest.raises(InvalidRequestError, match="cannot be read"):
        UploadReceiver.for_content_type(f"multipart/form-data; boundary={'x' * 300}", LIMITS)


@given(st.binary(max_size=2000))
def test_no_input_breaks_it_otherwise(noise: bytes) -> None:
    receiver = UploadReceiver.for_content_type(TYPE, LIMITS)
    try:
        receiver.feed(b"--frontier\r\n" + noise)
        receiver.finish()
    except InvalidRequestError:
        pass
    finally:
        receiver.close()
