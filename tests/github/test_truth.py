"""The fake is held to GitHub's description: what is asked or answered otherwise fails the test that caused it."""

from typing import Any

import httpx
import pytest

from flakeguard.github.api import GitHub
from flakeguard.github.api.tokens import AppKey
from flakeguard.github.errors import GitHubRefusedError, GoneError
from fluxbase.resources import utc_now

from . import routes, shapes
from .description import schema
from .fake import APP_ID, FakeGitHub, Repository, fake_github
from .npm import NoPackageError
from .routes import ROUTES, Answer
from .state import PERSON_TOKEN
from .truth import Truth

RUN = "GET /repos/{owner}/{repo}/actions/runs/{run_id}"
CHECK_RUNS = "POST /repos/{owner}/{repo}/check-runs"
PLACE = {"owner": "acme", "repo": "shop"}
WHOLE = {"name": "FlakeGuard", "head_sha": "a" * 40, "status": "completed", "conclusion": "success"}


@pytest.fixture(scope="module")
def truth() -> Truth:
    try:
        return Truth(tuple(ROUTES))
    except NoPackageError as error:
        pytest.skip(f"nothing holds the fake GitHub to the truth: {error}")


@pytest.fixture(autouse=True)
def described(truth: Truth) -> None:
    """Every test here needs the description."""


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (WHOLE | {"annotations": []}, "body: Unevaluated properties are not allowed ('annotations'"),
        (WHOLE | {"conclusion": "flaky"}, "body"),
        (WHOLE | {"output": {"title": "t"}}, '"summary" is a required property'),
        (WHOLE | {"output": {"title": "t", "summary": "s", "sumary": ""}}, "body.output"),
        (WHOLE | {"actions": [{"label": "x" * 21, "description": "d", "identifier": "i"}]}, "body.actions[0].label"),
        ({"head_sha": "a" * 40}, '"name" is a required property'),
        ([], "body"),
        ("no JSON", "body"),
        (None, "body: it is required"),
    ],
    ids=["key", "enum", "missing", "nested", "length", "required", "array", "text", "none"],
)
def test_a_wrong_request_body_is_named(truth: Truth, body: Any, says: str) -> None:
    assert truth.of_request(CHECK_RUNS, PLACE, {}, WHOLE) == []
    found = "\n".join(truth.of_request(CHECK_RUNS, PLACE, {}, body))
    assert found.startswith(f"{CHECK_RUNS}: body")
    assert says in found


def test_wrong_parameters_are_named(truth: Truth) -> None:
    at = PLACE | {"run_id": "7"}
    assert truth.of_request(RUN, at, {"exclude_pull_requests": "true"}, None) == []
    assert "query parameter attempt: GitHub has no" in truth.of_request(RUN, at, {"attempt": "1"}, None)[0]
    assert "path parameter run_id" in truth.of_request(RUN, PLACE | {"run_id": "last"}, {}, None)[0]
    assert "query parameter exclude_pull" in truth.of_request(RUN, at, {"exclude_pull_requests": "x"}, None)[0]
    assert "parameter run_id: it is required" in truth.of_request(RUN, PLACE, {}, None)[0]
    assert truth.of_request(RUN, at, {}, {"a": 1}) == [f"{RUN}: body: GitHub takes none"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"id": "7"}, ".id"), ({"run_started_at": "yesterday"}, ".run_started_at"), ({"made_up": 1}, "'made_up'"),
        ({"repository": {"full_name": "acme/shop"}}, ".repository"), ({"head_sha": None}, ".head_sha"),
    ],
)  # fmt: skip
def test_a_wrong_answer_is_named(truth: Truth, change: dict[str, Any], place: str) -> None:
    told = {"id": 7, "head_sha": "a" * 40, "pull_requests": [{"number": 5}], "head_repository": None}
    facts = {"run_number": 1, "event": "push", "status": None, "conclusion": None, "head_branch": None}
    times = {"created_at": "2026-11-25T10:00:00Z", "updated_at": "2026-11-25T10:00:00Z"}
    good = shapes.run("https://github.com", Repository(1, "acme/shop", 1), told | facts | times)
    assert truth.of_response(RUN, 200, good) == []
    found = "\n".join(truth.of_response(RUN, 200, good | change))
    assert found.startswith(f"{RUN}: response 200")
    assert place in found


