"""Numbers, times and addresses as people read them."""

from datetime import UTC, datetime, timedelta

import pytest
from starlette.requests import Request

from fluxbase.web import filters
from fluxbase.web.links import link, safe_next

NOW = datetime(2026, 11, 22, 14, 3, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (5, "just now"), (-5, "in a moment"), (60, "1 min ago"), (7200, "2 h ago"), (86400, "1 day ago"),
        (5 * 86400, "5 days ago"), (-3 * 86400 - 1, "in 3 days"), (40 * 86400, "13 Oct 2026"),
    ],
)  # fmt: skip
def test_relative(seconds: int, expected: str) -> None:
    assert filters.relative(NOW - timedelta(seconds=seconds), NOW) == expected


def test_time_element_holds_the_absolute_time() -> None:
    element = filters.time_element(NOW - timedelta(minutes=5), NOW)
    assert element == ('<time datetime="2026-11-22T13:58:09+00:00" title="22 Nov 2026, 13:58:09 UTC">5 min ago</time>')
    assert "never" in filters.time_element(None, NOW)


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [(0.4, "< 1 ms"), (430, "430 ms"), (2400, "2.4 s"), (200_000, "3 min 20 s"), (3_900_000, "1 h 5 min")],
)
def test_duration(milliseconds: float, expected: str) -> None:
    assert filters.duration(milliseconds) == expected


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0, "0 %"), (0.0004, "< 0.1 %"), (0.034, "3.4 %"), (0.05, "5 %"), (0.5, "50 %"), (0.999, "> 99 %"), (1, "100 %")],
)
def test_percent(share: float, expected: str) -> None:
    assert filters.percent(share) == expected


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (1, "more than 99 in 100"),
        (0.97, "97 in 100"),
        (0.9, "about 9 in 10"),
        (0.02, "2 in 100"),
        (0, "less than 1 in 100"),
    ],
)
def test_odds(probability: float, words: str) -> None:
    assert filters.odds(probability) == words


def test_small_words() -> None:
    assert filters.plural(1, "test") == "1 test"
    assert filters.plural(2, "entry", "entries") == "2 entries"
    assert filters.size(18_400) == "18 kB"
    assert filters.short_sha("a" * 40) == "a" * 8
    assert filters.short_sha("v1.2") == "v1.2"
    assert filters.breakable("a/<b>") == "a/<wbr>&lt;b&gt;"


def request(path: str, query: str) -> Request:
    return Request({"type": "http", "method": "GET", "path": path, "query_string": query.encode(), "headers": []})


def test_link_keeps_the_query_and_returns_to_the_first_page() -> None:
    here = request("/p", "q=a+b&page=3&empty=&notice=saved")
    assert link(here, sort="name") == "/p?q=a+b&sort=name"
    assert link(here, page=4) == "/p?q=a+b&page=4"
    assert link(here, q=None) == "/p"


@pytest.mark.parametrize("target", ["//evil", "https://evil", "/\\evil", "", None, "evil", "/a\nb"])
def test_only_paths_of_this_site_are_followed(target: str | None) -> None:
    assert safe_next(target) == "/"
    assert safe_next("/projects/1?q=x") == "/projects/1?q=x"
