"""Two processes, one Valkey, one GitHub: what one of them hears, both go by."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from tests.github.fake import APP_ID, FakeGitHub, fake_github

from flakeguard.github.api import GitHub, Installation, budgets
from flakeguard.github.api.tokens import AppKey
from flakeguard.github.errors import GitHubAwayError, RateLimitedError
from flakeguard.worker.metrics import GitHubMetrics
from fluxbase.resources import Resources, connect_redis

INSTALLATION = 4711
ASKED = "GET /installation/repositories"


@pytest.fixture
async def fake() -> AsyncIterator[FakeGitHub]:
    async with fake_github() as made:
        made.add_repository("acme/shop", 815, INSTALLATION)
        yield made


@pytest.fixture
def registries() -> list[CollectorRegistry]:
    return []


@pytest.fixture
async def process(
    resources: Resources, fake: FakeGitHub, registries: list[CollectorRegistry]
) -> AsyncIterator[Callable[..., GitHub]]:
    """Another process's client; `redis` is where it shares."""
    made: list[GitHub] = []

    def another(redis: str | None = None) -> GitHub:
        registries.append(CollectorRegistry())
        client = connect_redis(redis or resources.addresses.redis_url)
        key = AppKey(APP_ID, fake.private_key)
        made.append(GitHub(key, fake.url, GitHubMetrics(registries[-1]), resources.now, redis=client, name="here"))
        return made[-1]

    yield another
    for one in made:
        await one.aclose()
        await one.budgets._redis.aclose()


async def refused(installation: Installation) -> float:
    with pytest.raises(RateLimitedError) as caught:
        await installation.repositories()
    assert not caught.value.counts
    assert caught.value.seconds is not None
    return caught.value.seconds


async def test_what_one_process_hears_holds_for_the_other(fake: FakeGitHub, process, monkeypatch) -> None:
    monkeypatch.setattr(budgets, "_SHARED_EVERY_SECONDS", 0.0)  # as if a second had passed
    one, other = (process().installation(INSTALLATION) for _ in range(2))
    await other.repositories()
    fake.fail(ASKED, status=429, headers={"retry-after": "30"})
    assert await refused(one) == 30
    assert await refused(other) == pytest.approx(30, abs=2)
    assert await refused(one) == pytest.approx(30, abs=2)
    assert len(fake.asked_for(ASKED)) == 2  # nobody asked after that


async def test_while_there_is_plenty_redis_is_asked_once_a_second(fake: FakeGitHub, process, monkeypatch) -> None:
    monkeypatch.setattr(budgets, "_SHARED_EVERY_SECONDS", 60.0)  # however long the calls take here
    fake.limit(INSTALLATION, 4000)
    one = process().installation(INSTALLATION)
    await one.repositories()
    await one.repositories()
    swaps = list[str]()
    swap = budgets.Budgets._swap

    async def counted(asked: budgets.Budgets, budget: int | str, *told: Any) -> str | None:
        swaps.append(str(budget))
        return await swap(asked, budget, *told)

    monkeypatch.setattr(budgets.Budgets, "_swap", counted)
    for _ in range(5):
        await one.repositories()
    assert swaps.count(str(INSTALLATION)) == 0, "two steps a call, ten in all, and a minute is not over"
    assert fake.budgets[INSTALLATION].remaining == 4000 - 7


async def test_the_hours_calls_are_divided_and_none_is_asked_for_in_vain(fake: FakeGitHub, process) -> None:
    fake.limit(INSTALLATION, 31, seconds=100)
    clients = [process().installation(INSTALLATION) for _ in range(2)]
    await clients[0].repositories()  # now they know
    told = await asyncio.gather(*(clients[number % 2].repositories() for number in range(50)), return_exceptions=True)
    limited = [error for error in told if isinstance(error, RateLimitedError)]
    assert len(limited) == 20
    assert all(error.seconds == pytest.approx(101, abs=5) for error in limited)
    assert len(fake.asked_for(ASKED)) == 31
    assert fake.budgets[INSTALLATION].remaining == 0


