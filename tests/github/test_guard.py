"""Where redirects of artifacts may lead, and how long a download may take."""

import asyncio
import io
from ipaddress import ip_address

import httpx
import pytest

from flakeguard.github.api import Installation, downloading, guard
from flakeguard.github.api.guard import Place, destinations, in_turn, place_of
from flakeguard.github.errors import GitHubAwayError, GitHubRefusedError

from .fake import FakeGitHub
from .faults import Fault, dripping
from .state import Repository
from .test_artifacts import RUN, installation, zipped  # noqa: F401 -- a fixture

PUBLIC_API, OUR_API, ENTERPRISE = "https://api.github.com", "http://127.0.0.1:3000", "https://10.1.2.3/api/v3"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("140.82.112.5", Place.PUBLIC), ("2606:50c0:8000::153", Place.PUBLIC), ("10.1.2.3", Place.PRIVATE),
        ("100.64.0.1", Place.PRIVATE), ("fd00::1", Place.PRIVATE), ("::ffff:192.168.0.1", Place.PRIVATE),
        ("2002:0a00:0001::", Place.PRIVATE), ("127.0.0.1", Place.THIS_MACHINE), ("::1", Place.THIS_MACHINE),
        ("::ffff:127.0.0.1", Place.THIS_MACHINE), ("169.254.169.254", Place.NOWHERE), ("fe80::1", Place.NOWHERE),
        ("0.0.0.0", Place.NOWHERE), ("224.0.0.1", Place.NOWHERE),
    ],
)  # fmt: skip
def test_how_far_inside_an_address_is(text: str, place: Place) -> None:
    assert place_of(ip_address(text)) is place


@pytest.mark.parametrize(
    ("address", "api", "goes"),
    [
        ("https://140.82.112.5/a?sig=x", PUBLIC_API, True), ("http://140.82.112.5/a", PUBLIC_API, False),
        ("https://10.0.0.1/a", PUBLIC_API, False), ("https://127.0.0.1/a", PUBLIC_API, False),
        ("https://10.0.0.1/a", ENTERPRISE, True), ("https://127.0.0.1/a", ENTERPRISE, False),
        ("https://169.254.169.254/latest", ENTERPRISE, False), ("http://169.254.169.254/latest", OUR_API, False),
        ("http://127.0.0.1:9/a", OUR_API, True), ("file:///etc/passwd", OUR_API, False), ("/relative", OUR_API, False),
    ],
)  # fmt: skip
async def test_no_further_inside_than_github_itself(monkeypatch, address: str, api: str, goes: bool) -> None:
    monkeypatch.setattr(guard, "getproxies", dict)
    monkeypatch.setattr(guard, "_addresses", _resolved({"api.github.com": ["140.82.112.6"]}))
    if goes:
        assert [to.url for to in await destinations(address, api)] == [httpx.URL(address)]
    else:
        with pytest.raises(GitHubRefusedError):
            await destinations(address, api)


def _resolved(names: dict[str, list[str]]):
    async def addresses(url: httpx.URL):
        return [ip_address(text) for text in names.get(url.host, [url.host])]

    return addresses


async def test_the_connection_goes_to_the_address_that_was_judged(monkeypatch) -> None:
    monkeypatch.setattr(guard, "getproxies", dict)
    monkeypatch.setattr(guard, "_addresses", _resolved({"blobs.example.com": ["140.82.112.5", "140.82.112.7"]}))
    first, second = await destinations("https://blobs.example.com:8443/a?sig=x", PUBLIC_API)
    assert (str(first.url), first.headers) == ("https://140.82.112.5:8443/a?sig=x", {"Host": "blobs.example.com:8443"})
    assert (str(second.url), second.headers) == ("https://140.82.112.7:8443/a?sig=x", first.headers)
    assert first.extensions == second.extensions == {"sni_hostname": "blobs.example.com"}


def test_the_kinds_of_addresses_take_turns() -> None:
    found = [ip_address(text) for text in ("2001:db8::1", "2001:db8::2", "2001:db8::1", "192.0.2.1", "2001:db8::3")]
    assert [str(one) for one in in_turn(found)] == ["2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3"]
    assert in_turn([]) == []


