"""A GitHub on loopback: as much of its REST API as FlakeGuard speaks, with failures on demand.

It checks what GitHub checks: the App's JWT by its public key, installations' tokens, which installation reaches which
repository, at most 50 annotations and 3 buttons. Everything that was asked is in `asked`.
"""

import asyncio
import functools
import hashlib
import re
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import jwt
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

APP_ID, ACCOUNT = 29310, 99
WHEN = "2026-11-25T10:00:00Z"


@dataclass(frozen=True)
class Asked:
    """A request that came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]


@dataclass
class Failure:
    """What happens to requests whose `METHOD path` the pattern is found in, as often as `times`."""

    pattern: str
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    delay: float = 0
    half: bool = False
    after: bool = False
    times: int = 1


@dataclass
class Repository:
    """What a repository holds, as GitHub's JSON."""

    id: int
    full_name: str
    installation_id: int
    runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    jobs: dict[tuple[int, int], list[dict[str, Any]]] = field(default_factory=dict)
    artifacts: dict[int, dict[str, Any]] = field(default_factory=dict)
    zips: dict[int, bytes] = field(default_factory=dict)
    check_runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: dict[int, dict[str, Any]] = field(default_factory=dict)
    pulls: list[dict[str, Any]] = field(default_factory=list)
    rerun: list[int] = field(default_factory=list)
    former_names: set[str] = field(default_factory=set)

    def as_json(self) -> dict[str, Any]:
        owner, _, name = self.full_name.partition("/")
        return {
            "id": self.id, "full_name": self.full_name, "name": name, "private": True,
            "owner": {"id": ACCOUNT, "login": owner, "type": "Organization"},
            "default_branch": "main",
        }  # fmt: skip


@dataclass
class Budget:
    """An installation's calls of this hour."""

    remaining: int
    limit: int
    reset: int

    def spend(self) -> bool:
        self.remaining -= 1
        return self.remaining >= 0

    def headers(self) -> dict[str, str]:
        left = max(self.remaining, 0)
        return {
            "x-ratelimit-limit": str(self.limit), "x-ratelimit-remaining": str(left),
            "x-ratelimit-used": str(self.limit - left), "x-ratelimit-reset": str(self.reset),
            "x-ratelimit-resource": "core",
        }  # fmt: skip


@functools.cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


