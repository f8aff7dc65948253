"""`POST /github/webhook`: who is let in, what is kept, what it owes, and what a redelivery changes."""

import asyncio
import json
from datetime import timedelta

import pytest
from tests.github.npm import NoPackageError
from tests.github.webhooks import completed, examples

from flakeguard.github.publishing.processing import AnalyzeRunData
from flakeguard.github.webhooks import applying
from flakeguard.github.webhooks import repository as stored
from flakeguard.github.webhooks.reading import read
from flakeguard.github.webhooks.receiving import take_again
from flakeguard.github.webhooks.working import App, Occasion
from flakeguard.worker.outbox import settle

from .conftest import (
    INSTALLATION,
    REPOSITORY,
    SECRET,
    SHA,
    bury,
    installation_event,
    repository,
    run_event,
    signed,
)

EVENTS = ("check_run", "check_suite", "installation", "installation_repositories", "ping", "pull_request",
          "repository", "workflow_job", "workflow_run")  # fmt: skip


@pytest.fixture
def of_github() -> dict[str, list[dict]]:
    """GitHub's examples of each event."""
    try:
        return examples()
    except NoPackageError as error:
        pytest.skip(str(error))


async def deliveries(owner) -> list[dict]:
    return [dict(row) for row in await owner.fetch("SELECT * FROM github_deliveries ORDER BY received_at")]


async def owed(owner) -> list[dict]:
    return [dict(row) for row in await owner.fetch("SELECT * FROM outbox ORDER BY id")]


@pytest.mark.parametrize(
    "header", [None, "", "sha256=", "sha1=" + "0" * 40, "sha256=" + "0" * 64, "sha256=" + "ü" * 64]
)
async def test_who_does_not_know_the_secret_is_sent_away(client, owner, header) -> None:
    body = json.dumps(run_event()).encode()
    headers = {"X-GitHub-Event": "workflow_run", "X-GitHub-Delivery": "g", "Content-Type": "application/json"}
    if header is not None:
        headers["X-Hub-Signature-256"] = header.encode()
    answer = await client.post("/github/webhook", content=body, headers=headers)
    assert answer.status_code == 401
    assert answer.json()["error"] == "wrong_signature"
    assert await deliveries(owner) == []


async def test_the_signature_is_of_every_byte(client, deliver, owner) -> None:
    body = json.dumps(run_event()).encode()
    answer = await deliver("workflow_run", body + b" ", X_Hub_Signature_256=signed(body))
    assert answer.status_code == 401
    assert (await deliver("workflow_run", body, X_Hub_Signature_256=signed(body, SECRET + "x"))).status_code == 401
    assert await deliveries(owner) == []


async def test_a_server_without_a_secret_takes_nothing(app, settings, deliver) -> None:
    app.state.settings = settings.model_copy(update={"github_webhook_secret": None})
    assert (await deliver("ping", {})).status_code == 503


async def test_bodies_have_a_limit_that_counts_what_comes(client, deliver) -> None:
    async def endless():
        for _ in range(26):
            yield b" " * 1024 * 1024

    headers = {"X-Hub-Signature-256": "sha256=" + "0" * 64, "X-GitHub-Event": "push", "X-GitHub-Delivery": "g"}
    assert (await client.post("/github/webhook", content=endless(), headers=headers)).status_code == 413
    large = json.dumps({"padding": "x" * 3 * 1024 * 1024}).encode()
    assert (await deliver("push", large)).status_code == 202


@pytest.mark.parametrize(
    ("payload", "status"), [(b"no json", 400), (b"[]", 400), (b"\xff\xfe", 400), (b"[" * 100_000, 400)]
)
async def test_what_is_no_object_is_refused(deliver, owner, payload, status) -> None:
    assert (await deliver("push", payload)).status_code == status
    assert await deliveries(owner) == []


@pytest.mark.parametrize("event", EVENTS)
async def test_every_example_of_github_is_taken(deliver, owner, tenant, of_github, event) -> None:
    for number, example in enumerate(of_github[event]):
        for installation in (None, {"id": INSTALLATION}):
            payload = (
                example
                if installation is None
                else example | {"installation": {**example.get("installation", {}), **installation}}
            )
            answer = await deliver(event, json.dumps(payload).encode(), guid=f"{event}-{number}-{bool(installation)}")
            assert answer.status_code == 202, answer.text
            await owner.execute("UPDATE github_installations SET organization_id = $1, deleted_at = NULL",
                                tenant.project.organization_id)  # fmt: skip
    assert [one["error"] for one in await deliveries(owner) if one["state"] == "failed"] == []


