"""What an operator does with service keys. Each method is one transaction with its entry in the audit trail."""

import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fluxbase.auth.repository import audit
from fluxbase.db import Connection
from fluxbase.resources import Resources
from fluxbase.service_keys import repository, scopes
from fluxbase.service_keys.errors import (
    InvalidExpiryError,
    InvalidNameError,
    KeyEndedError,
    KeyReplacedError,
    KeyRevokedError,
)
from fluxbase.service_keys.form import SERVICE_KEYS
from fluxbase.service_keys.model import Revocation, ServiceKey
from fluxbase.service_keys.repository import Wanted

DEFAULT_GRACE_HOURS = 24.0
LONGEST_GRACE_HOURS = 30 * 24.0
LARGEST_RATE = 10_000_000
_NAME = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,100}")


@dataclass(frozen=True, slots=True)
class Operator:
    """Who acts, for the trail: the credential's label and the address it came from."""

    label: str
    ip: str | None = None


@dataclass(frozen=True, slots=True)
class Issued:
    """A new key: `token` is shown this once. `replaces` is the key that it follows."""

    token: str
    key: ServiceKey
    replaces: ServiceKey | None = None


@dataclass(frozen=True, slots=True)
class ServiceKeys:
    """The use cases. Made for each request or command; costs nothing to make."""

    resources: Resources
    operator: Operator

    async def list_keys(self) -> list[ServiceKey]:
        """All keys, newest first."""
        async with self.resources.database.transaction() as connection:
            return await repository.list_keys(connection)

    async def get(self, key_id: UUID) -> ServiceKey:
        """One key; raises ServiceKeyNotFoundError (404)."""
        async with self.resources.database.transaction() as connection:
            return await repository.find(connection, key_id)

    async def revocations(self, key_id: UUID) -> list[Revocation]:
        """What ended a key, or will, newest first; raises ServiceKeyNotFoundError (404)."""
        async with self.resources.database.transaction() as connection:
            await repository.find(connection, key_id)
            return await repository.list_revocations(connection, key_id)

    async def create(self, wanted: Wanted) -> Issued:
        """Make a key.

        Raises:
            InvalidNameError, InvalidScopeError, InvalidExpiryError: 400.
        """
        new, now = SERVICE_KEYS.generate(), self.resources.now()
        async with self.resources.database.transaction() as connection:
            key = await repository.insert(connection, new, _checked(wanted, now), now)
            await self._audit(connection, "created", key, scopes=list(key.scopes))
        return Issued(new.token, key)

    async def change(self, key_id: UUID, values: Mapping[str, Any]) -> ServiceKey:
        """Change name, scopes, rates or expiry: those of `values` (named as in `Wanted`); the rest stays.

        Raises:
            ServiceKeyNotFoundError: 404.
            KeyRevokedError: 409.
            InvalidNameError, InvalidScopeError, InvalidExpiryError: 400.
        """
        async with self._locked(key_id) as (connection, key, now):
            wanted = replace(_wanted_of(key), **values)
            unchanged_expiry = wanted.expires_at == key.expires_at
            changed = await repository.change(
                connection, key_id, _checked(wanted, None if unchanged_expiry else now), now
            )
            await self._audit(connection, "updated", key, changed=sorted(values))
        return changed

    async def delete(self, key_id: UUID) -> None:
        """Forget a key, its revocations too; the audit trail stays. Raises ServiceKeyNotFoundError (404)."""
        async with self.resources.database.transaction() as connection:
            key = await repository.find(connection, key_id, lock=True)
            await repository.delete(connection, key_id)
            await self._audit(connection, "deleted", key)

    async def revoke(self, key_id: UUID, reason: str | None) -> ServiceKey:
        """End a key at once and for good; again changes nothing. Raises ServiceKeyNotFoundError (404)."""
        async with self.resources.database.transaction() as connection:
            key, now = await repository.find(connection, key_id, lock=True), self.resources.now()
            if key.revoked_at is not None:
                return key
            revoked = await repository.revoke(connection, key_id, now)
            await repository.add_revocation(connection, key, "revoked", reason=reason, by=self.operator.label, now=now)
            await self._audit(connection, "revoked", key, reason=reason)
        return revoked

    async def rotate(self, key_id: UUID, grace_hours: float = DEFAULT_GRACE_HOURS) -> Issued:
        """Make a key like this one; this one works until the grace period is over, and not a second longer.

        Raises:
            ServiceKeyNotFoundError: 404.
            KeyRevokedError, KeyReplacedError, KeyEndedError: 409.
        """
        new = SERVICE_KEYS.generate()
        async with self._locked(key_id) as (connection, key, now):
            _check_rotatable(key, now)
            follower = await repository.insert(connection, new, _checked(_wanted_of(key), now), now)
            old = await self._end(connection, key, "rotated", grace_hours, now, replaced_by=follower.id)
            await self._audit(connection, "rotated", key, replaced_by=follower.key_prefix)
        return Issued(new.token, follower, old)

    async def deprecate(
        self, key_id: UUID, grace_hours: float = DEFAULT_GRACE_HOURS, reason: str | None = None
    ) -> ServiceKey:
        """Let a key work until the grace period is over, and not a second longer; an earlier end stays.

        Raises:
            ServiceKeyNotFoundError: 404.
            KeyRevokedError: 409.
        """
        async with self._locked(key_id) as (connection, key, now):
            old = await self._end(connection, key, "deprecated", grace_hours, now, reason=reason)
            await self._audit(connection, "deprecated", key, reason=reason)
        return old

    async def set_enabled(self, key_id: UUID, *, enabled: bool) -> ServiceKey:
        """Switch a key on or off.

        Raises:
            ServiceKeyNotFoundError: 404.
            KeyRevokedError: 409.
        """
        async with self._locked(key_id) as (connection, key, now):
            changed = await repository.set_enabled(connection, key_id, now, enabled=enabled)
            await self._audit(connection, "enabled" if enabled else "disabled", key)
        return changed

    @asynccontextmanager
    async def _locked(self, key_id: UUID) -> AsyncGenerator[tuple[Connection, ServiceKey, datetime]]:
        async with self.resources.database.transaction() as connection:
            key = await repository.find(connection, key_id, lock=True)
            if key.revoked_at is not None:
                raise KeyRevokedError
            yield connection, key, self.resources.now()

    async def _end(
        self,
        connection: Connection,
        key: ServiceKey,
        kind: str,
        grace_hours: float,
        now: datetime,
        *,
        reason: str | None = None,
        replaced_by: UUID | None = None,
    ) -> ServiceKey:
        ends_at = now + timedelta(hours=grace_hours)
        old = await repository.deprecate(connection, key.id, now, ends_at=ends_at, replaced_by=replaced_by)
        await repository.add_revocation(
            connection, key, kind, reason=reason, by=self.operator.label, now=now, ends_at=old.grace_period_ends_at
        )
        return old

    async def _audit(self, connection: Connection, action: str, key: ServiceKey, **metadata: Any) -> None:
        await audit(
            connection,
            f"service_key.{action}",
            actor_id=None,  # operators are credentials, not accounts
            ip=self.operator.ip,
            key_id=str(key.id),
            key_prefix=key.key_prefix,
            name=key.name,
            by=self.operator.label,
            **metadata,
        )


def _check_rotatable(key: ServiceKey, now: datetime) -> None:
    """Whatever has ended stays so, and a key has one follower."""
    if key.ends_at is not None and key.ends_at <= now:
        raise KeyEndedError
    if key.replaced_by is not None:
        raise KeyReplacedError


def _wanted_of(key: ServiceKey) -> Wanted:
    return Wanted(key.name, key.scopes, key.rate_limit_per_minute, key.rate_limit_per_hour, key.expires_at)


def _checked(wanted: Wanted, now: datetime | None) -> Wanted:
    """`wanted` with its scopes in order; `now` is None where the expiry is not new."""
    if not _NAME.fullmatch(wanted.name):
        raise InvalidNameError
    if now is not None and wanted.expires_at is not None and wanted.expires_at <= now:
        raise InvalidExpiryError
    return replace(wanted, scopes=scopes.checked(wanted.scopes))