def test_an_unknown_status_is_named(truth: Truth) -> None:
    assert truth.of_response(RUN, 202, {}) == [f"{RUN}: response 202: GitHub answers 200"]
    assert truth.of_response(RUN, 404, routes.not_found().body) == []
    assert "response 404" in truth.of_response(RUN, 404, {"error": "x"})[0]
    assert truth.of_response(RUN, 304, {}) == [f"{RUN}: response 304: GitHub sends no body"]


def test_nulls_of_openapi_are_nulls() -> None:
    assert schema({"type": "string", "nullable": True}) == {"type": ["string", "null"]}
    of = {"nullable": True, "allOf": [{"$ref": "#/components/schemas/x"}]}
    assert schema(of) == {"anyOf": [{"allOf": [{"$ref": "#/components/schemas/x"}]}, {"type": "null"}]}
    assert {"type": "null"} in schema({"type": "string", "nullable": True, "enum": ["a"]})["anyOf"]


async def test_a_test_fails_that_asks_what_github_does_not_know() -> None:
    with pytest.raises(AssertionError, match="GET /repos/acme/shop/flakes: GitHub has no such operation"):
        async with fake_github() as fake, httpx.AsyncClient(base_url=fake.url) as client:
            assert (await client.get("/repos/acme/shop/flakes")).status_code == 422
    with pytest.raises(AssertionError, match="GET /repos/acme/shop/topics: the fake has no route for it"):
        async with fake_github() as fake, httpx.AsyncClient(base_url=fake.url) as client:
            await client.get("/repos/acme/shop/topics")


async def test_what_the_client_does_not_ask_yet_is_true_too(fake: FakeGitHub, repository: Repository) -> None:
    fake.add_delivery("guid-1")
    headers = {"Authorization": f"Bearer {PERSON_TOKEN}", "X-GitHub-Api-Version": "2022-11-28"}
    of_app = headers | {"Authorization": f"Bearer {AppKey(APP_ID, fake.private_key).jwt(utc_now())}"}
    async with httpx.AsyncClient(base_url=fake.url) as client:
        for path in ("/user", "/user/installations", "/user/memberships/orgs/acme"):
            assert (await client.get(path, headers=headers)).status_code == 200, path
            assert (await client.get(path, headers=of_app)).status_code == 401, path
        for path in ("/app", "/app/installations", "/app/hook/deliveries"):
            assert (await client.get(path, headers=of_app)).status_code == 200, path
        assert (await client.post("/app/hook/deliveries/1/attempts", headers=of_app)).status_code == 202


async def test_a_test_fails_whose_client_or_fake_is_wrong(
    fake: FakeGitHub, github: GitHub, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = github.installation(repository.installation_id)
    with pytest.raises(GitHubRefusedError, match="Unevaluated properties"):
        await installation.call(CHECK_RUNS, PLACE, body=WHOLE | {"heading": "x"})
    assert repository.check_runs == {}
    fake.add_run(repository, 7, attempt="first")
    with pytest.raises(GitHubRefusedError, match="response 200"):
        await installation.run("acme", "shop", 7)
    monkeypatch.setitem(ROUTES, RUN, lambda call: Answer(206))  # type: ignore[arg-type]
    with pytest.raises(GitHubRefusedError, match="GitHub answers 200"):
        await installation.run("acme", "shop", 7)
    assert [one.split(": ")[:2] for one in fake.violations] == [
        [CHECK_RUNS, "body"], [RUN, "response 200"], [RUN, "response 206"],
    ]  # fmt: skip
    fake.violations.clear()
    with pytest.raises(GoneError):
        await installation.run("acme", "other", 7)
