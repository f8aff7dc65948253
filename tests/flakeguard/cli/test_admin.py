"""`flakeguard admin` on real servers."""

import asyncio

import pytest


@pytest.fixture
def admin(addresses, run):
    """Run the command line against the test's own database."""
    environment = {
        "FG_DATABASE_DSN": addresses.runtime_dsn,
        "FG_DATABASE_OWNER_DSN": addresses.owner_dsn,
        "FG_JWT_SECRET": addresses.secret,
        "REDIS_URL": addresses.redis_url,
    }
    return lambda *arguments: asyncio.to_thread(run, ["admin", *arguments], env=environment)


async def test_a_job_that_nobody_gave_up_cannot_be_tried_again(admin):
    for arguments in (["retry", "upload-1"], ["retry", "upload-1", "--json"]):
        result = await admin(*arguments)
        assert result.exit_code == 3
        assert "no job upload-1 was given up" in result.stderr


async def test_nothing_given_up_is_no_error(admin):
    assert "0 jobs" in (await admin("failed")).stdout
    assert (await admin("retry")).exit_code == 0
