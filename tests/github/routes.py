"""The operations that FlakeGuard asks, by GitHub's own names of their paths, and how the fake answers each."""

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from . import shapes
from .state import APP_ID, Repository, State

_REPO = "/repos/{owner}/{repo}"


@dataclass
class Call:
    """A request that was let in; `repository` is the one that its path names."""

    state: State
    url: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    installation: int = 0
    repo: Repository | None = None

    @property
    def repository(self) -> Repository:
        assert self.repo is not None
        return self.repo

    def number(self, name: str) -> int:
        return int(self.path[name])


@dataclass
class Answer:
    """What is sent; `body` is what becomes JSON, None for none."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def told(status: int, message: str) -> Answer:
    return Answer(status, {"message": message, "documentation_url": "https://docs.github.com/rest"})


def not_found() -> Answer:
    return told(404, "Not Found")


def make_token(call: Call) -> Answer:
    installation = call.number("installation_id")
    if installation not in call.state.installations:
        return not_found()
    token = f"ghs_{call.state.next_id()}secret"
    call.state.tokens[token] = installation
    expires = datetime.now(UTC) + call.state.token_lasts
    return Answer(201, shapes.token(token, expires))


def installations(call: Call) -> Answer:
    return _page(call, [shapes.installation(call.state, number) for number in sorted(call.state.installations)], None)


def app(call: Call) -> Answer:
    counted = {"installations_count": len(call.state.installations), "client_id": "Iv1.client"}
    return Answer(body=shapes.app(call.state.url, APP_ID) | counted)


def deliveries(call: Call) -> Answer:
    size, cursor = int(call.query.get("per_page", 30)), call.query.get("cursor")
    failures = call.query.get("status") == "failure"
    held = [
        one for one in reversed(call.state.deliveries)
        if (cursor is None or one["id"] < int(cursor)) and not (failures and one["status_code"] < 400)
    ]  # fmt: skip
    answer = Answer(body=held[:size])
    if len(held) > size:
        _link_next(call, answer, cursor=held[size - 1]["id"])
    return answer


async def redeliver(call: Call) -> Answer:
    found = next((one for one in call.state.deliveries if one["id"] == call.number("delivery_id")), None)
    if found is None:
        return not_found()
    status = 502 if call.state.hand_over is None else await call.state.hand_over(found)
    call.state.add_delivery(found["guid"], found["event"], status, redelivery=True)
    return Answer(202, {})


def reached(call: Call) -> Answer:
    held = [one for one in call.state.repositories.values() if one.installation_id == call.installation]
    return _page(call, [shapes.repository(call.state.url, one) for one in held], "repositories")


def person(call: Call) -> Answer:
    return Answer(body=shapes.person(call.state.url))


def persons_installations(call: Call) -> Answer:
    held = sorted(call.state.installations)
    return _page(call, [shapes.installation(call.state, number) for number in held], "installations")


def membership(call: Call) -> Answer:
    return Answer(body=shapes.membership(call.state.url, call.path["org"]))


def runs(call: Call) -> Answer:
    since = call.query.get("created", "").removeprefix(">=")
    status = call.query.get("status")
    found = [
        shapes.run(call.state.url, call.repository, run) for run in call.repository.runs.values()
        if run["created_at"] >= since and status in (None, run["status"], run["conclusion"])
    ]  # fmt: skip
    return _unless_unchanged(call, _page(call, sorted(found, key=lambda run: -run["id"]), "workflow_runs"))


def run(call: Call) -> Answer:
    found = call.repository.runs.get(call.number("run_id"))
    return not_found() if found is None else Answer(body=shapes.run(call.state.url, call.repository, found))


def attempt(call: Call) -> Answer:
    number, attempt = call.number("run_id"), call.number("attempt_number")
    latest = call.repository.runs.get(number)
    if latest is None or attempt > latest["run_attempt"]:
        return not_found()
    told = latest | {"run_attempt": attempt} | call.repository.earlier.get((number, attempt), {})
    return Answer(body=shapes.run(call.state.url, call.repository, told))


def artifacts(call: Call) -> Answer:
    of = call.number("run_id")
    held = [one for one in call.repository.artifacts.values() if one["workflow_run"]["id"] == of]
    return _page(call, [shapes.artifact(call.state.url, call.repository, one) for one in held], "artifacts")


def jobs(call: Call) -> Answer:
    attempt = call.number("attempt_number")
    held = call.repository.jobs.get((call.number("run_id"), attempt), [])
    return _page(call, [shapes.job(call.state.url, call.repository, one, attempt) for one in held], "jobs")


def rerun(call: Call) -> Answer:
    call.repository.rerun.append(call.number("run_id"))
    return Answer(201, {})


def permission(call: Call) -> Answer:
    held = call.repository.permissions.get(call.path["username"])
    return not_found() if held is None else Answer(body={"permission": held, "role_name": held, "user": None})


def archive(call: Call) -> Answer:
    number = call.number("artifact_id")
    artifact = call.repository.artifacts.get(number)
    if artifact is None:
        return not_found()
    if artifact["expired"]:
        return told(410, "Artifact has expired")
    return Answer(302, headers={"location": f"{call.state.storage}/{call.repository.id}/{number}"})


def make_check_run(call: Call) -> Answer:
    number = call.state.next_id()
    if refused := _too_much(call.body):
        return refused
    call.repository.check_runs[number] = {"id": number, "app": {"id": APP_ID}, "annotations": []}
    return _put_check_run(call, number, 201)


def change_check_run(call: Call) -> Answer:
    number = call.number("check_run_id")
    if number not in call.repository.check_runs:
        return not_found()
    return _too_much(call.body) or _put_check_run(call, number, 200)


def _too_much(body: dict[str, Any]) -> Answer | None:
    if len(body.get("output", {}).get("annotations", [])) > 50 or len(body.get("actions", [])) > 3:
        return told(422, "Invalid request.")
    return None


def _put_check_run(call: Call, number: int, status: int) -> Answer:
    held = call.repository.check_runs[number]
    held["annotations"] += call.body.get("output", {}).pop("annotations", [])
    held |= call.body
    return Answer(status, shapes.check_run(call.state.url, call.repository, held))


def annotations(call: Call) -> Answer:
    held = call.repository.check_runs.get(call.number("check_run_id"))
    return not_found() if held is None else _page(call, [shapes.annotation(one) for one in held["annotations"]], None)


def check_runs(call: Call) -> Answer:
    wanted = call.path["ref"], call.query.get("check_name")
    held = [one for one in call.repository.check_runs.values() if (one["head_sha"], one["name"]) == wanted]
    return _page(call, [shapes.check_run(call.state.url, call.repository, one) for one in held], "check_runs")


def pulls(call: Call) -> Answer:
    return _page(call, [shapes.pull(call.state.url, call.repository, one) for one in call.repository.pulls], None)


def issues(call: Call) -> Answer:
    state, labels = call.query.get("state", "open"), set(filter(None, call.query.get("labels", "").split(",")))
    held = [
        one for one in reversed(call.repository.issues.values())
        if state in ("all", one["state"]) and labels <= set(one["labels"])
    ]  # fmt: skip
    return _page(call, [shapes.issue(call.state.url, call.repository, one) for one in held], None)


def open_issue(call: Call) -> Answer:
    if not call.repository.has_issues:
        return told(410, "Issues has been disabled in this repository.")
    made = call.state.add_issue(call.repository, **call.body)
    return Answer(201, shapes.issue(call.state.url, call.repository, made))


def comments(call: Call) -> Answer:
    of = call.number("issue_number")
    said = [one for one in call.repository.comments.values() if one["issue"] == of]
    return _page(call, [shapes.comment(call.state.url, call.repository, one) for one in said], None)


def make_comment(call: Call) -> Answer:
    made = call.state.add_comment(call.repository, call.number("issue_number"), call.body["body"])
    return Answer(201, shapes.comment(call.state.url, call.repository, made))


def change_comment(call: Call) -> Answer:
    held = call.repository.comments.get(call.number("comment_id"))
    if held is None:
        return not_found()
    held["body"] = call.body["body"]
    return Answer(body=shapes.comment(call.state.url, call.repository, held))


def _page(call: Call, entries: Sequence[Any], key: str | None) -> Answer:
    size, page = int(call.query.get("per_page", 30)), int(call.query.get("page", 1))
    shown = entries[(page - 1) * size : page * size]
    answer = Answer(body=shown if key is None else {"total_count": len(entries), key: shown})
    if page * size < len(entries):
        _link_next(call, answer, page=page + 1)
    return answer


def _link_next(call: Call, answer: Answer, **more: int) -> None:
    answer.headers["link"] = f'<{call.url}?{urlencode({**call.query, **more})}>; rel="next"'


def _unless_unchanged(call: Call, page: Answer) -> Answer:
    etag = page.headers["etag"] = f'W/"{hashlib.sha256(json.dumps(page.body).encode()).hexdigest()}"'
    return Answer(304, headers={"etag": etag}) if call.headers.get("if-none-match") == etag else page


type Handler = Callable[[Call], Answer | Awaitable[Answer]]

ROUTES: Mapping[str, Handler] = {
    "GET /app": app,
    "GET /app/installations": installations,
    "POST /app/installations/{installation_id}/access_tokens": make_token,
    "GET /app/hook/deliveries": deliveries,
    "POST /app/hook/deliveries/{delivery_id}/attempts": redeliver,
    "GET /installation/repositories": reached,
    "GET /user": person,
    "GET /user/installations": persons_installations,
    "GET /user/memberships/orgs/{org}": membership,
    f"GET {_REPO}/actions/runs": runs,
    f"GET {_REPO}/actions/runs/{{run_id}}": run,
    f"GET {_REPO}/actions/runs/{{run_id}}/attempts/{{attempt_number}}": attempt,
    f"GET {_REPO}/actions/runs/{{run_id}}/artifacts": artifacts,
    f"GET {_REPO}/actions/runs/{{run_id}}/attempts/{{attempt_number}}/jobs": jobs,
    f"POST {_REPO}/actions/runs/{{run_id}}/rerun-failed-jobs": rerun,
    f"GET {_REPO}/actions/artifacts/{{artifact_id}}/{{archive_format}}": archive,
    f"GET {_REPO}/collaborators/{{username}}/permission": permission,
    f"POST {_REPO}/check-runs": make_check_run,
    f"PATCH {_REPO}/check-runs/{{check_run_id}}": change_check_run,
    f"GET {_REPO}/check-runs/{{check_run_id}}/annotations": annotations,
    f"GET {_REPO}/commits/{{ref}}/check-runs": check_runs,
    f"GET {_REPO}/commits/{{commit_sha}}/pulls": pulls,
    f"GET {_REPO}/issues": issues,
    f"POST {_REPO}/issues": open_issue,
    f"GET {_REPO}/issues/{{issue_number}}/comments": comments,
    f"POST {_REPO}/issues/{{issue_number}}/comments": make_comment,
    f"PATCH {_REPO}/issues/comments/{{comment_id}}": change_comment,
}
