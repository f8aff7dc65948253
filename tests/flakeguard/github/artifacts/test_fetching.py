"""From a run at GitHub to verdicts, exactly once, whatever dies in between."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from tests.github import faults
from tests.github.fake import WHEN, FakeGitHub, Repository

from flakeguard.analysis.analyzing import analyze_ingestion
from flakeguard.analysis.config import AnalysisConfig
from flakeguard.github.api import GitHub
from flakeguard.github.artifacts.choosing import ArtifactRules
from flakeguard.github.artifacts.fetching import Limits, mark_failed, process_run
from flakeguard.github.artifacts.unpacking import BrokenArtifactError
from flakeguard.github.errors import GitHubAwayError, HalfArtifactError
from flakeguard.github.publishing.owing import owe_publication
from flakeguard.ingestion.processing import process_upload
from flakeguard.worker.errors import InvalidJobError
from flakeguard.worker.jobs import RunsIngestJobData
from flakeguard.worker.outbox import owe
from fluxbase.resources import Resources

from ...conftest import Tenant
from ...uploads import FAIL, PASS, report, zipped
from ..conftest import INSTALLATION, REPOSITORY

STARTED = datetime.fromisoformat(WHEN)
JOB = f"run-{INSTALLATION}-{REPOSITORY}-1000-1"
JUNIT = zipped(
    {"a/TEST-cart.xml": report({"adds": FAIL, "pays": PASS}), "trace.bin": b"\0" * 9, "pom.xml": b"<project/>"}
)


@pytest.fixture(autouse=True)
async def bound(resources: Resources, tenant: Tenant) -> None:
    async with resources.database.transaction() as connection:
        organization = tenant.project.organization_id
        await connection.execute(
            "INSERT INTO github_installations (id, account_id, account_login, organization_id, bound_at)"
            " VALUES ($1, 99, 'acme', $2, now())", INSTALLATION, organization,
        )  # fmt: skip
        await connection.execute(
            "INSERT INTO github_repositories (id, installation_id, organization_id, full_name, project_id)"
            " VALUES ($1, $2, $3, 'acme/shop', $4)", REPOSITORY, INSTALLATION, organization, tenant.project.id,
        )  # fmt: skip
        await owe(connection, queue="runs:ingest", name="process-run", job_id=JOB, data={}, correlation_id="hook")


def wanted(attempt: int = 1, repo: str = "shop", installation: int = INSTALLATION, **more: object) -> RunsIngestJobData:
    return RunsIngestJobData.of("process-run", {
        "workflowRunId": 1000, "runAttempt": attempt, "priority": "normal", "correlationId": "hook",
        "repository": {"owner": "acme", "repo": repo, "installationId": installation, **more},
    })  # fmt: skip


@pytest.fixture
def shop(fake: FakeGitHub) -> Repository:
    """The repository at GitHub, with a run of one job."""
    made = fake.add_repository("acme/shop", REPOSITORY, INSTALLATION)
    fake.add_run(made, 1000, head_branch="topic")
    fake.add_job(made, 1000, "unit", completed_at=at(minutes=5))
    return made


def at(**later: int) -> str:
    """GitHub's time, so long after the run began."""
    return f"{STARTED + timedelta(**later):%Y-%m-%dT%H:%M:%SZ}"


async def fetch(resources: Resources, github: GitHub, data: RunsIngestJobData | None = None) -> dict[str, Any]:
    return dict(await process_run(
        resources.database, github.installation, data or wanted(), job_id=JOB, limits=Limits(ArtifactRules())
    ))  # fmt: skip


async def rows(resources: Resources, query: str) -> list[tuple]:
    async with resources.database.transaction() as connection:
        return [tuple(row) for row in await connection.fetch(query)]


async def carry_out(resources: Resources) -> None:
    """What the worker would do with the uploads that are owed."""
    for (ingestion,) in await rows(resources, "SELECT id FROM ingestions WHERE state <> 'analyzed'"):
        await process_upload(resources.database, ingestion, job_id=f"upload-{ingestion}", now=resources.now)
        await analyze_ingestion(
            resources.database, ingestion, job_id=f"analyze-{ingestion}", config=AnalysisConfig(), now=resources.now,
            owe_next=(owe_publication,),
        )  # fmt: skip


