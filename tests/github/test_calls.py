"""Tokens, refusals, waiting and pages, against a GitHub on loopback."""

import asyncio
import logging
import time
from datetime import timedelta

import pytest

from flakeguard.github.api import GitHub, calling
from flakeguard.github.api.refusals import refusal
from flakeguard.github.api.tokens import AppKey
from flakeguard.github.errors import GitHubAwayError, GitHubRefusedError, GoneError, RateLimitedError
from flakeguard.github.installations import errors, vouching
from flakeguard.worker.errors import kind_of
from flakeguard.worker.retry_policy import Kind
from fluxbase.errors import ConfigurationError

from .fake import APP_ID, FakeGitHub, Repository
from .faults import dripping
from .state import PERSON_TOKEN

INSTALLATION = 4711
TOKENS = "access_tokens"


async def test_one_token_is_made_however_many_ask_and_it_is_never_logged(
    fake: FakeGitHub, github: GitHub, repository: Repository, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    asked = [github.installation(INSTALLATION).repositories() for _ in range(5)]
    reached = await asyncio.gather(*asked)
    assert [one.full_name for one in reached[0]] == ["acme/shop"]
    assert len(fake.asked_for(TOKENS)) == 1
    assert "ghs_" not in caplog.text
    assert "eyJ" not in caplog.text


async def test_a_token_is_renewed_before_it_ends(fake: FakeGitHub, github: GitHub, repository: Repository) -> None:
    fake.token_lasts = timedelta(minutes=4)
    for _ in range(2):
        await github.installation(INSTALLATION).repositories()
    assert len(fake.asked_for(TOKENS)) == 2


async def test_a_token_that_github_takes_no_more_is_renewed_once(
    fake: FakeGitHub, github: GitHub, repository: Repository
) -> None:
    await github.installation(INSTALLATION).repositories()
    fake.tokens.clear()
    assert len(await github.installation(INSTALLATION).repositories()) == 1
    fake.fail("GET /installation", status=401, times=2)
    with pytest.raises(GitHubRefusedError, match="GITHUB_PRIVATE_KEY") as caught:
        await github.installation(INSTALLATION).repositories()
    assert kind_of(caught.value) is Kind.VALIDATION


async def test_an_installation_that_is_gone_says_so(github: GitHub) -> None:
    with pytest.raises(GoneError):
        await github.installation(5).repositories()


@pytest.mark.parametrize(
    ("status", "headers", "body", "seconds"),
    [
        (403, {"retry-after": "7"}, None, 7),
        (429, {"retry-after": "9"}, None, 9),
        (429, {}, None, 60),
        (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "in 100 s"}, None, 100),
        (403, {}, {"message": "You have exceeded a secondary rate limit."}, 60),
    ],
)
async def test_limits_are_waited_for_and_cost_no_try(
    fake: FakeGitHub, github: GitHub, repository: Repository, status, headers, body, seconds
) -> None:
    headers = {name: str(int(time.time()) + 100) if told == "in 100 s" else told for name, told in headers.items()}
    fake.fail("GET /installation", status=status, headers=headers, body=body)
    with pytest.raises(RateLimitedError) as caught:
        await github.installation(INSTALLATION).repositories()
    assert caught.value.seconds == pytest.approx(seconds, abs=3)
    assert not caught.value.counts
    assert len(fake.asked_for("GET /installation")) == 1  # the queue waits, not we


@pytest.mark.parametrize(
    "how",
    [{"status": 500}, {"status": 503, "body": "<html>"}, {"status": 200, "body": "<html>"}, {"delay": 1.5},
     {"half": True}, {"status": 403, "headers": {"retry-after": "soon"}}],
)  # fmt: skip
async def test_github_is_away(fake: FakeGitHub, github: GitHub, repository: Repository, how) -> None:
    fake.fail("GET /installation", **how)
    with pytest.raises(GitHubAwayError) as caught:
        await github.installation(INSTALLATION).repositories()
    assert kind_of(caught.value) is Kind.NETWORK
    assert "ghs_" not in str(caught.value)
    assert len(await github.installation(INSTALLATION).repositories()) == 1


