"""Entries of the state as GitHub's JSON: what it requires and the entry does not say is filled in.

`truth` holds every one of them to GitHub's description.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from .state import ACCOUNT, APP_ID, WHEN, Repository, State

type Told = Mapping[str, Any]
type Json = dict[str, Any]

_OF_USERS = (
    "followers", "following", "gists", "starred", "subscriptions", "organizations", "repos", "events",
    "received_events",
)  # fmt: skip
_OF_REPOSITORIES = (
    "archive", "assignees", "blobs", "branches", "collaborators", "comments", "commits", "compare", "contents",
    "contributors", "deployments", "downloads", "events", "forks", "git_commits", "git_refs", "git_tags", "hooks",
    "issue_comment", "issue_events", "issues", "keys", "labels", "languages", "merges", "milestones", "notifications",
    "pulls", "releases", "stargazers", "statuses", "subscribers", "subscription", "tags", "teams", "trees",
)  # fmt: skip
_COUNTS = (
    "forks", "forks_count", "open_issues", "open_issues_count", "size", "stargazers_count", "watchers",
    "watchers_count",
)  # fmt: skip


def _urls(base: str, names: Sequence[str]) -> Json:
    return {f"{name}_url": f"{base}/{name}" for name in names}


def user(url: str, login: str, kind: str = "Organization") -> Json:
    base = f"{url}/users/{login}"
    return {
        "login": login, "id": ACCOUNT, "node_id": "U_99", "avatar_url": f"{base}.png", "gravatar_id": "", "url": base,
        "html_url": base, "type": kind, "site_admin": False, **_urls(base, _OF_USERS),
    }  # fmt: skip


def person(url: str) -> Json:
    return user(url, "ada", "User") | {
        "id": 7, "name": "Ada", "company": None, "blog": None, "location": None, "email": None, "hireable": None,
        "bio": None, "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0, "created_at": WHEN,
        "updated_at": WHEN,
    }  # fmt: skip


def membership(url: str, org: str) -> Json:
    base = f"{url}/orgs/{org}"
    names = ("repos", "events", "hooks", "issues", "members", "public_members", "avatar")
    return {
        "url": f"{base}/memberships/ada", "state": "active", "role": "admin", "organization_url": base,
        "user": user(url, "ada", "User") | {"id": 7},
        "organization": {
            "login": org, "id": ACCOUNT, "node_id": "O_99", "url": base, "description": None, **_urls(base, names),
        },
    }  # fmt: skip


def minimal_repository(url: str, full_name: str, number: int) -> Json:
    owner, _, name = full_name.partition("/")
    base = f"{url}/repos/{full_name}"
    return {
        "id": number, "node_id": f"R_{number}", "name": name, "full_name": full_name, "owner": user(url, owner),
        "private": True, "description": None, "fork": False, "url": base, "html_url": f"{url}/{full_name}",
        **_urls(base, _OF_REPOSITORIES),
    }  # fmt: skip


def repository(url: str, one: Repository) -> Json:
    page = f"{url}/{one.full_name}"
    return minimal_repository(url, one.full_name, one.id) | {
        "default_branch": one.default_branch, "clone_url": f"{page}.git", "git_url": f"{page}.git",
        "ssh_url": f"{page}.git", "svn_url": page, "mirror_url": None, "homepage": None, "language": None,
        "license": None, "archived": False, "disabled": False,
        **dict.fromkeys(("pushed_at", "created_at", "updated_at"), WHEN),
        **dict.fromkeys(("has_downloads", "has_issues", "has_projects", "has_wiki", "has_pages"), False),
        **dict.fromkeys(_COUNTS, 0),
    }  # fmt: skip


def _minimal(url: str, of: Repository, told: Told | None) -> Json | None:
    return None if told is None else minimal_repository(url, told["full_name"], told.get("id", of.id))


def token(secret: str, expires: datetime) -> Json:
    permissions = {"actions": "write", "checks": "write", "contents": "read", "pull_requests": "write"}
    return {
        "token": secret, "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%SZ"), "permissions": permissions,
        "repository_selection": "all",
    }  # fmt: skip


def installation(state: State, number: int) -> Json:
    owned = [one.full_name for one in state.repositories.values() if one.installation_id == number]
    login = owned[0].partition("/")[0] if owned else "acme"
    return {
        "id": number, "account": user(state.url, login), "app_id": APP_ID, "app_slug": "flakeguard",
        "target_id": ACCOUNT, "target_type": "Organization", "repository_selection": "all",
        "permissions": {"checks": "write"}, "events": ["workflow_run"], "single_file_name": None, "created_at": WHEN,
        "updated_at": WHEN,
        "access_tokens_url": f"{state.url}/app/installations/{number}/access_tokens",
        "repositories_url": f"{state.url}/installation/repositories", "html_url": f"{state.url}/installations/{number}",
        "suspended_at": state.suspended.get(number), "suspended_by": None,
    }  # fmt: skip


def run(url: str, of: Repository, told: Told) -> Json:
    number = told["id"]
    base = f"{url}/repos/{of.full_name}/actions/runs/{number}"
    return {
        "node_id": f"WFR_{number}", "display_title": "CI", "path": ".github/workflows/ci.yml", "workflow_id": 1,
        "check_suite_id": number, "url": base, "html_url": f"{url}/{of.full_name}/actions/runs/{number}",
        "workflow_url": f"{url}/repos/{of.full_name}/actions/workflows/1", "head_commit": _commit(told["head_sha"]),
        "repository": minimal_repository(url, of.full_name, of.id),
        **_urls(base, ("jobs", "logs", "check_suite", "cancel", "rerun", "artifacts")),
    } | {
        **told,
        "pull_requests": [_minimal_pull(url, of, pull, told["head_sha"]) for pull in told["pull_requests"] or ()],
        "head_repository": _minimal(url, of, told["head_repository"]),
    }  # fmt: skip


def _commit(sha: str) -> Json:
    by = {"name": "Ada", "email": "ada@example.com"}
    return {"id": sha, "tree_id": "b" * 40, "message": "Change", "timestamp": WHEN, "author": by, "committer": by}


def _minimal_pull(url: str, of: Repository, told: Told, sha: str) -> Json:
    base = f"{url}/repos/{of.full_name}"
    repo = {"id": of.id, "url": base, "name": of.full_name.partition("/")[2]}
    return {
        "id": 1, "url": f"{base}/pulls/{told['number']}", "head": {"ref": "topic", "sha": sha, "repo": repo},
        "base": {"ref": "main", "sha": "c" * 40, "repo": repo},
    } | dict(told)  # fmt: skip


def artifact(url: str, of: Repository, told: Told) -> Json:
    base = f"{url}/repos/{of.full_name}/actions/artifacts/{told['id']}"
    return {
        "node_id": f"A_{told['id']}", "url": base, "archive_download_url": f"{base}/zip",
        "expires_at": "2027-02-25T10:00:00Z", "updated_at": told["created_at"],
    } | dict(told)  # fmt: skip


def job(url: str, of: Repository, told: Told, attempt: int) -> Json:
    base = f"{url}/repos/{of.full_name}"
    return {
        "node_id": f"CR_{told['id']}", "run_attempt": attempt, "run_url": f"{base}/actions/runs/{told['run_id']}",
        "url": f"{base}/actions/jobs/{told['id']}", "check_run_url": f"{base}/check-runs/{told['id']}",
        "html_url": f"{url}/{of.full_name}/actions/runs/{told['run_id']}/job/{told['id']}", "head_sha": "a" * 40,
        "head_branch": "main", "workflow_name": "CI", "created_at": WHEN, "runner_id": 1, "runner_name": "one",
        "runner_group_id": 1, "runner_group_name": "all",
    } | dict(told)  # fmt: skip


def app(url: str, number: int) -> Json:
    return {
        "id": number, "slug": "flakeguard", "node_id": "A_1", "owner": user(url, "flakeguard"), "name": "FlakeGuard",
        "description": None, "external_url": url, "html_url": url, "created_at": WHEN, "updated_at": WHEN,
        "permissions": {"checks": "write"}, "events": ["workflow_run"],
    }  # fmt: skip


def check_run(url: str, of: Repository, told: Told) -> Json:
    base = f"{url}/repos/{of.full_name}/check-runs/{told['id']}"
    shown = {name: value for name, value in told.items() if name not in ("annotations", "actions", "output", "app")}
    output = told.get("output", {})
    done = WHEN if told.get("status") == "completed" else None
    return {
        "node_id": f"CR_{told['id']}", "url": base, "html_url": f"{url}/{of.full_name}/runs/{told['id']}",
        "details_url": url, "external_id": "", "conclusion": None, "started_at": WHEN, "completed_at": done,
        "check_suite": {"id": 1}, "pull_requests": [], "app": app(url, told["app"]["id"]), "status": "queued",
        "output": {
            "title": output.get("title"), "summary": output.get("summary"), "text": output.get("text"),
            "annotations_count": len(told["annotations"]), "annotations_url": f"{base}/annotations",
        },
    } | shown  # fmt: skip


def annotation(told: Told) -> Json:
    return {
        "start_column": None, "end_column": None, "title": None, "raw_details": None, "blob_href": "https://github.com",
    } | dict(told)  # fmt: skip


def pull(url: str, of: Repository, told: Told) -> Json:
    base = f"{url}/repos/{of.full_name}/pulls/{told['number']}"
    owner = of.full_name.partition("/")[0]
    end = {"repo": repository(url, of), "user": user(url, owner)}
    names = ("diff", "patch", "issue", "commits", "review_comments", "review_comment", "comments", "statuses")
    linked = ("comments", "commits", "statuses", "html", "issue", "review_comments", "review_comment", "self")
    return {
        "id": told["number"], "node_id": f"PR_{told['number']}", "url": base, "html_url": base, "locked": False,
        "title": "Change", "user": user(url, "ada", "User"), "body": None, "labels": [], "milestone": None,
        "created_at": WHEN, "updated_at": WHEN, "closed_at": None, "merged_at": None, "merge_commit_sha": None,
        "assignee": None, "author_association": "MEMBER", "auto_merge": None,
        "_links": {name: {"href": f"{base}/{name}"} for name in linked}, **_urls(base, names),
        "base": end | {"label": f"{owner}:main", "ref": "main", "sha": "c" * 40},
    } | dict(told) | {"head": end | {"label": f"{owner}:topic", "ref": "topic"} | told["head"]}  # fmt: skip


def comment(url: str, of: Repository, told: Told) -> Json:
    base = f"{url}/repos/{of.full_name}/issues"
    by: Told | None = told["performed_via_github_app"]
    return {
        "id": told["id"], "node_id": f"IC_{told['id']}", "url": f"{base}/comments/{told['id']}",
        "html_url": f"{url}/{of.full_name}/pull/{told['issue']}", "issue_url": f"{base}/{told['issue']}",
        "user": user(url, "ada", "User"), "created_at": WHEN, "updated_at": WHEN, "body": told["body"],
        "author_association": "MEMBER", "performed_via_github_app": None if by is None else app(url, by["id"]),
    }  # fmt: skip


def issue(url: str, of: Repository, told: Told) -> Json:
    repository_url = f"{url}/repos/{of.full_name}"
    base, by = f"{repository_url}/issues/{told['number']}", told["performed_via_github_app"]
    labels = [
        {"id": 1, "node_id": "L_1", "url": f"{repository_url}/labels/{name}", "name": name, "description": None,
         "color": "ededed", "default": False} for name in told["labels"]
    ]  # fmt: skip
    return {
        "id": told["number"], "node_id": f"I_{told['number']}", "url": base, "repository_url": repository_url,
        **_urls(base, ("comments", "events")), "labels_url": f"{base}/labels{{/name}}",
        "html_url": f"{url}/{of.full_name}/issues/{told['number']}", "user": user(url, "flakeguard", "Bot"),
        "state_reason": None, "assignee": None, "assignees": [], "milestone": None, "locked": False, "comments": 0,
        "closed_at": None, "created_at": WHEN, "updated_at": WHEN, "author_association": "NONE",
    } | dict(told) | {
        "labels": labels, "performed_via_github_app": None if by is None else app(url, by["id"]),
    }  # fmt: skip
