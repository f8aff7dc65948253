"""What can be done with objects. Each use case runs as the caller: the database's policies say what they may."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg
import structlog

from fluxbase.db import ANONYMOUS, OUTAGES, Claims, Connection, Database
from fluxbase.errors import (
    InsufficientStorageError,
    InvalidRequestError,
    NotAuthenticatedError,
    PermissionDeniedError,
)
from fluxbase.storage import conditions as preconditions
from fluxbase.storage import repository, sniffing
from fluxbase.storage.blobs import NO_SPACE, BlobStore, new_key
from fluxbase.storage.conditions import Conditions
from fluxbase.storage.contents import take_in
from fluxbase.storage.errors import BucketNotFoundError, ObjectExistsError
from fluxbase.storage.model import Content, StoredObject
from fluxbase.storage.receiving import Incoming

logger = structlog.get_logger(__name__)

# How long a blob outlives its object: whoever found the row a moment ago still gets its bytes.
GRACE_SECONDS = 30
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Objects:
    """The use cases. `claims` are the caller's; `max_file_size` (bytes) holds for every bucket."""

    database: Database
    blobs: BlobStore
    claims: Claims
    max_file_size: int

    async def page(self, bucket_id: str, *, prefix: str, limit: int, offset: int) -> list[StoredObject]:
        """Objects whose names begin with `prefix`, by name.

        Raises:
            BucketNotFoundError: 404.
        """
        async with self.database.transaction(self.claims) as connection:
            await repository.find_bucket(connection, bucket_id)
            return await repository.list_objects(connection, bucket_id, prefix=prefix, limit=limit, offset=offset)

    async def find(self, bucket_id: str, name: str) -> StoredObject:
        """An object that the caller may see.

        Raises:
            ObjectNotFoundError: 404.
        """
        async with self.database.transaction(self.claims) as connection:
            return await repository.find_object(connection, bucket_id, name)

    async def delete(self, bucket_id: str, name: str, conditions: Conditions) -> None:
        """Delete an object. Its bytes follow within a minute.

        Raises:
            ObjectNotFoundError: 404.
            PermissionDeniedError: 403, seen but not the caller's.
            PreconditionFailedError: 412.
        """
        async with self.database.transaction(self.claims) as connection:
            locked = await repository.lock_object(connection, bucket_id, name)
            found = locked or await repository.find_object(connection, bucket_id, name)
            preconditions.check_match(conditions, found.etag)
            if not await repository.delete_object(connection, found.id):
                raise PermissionDeniedError("You may see this object, but not delete it.")

    async def upload(
        self, bucket_id: str, name: str, incoming: Incoming, *, replace: bool, conditions: Conditions
    ) -> tuple[StoredObject, bool]:
        """Store what comes in as the content of an object; also whether the object is new.

        The bytes go to a key of their own first. One transaction then makes or switches the row: until it commits,
        readers get what was there before.

        Raises:
            InvalidRequestError: 400, there is no content, or it broke off.
            PermissionDeniedError: 403.
            BucketNotFoundError: 404.
            ObjectExistsError: 409, when it is not to `replace`.
            PreconditionFailedError: 412.
            PayloadTooLargeError: 413.
            UnsupportedMediaTypeError: 415.
            InsufficientStorageError: 507.
        """
        key = new_key(bucket_id)
        async with self.database.transaction(self.claims) as connection:
            bucket = await repository.find_bucket(connection, bucket_id)
        async with self.database.transaction() as connection:
            await repository.begin_blob(connection, key)
        try:
            await self._look_first(key, bucket_id, name, replace=replace, conditions=conditions)
            content = await take_in(self.blobs, key, bucket, name, incoming, most_bytes=self.max_file_size)
            return await self._attach(bucket_id, name, content, replace=replace, conditions=conditions)
        except BaseException:
            await asyncio.shield(self._abandon(key))
            raise

    async def _look_first(self, key: str, bucket_id: str, name: str, *, replace: bool, conditions: Conditions) -> None:
        """Do it with one byte and undo it: who may not upload is told before, not after gigabytes."""
        trial = Content(key, 1, sniffing.UNKNOWN, "", {})
        async with self.database.transaction(self.claims) as connection:
            transaction = connection.transaction()
            await transaction.start()
            try:
                await self._put(connection, bucket_id, name, trial, replace=replace, conditions=conditions)
            finally:
                await transaction.rollback()

    async def _attach(
        self, bucket_id: str, name: str, content: Content, *, replace: bool, conditions: Conditions
    ) -> tuple[StoredObject, bool]:
        try:
            async with self.database.transaction(self.claims) as connection:
                return await self._put(connection, bucket_id, name, content, replace=replace, conditions=conditions)
        except asyncpg.DiskFullError as error:
            logger.error(NO_SPACE, server="postgresql", error=str(error))  # noqa: TRY400 -- the stack tells nothing
            raise InsufficientStorageError from error

    async def _put(
        self,
        connection: Connection,
        bucket_id: str,
        name: str,
        content: Content,
        *,
        replace: bool,
        conditions: Conditions,
    ) -> tuple[StoredObject, bool]:
        for _ in range(_TRIES):
            locked = await repository.lock_object(connection, bucket_id, name)
            preconditions.check_before_write(conditions, locked and locked.etag)
            if locked is None:
                added = await self._add(connection, bucket_id, name, content)
                if added is not None:
                    return added, True
                continue  # somebody else was faster, or it is another's: look again
            if not replace:
                raise ObjectExistsError
            replaced = await repository.replace_content(connection, locked.id, content)
            if replaced is not None:
                return replaced, False
        if not replace:
            raise ObjectExistsError("There is an object of this name, which is not yours to replace.")
        raise PermissionDeniedError("There is an object of this name, which is not yours to replace.")

    async def _add(self, connection: Connection, bucket_id: str, name: str, content: Content) -> StoredObject | None:
        """The new object; None when the name is taken.

        Raises:
            NotAuthenticatedError, PermissionDeniedError: The policies do not let the caller in.
        """
        try:
            async with connection.transaction():
                return await repository.add_object(connection, bucket_id, name, content)
        except asyncpg.UniqueViolationError:
            return None
        except asyncpg.ForeignKeyViolationError as error:
            raise BucketNotFoundError from error
        except asyncpg.InsufficientPrivilegeError as error:
            if self.claims is ANONYMOUS:
                raise NotAuthenticatedError from error
            raise PermissionDeniedError("You may not make objects in this bucket.") from error

    async def _abandon(self, key: str) -> None:
        try:
            async with self.database.transaction() as connection:
                await repository.abandon_blob(connection, key, grace_seconds=GRACE_SECONDS)
        except OUTAGES as error:
            # The sweep finds it in a day; what the client is told is why the upload failed.
            logger.warning("blob left to the sweep", key=key, error=f"{type(error).__name__}: {error}")


def checked_page(limit: int, offset: int, *, most: int) -> Mapping[str, int]:
    """Limit and offset of a list, when they can be used.

    Raises:
        InvalidRequestError: 400.
    """
    if not 1 <= limit <= most or not 0 <= offset < 2**31:
        raise InvalidRequestError(f"limit is from 1 to {most}, offset from 0 to {2**31 - 1}.")
    return {"limit": limit, "offset": offset}