async def test_an_answer_that_never_ends_is_given_up(
    fake: FakeGitHub, github: GitHub, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling, "_MOST_SECONDS", 0.3)
    fake.faults.on("GET /installation", dripping(0.05))  # the connection is not silent for as long as a read waits
    async with asyncio.timeout(5):
        with pytest.raises(GitHubAwayError, match="in time"):
            await github.installation(INSTALLATION).repositories()
    assert len(await github.installation(INSTALLATION).repositories()) == 1


async def test_who_binds_an_installation_does_not_wait_for_ever(
    fake: FakeGitHub, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vouching, "_MOST_SECONDS", 0.3)
    fake.faults.on("GET /user/installations", dripping(0.05))
    async with asyncio.timeout(5):
        with pytest.raises(errors.GitHubAwayError):
            async with vouching.connected() as client:
                await vouching.administered(client, fake.url, PERSON_TOKEN, INSTALLATION)


async def test_a_missing_permission_is_no_limit(fake: FakeGitHub, github: GitHub, repository: Repository) -> None:
    fake.fail("GET /installation", status=403, body={"message": "Resource not accessible by integration"})
    with pytest.raises(GitHubRefusedError, match="permission"):
        await github.installation(INSTALLATION).repositories()


async def test_nobody_listens(fake: FakeGitHub) -> None:
    with pytest.raises(GitHubAwayError):
        await _elsewhere(fake).installation(INSTALLATION).repositories()


def _elsewhere(fake: FakeGitHub) -> GitHub:
    from prometheus_client import CollectorRegistry

    from flakeguard.worker.metrics import GitHubMetrics
    from fluxbase.resources import utc_now

    key = AppKey(APP_ID, fake.private_key)
    return GitHub(key, "http://127.0.0.1:1/api/v3", GitHubMetrics(CollectorRegistry()), utc_now)


async def test_a_renamed_repository_is_followed_on_the_same_host(
    fake: FakeGitHub, github: GitHub, repository: Repository
) -> None:
    repository.former_names.add("acme/old")
    fake.add_run(repository, 1)
    assert (await github.installation(INSTALLATION).run("acme", "old", 1)).id == 1


async def test_all_pages_are_read_and_calls_are_counted_by_template(
    fake: FakeGitHub, github: GitHub, repository: Repository, registry
) -> None:
    for number in range(250):
        fake.add_artifact(repository, 1, f"results-{number}", b"")
    assert len(await github.installation(INSTALLATION).artifacts("acme", "shop", 1)) == 250
    endpoint = "GET /repos/{owner}/{repo}/actions/runs/{run_id}/artifacts"
    counted = registry.get_sample_value(
        "flakeguard_worker_github_api_calls_total", {"endpoint": endpoint, "status": "200"}
    )
    assert counted == 3
    left = registry.get_sample_value(
        "flakeguard_worker_github_rate_limit_remaining", {"installation": str(INSTALLATION)}
    )
    assert left == 4987


async def test_a_name_cannot_leave_its_place_in_the_address(
    fake: FakeGitHub, github: GitHub, repository: Repository
) -> None:
    with pytest.raises(GoneError):
        await github.installation(INSTALLATION).run("acme", "shop/../../user", 1)
    assert not fake.asked_for("^GET /user")


def test_a_key_that_is_none_is_said_without_showing_it() -> None:
    with pytest.raises(ConfigurationError, match="GITHUB_PRIVATE_KEY") as caught:
        AppKey(1, "secret words")
    assert "secret words" not in str(caught.value)


def test_a_reset_long_ago_or_far_away_is_a_wrong_clock() -> None:
    def seconds(reset: int) -> float | None:
        headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(reset)}
        error = refusal(403, headers, "", "GET /", now=1000)
        assert isinstance(error, RateLimitedError)
        return error.seconds

    assert [seconds(10), seconds(1100), seconds(10**9)] == [1, 101, 3600]