async def test_every_other_event_of_github_is_ignored(deliver, owner, of_github) -> None:
    others = {name: found for name, found in of_github.items() if name not in EVENTS}
    for event, found in others.items():
        assert (await deliver(event, json.dumps(found[0]).encode())).status_code == 202
    kept = await deliveries(owner)
    assert len(kept) == len(others) > 30
    assert {one["state"] for one in kept} <= {"ignored", "done"}
    assert {one["body"] for one in kept if one["state"] == "ignored"} == {b""}


async def test_what_comes_before_the_binding_is_kept_and_owes_nothing(deliver, owner) -> None:
    answer = await deliver("workflow_run", run_event())
    assert answer.json()["state"] == "unbound"
    assert await owed(owner) == []
    row = await owner.fetchrow("SELECT account_login, organization_id FROM github_installations")
    assert tuple(row) == ("acme", None)
    assert await owner.fetchval("SELECT project_id FROM github_repositories") is None


async def test_a_completed_run_owes_its_results(bound, deliver, owner) -> None:
    answer = await deliver("workflow_run", run_event(pull_requests=[{"number": 5}]), guid="g-1")
    assert answer.status_code == 202
    assert answer.json() == {"delivery": "g-1", "state": "received"}
    (job,) = await owed(owner)
    assert (job["queue"], job["name"]) == ("runs:ingest", "process-run")
    assert job["job_id"] == f"run-{INSTALLATION}-{REPOSITORY}-1000-1"
    assert job["correlation_id"] == "g-1"
    data = json.loads(job["data"])
    assert data["workflowRunId"] == 1000
    assert data["repository"] == {
        "owner": "acme", "repo": "shop", "installationId": INSTALLATION, "repositoryId": REPOSITORY,
    }  # fmt: skip
    assert data["priority"] == "high"
    assert data["metadata"] == {
        "runStatus": "completed",
        "conclusion": "failure",
        "headSha": SHA,
        "headBranch": "topic",
    }
    run = await owner.fetchrow("SELECT state, status, pr_numbers FROM github_runs")
    assert tuple(run) == ("owed", "completed", [5])


async def test_a_run_that_tells_no_branch_owes_a_job_that_can_be_read(bound, deliver, owner) -> None:
    from flakeguard.worker.jobs import RunsIngestJobData

    told = completed("workflow_run", run_event())
    told["workflow_run"] |= {"head_branch": None, "conclusion": None}  # GitHub's API says that they may be absent
    await deliver("workflow_run", json.dumps(told).encode())
    (job,) = await owed(owner)
    data = RunsIngestJobData.of(job["name"], json.loads(job["data"]))
    assert (data.run_attempt, data.metadata, data.priority) == (1, None, "low")


async def test_a_run_under_way_is_noted_and_its_end_is_not_undone(bound, deliver, owner) -> None:
    await deliver("workflow_run", run_event("requested", status="queued", conclusion=None))
    assert await owed(owner) == []
    assert tuple(await owner.fetchrow("SELECT state, status FROM github_runs")) == (None, "queued")
    await deliver("workflow_run", run_event())
    await deliver("workflow_run", run_event("in_progress", status="in_progress", conclusion=None))
    job = {"action": "completed", "workflow_job": {"run_id": 1000, "head_sha": SHA, "status": "completed"},
           "installation": {"id": INSTALLATION}, "repository": repository()}  # fmt: skip
    await deliver("workflow_job", job)
    assert tuple(await owner.fetchrow("SELECT state, status FROM github_runs")) == ("owed", "completed")
    assert len(await owed(owner)) == 1


async def test_a_rerun_is_work_of_its_own_and_one_that_ran_nothing_is_none(bound, deliver, owner) -> None:
    for attempt in (1, 2):
        await deliver("workflow_run", run_event(attempt=attempt))
    await deliver("workflow_run", run_event(run_id=1001, conclusion="skipped"))
    assert [job["job_id"][-6:] for job in await owed(owner)] == ["1000-1", "1000-2"]
    assert await owner.fetchval("SELECT state FROM github_runs WHERE workflow_run_id = 1001") == "empty"


