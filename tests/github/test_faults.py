"""Faults that are scripted, and the fake as a process of its own."""

import io

import httpx
import pytest
from prometheus_client import CollectorRegistry

from flakeguard.github.api import GitHub
from flakeguard.github.api.tokens import AppKey
from flakeguard.github.errors import GitHubAwayError, GoneError, RateLimitedError
from flakeguard.worker.metrics import GitHubMetrics
from fluxbase.resources import utc_now

from . import faults
from .fake import FakeGitHub, Repository
from .remote import running_github

RUN = 1000


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (faults.secondary_limit(3), RateLimitedError), (faults.limit_used_up(3), RateLimitedError),
        (faults.too_many(3), RateLimitedError), (faults.broken(500), GitHubAwayError),
        (faults.broken(502), GitHubAwayError), (faults.broken(503), GitHubAwayError),
        (faults.silent(), GitHubAwayError), (faults.cut(), GitHubAwayError), (faults.half(), GitHubAwayError),
        (faults.expired(), GoneError),
    ],
    ids=lambda value: getattr(value, "name", getattr(value, "__name__", "")),
)  # fmt: skip
async def test_each_fault_is_what_it_says(
    fake: FakeGitHub, github: GitHub, repository: Repository, fault: faults.Fault, error: type[Exception]
) -> None:
    number = fake.add_artifact(repository, RUN, "results", b"PK" * 500)
    installation = github.installation(repository.installation_id)
    fake.faults.on("artifacts$", fault)
    with pytest.raises(error) as caught:
        await installation.artifacts("acme", "shop", RUN)
    assert fake.faults.happened == {fault.name: 1}
    if isinstance(caught.value, RateLimitedError):
        assert caught.value.seconds == pytest.approx(3, abs=1.1)
        return  # until then the client does not ask
    assert [one.id for one in await installation.artifacts("acme", "shop", RUN)] == [number]


@pytest.mark.parametrize("fault", [faults.broken(503), faults.cut(), faults.half()], ids=lambda fault: fault.name)
async def test_an_artifacts_contents_fail_too(
    fake: FakeGitHub, github: GitHub, repository: Repository, fault: faults.Fault
) -> None:
    number = fake.add_artifact(repository, RUN, "results", b"PK" * 500)
    installation = github.installation(repository.installation_id)
    fake.faults.on(faults.STORED, fault)
    into = io.BytesIO()
    with pytest.raises(GitHubAwayError):
        await installation.download_artifact("acme", "shop", number, into, 10**6)
    assert len(into.getvalue()) <= 500
    into = io.BytesIO()
    await installation.download_artifact("acme", "shop", number, into, 10**6)
    assert into.getvalue() == b"PK" * 500


async def test_what_was_done_can_lose_its_answer(fake: FakeGitHub, github: GitHub, repository: Repository) -> None:
    fake.faults.on("rerun", faults.cut(after=True))
    with pytest.raises(GitHubAwayError):
        await github.installation(repository.installation_id).rerun_failed_jobs("acme", "shop", RUN)
    assert repository.rerun == [RUN]


def test_a_rate_is_the_same_for_the_same_seed() -> None:
    def drawn(seed: int) -> list[str | None]:
        made = faults.Faults()
        made.at_rate(0.3, faults.anything(), "zip", seed)
        assert made.of("GET", "/other") is None
        return [None if found is None else found.name for found in (made.of("GET", "/zip") for _ in range(400))]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 80 < sum(name is not None for name in drawn(1)) < 160
    assert len(set(drawn(1))) == len(faults.anything()) + 1


async def test_another_process_fills_and_reads_it() -> None:
    with running_github() as remote:
        shop = remote.add_repository("acme/shop", 815)
        remote.add_run(shop, RUN, head_sha="b" * 40)
        number = remote.add_artifact(shop, RUN, "junit", b"PK" * 100)
        remote.add_job(shop, RUN, "unit")
        remote.add_pull(shop, 12, "b" * 40)
        remote.fault("artifacts$", "broken", 503)
        key = AppKey(remote.app_id, remote.private_key)
        github = GitHub(key, remote.url, GitHubMetrics(CollectorRegistry()), utc_now)
        installation = github.installation(4711)
        with pytest.raises(GitHubAwayError):
            await installation.artifacts("acme", "shop", RUN)
        assert [one.id for one in await installation.artifacts("acme", "shop", RUN)] == [number]
        into = io.BytesIO()
        await installation.download_artifact("acme", "shop", number, into, 10**6)
        assert into.getvalue() == b"PK" * 100
        made = {"name": "FlakeGuard", "head_sha": "b" * 40, "status": "completed", "conclusion": "success"}
        await github.aclose()
        with pytest.raises(httpx.HTTPStatusError, match="KeyError"):
            remote.add_run(5, 1)
        assert made
        told = remote.state()
        assert told["faults"] == {"broken 503": 1}
        assert [len(remote.asked_for("artifacts$")), told["repositories"][0]["runs"]] == [2, 1]
