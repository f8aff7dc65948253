"""Filters from addresses: what is odd falls back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flakeguard.analysis.model import Verdict
from flakeguard.dashboard.listing import NEEDS_ATTENTION, TEST_SORTS, Page, RunFilter, like_pattern
from flakeguard.dashboard.listing import TestFilter as Filter

text = st.text(max_size=300)
names = st.sampled_from(["q", "verdict", "branch", "suite", "variant", "days", "sort", "dir", "page", "sha", "status"])


@given(st.dictionaries(names, text))
def test_no_query_fails(query: dict[str, str]) -> None:
    wanted = Filter.read(query)
    assert wanted.sort in TEST_SORTS
    assert wanted.page >= 1
    assert wanted.days is None or 1 <= wanted.days <= 365
    assert "\0" not in wanted.search
    assert set(wanted.verdicts) <= set(Verdict)
    assert RunFilter.read(query).page >= 1


def test_verdicts() -> None:
    assert Filter.read({}).verdicts == NEEDS_ATTENTION
    assert Filter.read({"verdict": "flaky"}).verdicts == (Verdict.FLAKY,)
    assert Filter.read({"verdict": "any"}).verdicts == tuple(Verdict)
    assert Filter.read({"verdict": "nonsense"}).verdicts == NEEDS_ATTENTION


def test_names_sort_upwards_first() -> None:
    assert Filter.read({"sort": "name"}).direction == "asc"
    assert Filter.read({"sort": "score"}).direction == "desc"
    assert Filter.read({"sort": "name", "dir": "desc"}).direction == "desc"


@pytest.mark.parametrize(
    ("search", "pattern"),
    [
        ("cart", "%cart%"),
        ("100%", "%100\\%%"),
        ("a_b", "%a\\_b%"),
        ("login  user", "%login%user%"),
        ("a\\b", "%a\\\\b%"),
    ],
)
def test_search_is_taken_literally(search: str, pattern: str) -> None:
    assert like_pattern(search) == pattern


def test_page_counts() -> None:
    page = Page(2, total=120, size=50)
    assert (page.offset, page.pages, page.first, page.last) == (50, 3, 51, 100)
    assert (Page(1).pages, Page(1).first, Page(1).last) == (1, 0, 0)