async def test_a_run_that_waited_for_approval_owes_its_results_once_it_has_run(bound, deliver, owner) -> None:
    """Runs of forks may wait for a maintainer: GitHub calls them completed, and completes them again when they ran."""
    await deliver("workflow_run", run_event(conclusion="action_required"))
    assert await owed(owner) == []
    await deliver("workflow_run", run_event("in_progress", status="in_progress", conclusion=None))
    await deliver("workflow_run", run_event(conclusion="failure"))
    await deliver("workflow_run", run_event(conclusion="action_required"))  # late
    assert [job["job_id"][-6:] for job in await owed(owner)] == ["1000-1"]
    assert tuple(await owner.fetchrow("SELECT state, conclusion FROM github_runs")) == ("owed", "failure")


async def test_a_redelivery_of_what_succeeded_changes_nothing(bound, deliver, owner, resources) -> None:
    await deliver("workflow_run", run_event(), guid="g-1")
    (job,) = await owed(owner)
    assert (await deliver("workflow_run", run_event(), guid="g-1")).status_code == 202
    assert len(await owed(owner)) == 1
    async with resources.database.transaction() as connection:
        await settle(connection, job["job_id"])
    await owner.execute("UPDATE github_runs SET state = 'stored'")
    await deliver("workflow_run", run_event(), guid="g-1")
    await deliver("workflow_run", run_event(), guid="g-2")
    assert await owed(owner) == []
    assert [one["attempts"] for one in await deliveries(owner) if one["guid"] == "g-1"] == [3]


async def test_a_redelivery_of_what_was_given_up_works_again(bound, deliver, owner, resources) -> None:
    await deliver("workflow_run", run_event(), guid="g-1")
    (job,) = await owed(owner)
    await bury(owner, job["job_id"], "GitHub said no")
    await deliver("workflow_run", run_event(), guid="g-1")
    (again,) = await owed(owner)
    assert (again["dead_at"], again["error"]) == (None, None)


async def test_a_delivery_that_failed_is_kept_with_its_reason_and_its_redelivery_works(bound, deliver, owner) -> None:
    broken = completed("workflow_run", run_event())
    del broken["workflow_run"]["head_sha"]
    answer = await deliver("workflow_run", json.dumps(broken).encode(), guid="g-1")
    assert answer.json()["state"] == "failed"
    assert (await deliveries(owner))[-1]["error"] == "the payload has no text head_sha"
    assert (await deliver("workflow_run", run_event(), guid="g-1")).json()["state"] == "received"
    assert len(await owed(owner)) == 1


async def test_the_same_delivery_at_once_is_taken_once(bound, deliver, owner) -> None:
    answers = await asyncio.gather(*(deliver("workflow_run", run_event(), guid="g-1") for _ in range(6)))
    assert {answer.status_code for answer in answers} == {202}
    assert len(await owed(owner)) == 1
    assert len(await owner.fetch("SELECT FROM github_runs")) == 1


async def test_a_pull_request_tells_its_number_to_runs_of_its_head(bound, deliver, owner) -> None:
    """A run of a fork's pull request names none."""

    def pull(number: int, at: str) -> dict:
        told = {"number": number, "state": "open", "head": {"sha": SHA}, "updated_at": at}
        return {"action": "synchronize", "installation": {"id": INSTALLATION}, "repository": repository(),
                "pull_request": told}  # fmt: skip

    await deliver("pull_request", pull(5, "2026-11-25T10:00:00Z"))
    await deliver("workflow_run", run_event())
    await deliver("pull_request", pull(6, "2026-11-25T10:01:00Z"))
    assert await owner.fetchval("SELECT pr_numbers FROM github_runs") == [5, 6]


async def test_a_button_of_our_check_run_is_a_job_and_anothers_is_none(bound, deliver, owner) -> None:
    def pressed(app_id: int) -> dict:
        return {"action": "requested_action", "requested_action": {"identifier": "rerun_failed"},
                "check_run": {"id": 3, "head_sha": SHA, "app": {"id": app_id}}, "sender": {"login": "ada"},
                "installation": {"id": INSTALLATION}, "repository": repository()}  # fmt: skip

    assert (await deliver("check_run", pressed(1))).json()["state"] == "ignored"
    await deliver("check_run", pressed(29310), guid="g-1")
    (job,) = await owed(owner)
    assert (job["name"], job["job_id"]) == ("requested-action", "action-g-1")
    assert json.loads(job["data"])["requestedBy"] == "ada"


