"""Runs, jobs and artifacts; and what a download may cost."""

import io
import zipfile
from datetime import UTC, datetime

import pytest

from flakeguard.github.api import GitHub, Installation
from flakeguard.github.errors import GitHubAwayError, GoneError, RateLimitedError, TooLargeError

from .fake import FakeGitHub, Repository

RUN = 1000


@pytest.fixture
def installation(github: GitHub, repository: Repository) -> Installation:
    return github.installation(repository.installation_id)


def zipped() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("junit.xml", "<testsuite/>" * 10_000)
    return made.getvalue()


async def test_runs_since_a_time_and_one_of_them(fake: FakeGitHub, installation: Installation, repository) -> None:
    fake.add_run(repository, 1, created_at="2026-11-24T10:00:00Z")
    fake.add_run(repository, RUN, pull_requests=[{"number": 12}])
    since = datetime(2026, 11, 25, tzinfo=UTC)
    fake.add_run(repository, RUN + 1, status="in_progress", conclusion=None)
    (page,) = [page async for page in installation.runs("acme", "shop", since)]
    (run,) = page.runs
    assert run == await installation.run("acme", "shop", RUN)
    assert (run.id, run.attempt, run.pr_numbers, run.conclusion, run.head_branch) == (RUN, 1, (12,), "failure", "main")
    assert run.run_started_at == datetime(2026, 11, 25, 10, tzinfo=UTC)


async def test_a_list_that_is_still_the_same_is_not_sent_again(fake, installation: Installation, repository) -> None:
    since = datetime(2026, 11, 25, tzinfo=UTC)
    for number in range(150):
        fake.add_run(repository, RUN + number)
    first, second = [page async for page in installation.runs("acme", "shop", since)]
    assert [len(first.runs), len(second.runs)] == [100, 50]
    etags = [first.etag, second.etag]
    fake.limit(repository.installation_id, 100)
    same = [page async for page in installation.runs("acme", "shop", since, etags)]
    assert [(page.not_modified, page.etag, page.runs) for page in same] == [(True, etag, ()) for etag in etags]
    assert fake.budgets[repository.installation_id].remaining == 100
    fake.add_run(repository, RUN, run_attempt=2)  # on the second page: GitHub lists a rerun where its run was
    unlike = [page async for page in installation.runs("acme", "shop", since, etags)]
    assert [(page.not_modified, len(page.runs)) for page in unlike] == [(True, 0), (False, 50)]
    assert fake.budgets[repository.installation_id].remaining == 99
    fake.add_run(repository, RUN + 150)
    newer = [page async for page in installation.runs("acme", "shop", since, etags)]
    assert [len(page.runs) for page in newer] == [100, 51]


async def test_a_forks_branch_is_not_ours(fake: FakeGitHub, installation: Installation, repository) -> None:
    fake.add_run(repository, RUN, head_repository={"full_name": "mallory/shop"})
    assert (await installation.run("acme", "shop", RUN)).head_branch == "mallory:main"
    fake.add_run(repository, RUN + 1, head_repository=None)
    assert (await installation.run("acme", "shop", RUN + 1)).head_branch == "main"


async def test_jobs_of_an_attempt(fake: FakeGitHub, installation: Installation, repository: Repository) -> None:
    fake.add_job(repository, RUN, "linux", attempt=2, status="in_progress", conclusion=None, completed_at=None)
    (job,) = await installation.jobs("acme", "shop", RUN, 2)
    assert (job.name, job.labels, job.completed_at) == ("linux", ("ubuntu-latest",), None)
    assert await installation.jobs("acme", "shop", RUN, 1) == []


async def test_an_artifact_is_fetched_elsewhere_and_the_token_stays(
    fake: FakeGitHub, installation: Installation, repository: Repository
) -> None:
    content = zipped()
    number = fake.add_artifact(repository, RUN, "results", content)
    (artifact,) = await installation.artifacts("acme", "shop", RUN)
    assert (artifact.id, artifact.name, artifact.size_bytes, artifact.expired) == (
        number,
        "results",
        len(content),
        False,
    )
    into = io.BytesIO()
    await installation.download_artifact("acme", "shop", number, into, len(content))
    assert into.getvalue() == content
    (stored,) = fake.asked_for(rf"GET /{repository.id}/{number}$")
    assert "authorization" not in stored.headers


async def test_more_than_the_limit_is_not_taken(fake: FakeGitHub, installation: Installation, repository) -> None:
    content = zipped()
    number = fake.add_artifact(repository, RUN, "results", content)
    into = io.BytesIO()
    with pytest.raises(TooLargeError, match=str(len(content) - 1)):
        await installation.download_artifact("acme", "shop", number, into, len(content) - 1)
    assert len(into.getvalue()) < len(content)


async def test_half_a_zip_is_no_zip(fake: FakeGitHub, installation: Installation, repository: Repository) -> None:
    number = fake.add_artifact(repository, RUN, "results", zipped())
    fake.fail(rf"GET /{repository.id}/", half=True)
    with pytest.raises(GitHubAwayError) as caught:
        await installation.download_artifact("acme", "shop", number, io.BytesIO(), 10**6)
    assert fake.storage not in str(caught.value)  # addresses of storage are signed
    fake.fail(rf"GET /{repository.id}/", status=503)
    with pytest.raises(GitHubAwayError):
        await installation.download_artifact("acme", "shop", number, io.BytesIO(), 10**6)
    fake.fail(rf"GET /{repository.id}/", status=429, headers={"retry-after": "3"})
    with pytest.raises(RateLimitedError):
        await installation.download_artifact("acme", "shop", number, io.BytesIO(), 10**6)


async def test_an_expired_artifact_is_gone(fake: FakeGitHub, installation: Installation, repository) -> None:
    number = fake.add_artifact(repository, RUN, "results", b"", expired=True)
    with pytest.raises(GoneError):
        await installation.download_artifact("acme", "shop", number, io.BytesIO(), 10**6)


async def test_failed_jobs_run_again(installation: Installation, repository: Repository) -> None:
    await installation.rerun_failed_jobs("acme", "shop", RUN)
    assert repository.rerun == [RUN]