class FakeGitHub:
    """Its state, and its endpoints. Artifacts are kept at `storage`, which is another host and takes no token."""

    def __init__(self) -> None:
        self._key = _key()
        self.private_key = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        self.url = self.storage = ""
        self.installations: set[int] = set()
        self.repositories: dict[int, Repository] = {}
        self.tokens: dict[str, int] = {}
        self.token_lasts = timedelta(hours=1)
        self.budgets: dict[int, Budget] = {}
        self.asked: list[Asked] = []
        self._failures: list[Failure] = []
        self._ids = count(1)

    # What a test says.

    def add_repository(self, full_name: str = "acme/shop", number: int = 815, installation: int = 4711) -> Repository:
        self.installations.add(installation)
        made = self.repositories[number] = Repository(number, full_name, installation)
        return made

    def add_run(self, repository: Repository, run_id: int, **told: Any) -> dict[str, Any]:
        repository.runs[run_id] = {
            "id": run_id, "run_attempt": 1, "run_number": 7, "name": "CI", "head_sha": "a" * 40, "head_branch": "main",
            "event": "push", "status": "completed", "conclusion": "failure", "created_at": WHEN, "updated_at": WHEN,
            "run_started_at": WHEN, "html_url": f"{self.url}/{repository.full_name}/actions/runs/{run_id}",
            "pull_requests": [], "repository": repository.as_json(), "head_repository": repository.as_json(),
        } | told  # fmt: skip
        return repository.runs[run_id]

    def add_job(self, repository: Repository, run_id: int, name: str, attempt: int = 1, **told: Any) -> None:
        repository.jobs.setdefault((run_id, attempt), []).append({
            "id": next(self._ids), "run_id": run_id, "name": name, "labels": ["ubuntu-latest"], "status": "completed",
            "conclusion": "success", "started_at": WHEN, "completed_at": WHEN, "html_url": None,
        } | told)  # fmt: skip

    def add_artifact(self, repository: Repository, run_id: int, name: str, content: bytes, **told: Any) -> int:
        number = next(self._ids)
        repository.artifacts[number] = {
            "id": number, "name": name, "size_in_bytes": len(content), "expired": False, "created_at": WHEN,
            "workflow_run": {"id": run_id},
        } | told  # fmt: skip
        repository.zips[number] = content
        return number

    def fail(self, pattern: str, **how: Any) -> None:
        """Script a failure: `status`, `headers`, `body`, `delay` seconds, `half` a body, `after` doing it, `times`."""
        self._failures.append(Failure(pattern, **how))

    def limit(self, installation: int, remaining: int, *, limit: int = 5000, seconds: int = 1800) -> None:
        """From now on the installation has so many calls left, until then."""
        self.budgets[installation] = Budget(remaining, limit, int(time.time()) + seconds)

    def asked_for(self, pattern: str) -> list[Asked]:
        return [one for one in self.asked if re.search(pattern, f"{one.method} {one.path}")]

    # What it answers.

    def app(self) -> Starlette:
        repo = "/repos/{owner}/{repo}"
        routes: list[tuple[str, str, Callable[..., Any]]] = [
            ("POST", "/app/installations/{installation:int}/access_tokens", self._token),
            ("GET", "/installation/repositories", self._reached),
            ("GET", f"{repo}/actions/runs", self._runs),
            ("GET", f"{repo}/actions/runs/{{run:int}}", self._run),
            ("GET", f"{repo}/actions/runs/{{run:int}}/attempts/{{attempt:int}}", self._run),
            ("GET", f"{repo}/actions/runs/{{run:int}}/artifacts", self._artifacts),
            ("GET", f"{repo}/actions/runs/{{run:int}}/attempts/{{attempt:int}}/jobs", self._jobs),
            ("POST", f"{repo}/actions/runs/{{run:int}}/rerun-failed-jobs", self._rerun),
            ("GET", f"{repo}/actions/artifacts/{{artifact:int}}/zip", self._zip),
            ("POST", f"{repo}/check-runs", self._make_check_run),
            ("PATCH", f"{repo}/check-runs/{{number:int}}", self._change_check_run),
            ("GET", f"{repo}/check-runs/{{number:int}}/annotations", self._annotations),
            ("GET", f"{repo}/commits/{{sha}}/check-runs", self._check_runs),
            ("GET", f"{repo}/commits/{{sha}}/pulls", self._pulls),
            ("GET", f"{repo}/issues/{{number:int}}/comments", self._comments),
            ("POST", f"{repo}/issues/{{number:int}}/comments", self._make_comment),
            ("PATCH", f"{repo}/issues/comments/{{number:int}}", self._change_comment),
        ]
        signing_in: list[tuple[str, str, Callable[..., Any]]] = [
            ("POST", "/login/oauth/access_token", self._person_token),
            ("GET", "/user", self._person),
            ("GET", "/user/installations", self._person_installations),
            ("GET", "/user/memberships/orgs/{org}", self._membership),
        ]
        return Starlette(
            routes=[Route(path, self._guarded(answer), methods=[method]) for method, path, answer in routes]
            + [
                Route(path, self._guarded(answer, checked=False), methods=[method])
                for method, path, answer in signing_in
            ]
        )

    def storage_app(self) -> Starlette:
        async def stored(request: Request) -> Response:
            content = self.repositories[request.path_params["repository"]].zips[request.path_params["artifact"]]
            return Response(content, media_type="application/zip")

        return Starlette(routes=[Route("/{repository:int}/{artifact:int}", self._guarded(stored, checked=False))])

    def _guarded(self, answer: Callable[..., Any], *, checked: bool = True) -> Callable[..., Any]:
        async def guarded(request: Request) -> Response:
            self.asked.append(
                Asked(request.method, request.url.path, dict(request.query_params), dict(request.headers))
            )
            failure = self._failure(request)
            if failure is not None and not failure.after:
                return await _failed(failure, None)
            refused = self._refused(request) if checked else None
            budget = self._budget(request)
            refused = refused or (_told(403, "API rate limit exceeded.") if budget and not budget.spend() else None)
            done = refused or await answer(request)
            if budget is not None:
                budget.remaining += done.status_code == 304
                done.headers.update(budget.headers())
            if failure is not None:
                done = await _failed(failure, done)
            done.headers.setdefault("x-ratelimit-remaining", "4987")
            return done

        return guarded

    def _failure(self, request: Request) -> Failure | None:
        for failure in self._failures:
            if failure.times and re.search(failure.pattern, f"{request.method} {request.url.path}"):
                failure.times -= 1
                return failure
        return None

    def _budget(self, request: Request) -> Budget | None:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        return self.budgets.get(self.tokens.get(token, 0))

    def _refused(self, request: Request) -> Response | None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or request.headers.get("x-github-api-version") != "2022-11-28":
            return _told(401, "Requires authentication")
        if request.url.path.startswith("/app/"):
            return self._refused_app(token)
        if token not in self.tokens:
            return _told(401, "Bad credentials")
        if "owner" not in request.path_params:
            return None
        full_name = "{owner}/{repo}".format_map(request.path_params)
        for one in self.repositories.values():
            if one.installation_id == self.tokens[token] and full_name == one.full_name:
                request.state.repository = one
                return None
            if full_name in one.former_names:
                moved = request.url.path.replace(full_name, one.full_name, 1)
                return JSONResponse({"message": "Moved Permanently"}, 301, {"location": self.url + moved})
        return _told(404, "Not Found")

    def _refused_app(self, token: str) -> Response | None:
        try:
            claims = jwt.decode(token, self._key.public_key(), ["RS256"], options={"verify_iat": False})
        except jwt.InvalidTokenError:
            return _told(401, "A JSON web token could not be decoded")
        if claims["iss"] != str(APP_ID) or claims["exp"] - claims["iat"] > 660:
            return _told(401, "'Expiration time' claim ('exp') is too far in the future")
        return None

    async def _token(self, request: Request) -> Response:
        if request.path_params["installation"] not in self.installations:
            return _told(404, "Not Found")
        token = f"ghs_{next(self._ids)}secret"
        self.tokens[token] = request.path_params["installation"]
        expires = (datetime.now(UTC) + self.token_lasts).strftime("%Y-%m-%dT%H:%M:%SZ")
        return JSONResponse({"token": token, "expires_at": expires}, 201)

    # Somebody signs in who administers every account that has installed the App.

    async def _person_token(self, _request: Request) -> Response:
        return JSONResponse({"access_token": "ghu_person", "token_type": "bearer", "scope": ""})

    async def _person(self, _request: Request) -> Response:
        return JSONResponse({"id": 7, "login": "ada", "type": "User"})

    async def _person_installations(self, request: Request) -> Response:
        told = [self.installation_json(one.installation_id) for one in self.repositories.values()]
        return self._page(request, list({one["id"]: one for one in told}.values()), "installations")

    async def _membership(self, request: Request) -> Response:
        login = request.path_params["org"]
        return JSONResponse({"state": "active", "role": "admin", "organization": {"login": login, "id": ACCOUNT}})

    def installation_json(self, installation: int) -> dict[str, Any]:
        """As events and lists tell of it."""
        logins = {
            one.full_name.partition("/")[0] for one in self.repositories.values() if one.installation_id == installation
        }
        account = {"id": ACCOUNT, "login": min(logins), "type": "Organization"}
        return {"id": installation, "account": account, "target_type": "Organization"}

    async def _reached(self, request: Request) -> Response:
        installation = self.tokens[request.headers["authorization"].removeprefix("Bearer ")]
        reached = [one.as_json() for one in self.repositories.values() if one.installation_id == installation]
        return self._page(request, reached, "repositories")

    async def _runs(self, request: Request) -> Response:
        since = request.query_params.get("created", "").removeprefix(">=")
        status = request.query_params.get("status")
        runs = [
            run for run in request.state.repository.runs.values()
            if run["created_at"] >= since and status in (None, run["status"], run["conclusion"])
        ]  # fmt: skip
        page = self._page(request, sorted(runs, key=lambda run: -run["id"]), "workflow_runs")
        etag = page.headers["etag"] = f'W/"{hashlib.sha256(bytes(page.body)).hexdigest()}"'
        unchanged = request.headers.get("if-none-match") == etag
        return Response(status_code=304, headers={"etag": etag}) if unchanged else page

    async def _run(self, request: Request) -> Response:
        run = request.state.repository.runs.get(request.path_params["run"])
        return _told(404, "Not Found") if run is None else JSONResponse(run)

    async def _artifacts(self, request: Request) -> Response:
        run = request.path_params["run"]
        held = [one for one in request.state.repository.artifacts.values() if one["workflow_run"]["id"] == run]
        return self._page(request, held, "artifacts")

    async def _jobs(self, request: Request) -> Response:
        key = request.path_params["run"], request.path_params["attempt"]
        return self._page(request, request.state.repository.jobs.get(key, []), "jobs")

    async def _rerun(self, request: Request) -> Response:
        request.state.repository.rerun.append(request.path_params["run"])
        return JSONResponse({}, 201)

    async def _zip(self, request: Request) -> Response:
        repository, number = request.state.repository, request.path_params["artifact"]
        artifact = repository.artifacts.get(number)
        if artifact is None:
            return _told(404, "Not Found")
        if artifact["expired"]:
            return _told(410, "Artifact has expired")
        return Response(status_code=302, headers={"location": f"{self.storage}/{repository.id}/{number}"})

    async def _make_check_run(self, request: Request) -> Response:
        body, number = await request.json(), next(self._ids)
        if refused := _too_much(body):
            return refused
        request.state.repository.check_runs[number] = {"id": number, "app": {"id": APP_ID}, "annotations": []}
        return self._put_check_run(request, number, body, 201)

    async def _change_check_run(self, request: Request) -> Response:
        body, number = await request.json(), request.path_params["number"]
        if number not in request.state.repository.check_runs:
            return _told(404, "Not Found")
        return _too_much(body) or self._put_check_run(request, number, body, 200)

    def _put_check_run(self, request: Request, number: int, body: dict[str, Any], status: int) -> Response:
        run = request.state.repository.check_runs[number]
        run["annotations"] += body.get("output", {}).pop("annotations", [])
        run |= body
        return JSONResponse({name: value for name, value in run.items() if name != "annotations"}, status)

    async def _annotations(self, request: Request) -> Response:
        run = request.state.repository.check_runs.get(request.path_params["number"])
        return _told(404, "Not Found") if run is None else self._page(request, run["annotations"], None)

    async def _check_runs(self, request: Request) -> Response:
        wanted = request.path_params["sha"], request.query_params.get("check_name")
        runs = request.state.repository.check_runs.values()
        return self._page(request, [run for run in runs if (run["head_sha"], run["name"]) == wanted], "check_runs")

    async def _pulls(self, request: Request) -> Response:
        return self._page(request, request.state.repository.pulls, None)

    async def _comments(self, request: Request) -> Response:
        number = request.path_params["number"]
        said = [one for one in request.state.repository.comments.values() if one["issue"] == number]
        return self._page(request, said, None)

    async def _make_comment(self, request: Request) -> Response:
        made = self.add_comment(request.state.repository, request.path_params["number"], (await request.json())["body"])
        return JSONResponse(made, 201)

    def add_comment(self, repository: Repository, issue: int, body: str, app: int | None = APP_ID) -> dict[str, Any]:
        number = next(self._ids)
        by = None if app is None else {"id": app}
        made = repository.comments[number] = {
            "id": number, "issue": issue, "body": body, "performed_via_github_app": by,
        }  # fmt: skip
        return made

    async def _change_comment(self, request: Request) -> Response:
        comment = request.state.repository.comments.get(request.path_params["number"])
        if comment is None:
            return _told(404, "Not Found")
        comment["body"] = (await request.json())["body"]
        return JSONResponse(comment)

    def _page(self, request: Request, entries: list[Any], key: str | None) -> Response:
        size, page = int(request.query_params.get("per_page", 30)), int(request.query_params.get("page", 1))
        assert size <= 100
        shown = entries[(page - 1) * size : page * size]
        answer = JSONResponse(shown if key is None else {"total_count": len(entries), key: shown})
        if page * size < len(entries):
            answer.headers["link"] = f'<{request.url.include_query_params(page=page + 1)}>; rel="next"'
        return answer


