"""Ranges, preconditions, names and types, by properties."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxbase.errors import PreconditionFailedError, RangeNotSatisfiableError
from fluxbase.storage.conditions import Conditions, check_before_write, check_match, is_unchanged, range_applies
from fluxbase.storage.errors import InvalidNameError
from fluxbase.storage.names import check_bucket_id, check_name
from fluxbase.storage.ranges import parse_range
from fluxbase.storage.sniffing import contradicts, is_allowed, media_type, sniff

SIZES = st.integers(0, 60)
NUMBERS = st.integers(0, 80)


def selected(header: str, size: int) -> range | None:
    """The positions that a header selects; None for 416."""
    try:
        found = parse_range(header, size)
    except RangeNotSatisfiableError:
        return None
    return range(size) if found is None else range(found.start, found.end)


@given(SIZES, NUMBERS, NUMBERS)
def test_a_range_of_two_ends_is_a_slice(size, first, last):
    content = list(range(size))
    found = selected(f"bytes={first}-{last}", size)
    if last < first:
        assert found == range(size)
    elif first >= size:
        assert found is None
    else:
        assert list(found) == content[first : last + 1]


@given(SIZES, NUMBERS)
def test_an_open_range_and_a_suffix_are_slices(size, number):
    content = list(range(size))
    opened, suffix = selected(f"bytes={number}-", size), selected(f"bytes=-{number}", size)
    assert opened is None if number >= size else list(opened) == content[number:]
    assert suffix is None if not number else list(suffix) == content[-number:]


@given(st.text(alphabet="bytes=-,0123456789 \tX٣", max_size=30), SIZES)
def test_no_header_selects_what_is_not_there(header, size):
    found = selected(header, size)
    assert found is None or (0 <= found.start <= found.stop <= size)


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes", "bytes=", "bytes=-", "bytes=1-2,4-5", "lines=1-2", "bytes=a-b", "bytes=٣-", "bytes=5-2"],
)
def test_what_is_no_single_range_is_everything(header):
    assert parse_range(header, 10) is None


def test_a_number_without_an_end_takes_no_time():
    assert selected(f"bytes=0-{'9' * 100_000}", 10) == range(10)
    assert selected(f"bytes={'9' * 100_000}-", 10) is None


ETAGS = st.text("0123456789abcdef", min_size=1, max_size=4)


@given(ETAGS, st.lists(st.tuples(st.booleans(), ETAGS), max_size=4))
def test_lists_of_etags_are_searched(etag, listed):
    header = ", ".join(f'{"W/" if weak else ""}"{tag}"' for weak, tag in listed)
    strongly = any(tag == etag and not weak for weak, tag in listed)
    weakly = any(tag == etag for _, tag in listed)

    assert is_unchanged(Conditions(if_none_match=header), etag) is weakly
    if strongly:
        check_match(Conditions(if_match=header), etag)
    else:
        with pytest.raises(PreconditionFailedError):
            check_match(Conditions(if_match=header), etag)
    assert range_applies(Conditions(if_range=header), etag) is (header == f'"{etag}"')


def test_a_star_is_anything_that_is_there():
    check_before_write(Conditions(if_match="*"), "a")
    check_before_write(Conditions(if_none_match="*"), None)
    for conditions, etag in ((Conditions(if_match="*"), None), (Conditions(if_none_match="*"), "a")):
        with pytest.raises(PreconditionFailedError):
            check_before_write(conditions, etag)


@given(st.text(max_size=40))
def test_a_name_is_taken_as_it_is_or_refused(text):
    try:
        assert check_name(text) == text
    except InvalidNameError:
        return
    assert all(segment not in ("", ".", "..") for segment in text.split("/"))
    assert not any(unicodedata.category(character) == "Cc" for character in text)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/.",
        "a\0b",
        "a\nb",
        "\x7f",
        chr(0xD800),
        "\ufffd",
        "x" * 1025,
        "é" * 513,
        "\U0010ffff",
    ],
)
def test_names_that_lead_astray_are_refused(name):
    with pytest.raises(InvalidNameError):
        check_name(name)


@pytest.mark.parametrize(
    "name",
    ["a", "...", "a/..b", "%2e%2e", "..%2f", "a b", "C:\\x", "é", "e\u0301", "日本/語", "~", "-rf", "x" * 1024, "a#1"],
)
def test_odd_names_are_plain_names(name):
    assert check_name(name) == name


@pytest.mark.parametrize("text", ["", "A", ".a", "-a", "a/b", "..", "buckets", "a" * 64, "ä", "a\n", "a b"])
def test_bucket_ids_that_are_refused(text):
    with pytest.raises(InvalidNameError):
        check_bucket_id(text)


PNG, HTML = b"\x89PNG\r\n\x1a\n" + b"\0" * 20, b"\xef\xbb\xbf <!DOCTYPE html><p>"


@pytest.mark.parametrize(
    ("kind", "head", "seen"),
    [
        ("image/png", PNG, None),
        ("image/png", HTML, "text/html"),
        ("image/png", b"just text", "something else"),
        ("image/jpeg", PNG, "image/png"),
        ("text/plain", HTML, "text/html"),
        ("text/plain", b"BMW is a car", None),
        ("text/csv", b"a,b\n", None),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", b"PK\x03\x04....", None),
        ("application/pdf", b"PK\x03\x04....", "application/zip"),
        ("image/svg+xml", b"<svg xmlns='x'>", None),
        ("audio/webm", b"\x1a\x45\xdf\xa3", None),
    ],
)
def test_content_is_held_against_its_type(kind, head, seen):
    assert contradicts(kind, head) == seen


@given(st.binary(max_size=64))
def test_sniffing_never_fails(head):
    assert sniff(head) is None or "/" in sniff(head)
    assert "/" in media_type(None, "name", head)


def test_a_type_comes_from_the_client_then_the_bytes_then_the_name():
    assert media_type("Text/CSV; charset=x", "a.png", PNG) == "text/csv"
    assert media_type("application/octet-stream", "a.txt", PNG) == "image/png"
    assert media_type(None, "a.txt", b"hello") == "text/plain"
    assert media_type("nonsense", "a", b"\0\1") == "application/octet-stream"
    assert is_allowed("image/png", ["image/*"])
    assert not is_allowed("image/png", ["image/jpeg", "imag/*"])
