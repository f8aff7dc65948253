"""`/api/v1/storage`: buckets, objects, signed addresses."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import JSONResponse, StreamingResponse

from fluxbase.errors import FluxbaseError
from fluxbase.monitoring.metrics import Metrics, metrics_of
from fluxbase.storage import signing
from fluxbase.storage.access import blobs_of, caller_with, objects_of, reader_of
from fluxbase.storage.buckets import Buckets
from fluxbase.storage.conditions import Conditions, check_match, is_unchanged, range_applies
from fluxbase.storage.model import StoredObject
from fluxbase.storage.names import check_name, check_prefix
from fluxbase.storage.objects import checked_page
from fluxbase.storage.presentation import content_headers
from fluxbase.storage.ranges import ByteRange, parse_range
from fluxbase.storage.receiving import Incoming, read_json

router = APIRouter(prefix="/api/v1/storage", tags=["storage"])

_MOST_LISTED = 1000
_OBJECT = "/{bucket}/{path:path}"


@contextmanager
def _counted(request: Request, operation: str) -> Generator[Metrics]:
    """Count an operation by its outcome: `ok`, or the error's code."""
    metrics = metrics_of(request.app)
    try:
        yield metrics
    except Exception as error:
        code = error.code if isinstance(error, FluxbaseError) else "internal_error"
        metrics.storage_operations.labels(operation, code).inc()
        raise
    metrics.storage_operations.labels(operation, "ok").inc()


async def _buckets(request: Request, scope: str) -> Buckets:
    caller = await caller_with(request, scope)
    return Buckets(request.app.state.resources.database, caller.claims)


@router.get("/buckets")
async def list_buckets(request: Request) -> list[dict[str, Any]]:
    """Buckets that the caller may see."""
    with _counted(request, "list_buckets"):
        return [bucket.as_json() for bucket in await (await _buckets(request, "storage:read")).all()]


@router.post("/buckets", status_code=201)
async def add_bucket(request: Request) -> dict[str, Any]:
    """Make one: `{id, public?, user_uploads?, allowed_mime_types?, max_file_size?}`. Only the service role may."""
    with _counted(request, "add_bucket"):
        buckets = await _buckets(request, "storage:write")
        return (await buckets.add(await read_json(request))).as_json()


@router.get("/buckets/{bucket}")
async def get_bucket(request: Request, bucket: str) -> dict[str, Any]:
    """One of them."""
    with _counted(request, "get_bucket"):
        return (await (await _buckets(request, "storage:read")).find(bucket)).as_json()


@router.patch("/buckets/{bucket}")
async def change_bucket(request: Request, bucket: str) -> dict[str, Any]:
    """Change `{public?, user_uploads?, allowed_mime_types?, max_file_size?}`."""
    with _counted(request, "change_bucket"):
        buckets = await _buckets(request, "storage:write")
        return (await buckets.change(bucket, await read_json(request))).as_json()


@router.delete("/buckets/{bucket}", status_code=204)
async def delete_bucket(request: Request, bucket: str, *, force: bool = False) -> Response:
    """Delete an empty bucket; `force` deletes what is in it first."""
    with _counted(request, "delete_bucket"):
        await (await _buckets(request, "storage:write")).delete(bucket, force=force)
        return Response(status_code=204)


@router.get("/{bucket}")
async def list_objects(
    request: Request,
    bucket: str,
    prefix: str = "",
    limit: Annotated[int, Query(description="at most 1000")] = 100,
    offset: int = 0,
) -> dict[str, Any]:
    """Objects that the caller may see, by name; `next_offset` is null on the last page."""
    with _counted(request, "list"):
        caller = await caller_with(request, "storage:read")
        page = checked_page(limit, offset, most=_MOST_LISTED)
        # One more than asked for tells whether there is a next page.
        found = await objects_of(request, caller.claims).page(
            bucket, prefix=check_prefix(prefix), limit=page["limit"] + 1, offset=offset
        )
    return {
        "bucket": bucket,
        "objects": [stored.as_json() for stored in found[:limit]],
        "limit": limit,
        "offset": offset,
        "next_offset": offset + limit if len(found) > limit else None,
    }


