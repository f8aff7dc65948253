"""The runtime's role: it signs in, owns nothing, and may become anon, authenticated or service_role."""

import hashlib
import hmac
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

RUNTIME_ROLE = "fluxbase_runtime"
_ROLES = ("anon", "authenticated", "service_role")
_TRIES = 10


async def ensure_runtime_role(owner_dsn: str, secret: str) -> str:
    """Make or refresh the runtime's role with the owner's address alone, and return the runtime's own address.

    The password is derived from `secret`, so that every process of an installation knows it without storing it. Roles
    belong to the whole server, where two databases' processes can meet: what stands already is left alone.
    """
    # Under the secret itself and not under a derived key, as everything else is: installations have this password.
    password = hmac.new(secret.encode(), b"runtime role password", hashlib.sha256).hexdigest()
    runtime_dsn = _with_user(owner_dsn, RUNTIME_ROLE, password)
    for tries_left in reversed(range(_TRIES)):
        if await _is_ready(runtime_dsn):
            break
        try:
            await _make(owner_dsn, password)
        except (asyncpg.InternalServerError, asyncpg.UniqueViolationError, asyncpg.DuplicateObjectError):
            if not tries_left:  # "tuple concurrently updated": somebody else is making it
                raise
    return runtime_dsn


async def _is_ready(runtime_dsn: str) -> bool:
    try:
        connection = await asyncpg.connect(runtime_dsn)
    except asyncpg.InvalidAuthorizationSpecificationError:
        return False
    try:
        return await connection.fetchval(
            "SELECT bool_and(pg_has_role(rolname, 'MEMBER')) FROM pg_roles WHERE rolname = ANY($1::text[])",
            list(_ROLES),
        )
    finally:
        await connection.close()


async def _make(owner_dsn: str, password: str) -> None:
    connection = await asyncpg.connect(owner_dsn)
    try:
        async with connection.transaction():
            exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", RUNTIME_ROLE)
            verb = "ALTER" if exists else "CREATE"
            await connection.execute(f"{verb} ROLE {RUNTIME_ROLE} LOGIN NOINHERIT PASSWORD '{password}'")
            await connection.execute(f"GRANT {', '.join(_ROLES)} TO {RUNTIME_ROLE}")
    finally:
        await connection.close()


def _with_user(dsn: str, user: str, password: str) -> str:
    parts = urlsplit(dsn)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user)}:{quote(password)}@{host}"))
