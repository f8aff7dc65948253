"""The runtime's role: it signs in, owns nothing, and may become anon, authenticated or service_role."""

import hashlib
import hmac
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

RUNTIME_ROLE = "fluxbase_runtime"


async def ensure_runtime_role(owner_dsn: str, secret: str) -> str:
    """Make or refresh the runtime's role with the owner's address alone, and return the runtime's own address.

    The password is derived from `secret`, so that every process of an installation knows it without storing it.
    """
    password = hmac.new(secret.encode(), b"runtime role password", hashlib.sha256).hexdigest()
    connection = await asyncpg.connect(owner_dsn)
    try:
        async with connection.transaction():
            # Two processes starting together must not both find the role missing.
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('fluxbase runtime role'))")
            exists = await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", RUNTIME_ROLE)
            verb = "ALTER" if exists else "CREATE"
            await connection.execute(f"{verb} ROLE {RUNTIME_ROLE} LOGIN NOINHERIT PASSWORD '{password}'")
            await connection.execute(f"GRANT anon, authenticated, service_role TO {RUNTIME_ROLE}")
    finally:
        await connection.close()
    return _with_user(owner_dsn, RUNTIME_ROLE, password)


def _with_user(dsn: str, user: str, password: str) -> str:
    parts = urlsplit(dsn)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(user)}:{quote(password)}@{host}"))
