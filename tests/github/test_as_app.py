"""What the App asks as itself: where it is installed, and which deliveries failed."""

from datetime import UTC, datetime, timedelta

import pytest

from flakeguard.github.api import GitHub
from flakeguard.github.errors import GoneError, RateLimitedError
from flakeguard.github.facts import Account, AppInstallation

from .fake import APP_ID, FakeGitHub

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


async def test_the_app_knows_itself(fake: FakeGitHub, github: GitHub) -> None:
    fake.add_repository()
    told = await github.facts()
    assert (told.id, told.slug, told.installations) == (APP_ID, "flakeguard", 1)


async def test_installations_are_listed_page_by_page(fake: FakeGitHub, github: GitHub) -> None:
    for number in range(150):
        fake.add_repository(f"owner{number}/shop", 1000 + number, 1 + number)
    fake.suspended[150] = "2026-11-25T10:00:00Z"
    listed = await github.installations()
    assert [one.id for one in listed] == list(range(1, 151))
    assert listed[0] == AppInstallation(1, Account(99, "owner0", "Organization"), None)
    assert listed[-1].suspended_at == datetime(2026, 11, 25, 10, tzinfo=UTC)


async def test_failed_deliveries_are_listed_back_to_a_time(fake: FakeGitHub, github: GitHub) -> None:
    now = datetime.now(UTC)
    for number in range(250):
        at = (now - timedelta(minutes=250 - number)).strftime("%Y-%m-%dT%H:%M:%SZ")
        fake.add_delivery(f"guid-{number}", status_code=502 if number % 2 else 202, delivered_at=at)
    listed = await github.failed_deliveries(LONG_AGO)
    assert [one.guid for one in listed] == [f"guid-{number}" for number in range(249, 0, -2)]
    assert [asked.query.get("cursor") for asked in fake.asked_for("deliveries")] == [None, "52"]
    lately = await github.failed_deliveries(now - timedelta(minutes=10, seconds=30))
    assert [one.guid for one in lately] == ["guid-249", "guid-247", "guid-245", "guid-243", "guid-241"]
    assert len(fake.asked_for("deliveries")) == 3  # what is older is not asked for


async def test_a_server_that_lists_all_of_them_is_understood(fake: FakeGitHub, github: GitHub) -> None:
    for code in (200, 202, 302, 0, 401, 503):
        fake.add_delivery(f"answered-{code}", status_code=code)
    fake.fail("deliveries", status=200, body=list(reversed(fake.deliveries)))
    assert {one.status_code for one in await github.failed_deliveries(LONG_AGO)} == {0, 401, 503}


async def test_a_delivery_is_asked_for_again(fake: FakeGitHub, github: GitHub) -> None:
    number = fake.add_delivery("guid")
    await github.redeliver(number)
    assert [one.get("redelivery", False) for one in fake.deliveries] == [False, True]
    with pytest.raises(GoneError):
        await github.redeliver(99_999)


async def test_the_apps_own_limit_is_its_own(fake: FakeGitHub, github: GitHub) -> None:
    fake.add_repository()
    fake.fail("GET /app/installations", status=429, headers={"retry-after": "9"})
    with pytest.raises(RateLimitedError):
        await github.installations()
    with pytest.raises(RateLimitedError):
        await github.failed_deliveries(LONG_AGO)
    assert not fake.asked_for("deliveries")
