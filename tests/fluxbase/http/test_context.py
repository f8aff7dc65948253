"""Request ids and client addresses."""

import pytest
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from fluxbase.errors import ConfigurationError
from fluxbase.http.context import RequestContext, is_https, parse_networks, resolve_client

from ..serving import client_for, make_app


@pytest.fixture
def bare(settings):
    """An application without servers: nothing here asks them anything."""
    return make_app(settings, None)


async def test_a_sane_id_is_echoed_and_others_are_replaced(bare):
    async with client_for(bare) as client:
        kept = await client.get("/health/live", headers={"X-Request-ID": "ci-42:7/a.b"})
        assert kept.headers["x-request-id"] == "ci-42:7/a.b"
        for insane in ("", "a b", "x" * 129, 'a"b', "ä".encode(), "-a"):
            made = (await client.get("/health/live", headers={"X-Request-ID": insane})).headers["x-request-id"]
            assert len(made) == 32
            assert made.isalnum()


async def test_two_requests_have_two_ids(bare):
    async with client_for(bare) as client:
        ids = {(await client.get("/health/live")).headers["x-request-id"] for _ in range(2)}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "client"),
    [
        ("192.0.2.1", "203.0.113.9", (), "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", ("10.0.0.0/8",), "192.0.2.1"),
        ("10.0.0.5", "203.0.113.9", ("10.0.0.0/8",), "203.0.113.9"),
        ("10.0.0.5", "198.51.100.1, 203.0.113.9", ("10.0.0.0/8",), "203.0.113.9"),
        ("10.0.0.5", "198.51.100.1, 203.0.113.9, 10.0.0.6", ("10.0.0.0/8",), "203.0.113.9"),
        ("10.0.0.5", "10.0.0.7, 10.0.0.6", ("10.0.0.0/8",), "10.0.0.7"),
        ("10.0.0.5", "203.0.113.9:4711", ("10.0.0.5",), "203.0.113.9"),
        ("10.0.0.5", '"[2001:db8::1]:80"', ("10.0.0.5",), "2001:db8::1"),
        ("10.0.0.5", "2001:db8::1", ("10.0.0.5",), "2001:db8::1"),
        ("10.0.0.5", "unknown", ("10.0.0.5",), "10.0.0.5"),
        ("10.0.0.5", "", ("10.0.0.5",), "10.0.0.5"),
        ("::1", "203.0.113.9", ("::1",), "203.0.113.9"),
        ("testclient", "203.0.113.9", ("10.0.0.5",), "testclient"),
        (None, "203.0.113.9", ("10.0.0.5",), "203.0.113.9"),
        (None, "203.0.113.9", (), None),
    ],
)
def test_the_client_is_the_nearest_address_that_is_not_our_proxy(peer, forwarded, trusted, client):
    scope = {"client": (peer, 1) if peer else None}
    headers = Headers({"x-forwarded-for": forwarded})
    assert resolve_client(scope, headers, parse_networks(trusted))[0] == client


PROXY, OTHER_PROXY, CLIENT = "10.0.0.5", "10.0.0.6", "203.0.113.9"


@pytest.mark.parametrize(
    ("scheme", "peer", "addresses", "protocols", "secure"),
    [
        ("https", CLIENT, "", "", True),
        ("http", CLIENT, "", "https", False),
        ("http", PROXY, CLIENT, "https", True),
        ("http", PROXY, CLIENT, "HTTPS", True),
        ("http", PROXY, CLIENT, "http", False),
        ("http", PROXY, CLIENT, "", False),
        ("http", PROXY, CLIENT, "https, http", False),
        ("http", PROXY, CLIENT, "http, https", True),
        ("http", PROXY, f"{CLIENT}, {OTHER_PROXY}", "https, http", True),
        ("http", PROXY, f"{CLIENT}, {OTHER_PROXY}", "https", True),
        ("http", PROXY, f"{CLIENT}, {OTHER_PROXY}", "https, http, http", False),
        ("http", None, CLIENT, "https", True),
    ],
    ids=[
        "TLS to us", "a client says so itself", "our proxy says so", "in capitals", "our proxy denies it",
        "our proxy says nothing", "our proxy adds to what the client says", "our proxy adds that it is so",
        "two proxies, each adds", "two proxies, one adds", "two proxies add to what the client says", "a unix socket",
    ],
)  # fmt: skip
def test_tls_is_what_the_outermost_of_our_proxies_says(scheme, peer, addresses, protocols, secure):
    headers = [(b"x-forwarded-for", addresses.encode())] if addresses else []
    headers += [(b"x-forwarded-proto", protocols.encode())] if protocols else []
    scope = {"type": "http", "scheme": scheme, "client": (peer, 1) if peer else None, "headers": headers}
    RequestContext(trusted_proxies=["10.0.0.0/8"]).enter(scope)
    assert is_https(HTTPConnection(scope)) is secure


def test_a_proxy_that_is_no_address_is_a_mistake_in_the_settings():
    with pytest.raises(ConfigurationError, match="10\\.0\\.0\\.0/8"):
        parse_networks(("proxy.example.com",))