async def test_another_installation_has_its_own(fake: FakeGitHub, process) -> None:
    fake.add_repository("other/shop", 816, 4712)
    fake.limit(INSTALLATION, 1)
    github = process()
    await github.installation(INSTALLATION).repositories()
    await refused(github.installation(INSTALLATION))
    assert len(await github.installation(4712).repositories()) == 1


async def test_polling_stops_at_the_reserve_and_webhooks_go_on(fake: FakeGitHub, process, registries) -> None:
    fake.limit(INSTALLATION, 22, limit=200)
    github = process()
    polling, webhooks = github.installation_for_what_can_wait(INSTALLATION), github.installation(INSTALLATION)
    for _ in range(2):
        await polling.repositories()
    with pytest.raises(RateLimitedError, match="kept for webhooks"):
        await process().installation_for_what_can_wait(INSTALLATION).repositories()
    for _ in range(20):
        await webhooks.repositories()
    await refused(webhooks)
    assert {_remaining(one) for one in registries} == {0, 20}  # as each of them last saw it


def _remaining(registry: CollectorRegistry) -> float | None:
    return registry.get_sample_value(
        "flakeguard_worker_github_rate_limit_remaining", {"installation": str(INSTALLATION)}
    )


async def test_what_costs_nothing_takes_nothing(fake: FakeGitHub, process) -> None:
    fake.limit(INSTALLATION, 5)
    installation = process().installation(INSTALLATION)
    path = {"owner": "acme", "repo": "shop"}
    etag = (await installation.call("GET /repos/{owner}/{repo}/actions/runs", path)).headers["etag"]
    for _ in range(10):
        answer = await installation.call("GET /repos/{owner}/{repo}/actions/runs", path, etag=etag)
        assert answer.status_code == 304
    assert fake.budgets[INSTALLATION].remaining == 4
    for _ in range(4):
        await installation.repositories()
    await refused(installation)


async def test_a_flushed_redis_is_told_again_by_whoever_knows(resources: Resources, fake: FakeGitHub, process) -> None:
    fake.limit(INSTALLATION, 1)
    one, other = (process().installation(INSTALLATION) for _ in range(2))
    await one.repositories()
    await resources.redis.flushdb()
    await refused(one)
    await refused(other)
    await resources.redis.flushdb()
    newcomer = process().installation(INSTALLATION)
    await refused(newcomer)  # GitHub itself says so, once
    await refused(newcomer)
    assert len(fake.asked_for(ASKED)) == 2


async def test_the_next_hour_begins_with_all_of_it(fake: FakeGitHub, process) -> None:
    fake.limit(INSTALLATION, 1, seconds=1)
    installation = process().installation(INSTALLATION)
    await installation.repositories()
    await refused(installation)
    fake.limit(INSTALLATION, 5000)
    await asyncio.sleep(1.1)
    await installation.repositories()


@pytest.mark.parametrize("away", ["refuses", "is silent"])
async def test_without_redis_each_goes_by_what_it_hears(fake: FakeGitHub, process, silent: str, away: str) -> None:
    github = process(silent if away == "is silent" else "redis://127.0.0.1:1/0")
    installation = github.installation(INSTALLATION)
    started = time.monotonic()
    for _ in range(3):
        await installation.repositories()
    assert time.monotonic() - started < 2
    fake.limit(INSTALLATION, 0)
    await refused(installation)
    await refused(installation)
    assert len(fake.asked_for(ASKED)) == 4


@pytest.fixture
def silent() -> Iterator[str]:
    """A Redis that takes connections and never answers."""
    import socket

    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}/0"


async def test_a_call_that_got_no_answer_is_taken_for_counted(fake: FakeGitHub, process) -> None:
    fake.limit(INSTALLATION, 3)
    installation = process().installation(INSTALLATION)
    await installation.repositories()
    fake.fail(ASKED, half=True)
    with pytest.raises(GitHubAwayError):
        await installation.repositories()
    await installation.repositories()
    await refused(installation)
