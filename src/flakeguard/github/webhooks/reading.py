"""From a payload to what it says. Pure."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from flakeguard.github.facts import Account, Repository, Run, branch_of
from flakeguard.github.webhooks.fields import (
    Payload,
    flag,
    number,
    optional_number,
    optional_part,
    optional_text,
    optional_time,
    part,
    parts,
    text,
)
from flakeguard.github.webhooks.notices import (
    ActionRequested,
    AnalysisWanted,
    Delivery,
    InstallationChanged,
    Known,
    Notice,
    PullTold,
    RepositoriesChanged,
    RepositoryGone,
    RunTold,
    Unknown,
)

_LARGEST_INTEGER = 2**31 - 1
_INSTALLATION_CHANGES = ("created", "deleted", "suspend", "unsuspend", "new_permissions_accepted")
_PULL_ACTIONS = ("opened", "synchronize", "closed", "reopened")
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def read(event: str, payload: Payload) -> Delivery:
    """What `payload` of `event` says.

    Raises:
        MalformedPayloadError: It lacks something that its event always has.
    """
    installation = optional_part(payload, "installation")
    repository = optional_part(payload, "repository")
    return Delivery(
        event=event,
        action=optional_text(payload, "action"),
        installation_id=optional_number(installation, "id") if installation else None,
        account=_account(installation, repository),
        repository=_repository(repository) if repository else None,
        notice=_notice(event, payload),
    )


def _notice(event: str, payload: Payload) -> Notice:
    reader = _READERS.get(event)
    return reader(payload) if reader else Unknown(f"nothing is done on {event}")


def _unknown(event: str, payload: Payload) -> Unknown:
    return Unknown(f"nothing is done on {event} {optional_text(payload, 'action') or 'without an action'}")


def _account(installation: Payload | None, repository: Payload | None) -> Account | None:
    """The installation's own account where the event tells; else the repository's owner, whose installation it is."""
    holder = optional_part(installation or {}, "account") or optional_part(repository or {}, "owner")
    if holder is None:
        return None
    return Account(number(holder, "id"), text(holder, "login"), optional_text(holder, "type") or "Organization")


def _repository(payload: Payload) -> Repository:
    return Repository(
        id=number(payload, "id"),
        full_name=text(payload, "full_name"),
        private=flag(payload, "private"),
        default_branch=optional_text(payload, "default_branch"),
    )


def _installation(payload: Payload) -> Notice:
    change = text(payload, "action")
    if change not in _INSTALLATION_CHANGES:
        return _unknown("installation", payload)
    return InstallationChanged(change, tuple(_repository(item) for item in parts(payload, "repositories")))


def _installation_repositories(payload: Payload) -> Notice:
    added, removed = (parts(payload, f"repositories_{change}") for change in ("added", "removed"))
    return RepositoriesChanged(tuple(_repository(item) for item in added), tuple(_repository(item) for item in removed))


def _repository_event(payload: Payload) -> Notice:
    return RepositoryGone() if payload.get("action") == "deleted" else Known()


def _workflow_run(payload: Payload) -> Notice:
    run = part(payload, "workflow_run")
    head = optional_part(run, "head_repository") or {}
    # A re-delivered event may show a later state of the run: what happened is in the action.
    status = "completed" if payload.get("action") == "completed" else optional_text(run, "status")
    return RunTold(
        Run(
            id=number(run, "id"),
            attempt=_integer(run, "run_attempt") or 1,
            head_sha=text(run, "head_sha"),
            head_branch=branch_of(
                optional_text(run, "head_branch"),
                optional_text(head, "full_name"),
                text(part(payload, "repository"), "full_name"),
            ),
            event=optional_text(run, "event"),
            pr_numbers=_pull_numbers(run),
            workflow_name=optional_text(run, "name"),
            run_number=optional_number(run, "run_number"),
            html_url=optional_text(run, "html_url"),
            status=status,
            conclusion=optional_text(run, "conclusion"),
            run_started_at=optional_time(run, "run_started_at"),
        )
    )


def _workflow_job(payload: Payload) -> Notice:
    job = part(payload, "workflow_job")
    run = Run(
        id=number(job, "run_id"),
        attempt=_integer(job, "run_attempt") or 1,
        head_sha=text(job, "head_sha"),
        head_branch=optional_text(job, "head_branch"),
        event=None,
        pr_numbers=(),
        workflow_name=optional_text(job, "workflow_name"),
        run_number=None,
        html_url=None,
        status="in_progress",  # whatever the job's is: only the run's own event says that all of them are done
        conclusion=None,
        run_started_at=None,
    )
    return RunTold(run)


def _check_run(payload: Payload) -> Notice:
    check, action = part(payload, "check_run"), payload.get("action")
    app_id = optional_number(optional_part(check, "app") or {}, "id")
    if action == "rerequested":
        return AnalysisWanted(text(check, "head_sha"), app_id)
    if action != "requested_action":
        return _unknown("check_run", payload)
    return ActionRequested(
        identifier=text(part(payload, "requested_action"), "identifier"),
        check_run_id=number(check, "id"),
        head_sha=text(check, "head_sha"),
        app_id=app_id,
        sender=optional_text(optional_part(payload, "sender") or {}, "login") or "somebody",
    )


def _check_suite(payload: Payload) -> Notice:
    if payload.get("action") != "rerequested":
        return _unknown("check_suite", payload)
    suite = part(payload, "check_suite")
    return AnalysisWanted(text(suite, "head_sha"), optional_number(optional_part(suite, "app") or {}, "id"))


def _pull_request(payload: Payload) -> Notice:
    if payload.get("action") not in _PULL_ACTIONS:
        return _unknown("pull_request", payload)
    pull = part(payload, "pull_request")
    pr_number = _integer(pull, "number")
    if pr_number is None:
        return _unknown("pull_request", payload)
    return PullTold(
        number=pr_number,
        head_sha=text(part(pull, "head"), "sha"),
        open=pull.get("state") == "open",
        updated_at=optional_time(pull, "updated_at") or _NEVER,
    )


def _known(_payload: Payload) -> Notice:
    return Known()


def _integer(payload: Payload, name: str) -> int | None:
    found = optional_number(payload, name)
    return found if found is not None and found <= _LARGEST_INTEGER else None


def _pull_numbers(run: Payload) -> tuple[int, ...]:
    numbers = (_integer(pull, "number") for pull in parts(run, "pull_requests"))
    return tuple(sorted({found for found in numbers if found is not None}))


_READERS: Mapping[str, Callable[[Payload], Notice]] = {
    "check_run": _check_run,
    "check_suite": _check_suite,
    "installation": _installation,
    "installation_repositories": _installation_repositories,
    "installation_target": _known,
    "ping": _known,
    "pull_request": _pull_request,
    "repository": _repository_event,
    "workflow_job": _workflow_job,
    "workflow_run": _workflow_run,
}
