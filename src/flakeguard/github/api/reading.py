"""Runs, artifacts and jobs out of GitHub's JSON. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flakeguard.github.facts import (
    Account,
    App,
    AppInstallation,
    Artifact,
    HookDelivery,
    Issue,
    Job,
    WorkflowRun,
    branch_of,
)

type Told = Mapping[str, Any]


def run_of(told: Told) -> WorkflowRun:
    """A workflow run. The head's repository is missing once a fork is deleted: then the branch is taken for our own."""
    head: Told = told.get("head_repository") or {}
    return WorkflowRun(
        id=told["id"], attempt=told.get("run_attempt") or 1, head_sha=told["head_sha"],
        head_branch=branch_of(told.get("head_branch"), head.get("full_name"), told["repository"]["full_name"]),
        event=told["event"], pr_numbers=tuple(pull["number"] for pull in told.get("pull_requests") or ()),
        workflow_name=told.get("name"), run_number=told["run_number"], html_url=told["html_url"],
        status=told.get("status"), conclusion=told.get("conclusion"), created_at=_time(told["created_at"]),
        run_started_at=_time_or_none(told.get("run_started_at")), updated_at=_time(told["updated_at"]),
    )  # fmt: skip


def artifact_of(told: Told) -> Artifact:
    """An artifact; GitHub may leave out when one that has expired was made."""
    made = told.get("created_at") or told.get("updated_at")
    return Artifact(
        told["id"], told["name"], told["size_in_bytes"], told["expired"],
        datetime.min.replace(tzinfo=UTC) if made is None else _time(made),
    )  # fmt: skip


def job_of(told: Told) -> Job:
    """A job of an attempt."""
    return Job(
        told["name"], tuple(told["labels"]), _time_or_none(told.get("started_at")),
        _time_or_none(told.get("completed_at")),
    )  # fmt: skip


def issue_of(told: Told, app_id: int) -> Issue:
    """An issue, as the App of that id sees it."""
    by: Told = told.get("performed_via_github_app") or {}
    return Issue(told["number"], told["html_url"], told.get("body") or "", ours=by.get("id") == app_id)


def app_of(told: Told) -> App:
    """The App; GitHub tells the number of installations to the App alone."""
    return App(told["id"], told["name"], told.get("slug"), tuple(told["events"]), told.get("installations_count"))


def app_installation_of(told: Told) -> AppInstallation:
    """An installation of the App; an enterprise's account has a slug where others have a login."""
    by: Told = told.get("account") or {}
    login = by.get("login") or by.get("slug") or str(told["target_id"])
    account = Account(by.get("id") or told["target_id"], login, by.get("type") or told["target_type"])
    return AppInstallation(told["id"], account, _time_or_none(told.get("suspended_at")))


def hook_delivery_of(told: Told) -> HookDelivery:
    """An attempt to hand a delivery over."""
    return HookDelivery(
        told["id"], told["guid"], told["event"], told.get("action"), told.get("installation_id"),
        _time(told["delivered_at"]), told["status"], told["status_code"],
    )  # fmt: skip


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _time_or_none(text: str | None) -> datetime | None:
    return None if text is None else _time(text)