async def test_rerequested_checks_are_published_anew(bound, deliver, owner) -> None:
    suite = {"action": "rerequested", "check_suite": {"head_sha": SHA, "app": {"id": 29310}},
             "installation": {"id": INSTALLATION}, "repository": repository()}  # fmt: skip
    assert (await deliver("check_suite", suite)).json()["state"] == "ignored"
    await deliver("workflow_run", run_event())
    await owner.execute("DELETE FROM outbox")
    assert (await deliver("check_suite", suite)).json()["state"] == "received"
    (job,) = await owed(owner)
    assert (job["queue"], job["name"]) == ("runs:analyze", "analyze-run")


@pytest.mark.parametrize("known", ["a run", "uploads alone"])
async def test_what_is_asked_for_while_the_job_before_ends_is_done_after_it(
    bound, deliver, owner, resources, known
) -> None:
    suite = {"action": "rerequested", "check_suite": {"head_sha": SHA, "app": {"id": 29310}},
             "installation": {"id": INSTALLATION}, "repository": repository()}  # fmt: skip
    if known == "a run":
        await deliver("workflow_run", run_event())
        await owner.execute("DELETE FROM outbox")
    else:
        await owner.execute(
            "INSERT INTO github_check_runs (repository_id, head_sha, check_run_id) VALUES ($1, $2, 3)", REPOSITORY, SHA
        )
    await deliver("check_suite", suite, guid="g-1")
    (first,) = await owed(owner)  # which has read what it needs by now
    await deliver("check_suite", suite, guid="g-2")
    await take_again(resources.database, App(29310, "https://api.github.com"), "g-1", resources.now())
    async with resources.database.transaction() as connection:
        await settle(connection, first["job_id"])
    again = await owed(owner)
    assert len({job["job_id"] for job in again} | {first["job_id"]}) == 3
    # What was given up is owed again when its delivery comes again, and by no second job.
    await bury(owner, again[0]["job_id"], "GitHub was away")
    await deliver("check_suite", suite, guid="g-2")
    assert [(job["job_id"], job["dead_at"]) for job in await owed(owner)] == [(job["job_id"], None) for job in again]


async def test_a_rerequested_check_of_uploads_alone_is_answered(bound, deliver, owner) -> None:
    check = {"action": "rerequested", "check_run": {"id": 3, "head_sha": SHA, "app": {"id": 29310}},
             "installation": {"id": INSTALLATION}, "repository": repository()}  # fmt: skip
    assert (await deliver("check_run", check)).json()["state"] == "ignored"
    await owner.execute(
        "INSERT INTO github_check_runs (repository_id, head_sha, check_run_id) VALUES ($1, $2, 3)", REPOSITORY, SHA
    )
    assert (await deliver("check_run", check)).json()["state"] == "received"
    (job,) = await owed(owner)
    assert (job["queue"], job["name"]) == ("runs:analyze", "analyze-run")
    wanted = AnalyzeRunData.of(job["name"], json.loads(job["data"]))
    assert (wanted.head_sha, wanted.force_recompute) == (SHA, True)


@pytest.mark.parametrize(
    "step", [(stored, "store"), (applying, "apply")], ids=["before it is kept", "when it is applied"]
)
async def test_nothing_is_kept_while_postgresql_is_away(deliver, owner, monkeypatch, step) -> None:
    async def away(*_args, **_named):
        raise ConnectionResetError

    monkeypatch.setattr(*step, away)
    assert (await deliver("ping", {})).status_code == 503
    assert await deliveries(owner) == []


async def test_old_deliveries_go_unless_they_owe_work(bound, deliver, owner, resources) -> None:
    from flakeguard.github.webhooks.cleaning import clean_deliveries

    await deliver("workflow_run", run_event(), guid="owes")
    await owner.execute("UPDATE github_deliveries SET received_at = now() - interval '31 days'")
    await deliver("ping", {}, guid="young")
    assert await clean_deliveries(resources.database, resources.now() - timedelta(days=30)) == 1
    assert {one["guid"] for one in await deliveries(owner)} == {"owes", "young"}


async def test_a_change_that_comes_late_waits_for_nobody_who_holds_its_installation(deliver, resources) -> None:
    await deliver("installation", installation_event("created", INSTALLATION))
    told = read("installation", completed("installation", installation_event("suspend", INSTALLATION)))
    async with resources.database.transaction() as other, resources.database.transaction() as connection:
        await other.fetch("SELECT FROM github_installations WHERE id = $1 FOR SHARE", INSTALLATION)
        await connection.execute("SET LOCAL lock_timeout = '1s'")
        late = Occasion("late", resources.now(), late=True)
        outcome = await applying.apply(connection, told, App(1, "https://api.github.com"), late)
    assert outcome.state == "ignored"