async def test_a_run_becomes_attempts_and_owes_its_publication(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    fake.add_artifact(shop, 1000, "junit", JUNIT)
    fake.add_artifact(shop, 1000, "dist", b"x")
    told = await fetch(resources, github)
    assert told["state"] == "stored"
    assert told["passedOver"] == ["dist: not named like test results"]
    owed = await rows(resources, "SELECT priority FROM outbox WHERE name = 'process-upload'")
    assert owed == [("critical",)]  # before more runs are fetched
    await carry_out(resources)
    (run,) = await rows(
        resources, "SELECT repository, external_run_id, run_attempt, job, variant, tests, failed FROM test_runs"
    )
    assert run == ("acme/shop", "1000", 1, "unit", "linux-x64", 2, 1)
    assert await rows(resources, "SELECT state, conclusion FROM github_runs") == [("stored", "failure")]
    assert await rows(resources, "SELECT count(*) FROM github_run_ingestions") == [(1,)]
    (owed,) = await rows(resources, "SELECT name, correlation_id FROM outbox")
    assert owed == ("analyze-run", "hook")


@pytest.mark.parametrize("dies_after", range(6))
async def test_a_worker_may_die_between_any_two_steps(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub, monkeypatch: pytest.MonkeyPatch,
    dies_after: int,
) -> None:  # fmt: skip
    """Transactions that committed stay, the rest is gone: that is what SIGKILL leaves. Then the job runs again."""
    fake.add_artifact(shop, 1000, "junit-a", JUNIT)
    fake.add_artifact(shop, 1000, "junit-b", zipped({"b.xml": report({"ships": PASS})}))
    steps = 0

    class Killed(BaseException):
        pass

    real = type(resources.database).transaction

    def counted(*arguments, **named):
        nonlocal steps
        steps += 1
        if steps == dies_after + 1:
            raise Killed
        return real(*arguments, **named)

    with monkeypatch.context() as patch:
        patch.setattr(type(resources.database), "transaction", counted)
        with suppress(Killed):
            await fetch(resources, github)
    assert steps >= dies_after
    await fetch(resources, github)
    await fetch(resources, github)  # and once more, though it was done
    await carry_out(resources)
    assert await rows(resources, "SELECT count(*) FROM ingestions") == [(2,)]
    assert await rows(resources, "SELECT count(*) FROM flake_events") == [(3,)]
    assert await rows(resources, "SELECT count(*) FROM github_run_ingestions") == [(2,)]
    assert await rows(resources, "SELECT count(*) FROM outbox WHERE queue = 'runs:ingest'") == [(0,)]


async def test_names_of_any_length_and_of_several_lines_lose_no_results(
    resources: Resources, fake: FakeGitHub, github: GitHub
) -> None:
    """A matrix may hold whole scripts, which GitHub puts into the job's name."""
    shop = fake.add_repository("acme/shop", REPOSITORY, INSTALLATION)
    fake.add_run(shop, 1000, name="CI\t" + "w" * 600)
    fake.add_job(shop, 1000, "unit (make\nmake test)", completed_at=at(minutes=5))
    fake.add_artifact(shop, 1000, "junit", JUNIT)
    assert (await fetch(resources, github))["state"] == "stored"
    await carry_out(resources)
    ((workflow, job, variant),) = await rows(resources, "SELECT workflow, job, variant FROM test_runs")
    assert (workflow[:4], len(workflow), job, variant) == ("CI w", 500, "unit", "linux-x64, make make test")


async def test_legs_of_a_matrix_with_long_values_stay_two(
    resources: Resources, fake: FakeGitHub, github: GitHub
) -> None:
    shop = fake.add_repository("acme/shop", REPOSITORY, INSTALLATION)
    fake.add_run(shop, 1000)
    for minutes, version in ((5, "3.12"), (6, "3.13")):
        fake.add_job(shop, 1000, f"unit ({'make ' * 120}, {version})", completed_at=at(minutes=minutes))
        fake.add_artifact(shop, 1000, f"junit-unit-{version}", JUNIT)
    await fetch(resources, github)
    await carry_out(resources)
    told = await rows(resources, "SELECT job, variant, completed_at FROM test_runs ORDER BY completed_at")
    assert [job for job, _, _ in told] == ["unit", "unit"]
    assert len({variant for _, variant, _ in told}) == 2
    assert all(len(variant) <= 500 for _, variant, _ in told)
    assert [ended for _, _, ended in told] == [STARTED + timedelta(minutes=5), STARTED + timedelta(minutes=6)]


async def test_half_a_zip_is_fetched_again_and_a_broken_one_is_not(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    number = fake.add_artifact(shop, 1000, "junit", b"")
    fake.faults.on(faults.STORED, faults.unmeasured(), times=4)
    for shop.zips[number] in (JUNIT[: len(JUNIT) // 2], JUNIT[:3], b""):
        with pytest.raises(HalfArtifactError, match="ends before"):
            await fetch(resources, github)
    shop.zips[number] = b"<html>Unicorn!</html>"
    with pytest.raises(BrokenArtifactError, match="no ZIP"):
        await fetch(resources, github)
    shop.zips[number] = JUNIT[: len(JUNIT) // 2]
    with pytest.raises(BrokenArtifactError, match="whole"):  # as much as the storage says that there is
        await fetch(resources, github)
    shop.artifacts.clear()
    broken = bytearray(JUNIT)
    broken[broken.rindex(b"PK\x01\x02") : broken.rindex(b"PK\x01\x02") + 4] = b"XXXX"
    fake.add_artifact(shop, 1000, "junit-bad", bytes(broken))
    fake.add_artifact(shop, 1000, "junit", JUNIT)
    with pytest.raises(BrokenArtifactError, match="junit-bad"):
        await fetch(resources, github)
    assert await rows(resources, "SELECT state FROM github_runs") == [("failed",)]
    assert await rows(resources, "SELECT count(*) FROM ingestions") == [(1,)]  # what is good is kept
    assert len(await rows(resources, f"SELECT 1 FROM outbox WHERE job_id = '{JOB}'")) == 1  # for the dead letter


async def test_what_does_not_arrive_keeps_no_other_back(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    for name in ("junit-a", "junit-b", "junit-c", "junit-d"):
        fake.add_artifact(shop, 1000, name, JUNIT)
    fake.faults.on(faults.STORED, faults.half(), times=1)  # the first one's
    with pytest.raises(GitHubAwayError):
        await fetch(resources, github)
    assert await rows(resources, "SELECT count(*) FROM ingestions") == [(3,)]
    await fetch(resources, github)
    assert await rows(resources, "SELECT count(*) FROM ingestions") == [(4,)]
    assert await rows(resources, "SELECT state FROM github_runs") == [("stored",)]


async def test_a_zip_that_stays_half_keeps_no_other_back(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    """The storage does not say how much there is, so that it may be the network's fault: it is asked for again."""
    fake.add_artifact(shop, 1000, "junit-a", JUNIT[: len(JUNIT) // 2])
    fake.add_artifact(shop, 1000, "junit-b", JUNIT)
    fake.faults.on(faults.STORED, faults.unmeasured(), times=1)
    with pytest.raises(HalfArtifactError, match="junit-a"):
        await fetch(resources, github)
    assert await rows(resources, "SELECT count(*) FROM ingestions") == [(1,)]


async def test_a_half_zip_between_two_that_do_not_arrive_is_an_answer(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    for name, packed in (("a", JUNIT), ("b", JUNIT[: len(JUNIT) // 2]), ("c", JUNIT), ("d", JUNIT)):
        fake.add_artifact(shop, 1000, f"junit-{name}", packed)
    for fault in (faults.half(), faults.unmeasured(), faults.half()):
        fake.faults.on(faults.STORED, fault, times=1)
    with pytest.raises(GitHubAwayError):
        await fetch(resources, github)
    assert await rows(resources, "SELECT count(*) FROM ingestions") == [(1,)]


async def test_two_in_a_row_that_do_not_arrive_are_githubs_trouble(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    for name in ("junit-a", "junit-b", "junit-c"):
        fake.add_artifact(shop, 1000, name, JUNIT)
    fake.faults.on(faults.STORED, faults.half(), times=2)
    with pytest.raises(GitHubAwayError):
        await fetch(resources, github)
    assert await rows(resources, "SELECT count(*) FROM ingestions") == [(0,)]


async def test_names_that_lead_out_are_refused_and_the_rest_is_kept(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    packed = zipped({"../../etc/cron.xml": report({"a": PASS}), "good.xml": report({"b": PASS})})
    fake.add_artifact(shop, 1000, "junit", packed)
    told = await fetch(resources, github)
    assert told["passedOver"] == ["junit: ../../etc/cron.xml: the name leads out of the archive"]


def _encrypted() -> bytes:
    packed = bytearray(zipped({"r.xml": report({"a": PASS})}))
    packed[6] |= 1
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    return bytes(packed)


@pytest.mark.parametrize(
    ("bad", "led", "why"),
    [
        (zipped({"bomb.xml": b"<testsuite>" + b" " * (64 * 1024 * 1024)}), None, "250 times"),
        (_encrypted(), None, "encrypted"),
        (JUNIT, "ftp://nowhere.example/1", "leads to no https address"),
    ],
    ids=["bomb", "encrypted", "refused"],
)
async def test_one_artifact_that_cannot_be_had_does_not_keep_the_others_away(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub, bad: bytes, led: str | None, why: str
) -> None:
    number = fake.add_artifact(shop, 1000, "junit-bad", bad)
    fake.add_artifact(shop, 1000, "junit-good", zipped({"g.xml": report({"b": PASS})}))
    if led is not None:
        fake.fail(f"/artifacts/{number}/zip", status=302, headers={"location": led})
    with pytest.raises(BrokenArtifactError, match=why):
        await fetch(resources, github)
    await carry_out(resources)
    assert await rows(resources, "SELECT tests FROM test_runs") == [(1,)]


async def test_artifacts_that_are_gone_or_absent_leave_the_run_empty(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    fake.add_artifact(shop, 1000, "junit", JUNIT)
    fake.faults.on("/zip$", faults.expired())
    told = await fetch(resources, github)
    assert (told["state"], told["passedOver"]) == ("empty", ["junit: GitHub has deleted it"])
    fake.fail("/artifacts$", status=404)
    assert (await fetch(resources, github))["state"] == "empty"
    shop.artifacts.clear()
    fake.add_artifact(shop, 1000, "junit", zipped({"x.xml": b"<coverage/>"}))
    assert (await fetch(resources, github))["passedOver"] == ["junit: no report in it"]


async def test_a_reruns_artifacts_are_told_from_the_first_attempts(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    fake.add_artifact(shop, 1000, "junit", JUNIT)
    fake.add_artifact(shop, 1000, "junit ", zipped({"b.xml": report({"adds": PASS})}), created_at=at(minutes=61))
    shop.runs[1000] |= {"run_attempt": 2, "run_started_at": at(hours=1)}
    await fetch(resources, github, wanted(attempt=1))
    await fetch(resources, github, wanted(attempt=2))
    await carry_out(resources)
    assert await rows(resources, "SELECT run_attempt, tests FROM test_runs ORDER BY 1") == [(1, 2), (2, 1)]
    flaky = "SELECT c.name FROM flake_stats s JOIN test_cases c ON c.id = s.test_case_id WHERE s.verdict = 'flaky'"
    assert await rows(resources, flaky) == [("adds",)]


async def test_an_attempt_in_between_that_nobody_told_of_has_its_own_artifacts(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    for number, created_at in ((1, at()), (2, at(minutes=61)), (3, at(minutes=121))):
        packed = zipped({"r.xml": report({f"in_{number}": PASS})})
        fake.add_artifact(shop, 1000, f"junit-{number}", packed, created_at=created_at)
    shop.runs[1000] |= {"run_attempt": 3, "run_started_at": at(hours=2)}
    shop.earlier[1000, 2] = {"run_started_at": at(hours=1)}
    for attempt in (1, 2, 3):
        await fetch(resources, github, wanted(attempt=attempt))
    await carry_out(resources)
    stored = await rows(
        resources,
        "SELECT r.run_attempt, c.name FROM flake_events e JOIN test_runs r ON r.id = e.run_id"
        " JOIN test_cases c ON c.id = e.test_case_id ORDER BY 1",
    )
    assert stored == [(1, "in_1"), (2, "in_2"), (3, "in_3")]


async def test_a_run_under_way_is_left_to_whoever_hears_of_its_end(
    resources: Resources, shop: Repository, github: GitHub
) -> None:
    shop.runs[1000] |= {"status": "in_progress", "conclusion": None}
    assert await fetch(resources, github) == {"state": "under way"}
    assert await rows(resources, "SELECT 1 FROM outbox") == []


async def test_an_end_that_github_does_not_show_yet_is_waited_for(
    resources: Resources, shop: Repository, github: GitHub
) -> None:
    shop.runs[1000] |= {"status": "in_progress", "conclusion": None}
    await rows(
        resources,
        "INSERT INTO github_runs (repository_id, workflow_run_id, run_attempt, head_sha, status, state)"
        f" VALUES ({REPOSITORY}, 1000, 1, '{'a' * 40}', 'completed', 'owed') RETURNING 1",
    )
    for data in (wanted(), wanted(attempt=2)):
        with pytest.raises(GitHubAwayError, match="does not show it yet"):
            await fetch(resources, github, data)
    assert len(await rows(resources, "SELECT 1 FROM outbox")) == 1  # still owed: nobody hears of its end again


async def test_what_is_not_bound_is_not_fetched(resources: Resources, fake: FakeGitHub, github: GitHub) -> None:
    for data in (wanted(repo="other"), wanted(installation=1)):
        with pytest.raises(InvalidJobError, match="no bound installation"):
            await fetch(resources, github, data)
    await rows(resources, "UPDATE github_repositories SET project_id = NULL RETURNING 1")
    with pytest.raises(InvalidJobError, match="choose one"):
        await fetch(resources, github)
    assert fake.asked == []


async def test_a_repository_that_was_renamed_meanwhile_is_found_by_its_id(
    resources: Resources, fake: FakeGitHub, shop: Repository, github: GitHub
) -> None:
    fake.add_artifact(shop, 1000, "junit", JUNIT)
    by_id = wanted(repositoryId=REPOSITORY)
    await fetch(resources, github, by_id)
    shop.full_name = "acme/store"
    await rows(resources, "UPDATE github_repositories SET full_name = 'acme/store' RETURNING 1")
    assert (await fetch(resources, github, by_id))["state"] == "stored"
    assert await rows(resources, "SELECT count(*) FROM ingestions") == [(1,)]  # what was fetched before is the same
    async with resources.database.transaction() as connection:
        await mark_failed(connection, by_id)
    assert await rows(resources, "SELECT state FROM github_runs") == [("failed",)]
    with pytest.raises(InvalidJobError, match="no bound installation"):  # the name alone is nobody's any more
        await fetch(resources, github)
    with pytest.raises(InvalidJobError, match="no bound installation"):  # nor does an id reach another's repository
        await fetch(resources, github, wanted(installation=1, repositoryId=REPOSITORY))


async def test_a_run_that_names_no_attempt_is_marked_at_its_latest(
    resources: Resources, shop: Repository, github: GitHub
) -> None:
    for attempt in (1, 2):
        shop.runs[1000]["run_attempt"] = attempt
        await fetch(resources, github, wanted(attempt))
    data = wanted().model_copy(update={"run_attempt": None})
    async with resources.database.transaction() as connection:
        await mark_failed(connection, data)
    assert await rows(resources, "SELECT run_attempt, state FROM github_runs ORDER BY 1") == [
        (1, "empty"), (2, "failed"),
    ]  # fmt: skip
    unknown = data.model_copy(update={"workflow_run_id": 7})
    async with resources.database.transaction() as connection:
        await mark_failed(connection, unknown)  # nothing is known of it, and nothing is to be marked