async def test_an_address_that_does_not_answer_keeps_nothing_from_the_next(
    fake: FakeGitHub, installation: Installation, repository: Repository, monkeypatch  # noqa: F811
) -> None:  # fmt: skip
    content = zipped()
    number = fake.add_artifact(repository, RUN, "results", content)
    fake.storage = fake.storage.replace("127.0.0.1", "blobs.example.com")
    monkeypatch.setattr(guard, "_addresses", _resolved({"blobs.example.com": ["::1", "127.0.0.1"]}))
    into = io.BytesIO()
    assert await installation.download_artifact("acme", "shop", number, into, 10**6)
    assert into.getvalue() == content
    monkeypatch.setattr(guard, "_addresses", _resolved({"blobs.example.com": ["::1"]}))
    with pytest.raises(GitHubAwayError):
        await installation.download_artifact("acme", "shop", number, into, 10**6)


async def test_one_address_inside_is_enough_to_refuse(monkeypatch) -> None:
    monkeypatch.setattr(guard, "getproxies", dict)
    monkeypatch.setattr(
        guard,
        "_addresses",
        _resolved({"both.example.com": ["140.82.112.5", "10.0.0.1"], "api.github.com": ["1.1.1.1"]}),
    )
    with pytest.raises(GitHubRefusedError, match="private"):
        await destinations("https://both.example.com/a", PUBLIC_API)


async def test_behind_a_proxy_the_proxy_judges(monkeypatch) -> None:
    monkeypatch.setattr(guard, "getproxies", lambda: {"https": "http://proxy:3128"})
    (to,) = await destinations("https://blobs.example.com/a", PUBLIC_API)
    assert (str(to.url), to.extensions) == ("https://blobs.example.com/a", {})


async def test_a_redirect_to_where_clouds_keep_credentials_is_not_followed(
    fake: FakeGitHub, installation: Installation, repository: Repository  # noqa: F811
) -> None:  # fmt: skip
    number = fake.add_artifact(repository, RUN, "results", zipped())
    fake.storage = "http://169.254.169.254"
    with pytest.raises(GitHubRefusedError, match="nowhere"):
        await installation.download_artifact("acme", "shop", number, io.BytesIO(), 10**6)


async def test_what_comes_too_slowly_is_given_up(
    fake: FakeGitHub, installation: Installation, repository: Repository, monkeypatch  # noqa: F811
) -> None:  # fmt: skip
    number = fake.add_artifact(repository, RUN, "results", zipped())
    monkeypatch.setattr(downloading, "_SLOW_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(downloading, "_SLOWEST_BYTES_A_SECOND", 10**12)
    with pytest.raises(GitHubAwayError, match="too slow"):
        await installation.download_artifact("acme", "shop", number, io.BytesIO(), 10**6)


async def test_what_drips_is_too_slow_before_a_piece_is_full(
    fake: FakeGitHub, installation: Installation, repository: Repository, monkeypatch  # noqa: F811
) -> None:  # fmt: skip
    number = fake.add_artifact(repository, RUN, "results", zipped())
    fake.faults.on(rf"GET /{repository.id}/", dripping(0.05))
    monkeypatch.setattr(downloading, "_SLOW_AFTER_SECONDS", 0.2)
    async with asyncio.timeout(5):
        with pytest.raises(GitHubAwayError, match="too slow"):
            await installation.download_artifact("acme", "shop", number, io.BytesIO(), 10**6)


async def test_a_download_ends_whatever_it_brings(
    fake: FakeGitHub, installation: Installation, repository: Repository, monkeypatch  # noqa: F811
) -> None:  # fmt: skip
    number = fake.add_artifact(repository, RUN, "results", zipped())
    fake.faults.on(rf"GET /{repository.id}/", Fault(delay=5))
    monkeypatch.setattr(downloading, "_MOST_SECONDS", 0.1)
    async with asyncio.timeout(3):
        with pytest.raises(GitHubAwayError, match="in time"):
            await installation.download_artifact("acme", "shop", number, io.BytesIO(), 10**6)
