"""What GitHub delivers: payloads of webhooks, held to its own schemas of them.

Simulations deliver what the fake holds. Tests of receiving say what matters to them, over one of GitHub's examples
(`completed`).
"""

import functools
import json
from collections.abc import Sequence
from typing import Any

from jsonschema_rs import Draft7Validator

from . import shapes
from .npm import NoPackageError, package
from .state import WHEN, Repository, State

SCHEMAS = ("@octokit/webhooks-schemas", "7.6.1")
EXAMPLES = ("@octokit/webhooks-examples", "7.6.1")

_TO_AN_APP = {"id": 1, "node_id": "I_1"}  # which not all examples are delivered to

type Json = dict[str, Any]


@functools.cache
def examples() -> dict[str, list[Json]]:
    """GitHub's example payloads of each event.

    Raises:
        NoPackageError: npm is absent.
    """
    found = json.loads((package(*EXAMPLES) / "api.github.com" / "index.json").read_text())
    return {entry["name"]: entry["examples"] for entry in found}


@functools.cache
def _schemas() -> Json | None:
    try:
        return json.loads((package(*SCHEMAS) / "schema.json").read_text())
    except NoPackageError:
        return None


@functools.cache
def _validator(event: str, action: str) -> Draft7Validator | None:
    schemas = _schemas()
    if schemas is None:
        return None
    named = f"{event}${action}"
    if named not in schemas["definitions"]:
        raise AssertionError(f"{event}: GitHub has no action {action}")
    return Draft7Validator({"$ref": f"#/definitions/{named}", "definitions": schemas["definitions"]})


def differences(event: str, payload: Json) -> list[str]:
    """What of a payload is not as GitHub describes it; nothing where npm does not give the schemas."""
    validator = _validator(event, payload["action"])
    found = [] if validator is None else validator.iter_errors(payload)
    return [f"{event} {'.'.join(map(str, one.instance_path))}: {one.message[:300]}" for one in found]


def checked(event: str, payload: Json) -> Json:
    """The payload.

    Raises:
        AssertionError: It is not as GitHub describes it.
    """
    if wrong := differences(event, payload):
        raise AssertionError("not as GitHub delivers it:\n" + "\n".join(wrong))
    return payload


def completed(event: str, told: Json) -> Json:
    """The payload over an example of GitHub's, which says what it leaves out; without npm as it is.

    Raises:
        AssertionError: Over no example it is as GitHub describes it.
    """
    try:
        bases = sorted(examples()[event], key=lambda base: base["action"] != told["action"])
    except NoPackageError:
        return told
    made = [over({"installation": _TO_AN_APP} | base, told) for base in bases]
    return checked(event, min(made, key=lambda one: len(differences(event, one))))


def over(base: Any, told: Any) -> Any:
    """What is told, completed. Lists are the told one's; what their entries leave out is as in the example's first."""
    if isinstance(base, dict) and isinstance(told, dict):
        return base | {name: over(base.get(name), value) for name, value in told.items()}
    if isinstance(base, list) and isinstance(told, list) and base:
        return [over(base[0], one) for one in told]
    return told


def workflow_run(state: State, of: Repository, run_id: int, action: str = "completed") -> Json:
    """The delivery `workflow_run` of a run that was added."""
    run = shapes.run(state.url, of, of.runs[run_id])
    sender = shapes.user(state.url, "ada", "User")
    told = {
        "triggering_actor": sender, "actor": sender, "run_attempt": run["run_attempt"], "referenced_workflows": [],
        "previous_attempt_url": None, "check_suite_node_id": f"CS_{run_id}",
    }  # fmt: skip
    return checked("workflow_run", _common(state, of) | {
        "action": action, "workflow_run": run | told, "workflow": _workflow(state, of, run["name"]),
    })  # fmt: skip


def installation(state: State, number: int, action: str = "created") -> Json:
    """The delivery `installation`."""
    held = [one for one in state.repositories.values() if one.installation_id == number]
    return checked("installation", {
        "action": action, "installation": shapes.installation(state, number), "repositories": _short(held),
        "sender": shapes.user(state.url, "ada", "User"),
    })  # fmt: skip


def installation_repositories(
    state: State, number: int, added: Sequence[Repository] = (), removed: Sequence[Repository] = ()
) -> Json:
    """The delivery `installation_repositories`."""
    return checked("installation_repositories", {
        "action": "added" if added else "removed", "installation": shapes.installation(state, number),
        "repository_selection": "selected", "repositories_added": _short(added),
        "repositories_removed": _short(removed), "sender": shapes.user(state.url, "ada", "User"), "requester": None,
    })  # fmt: skip


def requested_action(state: State, of: Repository, check_run_id: int, identifier: str) -> Json:
    """The delivery `check_run` of somebody who pressed a button."""
    held = of.check_runs[check_run_id]
    return checked("check_run", _common(state, of) | {
        "action": "requested_action", "check_run": shapes.check_run(state.url, of, held) | _suite(state, of, held),
        "requested_action": {"identifier": identifier},
    })  # fmt: skip


def _common(state: State, of: Repository) -> Json:
    more = {
        "is_template": False, "web_commit_signoff_required": False, "topics": [], "visibility": "private",
        "custom_properties": {},
    }  # fmt: skip
    return {
        "repository": shapes.repository(state.url, of) | more, "sender": shapes.user(state.url, "ada", "User"),
        "installation": {"id": of.installation_id, "node_id": "I_1"},
    }  # fmt: skip


def _short(repositories: Sequence[Repository]) -> list[Json]:
    return [
        {
            "id": one.id, "node_id": f"R_{one.id}", "name": one.full_name.partition("/")[2],
            "full_name": one.full_name, "private": True,
        }
        for one in repositories
    ]  # fmt: skip


def _workflow(state: State, of: Repository, name: str) -> Json:
    base = f"{state.url}/repos/{of.full_name}/actions/workflows/1"
    return {
        "id": 1, "node_id": "W_1", "name": name, "path": ".github/workflows/ci.yml", "state": "active", "url": base,
        "html_url": base, "badge_url": base, "created_at": WHEN, "updated_at": WHEN,
    }  # fmt: skip


def _suite(state: State, of: Repository, held: Json) -> Json:
    base = f"{state.url}/repos/{of.full_name}/check-suites/1"
    return {"check_suite": {
        "id": 1, "node_id": "CS_1", "head_branch": "topic", "head_sha": held["head_sha"], "status": "completed",
        "conclusion": "failure", "url": base, "before": "b" * 40, "after": held["head_sha"], "pull_requests": [],
        "app": shapes.app(state.url, held["app"]["id"]), "created_at": WHEN, "updated_at": WHEN,
    }}  # fmt: skip
