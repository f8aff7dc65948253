"""`/api/v1/admin/service-keys`: for the operator alone, by a service-role token or a key with the scope `*`."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends
from starlette.requests import Request

from fluxbase.auth.callers import caller_of
from fluxbase.http.context import client_address
from fluxbase.service_keys.managing import Issued, Operator, ServiceKeys
from fluxbase.service_keys.repository import Wanted
from fluxbase.service_keys.schemas import (
    ChangeKey,
    CreateKey,
    DeprecateKey,
    RevokeKey,
    RotateKey,
    described,
    read_body,
)

router = APIRouter(prefix="/api/v1/admin/service-keys", tags=["service keys"])


async def _for_operator(request: Request) -> ServiceKeys:
    caller = await caller_of(request)
    caller.require_admin()
    label = caller.key_prefix or "service_role token"
    return ServiceKeys(request.app.state.resources, Operator(label, client_address(request)))


Keys = Annotated[ServiceKeys, Depends(_for_operator)]


@router.get("", summary="List service keys")
async def list_keys(keys: Keys) -> list[dict[str, Any]]:
    """All keys, newest first; none of them with its secret."""
    return [key.as_json() for key in await keys.list_keys()]


@router.post("", status_code=201, summary="Make a service key", openapi_extra=described(CreateKey))
async def create(request: Request, keys: Keys) -> dict[str, Any]:
    """201 with the key's object and `key` beside it: the secret, shown this once."""
    body = await read_body(request, CreateKey)
    return _issued(await keys.create(Wanted(**body.model_dump())))


@router.get("/{key_id}", summary="One service key")
async def get(key_id: UUID, keys: Keys) -> dict[str, Any]:
    """The key's object, without its secret."""
    return (await keys.get(key_id)).as_json()


@router.patch("/{key_id}", summary="Change a service key", openapi_extra=described(ChangeKey))
async def change(key_id: UUID, request: Request, keys: Keys) -> dict[str, Any]:
    """Name, scopes, rates, expiry; what the body does not name stays."""
    body = await read_body(request, ChangeKey)
    return (await keys.change(key_id, body.given())).as_json()


@router.delete("/{key_id}", status_code=204, summary="Delete a service key")
async def delete(key_id: UUID, keys: Keys) -> None:
    """204; the key is unknown from then on, its entries in the audit trail stay."""
    await keys.delete(key_id)


@router.post("/{key_id}/revoke", summary="Revoke a service key", openapi_extra=described(RevokeKey, required=False))
async def revoke(key_id: UUID, request: Request, keys: Keys) -> dict[str, Any]:
    """End the key at once and for good; doing it again changes nothing."""
    body = await read_body(request, RevokeKey)
    return (await keys.revoke(key_id, body.reason)).as_json()


@router.post(
    "/{key_id}/rotate",
    status_code=201,
    summary="Rotate a service key",
    openapi_extra=described(RotateKey, required=False),
)
async def rotate(key_id: UUID, request: Request, keys: Keys) -> dict[str, Any]:
    """201 with the new key and its secret; `replaces` is the old one, which works until its grace is over."""
    body = await read_body(request, RotateKey)
    return _issued(await keys.rotate(key_id, body.grace_period_hours))


@router.post(
    "/{key_id}/deprecate", summary="Deprecate a service key", openapi_extra=described(DeprecateKey, required=False)
)
async def deprecate(key_id: UUID, request: Request, keys: Keys) -> dict[str, Any]:
    """Let the key work until its grace period is over."""
    body = await read_body(request, DeprecateKey)
    return (await keys.deprecate(key_id, body.grace_period_hours, body.reason)).as_json()


@router.post("/{key_id}/enable", summary="Enable a service key")
async def enable(key_id: UUID, keys: Keys) -> dict[str, Any]:
    """Switch the key on again."""
    return (await keys.set_enabled(key_id, enabled=True)).as_json()


@router.post("/{key_id}/disable", summary="Disable a service key")
async def disable(key_id: UUID, keys: Keys) -> dict[str, Any]:
    """Switch the key off, at once, until it is enabled."""
    return (await keys.set_enabled(key_id, enabled=False)).as_json()


@router.get("/{key_id}/revocations", summary="What ended a service key")
async def revocations(key_id: UUID, keys: Keys) -> list[dict[str, Any]]:
    """Revocations, rotations and deprecations of the key, newest first."""
    return [revocation.as_json() for revocation in await keys.revocations(key_id)]


def _issued(issued: Issued) -> dict[str, Any]:
    body = issued.key.as_json() | {"key": issued.token}
    return body | ({"replaces": issued.replaces.as_json()} if issued.replaces else {})
