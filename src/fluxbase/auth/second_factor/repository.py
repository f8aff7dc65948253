"""Authenticators and recovery codes in the database. Takes the connection, never commits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from fluxbase.auth.second_factor import codes
from fluxbase.db import Connection, load

_SQL = load(__package__ or "")


@dataclass(frozen=True, slots=True)
class Factor:
    """A user's authenticator."""

    sealed_secret: str
    created_at: datetime
    enabled_at: datetime | None


async def has_second_factor(connection: Connection, user_id: UUID) -> bool:
    """Whether a second factor is asked for."""
    return await connection.fetchval(_SQL["has_second_factor"], user_id)


async def find_factor(connection: Connection, user_id: UUID) -> Factor | None:
    """The authenticator, locked until the transaction ends."""
    row = await connection.fetchrow(_SQL["find_factor"], user_id)
    return Factor(**dict(row)) if row else None


async def begin_enrolment(connection: Connection, user_id: UUID, sealed_secret: str, now: datetime) -> bool:
    """Note a secret that is not asked for yet; False when one is asked for already."""
    return await connection.fetchval(_SQL["begin_enrolment"], user_id, sealed_secret, now) is not None


async def use_step(connection: Connection, user_id: UUID, step: int) -> bool:
    """Use up the code of a step; False when it, or a later one, was used before."""
    return await connection.fetchval(_SQL["use_step"], user_id, step) is not None


async def enable(connection: Connection, user_id: UUID, now: datetime) -> None:
    """Ask for the authenticator from now on."""
    await connection.execute(_SQL["enable_factor"], user_id, now)


async def delete(connection: Connection, user_id: UUID) -> None:
    """Forget authenticator and recovery codes."""
    await connection.execute(_SQL["delete_factor"], user_id)
    await connection.execute(_SQL["delete_recovery_codes"], user_id)


async def replace_recovery_codes(connection: Connection, user_id: UUID, fresh: Sequence[str]) -> None:
    """Make `fresh` the recovery codes; those before are worthless."""
    await connection.execute(_SQL["delete_recovery_codes"], user_id)
    digests = [codes.recovery_digest(user_id, code) for code in fresh]
    await connection.execute(_SQL["insert_recovery_codes"], user_id, digests)


async def spend_recovery_code(connection: Connection, user_id: UUID, code: str) -> bool:
    """Use a recovery code up; whether it was one."""
    digest = codes.recovery_digest(user_id, code)
    return await connection.fetchval(_SQL["spend_recovery_code"], user_id, digest) is not None


async def count_recovery_codes(connection: Connection, user_id: UUID) -> int:
    """How many are left."""
    return await connection.fetchval(_SQL["count_recovery_codes"], user_id)
