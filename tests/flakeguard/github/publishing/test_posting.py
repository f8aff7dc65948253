"""Addresses, pages and bodies of GitHub's REST interface."""

from collections.abc import Mapping
from typing import Any

import pytest

from flakeguard.github.publishing.model import Annotation
from flakeguard.github.publishing.posting import MissingAtGitHubError, RestPoster
from flakeguard.github.publishing.repository import Target

from .commits import SHA

OURS = {"id": 99}
TARGET = Target(70, "acme/shop", 7, 1, SHA)


class Answers:
    """Answers by method and path; lists are paged as GitHub does."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, Any, Any]] = []

    async def call(self, method: str, path: str, *, json: Any = None, params: Any = None) -> Any:
        self.asked.append((f"{method} {path}", json, params))
        answer = self.answers.get(f"{method} {path}")
        if isinstance(answer, list):
            return answer[(params["page"] - 1) * params["per_page"] : params["page"] * params["per_page"]]
        return answer


def poster(**answers: Any) -> tuple[RestPoster, Answers]:
    rest = Answers({path.replace("_at_", " /repos/acme/shop/"): answer for path, answer in answers.items()})
    return RestPoster(rest, TARGET, 99), rest


async def test_our_comment_is_found_on_later_pages_and_nobody_elses_is() -> None:
    quoted = {"id": 1, "body": "> <!-- m -->", "performed_via_github_app": None}
    other = {"id": 2, "body": "<!-- m -->", "performed_via_github_app": {"id": 5}}
    ours = {"id": 3, "body": "<!-- m -->\nhello", "performed_via_github_app": OURS}
    comments = [quoted, other, *([quoted] * 150), ours]
    said, rest = poster(**{"GET_at_issues/12/comments": comments})
    assert await said.find_comment(12, "<!-- m -->") == 3
    assert [params["page"] for _, _, params in rest.asked] == [1, 2]
    assert await said.find_comment(13, "<!-- m -->") is None


async def test_our_check_run_is_found_by_its_external_id() -> None:
    runs = {"total_count": 2, "check_runs": [{"id": 1, "external_id": ""}, {"id": 2, "external_id": "x"}]}
    said, rest = poster(**{f"GET_at_commits/{SHA}/check-runs": runs})
    assert await said.find_check_run(SHA, "FlakeGuard Analysis", "x") == 2
    assert rest.asked[0][2] == {
        "check_name": "FlakeGuard Analysis", "app_id": 99, "filter": "all", "per_page": 100, "page": 1,
    }  # fmt: skip


async def test_what_is_gone_is_told_from_what_is_there() -> None:
    said, rest = poster(**{"PATCH_at_check-runs/1": {"id": 1}, "PATCH_at_issues/comments/5": {"id": 5}})
    assert await said.update_check_run(1, {"status": "completed"})
    assert not await said.update_check_run(2, {"status": "completed"})
    assert await said.update_comment(5, "hello")
    assert rest.asked[-1] == ("PATCH /repos/acme/shop/issues/comments/5", {"body": "hello"}, None)
    assert not await said.update_comment(6, "hello")
    with pytest.raises(MissingAtGitHubError, match="permitted"):
        await said.create_comment(12, "hello")


async def test_annotations_come_back_as_they_were_sent() -> None:
    annotation = Annotation("a/b.py", 3, "warning", "Cannot tell: x", "why")
    said, _ = poster(**{"GET_at_check-runs/1/annotations": [annotation.as_json()]})
    assert await said.annotations(1) == [annotation]


async def test_only_open_pull_requests_with_this_head_count() -> None:
    def pull(number: int, state: str, sha: str) -> dict[str, Any]:
        return {"number": number, "state": state, "head": {"sha": sha}}

    pulls = [pull(1, "open", SHA), pull(2, "closed", SHA), pull(3, "open", "f" * 40)]
    said, _ = poster(**{f"GET_at_commits/{SHA}/pulls": pulls})
    assert await said.open_pulls(SHA) == [1]
