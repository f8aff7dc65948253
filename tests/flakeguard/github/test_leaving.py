"""State and addresses of the way to GitHub; no server needed."""

from dataclasses import replace

import pytest

from flakeguard.github.installations.leaving import Wish, authorize_url, install_url, seal, unseal, verifier, web_url

KEY = b"k" * 32
WISH = Wish(4711, "acme", "session-1", 1000)


def test_the_session_that_left_comes_back():
    assert unseal(seal(WISH, KEY), KEY, session="session-1", now=999) == WISH


@pytest.mark.parametrize("state", ["", ".", "x", "x.y", seal(replace(WISH, installation_id=1), KEY)[:20] + ".x", "ü.ü"])
def test_what_is_no_state_of_ours_is_nobodys_wish(state):
    assert unseal(state, KEY, session="session-1", now=999) is None


def test_another_session_another_key_and_a_late_return_are_refused():
    state = seal(WISH, KEY)
    assert unseal(state, KEY, session="session-2", now=999) is None
    assert unseal(state, b"x" * 32, session="session-1", now=999) is None
    assert unseal(state, KEY, session="session-1", now=1000) is None


def test_a_changed_wish_is_refused():
    told, _, mac = seal(WISH, KEY).partition(".")
    other, _, _ = seal(replace(WISH, organization="mallory"), KEY).partition(".")
    assert told != other
    assert unseal(f"{other}.{mac}", KEY, session="session-1", now=999) is None


def test_the_address_shows_the_challenge_and_not_the_verifier():
    state = seal(WISH, KEY)
    url = authorize_url("https://api.github.com", "client", state, KEY, redirect_uri="https://here/github/callback")
    assert url.startswith("https://github.com/login/oauth/authorize?client_id=client&")
    assert "code_challenge_method=S256" in url
    assert verifier(state, KEY) not in url


@pytest.mark.parametrize(
    ("api", "web"),
    [
        ("https://api.github.com", "https://github.com"),
        ("https://github.example.com/api/v3/", "https://github.example.com"),
        ("https://api.octo.ghe.com", "https://octo.ghe.com"),
        ("http://127.0.0.1:9999/api/v3", "http://127.0.0.1:9999"),
    ],
)
def test_where_people_see_github(api, web):
    assert web_url(api) == web


@pytest.mark.parametrize(
    ("api", "page"),
    [
        ("https://api.github.com", "https://github.com/apps/flakeguard/installations/new"),
        ("https://github.example.com/api/v3/", "https://github.example.com/github-apps/flakeguard/installations/new"),
        ("https://api.octo.ghe.com", "https://octo.ghe.com/apps/flakeguard/installations/new"),
    ],
)
def test_where_people_install_the_app(api, page):
    assert install_url(api, "flakeguard") == page