def _told(status: int, message: str) -> Response:
    return JSONResponse({"message": message, "documentation_url": "https://docs.github.com/rest"}, status)


def _too_much(body: dict[str, Any]) -> Response | None:
    if len(body.get("output", {}).get("annotations", [])) > 50 or len(body.get("actions", [])) > 3:
        return _told(422, "Invalid request.")
    return None


async def _failed(failure: Failure, done: Response | None) -> Response:
    if failure.delay:
        await asyncio.sleep(failure.delay)
    if failure.half:
        return StreamingResponse(_half(), headers={"content-length": "1000"})
    if isinstance(failure.body, str):
        return Response(failure.body, failure.status, failure.headers)
    return JSONResponse(failure.body or {"message": "scripted"}, failure.status, failure.headers)


async def _half() -> AsyncIterator[bytes]:
    yield b"PK" * 200
    raise ConnectionAbortedError("scripted")


@asynccontextmanager
async def serving(app: Starlette) -> AsyncIterator[str]:
    """Its address, while the block lasts."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", ws="none"))
        task = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
            await asyncio.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            await task


@asynccontextmanager
async def fake_github() -> AsyncIterator[FakeGitHub]:
    """A GitHub with nothing in it."""
    fake = FakeGitHub()
    async with serving(fake.app()) as fake.url, serving(fake.storage_app()) as fake.storage:
        yield fake