@router.post("/{bucket}/sign/{path:path}")
async def sign_object(request: Request, bucket: str, path: str) -> dict[str, Any]:
    """An address that shows the object to whoever has it, for `{expires_in}` seconds, while the signer may see it."""
    with _counted(request, "sign"):
        caller = await caller_with(request, "storage:read")
        lifetime = signing.check_lifetime((await read_json(request)).get("expires_in"))
        await objects_of(request, caller.claims).find(bucket, check_name(path))
        resources = request.app.state.resources
        now = resources.now()
        token = signing.sign(resources.addresses.secret, caller, bucket, path, now=now, lifetime=lifetime)
    base: str = request.app.state.settings.public_url or str(request.base_url)
    return {
        "signed_url": signing.address(base.rstrip("/"), bucket, path, token),
        "expires_at": (now + lifetime).isoformat(),
    }


@router.post(_OBJECT, status_code=201)
async def add_object(request: Request, bucket: str, path: str, *, upsert: bool = False) -> Response:
    """Store a new object: multipart with a part `file`, or the body itself. With `upsert` it replaces, as PUT does."""
    return await _upload(request, bucket, path, replace=upsert)


@router.put(_OBJECT)
async def put_object(request: Request, bucket: str, path: str) -> Response:
    """Store an object, or replace its content: 201 when it is new, else 200."""
    return await _upload(request, bucket, path, replace=True)


async def _upload(request: Request, bucket: str, path: str, *, replace: bool) -> Response:
    with _counted(request, "upload") as metrics:
        caller = await caller_with(request, "storage:write")
        stored, is_new = await objects_of(request, caller.claims).upload(
            bucket, check_name(path), Incoming.of(request), replace=replace, conditions=_conditions(request)
        )
        metrics.storage_bytes.labels("in").inc(stored.size)
    return JSONResponse(stored.as_json(), 201 if is_new else 200, {"ETag": f'"{stored.etag}"'})


@router.head(_OBJECT)
async def head_object(request: Request, bucket: str, path: str, token: str | None = None) -> Response:
    """What GET would answer, without the content."""
    with _counted(request, "head"):
        stored = await _readable(request, bucket, path, token)
        headers = content_headers(stored)
        if is_unchanged(_conditions(request), stored.etag):
            return Response(status_code=304, headers=_without_body(headers))
        return Response(headers={**headers, "Content-Length": str(stored.size)})


@router.get(_OBJECT)
async def get_object(
    request: Request, bucket: str, path: str, token: str | None = None, download: str | None = None
) -> Response:
    """The content, or one range of it. `token` is a signed address's, `download` a file name to save it under."""
    with _counted(request, "download") as metrics:
        stored = await _readable(request, bucket, path, token)
        headers, conditions = content_headers(stored, download=download), _conditions(request)
        if is_unchanged(conditions, stored.etag):
            return Response(status_code=304, headers=_without_body(headers))
        wanted = (
            parse_range(request.headers.get("range"), stored.size) if range_applies(conditions, stored.etag) else None
        )
        part = wanted or ByteRange(0, stored.size)
        chunks = await blobs_of(request.app).read(stored.blob_key, part)
        metrics.storage_bytes.labels("out").inc(len(part))
    more = {"Content-Range": part.content_range(stored.size)} if wanted else {}
    return StreamingResponse(chunks, 206 if wanted else 200, {**headers, **more, "Content-Length": str(len(part))})


async def _readable(request: Request, bucket: str, path: str, token: str | None) -> StoredObject:
    claims = await reader_of(request, bucket, check_name(path), token)
    stored = await objects_of(request, claims).find(bucket, path)
    check_match(_conditions(request), stored.etag)
    return stored


def _conditions(request: Request) -> Conditions:
    get = request.headers.get
    return Conditions(get("if-match"), get("if-none-match"), get("if-range"))


def _without_body(headers: Any) -> dict[str, str]:
    return {name: value for name, value in headers.items() if not name.startswith("Content-")}


@router.delete(_OBJECT, status_code=204)
async def delete_object(request: Request, bucket: str, path: str) -> Response:
    """Delete an object. Its bytes follow within a minute."""
    with _counted(request, "delete"):
        caller = await caller_with(request, "storage:write")
        await objects_of(request, caller.claims).delete(bucket, check_name(path), _conditions(request))
        return Response(status_code=204)
