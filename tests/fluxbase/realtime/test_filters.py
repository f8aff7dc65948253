"""Filters, without a server."""

import re
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fluxbase.realtime.errors import InvalidFilterError
from fluxbase.realtime.filters import Kind, parse_filter
from fluxbase.realtime.like import parse_like

COLUMNS = {"n": Kind.NUMBER, "t": Kind.TEXT, "b": Kind.BOOLEAN, "at": Kind.TIME, "id": Kind.UUID, "doc": Kind.TEXT}
ROW = {
    "n": 10,
    "t": "a=b.c",
    "b": True,
    "at": "2026-01-02T03:04:05.6+00:00",
    "id": "0f8fad5b-d9cb-469f-a165-70867728950e",
    "doc": {"state": "öffen", "tags": [1, None, True, Decimal("2.50")]},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n=eq.10", True), ("n=eq.10.0", True), ("n=neq.10", False), ("n=gt.9", True), ("n=gt.9.99", True),
        ("n=lt.9", False), ("n=gte.10", True), ("n=lte.9.5", False), ("n=in.(1, 10)", True), ("n=in.(1,2)", False),
        ("t=eq.a=b.c", True), ("t=like.a%c", True), ("t=like.A%", False), ("t=ilike.A*C", True), ("t=like._=_._", True),
        ('t=in.("a=b.c",x)', True), ('t=in.("a,b")', False), ("b=eq.true", True), ("b=is.true", True),
        ("b=is.false", False),
        ("n=is.null", False), ("at=gt.2026-01-02", True),
        ("at=lt.2026-01-02T04:04:05+01:00", False),
        ("at=eq.2026-01-02T04:04:05.6+01:00", True), ("id=eq.0F8FAD5B-D9CB-469F-A165-70867728950E", True),
        ('doc=eq.{"state": "öffen", "tags": [1, null, true, 2.50]}', True), ('doc=like.*"state": "ö*', True),
    ],
)  # fmt: skip
def test_what_passes(text, expected):
    assert parse_filter(text, COLUMNS).matches(ROW) is expected


@pytest.mark.parametrize("operator", ["eq.1", "neq.1", "gt.1", "lt.1", "in.(1)", "like.1"])
def test_null_passes_nothing_but_is_null(operator):
    assert not parse_filter(f"n={operator}", COLUMNS).matches({"n": None})
    assert parse_filter("n=is.null", COLUMNS).matches({"n": None})


@pytest.mark.parametrize(
    "text",
    ["", "n", "n=10", "n=eq10", "n=xx.1", "z=eq.1", "n=eq.ten", "n=eq.NaN", "b=eq.perhaps", "at=gt.yesterday", "n=in.1",
     'n=in.("1"2)', "b=is.maybe", "id=eq.1", "t=eq." + "x" * 3000],
)  # fmt: skip
def test_what_is_refused(text):
    with pytest.raises(InvalidFilterError):
        parse_filter(text, COLUMNS)


@given(st.text('n=eq.(),"\\%*_1', max_size=20))
def test_any_text_is_a_filter_or_an_error(text):
    with suppress(InvalidFilterError):
        parse_filter(text, COLUMNS).matches({"n": Decimal("1.5")})


@given(st.text("ab%_", max_size=8), st.text("ab", max_size=8))
def test_like_is_sql_s(pattern, text):
    expected = re.fullmatch(pattern.replace("%", ".*").replace("_", "."), text) is not None
    assert parse_like(pattern, ignore_case=False).matches(text) is expected


def test_no_pattern_stops_the_server():
    pattern = parse_like("%a" * 500 + "b", ignore_case=True)
    assert not pattern.matches("a" * 100_000)
