"""A GitHub on loopback: as much of its REST API as FlakeGuard speaks, with faults on demand.

`state` is what it holds, `routes` what it answers, `shapes` GitHub's JSON, `access` whom it lets in, `faults` what goes
wrong. `python -m tests.github` runs it as a process of its own, and `remote` speaks to that.

It checks what GitHub checks: the App's JWT by its public key, installations' tokens, which installation reaches which
repository, at most 50 annotations and 3 buttons. Everything that was asked is in `asked`.
"""

import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from . import access
from .faults import Fault, Faults
from .routes import ROUTES, Answer, Call, Handler, not_found, told
from .sending import failed, response
from .serving import serving
from .state import APP_ID, PERSON_TOKEN, WHEN, Asked, Repository, State
from .truth import truth

__all__ = ["APP_ID", "WHEN", "Asked", "FakeGitHub", "Fault", "Repository", "fake_github"]

METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
LEFT = {"x-ratelimit-remaining": "4987"}


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(template)))


_PATTERNS = {operation: _pattern(operation) for operation in ROUTES}


async def _sign_in(_: Request) -> Response:
    return response(Answer(body={"access_token": PERSON_TOKEN, "token_type": "bearer", "scope": ""}))


_SIGNING_IN = Route("/login/oauth/access_token", _sign_in, methods=["POST"])  # the site's, which no description covers


class FakeGitHub(State):
    """What it holds, and its two servers: the API, and the storage of artifacts, which takes no token."""

    def __init__(self) -> None:
        super().__init__()
        self.faults = Faults()
        self.truth = truth(tuple(ROUTES))
        self.violations: list[str] = []

    def fail(self, pattern: str, times: int | None = 1, **how: Any) -> None:
        """Script a fault by its parts, as in `faults.Fault`."""
        self.faults.on(pattern, Fault(**how), times)

    def app(self, more: Sequence[Route] = ()) -> Starlette:
        return Starlette(routes=[*more, _SIGNING_IN, Route("/{path:path}", self._api, methods=METHODS)])

    def storage_app(self) -> Starlette:
        return Starlette(routes=[Route("/{repository:int}/{artifact:int}", self._storage)])

    async def _api(self, request: Request) -> Response:
        fault = self._noted(request)
        if fault is not None and not (fault.after or fault.answers):
            return await failed(request, fault, None)
        answer = await self._answered(request)
        if fault is not None:
            return await failed(request, fault, answer)
        answer.headers = LEFT | answer.headers
        return response(answer)

    async def _storage(self, request: Request) -> Response:
        fault = self._noted(request)
        if fault is not None and not fault.answers:
            return await failed(request, fault, None)
        content = self.repositories[request.path_params["repository"]].zips[request.path_params["artifact"]]
        answer = Answer(body=content)
        return response(answer) if fault is None else await failed(request, fault, answer)

    def _noted(self, request: Request) -> Fault | None:
        self.asked.append(Asked(request.method, request.url.path, dict(request.query_params), dict(request.headers)))
        return self.faults.of(request.method, request.url.path)

    async def _answered(self, request: Request) -> Answer:
        raw = request.scope["raw_path"].decode()
        content = await request.body()
        for operation, pattern in _PATTERNS.items():
            if found := pattern.fullmatch(f"{request.method} {raw}"):
                path = {name: unquote(value) for name, value in found.groupdict().items()}
                call = Call(
                    self, self.url + raw, path, dict(request.query_params), dict(request.headers), _read(content)
                )  # fmt: skip
                return await self._truly(operation, call, request.url.path)
        return self._fiction([] if self.truth is None else [self.truth.unrouted(request.method, raw)]) or not_found()

    async def _truly(self, operation: str, call: Call, path: str) -> Answer:
        if self.truth is None:
            return await self._let_in(operation, call, path)
        wrong = self.truth.of_request(operation, call.path, call.query, call.body)
        if refused := self._fiction(wrong):
            return refused
        answer = await self._let_in(operation, call, path)
        return self._fiction(self.truth.of_response(operation, answer.status, answer.body)) or answer

    def _fiction(self, wrong: list[str]) -> Answer | None:
        """It is kept for whoever opened the fake, and refused in words and a status that nobody tries again."""
        self.violations += wrong
        return told(422, "; ".join(wrong)) if wrong else None

    async def _let_in(self, operation: str, call: Call, path: str) -> Answer:
        return await self._within_budget(call, access.refused(call, path), ROUTES[operation])

    async def _within_budget(self, call: Call, refused: Answer | None, route: Handler) -> Answer:
        budget = self.budgets.get(call.installation)
        if budget is None:
            return refused or await _of(route, call)
        if refused is None and not budget.spend():
            refused = told(403, "API rate limit exceeded.")
        answer = refused or await _of(route, call)
        budget.remaining += answer.status == 304  # which costs nothing
        answer.headers |= budget.headers()
        return answer


async def _of(route: Handler, call: Call) -> Answer:
    answer = route(call)
    return answer if isinstance(answer, Answer) else await answer


def _read(content: bytes) -> Any:
    try:
        return json.loads(content) if content else None
    except ValueError:
        return content.decode(errors="replace")  # which no schema of GitHub's takes


@asynccontextmanager
async def fake_github(more: Callable[[FakeGitHub], Sequence[Route]] = lambda _: ()) -> AsyncIterator[FakeGitHub]:
    """A GitHub with nothing in it, which answers `more` beside.

    Raises:
        AssertionError: At the end, when a request or an answer was not as GitHub describes it.
    """
    fake = FakeGitHub()
    async with serving(fake.app(more(fake))) as fake.url, serving(fake.storage_app()) as fake.storage:
        yield fake
    if fake.violations:
        raise AssertionError("not as GitHub describes it:\n" + "\n".join(fake.violations))
