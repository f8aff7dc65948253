"""What the fake delivers is what GitHub delivers."""

import pytest

from . import webhooks
from .fake import APP_ID, FakeGitHub
from .npm import NoPackageError, package


@pytest.fixture(scope="module", autouse=True)
def described() -> None:
    try:
        package(*webhooks.SCHEMAS)
    except NoPackageError as error:
        pytest.skip(f"nothing holds deliveries to the truth: {error}")


@pytest.fixture
def fake() -> FakeGitHub:
    """One that nobody asks."""
    made = FakeGitHub()
    made.url = "https://github.com"
    return made


def test_deliveries_are_as_github_describes_them(fake: FakeGitHub) -> None:
    shop = fake.add_repository()
    fake.add_run(shop, 7, pull_requests=[{"number": 5}])
    shop.check_runs[3] = {
        "id": 3, "app": {"id": APP_ID}, "annotations": [], "head_sha": "a" * 40, "name": "FlakeGuard",
        "status": "completed", "conclusion": "failure", "output": {"title": "t", "summary": "s"},
    }  # fmt: skip
    assert webhooks.workflow_run(fake, shop, 7)["workflow_run"]["id"] == 7
    assert webhooks.installation(fake, 4711)["repositories"][0]["id"] == shop.id
    assert webhooks.installation_repositories(fake, 4711, added=[shop])["action"] == "added"
    assert webhooks.installation_repositories(fake, 4711, removed=[shop])["action"] == "removed"
    assert webhooks.requested_action(fake, shop, 3, "rerun")["requested_action"] == {"identifier": "rerun"}


def test_others_are_refused(fake: FakeGitHub) -> None:
    fake.add_run(fake.add_repository(), 7, head_branch=None, run_number="seven")
    with pytest.raises(AssertionError, match=r"workflow_run workflow_run.run_number: .*seven"):
        webhooks.workflow_run(fake, fake.repositories[815], 7)
    with pytest.raises(AssertionError, match="GitHub has no action forgotten"):
        webhooks.installation(fake, 4711, "forgotten")


def test_what_a_test_leaves_out_is_as_in_an_example_and_what_it_makes_up_is_refused() -> None:
    told = {"action": "suspend", "installation": {"id": 7, "account": {"login": "acme"}}}
    whole = webhooks.completed("installation", told)
    assert (whole["installation"]["id"], whole["installation"]["account"]["login"]) == (7, "acme")
    assert webhooks.differences("installation", whole) == []
    with pytest.raises(AssertionError, match="'owner' was unexpected"):
        webhooks.completed("installation", told | {"repositories": [{"id": 1, "owner": "acme"}]})
