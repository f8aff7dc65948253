"""Numbers, moments and texts as reports write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flakeguard.reports.texts import TextSink, clean, cut, name_within, plain_text, unescape
from flakeguard.reports.values import parse_line, parse_seconds, parse_timestamp


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0), ("0.001", 0.001), ("1e-05", 1e-05), (" 2 ", 2.0), ("1,234.5", 1234.5), ("1,234", 1234.0),
        ("12,345,678.9", None), ("1.234,5", 1234.5), ("0,123", 0.123), ("1,5", 1.5), ("1.5s", 1.5), ("12ms", 0.012),
        ("250 us", 0.00025), ("0:01:02.5", 62.5), ("01:02", 62.0), ("", None), (None, None), ("NaN", None),
        ("Infinity", None), ("-1", None), ("1e9", None), ("soon", None), ("1,2,3", None), ("1:2:3:4", None),
    ],
)  # fmt: skip
def test_seconds(text: str | None, seconds: float | None):
    assert parse_seconds(text) == pytest.approx(seconds)


@given(st.text(max_size=20))
def test_no_text_breaks_the_readers_of_values(text: str):
    seconds = parse_seconds(text)

    assert seconds is None or seconds >= 0
    parse_timestamp(text)
    parse_line(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-03T12:27:11", "2024-01-03T12:27:11"), ("2024-01-03T12:27:44Z", "2024-01-03T12:27:44+00:00"),
        ("2024-01-03 12:27:54Z", "2024-01-03T12:27:54+00:00"), ("2024-01-03", "2024-01-03T00:00:00"),
        ("2024-01-03T12:27:11.21-01:00", "2024-01-03T12:27:11.210000-01:00"),
        ("2024-01-03T 12:40:13", "2024-01-03T12:40:13"), ("2024-01-03T11:23:00.00", "2024-01-03T11:23:00"),
    ],
)  # fmt: skip
def test_moments(text: str, moment: str):
    parsed = parse_timestamp(text)

    assert parsed is not None
    assert parsed.isoformat() == moment


@pytest.mark.parametrize(
    ("text", "line"), [("12", 12), ("", None), (None, None), ("x", None), ("-1", None), ("9" * 12, None)]
)
def test_lines(text: str | None, line: int | None):
    assert parse_line(text) == line


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("\x1b[31mred\x1b[0m", "red"), ("#x1B[1mbold#x1B[0m", "bold"), ("\u241b[2mdim", "dim"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x07", "link"), ("a\r\nb\rc", "a\nb\nc"), ("a\0b", "ab"),
        ("#1 [x]", "#1 [x]"),
    ],
)  # fmt: skip
def test_texts_are_cleaned(text: str, cleaned: str):
    assert clean(text) == cleaned


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("&lt;&gt;&amp;&quot;&apos;", "<>&\"'"), ("&amp;lt;", "&lt;"), ("&#65;&#x42;", "AB"), ("&#38;lt;", "&lt;"),
        ("&nbsp; & &;", "&nbsp; & &;"), ("&#xD800;&#0;&#x110000;", ""),
    ],
)  # fmt: skip
def test_references_are_resolved(source: str, text: str):
    assert unescape(source) == text
    assert plain_text(f"{source}<![CDATA[{source}]]>{source}") == text + source + text


@given(st.lists(st.text(max_size=400), max_size=12), st.integers(200, 1_000))
def test_a_text_in_pieces_is_cut_like_a_whole_one(pieces: list[str], limit: int):
    sink = TextSink(limit)
    for piece in pieces:
        sink.add(piece)
    whole = "".join(pieces)

    value = sink.value()
    assert len(value) <= limit
    assert value == clean(cut(whole, limit))
    assert ("cut by FlakeGuard" in value) is (len(whole) > limit)


@given(st.text(min_size=1), st.integers(60, 200))
def test_a_name_within_its_limit_is_itself(name: str, limit: int):
    assert len(name_within(name * 9, limit)) <= limit
    assert name_within(name, 10_000) == name
