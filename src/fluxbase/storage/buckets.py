"""What can be done with buckets, as the caller."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import asyncpg

from fluxbase.db import ANONYMOUS, Claims, Database
from fluxbase.errors import InvalidRequestError, NotAuthenticatedError, PermissionDeniedError
from fluxbase.storage import repository
from fluxbase.storage.errors import BucketExistsError, BucketNotEmptyError
from fluxbase.storage.model import Bucket
from fluxbase.storage.names import check_bucket_id

_FIELDS = frozenset(("public", "user_uploads", "allowed_mime_types", "max_file_size"))


@dataclass(frozen=True, slots=True)
class Buckets:
    """The use cases."""

    database: Database
    claims: Claims

    async def all(self) -> list[Bucket]:
        """Those that the caller may see."""
        async with self.database.transaction(self.claims) as connection:
            return await repository.list_buckets(connection)

    async def find(self, bucket_id: str) -> Bucket:
        """One of them.

        Raises:
            BucketNotFoundError: 404.
        """
        async with self.database.transaction(self.claims) as connection:
            return await repository.find_bucket(connection, bucket_id)

    async def add(self, body: Mapping[str, Any]) -> Bucket:
        """Make a bucket of `{id, public?, user_uploads?, allowed_mime_types?, max_file_size?}`.

        Raises:
            InvalidRequestError: 400.
            NotAuthenticatedError, PermissionDeniedError: 401, 403.
            BucketExistsError: 409.
        """
        wanted = body.get("id")
        if not isinstance(wanted, str):
            raise InvalidRequestError("A bucket needs an id.")
        bucket_id = check_bucket_id(wanted)
        fields = _checked({name: value for name, value in body.items() if name != "id"})
        try:
            async with self.database.transaction(self.claims) as connection:
                return await repository.add_bucket(
                    connection,
                    bucket_id,
                    public=fields.get("public", False),
                    user_uploads=fields.get("user_uploads", False),
                    allowed=fields.get("allowed_mime_types"),
                    max_file_size=fields.get("max_file_size"),
                )
        except asyncpg.UniqueViolationError as error:
            raise BucketExistsError from error
        except asyncpg.InsufficientPrivilegeError as error:
            raise self._refusal("You may not make buckets.") from error

    async def change(self, bucket_id: str, body: Mapping[str, Any]) -> Bucket:
        """Change what the body names. Objects that are there already stay, whatever the new limits.

        Raises:
            InvalidRequestError: 400.
            NotAuthenticatedError, PermissionDeniedError: 401, 403.
            BucketNotFoundError: 404.
        """
        fields = _checked(body)
        try:
            async with self.database.transaction(self.claims) as connection:
                now = await repository.find_bucket(connection, bucket_id)
                changed = await repository.change_bucket(
                    connection,
                    bucket_id,
                    public=fields.get("public", now.public),
                    user_uploads=fields.get("user_uploads", now.user_uploads),
                    allowed=fields.get("allowed_mime_types", now.allowed_mime_types),
                    max_file_size=fields.get("max_file_size", now.max_file_size),
                )
        except asyncpg.InsufficientPrivilegeError as error:
            raise self._refusal("You may not change this bucket.") from error
        if changed is None:
            raise self._refusal("You may not change this bucket.")
        return changed

    async def delete(self, bucket_id: str, *, force: bool) -> None:
        """Delete a bucket that is empty; with `force` the objects that the caller may delete go first.

        Raises:
            NotAuthenticatedError, PermissionDeniedError: 401, 403.
            BucketNotFoundError: 404.
            BucketNotEmptyError: 409, nothing was deleted.
        """
        try:
            async with self.database.transaction(self.claims) as connection:
                await repository.find_bucket(connection, bucket_id)
                if force:
                    await repository.empty_bucket(connection, bucket_id)
                if not await repository.delete_bucket(connection, bucket_id):
                    raise self._refusal("You may not delete this bucket.")
                # After the row is locked: an upload that was faster has committed and is seen here.
                if await repository.has_objects(connection, bucket_id):
                    raise BucketNotEmptyError
        except asyncpg.InsufficientPrivilegeError as error:
            raise self._refusal("You may not delete this bucket.") from error

    def _refusal(self, message: str) -> NotAuthenticatedError | PermissionDeniedError:
        return NotAuthenticatedError() if self.claims is ANONYMOUS else PermissionDeniedError(message)


def _checked(body: Mapping[str, Any]) -> Mapping[str, Any]:
    if unknown := body.keys() - _FIELDS:
        raise InvalidRequestError(f"A bucket has no {', '.join(sorted(unknown))}: it has {', '.join(sorted(_FIELDS))}.")
    for name in ("public", "user_uploads"):
        if not isinstance(body.get(name, False), bool):
            raise InvalidRequestError(f"{name} is true or false.")
    _check_size(body.get("max_file_size"))
    _check_types(body.get("allowed_mime_types"))
    return body


def _check_size(value: Any) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value is not None and not (whole and 1 <= value < 2**63):
        raise InvalidRequestError("max_file_size is a number of bytes from 1, or null for the server's own limit.")


def _check_types(value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, list) or not all(_is_type(item) for item in cast("list[Any]", value)):
        raise InvalidRequestError(
            "allowed_mime_types is a list such as ['image/*', 'application/pdf'], or null for all."
        )


def _is_type(item: Any) -> bool:
    return (
        isinstance(item, str)
        and item.isascii()
        and item.isprintable()
        and item == item.lower()
        and item.count("/") == 1
    )
