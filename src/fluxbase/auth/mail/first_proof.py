"""The first proof of an address. Until then anybody may have made the account, and hold it in several ways."""

from uuid import UUID

from fluxbase.auth import repository
from fluxbase.auth.accounts import Accounts
from fluxbase.auth.model import Client
from fluxbase.db import Connection, load

_SQL = load(__package__ or "")


async def confirm(
    accounts: Accounts, connection: Connection, user_id: UUID, client: Client, *, keep_password: bool
) -> None:
    """Note that the address was proven. The first time, whatever else opens the account is taken away.

    Sessions, identities and those that are being connected, the second factor, what was mailed before; the password too
    unless `keep_password`: it is the one that is being set now, or that of the sign-up that the mail confirms.
    """
    if not await repository.confirm_email(connection, user_id, accounts.now()):
        return
    await repository.delete_other_sessions(connection, user_id, None)
    for statement in ("drop_identities", "drop_departures", "drop_factor", "drop_recovery_codes", "drop_tokens"):
        await connection.execute(_SQL[statement], user_id)
    if not keep_password:
        await repository.set_password(connection, user_id, None, accounts.now())
    await repository.audit(connection, "user.email_confirmed", actor_id=user_id, ip=client.ip)
