"""Where links may lead: our own pages, and addresses that the operator named, and nothing that looks like them."""

import pytest

from fluxbase.auth.redirects import is_allowed, is_own, with_query

PUBLIC, OTHERS = "https://flux.example.com/base", ("https://app.example.com/back", "http://localhost:5173")


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/projects?x=1#y",
        "https://flux.example.com/base",
        "https://flux.example.com/base/deeper?x",
        "https://APP.example.com/back",
        "https://app.example.com/back/to?where=https://evil.example.com",
        "http://localhost:5173/anything",
    ],
)
def test_these_may(target):
    assert is_allowed(target, PUBLIC, OTHERS)


@pytest.mark.parametrize(
    "target",
    [
        "",
        "projects",
        "//evil.example.com",
        "///evil.example.com",
        "/\\evil.example.com",
        "\\\\evil.example.com",
        "/\t/evil.example.com",
        "/\n/evil.example.com",
        " https://app.example.com/back",
        "https://evil.example.com",
        "https://app.example.com",
        "https://app.example.com/backdoor",
        "https://app.example.com/back/../other",
        "https://app.example.com/back/%2e%2e/other",
        "https://app.example.com/back/.%2E/other",
        "https://app.example.com/back/..%2fother",
        "https://app.example.com/back/%2e%2e%5cother",
        "https://app.example.com:444/back",
        "https://app.example.com.evil.example.com/back",
        "https://app.example.com@evil.example.com/back",
        "https://evil.example.com#https://app.example.com/back",
        "http://app.example.com/back",
        "http://localhost:51730",
        "http://localhost:x",
        "javascript:alert(1)",
        "data:text/html,x",
        "https:app.example.com/back",
        "https:/app.example.com/back",
        "http://[::1",
    ],
)
def test_these_may_not(target):
    assert not is_allowed(target, PUBLIC, OTHERS)


def test_without_a_public_address_only_paths_are_ours():
    assert is_allowed("/x", None, ())
    assert not is_allowed("https://flux.example.com", None, ())
    assert is_own("/x", None)
    assert not is_own("https://app.example.com/back", PUBLIC)


def test_parameters_are_added_and_quoted():
    assert with_query("/x?a=1#here", token="a&b", next="/y?z") == "/x?a=1&token=a%26b&next=%2Fy%3Fz#here"
