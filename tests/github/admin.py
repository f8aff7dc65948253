"""The fake GitHub filled and read by other processes: `POST /_fake/{what}` does, `GET /_fake/state` tells.

The bodies are the arguments of the methods of `FakeGitHub` and `Faults`, with a repository by its number and an
artifact's content in base64. `remote.RemoteGitHub` is the client.
"""

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import faults
from .fake import FakeGitHub

type Args = dict[str, Any]


def _add_repository(fake: FakeGitHub, args: Args) -> Any:
    return fake.add_repository(**args).id


def _add_run(fake: FakeGitHub, args: Args) -> Any:
    return fake.add_run(fake.repositories[args.pop("repository")], **args)["id"]


def _add_job(fake: FakeGitHub, args: Args) -> Any:
    fake.add_job(fake.repositories[args.pop("repository")], **args)


def _add_artifact(fake: FakeGitHub, args: Args) -> Any:
    content = base64.b64decode(args.pop("content"))
    return fake.add_artifact(fake.repositories[args.pop("repository")], content=content, **args)


def _add_pull(fake: FakeGitHub, args: Args) -> Any:
    fake.add_pull(fake.repositories[args.pop("repository")], **args)


def _fault(fake: FakeGitHub, args: Args) -> Any:
    made = faults.NAMED[args.pop("fault")](*args.pop("args", ()))
    fake.faults.on(args.pop("pattern"), made, **args)


def _faults_at_rate(fake: FakeGitHub, args: Args) -> Any:
    named = args.pop("choices", None)
    choices = faults.anything() if named is None else [faults.NAMED[name]() for name in named]
    fake.faults.at_rate(args.pop("rate"), choices, **args)


def _clear_faults(fake: FakeGitHub, args: Args) -> Any:
    fake.faults.clear()


_DOES: Mapping[str, Callable[[FakeGitHub, Args], Any]] = {
    "add_repository": _add_repository,
    "add_run": _add_run,
    "add_job": _add_job,
    "add_artifact": _add_artifact,
    "add_pull": _add_pull,
    "fault": _fault,
    "faults_at_rate": _faults_at_rate,
    "clear_faults": _clear_faults,
}


def _state(fake: FakeGitHub) -> Args:
    return {
        "asked": len(fake.asked),
        "faults": dict(fake.faults.happened),
        "violations": fake.violations,
        "repositories": [
            {
                "id": one.id, "full_name": one.full_name, "installation_id": one.installation_id,
                "check_runs": list(one.check_runs.values()), "comments": list(one.comments.values()),
                "rerun": one.rerun, "runs": len(one.runs), "artifacts": len(one.artifacts),
            }
            for one in fake.repositories.values()
        ],
    }  # fmt: skip


def routes(fake: FakeGitHub) -> list[Route]:
    async def do(request: Request) -> Response:
        try:
            args = json.loads(await request.body() or b"{}")
            return JSONResponse(_DOES[request.path_params["what"]](fake, args))
        except (KeyError, TypeError, ValueError) as error:
            return JSONResponse(f"{type(error).__name__}: {error}", 400)

    async def state(_: Request) -> Response:
        return JSONResponse(_state(fake))

    async def asked(request: Request) -> Response:
        found = fake.asked_for(request.query_params.get("pattern", ""))
        return JSONResponse([[one.method, one.path, one.query] for one in found])

    return [
        Route("/_fake/state", state), Route("/_fake/asked", asked), Route("/_fake/{what}", do, methods=["POST"]),
    ]  # fmt: skip
