"""Artifacts that arrive in half, or broken, or not at all: each is answered for itself."""

import pytest
from tests.github import faults
from tests.github.fake import FakeGitHub, Repository

from flakeguard.github.api import GitHub
from flakeguard.github.artifacts.unpacking import BrokenArtifactError
from flakeguard.github.errors import GitHubAwayError, HalfArtifactError
from fluxbase.resources import Resources

from ...uploads import PASS, report, zipped
from .fetched import JOB, JUNIT, carry_out, fetch, rows

pytestmark = pytest.mark.usefixtures("bound")


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
