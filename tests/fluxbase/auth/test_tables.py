"""What the database itself allows, with our code out of the way: the runtime's role, and claims at will."""

import asyncpg
import pytest

from fluxbase.db import ANONYMOUS, Claims

CLOSED = (
    *("users", "sessions", "audit_log_entries", "refresh_tokens", "lockouts", "one_time_tokens", "mail_requests"),
    *("totp_factors", "recovery_codes", "identities", "revoked_identities", "oauth_states"),
)


@pytest.mark.parametrize("table", [f"auth.{name}" for name in CLOSED])
async def test_accounts_are_closed_to_users_and_strangers(client, ada, resources, table):
    for claims in (ANONYMOUS, Claims("authenticated", sub=ada["user"]["id"])):
        async with resources.database.transaction(claims) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT * FROM {table}")


async def test_the_audit_trail_cannot_be_rewritten(client, ada, resources):
    for statement in (
        "UPDATE auth.audit_log_entries SET action = 'nothing'",
        "DELETE FROM auth.audit_log_entries",
    ):
        async with resources.database.transaction() as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
