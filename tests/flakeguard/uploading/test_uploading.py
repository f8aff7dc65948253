"""The parts of an upload that need no server."""

import gzip
import os
import tracemalloc
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flakeguard.uploading import batches, checkout, credentials, files, meta
from flakeguard.uploading.client import refusal, retry_after
from flakeguard.uploading.compression import open_compressed
from flakeguard.uploading.files import ReportFile

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def report(name, size=1, age=timedelta(0)):
    return ReportFile(Path(name), name, size, NOW - age)


class TestCompression:
    @pytest.mark.parametrize("size", [-1, 1, 1000, 10**6])
    def test_what_is_read_in_any_pieces_is_the_gzip_of_the_file(self, tmp_path, size):
        content = os.urandom(50_000) * 2
        (tmp_path / "a.xml").write_bytes(content)
        name, stream, media_type = open_compressed(tmp_path / "a.xml", "a.xml")
        pieces = []
        while piece := stream.read(size if size != 1 else 100):
            pieces.append(piece)
        assert gzip.decompress(b"".join(pieces)) == content
        assert (name, media_type) == ("a.xml", "application/gzip")

    def test_memory_does_not_grow_with_the_file(self, tmp_path):
        path = tmp_path / "big.xml"
        path.write_bytes(os.urandom(1024 * 1024) * 24)
        _, stream, _ = open_compressed(path, "big.xml")
        tracemalloc.start()
        try:
            while stream.read(65_536):
                pass
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < 4 * 1024 * 1024

    def test_archives_stay_as_they_are(self, tmp_path):
        (tmp_path / "a.zip").write_bytes(b"PK\x03\x04rest")
        name, stream, media_type = open_compressed(tmp_path / "a.zip", "a.zip")
        assert (name, stream.read(), media_type) == ("a.zip", b"PK\x03\x04rest", "application/zip")


@given(st.lists(st.integers(0, 100), max_size=60), st.integers(1, 20), st.integers(1, 150))
def test_batches_hold_every_file_once_in_order_within_both_limits(sizes, max_files, max_bytes):
    given_files = [report(str(number), size) for number, size in enumerate(sizes)]
    cut = batches.cut(given_files, max_files=max_files, max_bytes=max_bytes)
    assert [file for batch in cut for file in batch] == given_files
    for batch in cut:
        assert 1 <= len(batch) <= max_files
        assert len(batch) == 1 or sum(file.size for file in batch) <= max_bytes


def test_halves_lose_nothing():
    batch = tuple(report(str(number)) for number in range(5))
    first, second = batches.halve(batch)
    assert first + second == batch
    assert first
    assert second


class TestStale:
    def test_a_known_start_is_the_limit_with_an_hour_of_tolerance(self):
        young, old = report("young", age=timedelta(minutes=59)), report("old", age=timedelta(minutes=61))
        assert files.stale([young, old], started_at=NOW, now=NOW) == [old]

    def test_without_a_start_it_is_a_day(self):
        young, old = report("young", age=timedelta(hours=23)), report("old", age=timedelta(hours=25))
        assert files.stale([young, old], started_at=None, now=NOW) == [old]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("Fri, 02 Jan 2026 03:04:35 GMT", 30),
        ("Fri, 02 Jan 2026 03:00:00 GMT", 0),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after(header, seconds):
    assert retry_after(header, now=NOW) == seconds


def test_a_refusal_by_a_proxy_has_a_code_too():
    refused = refusal(httpx.Response(502, text="<html>Bad gateway</html>"), now=NOW)
    assert (refused.code, refused.is_worth_a_retry, refused.is_server_failure) == ("http_502", True, True)
    assert "proxy" in refused.message


class TestMeta:
    def test_times_come_from_the_files_and_never_run_backwards(self):
        made = [report("a", age=timedelta(minutes=5)), report("b")]
        stated = meta.Stated(sha="1a2b3c4", run_id=1)
        document = meta.build("shop", stated, None, made)
        assert (document["started_at"], document["completed_at"]) == (
            "2026-01-02T02:59:05.000Z",
            "2026-01-02T03:04:05.000Z",
        )
        later = meta.build("shop", meta.Stated(sha="1", run_id=1, started_at="2027-01-01T00:00:00Z"), None, made)
        assert later["completed_at"] == "2027-01-01T00:00:00Z"

    def test_what_nobody_knows_is_left_out(self):
        document = meta.build("shop", meta.Stated(run_id=1), None, [report("a")])
        assert document.keys() == {
            "project_slug",
            "provider",
            "github_run_id",
            "github_run_attempt",
            "started_at",
            "completed_at",
        }


class TestCredentials:
    def test_the_file_goes_before_the_environment(self, tmp_path):
        (tmp_path / "key").write_text("from-file\n")
        assert credentials.read({"FLAKEGUARD_API_KEY": "from-env"}, tmp_path / "key") == "from-file"
        assert credentials.read({"FLAKEGUARD_API_KEY": " from-env "}, None) == "from-env"
        assert credentials.read({}, None) is None

    @pytest.mark.parametrize("key", ["two words", "line\nbreak", "schlüssel", "tab\there"])
    def test_what_cannot_be_a_key_is_told_without_quoting_it(self, key):
        with pytest.raises(credentials.BadKey) as told:
            credentials.read({"FLAKEGUARD_API_KEY": key}, None)
        assert key not in str(told.value)


def test_no_checkout_no_commit(tmp_path):
    assert checkout.commit_and_branch(tmp_path) == (None, None)
