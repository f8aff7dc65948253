"""From a request to the use cases: the application's store, and who is asking."""

from typing import Any
from uuid import UUID

from starlette.requests import Request

from fluxbase.auth.callers import Caller, caller_of
from fluxbase.auth.dependencies import accounts_of
from fluxbase.auth.model import claims_of
from fluxbase.auth.sessions import user_of_session
from fluxbase.db import Claims
from fluxbase.errors import SessionEndedError
from fluxbase.resources import Resources
from fluxbase.servers import home_of
from fluxbase.service_keys.repository import find as find_key
from fluxbase.settings.storage import StorageSettings
from fluxbase.storage import signing
from fluxbase.storage.blobs import BlobStore, open_store
from fluxbase.storage.objects import Objects

# A form around the content: its boundaries, headers and the part `metadata`.
_FORM_BYTES = 128 * 1024


def blobs_of(app: Any) -> BlobStore:
    """The application's store, opened when first asked for.

    Raises:
        ConfigurationError: The settings name none that can be used.
    """
    blobs: BlobStore | None = getattr(app.state, "blobs", None)
    if blobs is None:
        settings = app.state.settings
        blobs = app.state.blobs = open_store(settings, home_of(settings).path)
    return blobs


def objects_of(request: Request, claims: Claims) -> Objects:
    """The use cases, as somebody."""
    state = request.app.state
    return Objects(state.resources.database, blobs_of(request.app), claims, state.settings.storage_max_file_size)


async def caller_with(request: Request, scope: str) -> Caller:
    """Who is asking, when their key covers `scope`.

    Raises:
        NotAuthenticatedError: 401.
        PermissionDeniedError: 403.
    """
    caller = await caller_of(request)
    caller.require(scope)
    return caller


async def reader_of(request: Request, bucket_id: str, name: str, token: str | None) -> Claims:
    """As whom an object is read: as the signer of the address, or else as the caller.

    Raises:
        NotAuthenticatedError: 401, also when the signer's session has ended.
        PermissionDeniedError: 403.
    """
    if token is None:
        return (await caller_with(request, "storage:read")).claims
    resources = request.app.state.resources
    signer = signing.redeem(resources.addresses.secret, token, bucket_id, name, now=resources.now())
    return await _claims_of(request, signer)


async def _claims_of(request: Request, signer: signing.Signer) -> Claims:
    """What the signer may now, which need not be what they might when they signed."""
    if signer.key_id is not None:
        return await _claims_of_key(request, signer.key_id)
    if signer.session_id is None:
        return Claims(signer.role)
    user = await user_of_session(accounts_of(request), signer.session_id)
    if user is None:
        raise SessionEndedError("The session that signed this address has ended.")
    return claims_of(user)


async def _claims_of_key(request: Request, key_id: UUID) -> Claims:
    resources: Resources = request.app.state.resources
    async with resources.database.transaction() as connection:
        key = await find_key(connection, key_id)
    key.check_usable(resources.now())
    claims = Claims("service_role", extra={"key_id": str(key.id)})
    Caller(claims, scopes=frozenset(key.scopes)).require("storage:read")
    return claims


def body_limit(settings: StorageSettings) -> int:
    """The largest request of the storage routes, in bytes."""
    return settings.storage_max_file_size + _FORM_BYTES
