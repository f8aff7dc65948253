"""What publishing needs, on the wire."""

from typing import Any

import pytest

from flakeguard.github.api import GitHub, RepositoryPoster
from flakeguard.github.errors import GitHubRefusedError
from flakeguard.github.publishing.model import Annotation

from .fake import FakeGitHub, Repository

SHA = "a" * 40
LINES = [Annotation("tests/a.py", line, "failure", f"title {line}", "message") for line in range(1, 121)]


@pytest.fixture
def poster(github: GitHub, repository: Repository) -> RepositoryPoster:
    return RepositoryPoster(github.installation(repository.installation_id), "acme", "shop")


def body(annotations: list[Annotation], **more: Any) -> dict[str, Any]:
    told = {"title": "t", "summary": "s", "annotations": [one.as_json() for one in annotations]}
    return {"status": "completed", "conclusion": "neutral", "output": told, "actions": []} | more


async def test_a_check_run_is_made_found_and_grows(poster: RepositoryPoster, repository: Repository) -> None:
    assert await poster.find_check_run(SHA, "FlakeGuard", "x") is None
    number = await poster.create_check_run(body(LINES[:50], name="FlakeGuard", head_sha=SHA, external_id="x"))
    assert await poster.update_check_run(number, body(LINES[50:100]))
    assert await poster.update_check_run(number, body(LINES[100:], conclusion="success"))
    assert await poster.find_check_run(SHA, "FlakeGuard", "x") == number
    assert await poster.find_check_run(SHA, "FlakeGuard", "another's") is None
    assert await poster.annotations(number) == LINES
    assert repository.check_runs[number]["conclusion"] == "success"


async def test_what_is_gone_is_said_and_no_error(poster: RepositoryPoster) -> None:
    assert not await poster.update_check_run(99, body([]))
    assert not await poster.update_comment(99, "text")
    assert await poster.annotations(99) == []


async def test_our_comment_is_not_one_that_quotes_it(
    fake: FakeGitHub, poster: RepositoryPoster, repository: Repository
) -> None:
    for number in range(120):
        fake.add_comment(repository, 12, f"> <!-- marker --> {number}", app=None if number % 2 else 5)
    assert await poster.find_comment(12, "<!-- marker -->") is None
    made = await poster.create_comment(12, "<!-- marker --> hello")
    assert await poster.find_comment(12, "<!-- marker -->") == made
    assert await poster.find_comment(13, "<!-- marker -->") is None
    assert await poster.update_comment(made, "other")
    assert repository.comments[made]["body"] == "other"


async def test_open_pulls_have_the_commit_as_head(
    fake: FakeGitHub, poster: RepositoryPoster, repository: Repository
) -> None:
    repository.pulls = [
        {"number": 1, "state": "open", "head": {"sha": SHA}},
        {"number": 2, "state": "closed", "head": {"sha": SHA}},
        {"number": 3, "state": "open", "head": {"sha": "b" * 40}},
    ]
    assert await poster.open_pulls(SHA) == [1]
    fake.fail("pulls$", status=422, body={"message": "No commit found for SHA"})
    assert await poster.open_pulls(SHA) == []


async def test_what_github_cannot_take_is_refused(fake: FakeGitHub, poster: RepositoryPoster) -> None:
    with pytest.raises(GitHubRefusedError, match="422"):
        await poster.create_check_run(body(LINES[:51], name="FlakeGuard", head_sha=SHA))
    assert "body.output.annotations" in fake.violations.pop()
