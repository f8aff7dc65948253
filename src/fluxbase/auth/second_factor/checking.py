"""Whether a code is right, once: an authenticator's of this half minute, or a recovery code."""

from uuid import UUID

import structlog

from fluxbase.auth.accounts import Accounts
from fluxbase.auth.encryption import SecretBox, UnreadableSecretError
from fluxbase.auth.second_factor import codes, repository
from fluxbase.auth.second_factor.repository import Factor
from fluxbase.db import Connection

logger = structlog.get_logger(__name__)


def box(accounts: Accounts) -> SecretBox:
    """What seals authenticators' secrets."""
    return accounts.box("totp secrets")


async def use_totp(accounts: Accounts, connection: Connection, user_id: UUID, factor: Factor, code: str) -> bool:
    """Use an authenticator's code up; whether it was right and new."""
    try:
        secret = box(accounts).open(factor.sealed_secret)
    except UnreadableSecretError:
        # The installation's secret was changed. Recovery codes still open the account, so this is no reason to fail.
        logger.error("authenticator unreadable", user_id=str(user_id))  # noqa: TRY400 -- the stack says nothing more
        return False
    step = codes.step_of(secret, code, accounts.now())
    return step is not None and await repository.use_step(connection, user_id, step)


async def use_code(accounts: Accounts, connection: Connection, user_id: UUID, code: str) -> str | None:
    """Use up whatever code it is: `totp` or `recovery_code`; None when it is neither, or was used before."""
    factor = await repository.find_factor(connection, user_id)
    if factor is None or factor.enabled_at is None:
        return None
    if await use_totp(accounts, connection, user_id, factor, code):
        return "totp"
    return "recovery_code" if await repository.spend_recovery_code(connection, user_id, code) else None
