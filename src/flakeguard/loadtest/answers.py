"""What GitHub answers in a load test, by GitHub's own names of its operations. Pure, but for the clock of tokens.

`answers.json` has a whole answer of each kind, as large as GitHub's are; what differs from run to run is put over it. A
test holds all of them to GitHub's OpenAPI description.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

APP_ID, INSTALLATION_ID = 1, 1
OWNER = "load"
TOKEN = "ghs_of_the_load_test"  # noqa: S105 -- for ourselves alone
_WHOLE: Final[Mapping[str, Any]] = json.loads(Path(__file__).with_name("answers.json").read_text())
_BEGAN: Final = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
_REPO: Final = "/repos/{owner}/{repo}"

type Answer = tuple[int, Any]


class Held(Protocol):
    """What the answers depend on."""

    repositories: int
    address: str
    check_runs: int


def sha_of(run: int) -> str:
    """The commit of a run; each has its own."""
    return f"{run:040x}"


def repository_of(number: int) -> str:
    """The name of a repository, from 1."""
    return f"repository-{number}"


def _at(seconds: int) -> str:
    return f"{_BEGAN + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def _listed(key: str, *entries: Any) -> Answer:
    return 200, {"total_count": len(entries), key: entries}


def _token(_held: Held, **_path: str) -> Answer:
    expires = datetime.now(UTC) + timedelta(hours=1)
    return 201, _WHOLE["token"] | {"token": TOKEN, "expires_at": f"{expires:%Y-%m-%dT%H:%M:%SZ}"}


def _app(_held: Held) -> Answer:
    return 200, _WHOLE["app"]


def _installations(_held: Held) -> Answer:
    return 200, [_WHOLE["installation"]]


def _nothing(_held: Held, **_path: str) -> Answer:
    return 200, []


def _repositories(held: Held) -> Answer:
    return _listed("repositories", *(
        _WHOLE["repository"] | {"id": number, "name": name, "full_name": f"{OWNER}/{name}"}
        for number in range(1, held.repositories + 1) for name in [repository_of(number)]
    ))  # fmt: skip


def _run(_held: Held, owner: str, repo: str, run_id: str, **_path: str) -> Answer:
    number, full_name = int(run_id), f"{owner}/{repo}"
    return 200, _WHOLE["workflow_run"] | {
        "id": number, "head_sha": sha_of(number), "run_number": number, "created_at": _at(number),
        "head_repository": _WHOLE["workflow_run"]["head_repository"] | {"full_name": full_name},
        "repository": _WHOLE["workflow_run"]["repository"] | {"full_name": full_name},
        "html_url": f"https://github.com/{full_name}/actions/runs/{run_id}", "run_started_at": _at(number),
        "updated_at": _at(number + 60), "conclusion": "success",
    }  # fmt: skip


def _no_runs(_held: Held, **_path: str) -> Answer:
    return _listed("workflow_runs")


def _artifacts(_held: Held, run_id: str, **_path: str) -> Answer:
    return _listed("artifacts", _WHOLE["artifact"] | {"id": int(run_id), "created_at": _at(int(run_id) + 50)})


def _jobs(_held: Held, run_id: str, **_path: str) -> Answer:
    times = {"started_at": _at(int(run_id)), "completed_at": _at(int(run_id) + 60)}
    return _listed("jobs", _WHOLE["job"] | {"run_id": int(run_id)} | times)


def _zip(held: Held, artifact_id: str, **_path: str) -> Answer:
    return 302, f"{held.address}/storage/{artifact_id}"


def _no_check_runs(_held: Held, **_path: str) -> Answer:
    return _listed("check_runs")


def _check_run(held: Held, **_path: str) -> Answer:
    held.check_runs += 1
    return 201, _WHOLE["check_run"] | {"id": held.check_runs}


def _changed(_held: Held, check_run_id: str, **_path: str) -> Answer:
    return 200, _WHOLE["check_run"] | {"id": int(check_run_id)}


OPERATIONS: Final[Mapping[str, Callable[..., Answer]]] = {
    f"GET {_REPO}/actions/runs/{{run_id}}": _run,
    f"GET {_REPO}/actions/runs/{{run_id}}/artifacts": _artifacts,
    f"GET {_REPO}/actions/runs/{{run_id}}/attempts/{{attempt_number}}/jobs": _jobs,
    f"GET {_REPO}/actions/artifacts/{{artifact_id}}/{{archive_format}}": _zip,
    f"GET {_REPO}/commits/{{ref}}/check-runs": _no_check_runs,
    f"GET {_REPO}/commits/{{commit_sha}}/pulls": _nothing,
    f"POST {_REPO}/check-runs": _check_run,
    f"PATCH {_REPO}/check-runs/{{check_run_id}}": _changed,
    f"GET {_REPO}/check-runs/{{check_run_id}}/annotations": _nothing,
    f"GET {_REPO}/actions/runs": _no_runs,
    "GET /installation/repositories": _repositories,
    "GET /app": _app,
    "GET /app/installations": _installations,
    "GET /app/hook/deliveries": _nothing,
    "POST /app/installations/{installation_id}/access_tokens": _token,
}
"""What the worker asks of its own accord; the first ones are those of each job."""

_PATTERNS: Final = [
    (re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", operation)), answer) for operation, answer in OPERATIONS.items()
]


def answer(held: Held, method: str, path: str) -> Answer:
    """Status and body; a text is where a redirect leads."""
    asked = f"{method} {path}"
    for pattern, found in _PATTERNS:
        if match := pattern.fullmatch(asked):
            return found(held, **match.groupdict())
    return 404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}
