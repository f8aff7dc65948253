"""Tokens that are good once and for a short while: links and codes of mails, tickets to the second factor."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

import asyncpg

from fluxbase.auth import repository, tokens
from fluxbase.auth.errors import InvalidCodeError
from fluxbase.auth.model import User
from fluxbase.db import Connection, load
from fluxbase.derived_keys import derived_key

_SQL = load(__package__ or "")

CODE_DIGITS = 6
_MOST_WRONG_CODES = 5


class Purpose(StrEnum):
    """What a token is for; one of a purpose is worth nothing for another."""

    CONFIRMATION = "confirmation"
    RECOVERY = "recovery"
    MAGICLINK = "magiclink"
    OTP = "otp"
    SECOND_FACTOR = "second_factor"
    EXCHANGE = "exchange"


LIFETIMES = {
    Purpose.CONFIRMATION: timedelta(hours=24),
    Purpose.RECOVERY: timedelta(hours=1),
    Purpose.MAGICLINK: timedelta(minutes=15),
    Purpose.OTP: timedelta(minutes=10),
    Purpose.SECOND_FACTOR: timedelta(minutes=5),
    Purpose.EXCHANGE: timedelta(minutes=1),
}
# Asking for another mail makes the one before worthless; two browsers may be at their second factor at once.
_ONLY_THE_LAST = frozenset((Purpose.CONFIRMATION, Purpose.RECOVERY, Purpose.MAGICLINK, Purpose.OTP))


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose token it was; `method` is how the first factor was shown, for tickets."""

    user_id: UUID
    email: str
    method: str | None


async def issue(connection: Connection, user: User, purpose: Purpose, now: datetime, *, method: str = "") -> str:
    """A token for a user; earlier ones of a mail's purpose are worthless from now on."""
    token = tokens.new_token(tokens.ONE_TIME)
    await _store(connection, user, purpose, now, tokens.digest(token), method)
    return token


async def issue_code(connection: Connection, secret: str, user: User, now: datetime) -> str:
    """A code of six digits. Its digest is keyed: a million codes are soon tried by who holds a copy of the database."""
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
    await _store(connection, user, Purpose.OTP, now, _keyed(secret, user.id, code), "")
    return code


async def _store(
    connection: Connection, user: User, purpose: Purpose, now: datetime, digest: bytes, method: str
) -> None:
    if purpose in _ONLY_THE_LAST:
        await connection.execute(_SQL["delete_one_time_tokens"], user.id, purpose)
    await connection.execute(_SQL["delete_expired_one_time_tokens"], user.id, now)
    expires_at = now + LIFETIMES[purpose]
    await connection.execute(
        _SQL["insert_one_time_token"], digest, user.id, purpose, user.email, method or None, now, expires_at
    )


async def spend(connection: Connection, token: str, purpose: Purpose, now: datetime) -> Holder:
    """Use a token up.

    Raises:
        InvalidCodeError: 401, it is none, was used, or has expired.
    """
    return _holder(await connection.fetchrow(_SQL["spend_one_time_token"], tokens.digest(token), purpose, now))


async def redeem(connection: Connection, token: str, purpose: Purpose, now: datetime) -> tuple[User, str | None]:
    """Use a token up to sign in with it: its user, locked until the transaction ends, and how they came to have it.

    Raises:
        InvalidCodeError: 401.
    """
    holder = await spend(connection, token, purpose, now)
    user = await repository.find_user(connection, holder.user_id)
    if user is None:
        raise InvalidCodeError
    return user, holder.method


async def peek(connection: Connection, token: str, purpose: Purpose, now: datetime) -> Holder:
    """Whose token it is, which stays good.

    Raises:
        InvalidCodeError: 401.
    """
    return _holder(await connection.fetchrow(_SQL["peek_one_time_token"], tokens.digest(token), purpose, now))


async def spend_code(connection: Connection, secret: str, user: User, code: str, now: datetime) -> bool:
    """Use a code of six digits up; whether it was the right one. A few wrong ones use it up as well."""
    digest = _keyed(secret, user.id, code.strip())
    row = await connection.fetchrow(_SQL["spend_one_time_token"], digest, Purpose.OTP, now)
    if row is not None:
        return row["fresh"]
    wrong = await connection.fetchval(_SQL["note_wrong_code"], user.id, Purpose.OTP)
    if wrong is not None and wrong >= _MOST_WRONG_CODES:
        await connection.execute(_SQL["delete_one_time_tokens"], user.id, Purpose.OTP)
    return False


def _holder(row: asyncpg.Record | None) -> Holder:
    if row is None or not row["fresh"]:
        raise InvalidCodeError
    return Holder(row["id"], row["email"], row["method"])


def _keyed(secret: str, user_id: UUID, code: str) -> bytes:
    text = f"{user_id}:{code}".encode("utf-8", "surrogatepass")
    return hmac.new(derived_key(secret, "codes by mail"), text, hashlib.sha256).digest()
