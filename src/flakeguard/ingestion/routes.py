"""`POST /api/v1/ingest/junit` and `GET /api/v1/ingestions/{id}`."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response

from flakeguard.ingestion.accepting import IngestionState, accept, checked_meta, find
from flakeguard.ingestion.receiving import Received, UploadLimits, UploadReceiver
from flakeguard.projects.api_keys import authenticate_key
from flakeguard.projects.dependencies import carries_key
from flakeguard.projects.model import ProjectKey
from flakeguard.settings import FlakeGuardSettings
from fluxbase.auth import optional_user
from fluxbase.db import Claims, Database
from fluxbase.errors import NotAuthenticatedError, NotFoundError
from fluxbase.http import request_id, success
from fluxbase.ratelimit import limiter_of

router = APIRouter(prefix="/api/v1", tags=["ingestion"])

_FIRST_LOOK_SECONDS, _SLOWEST_LOOK_SECONDS = 0.03, 0.3


@router.post("/ingest/junit", status_code=202)
async def ingest_junit(
    request: Request, wait: Annotated[int, Query(ge=0, description="seconds to wait for the counts")] = 0
) -> Response:
    """Take an upload: multipart with one `meta` document and one or more `junit` files (plain, gzip or zip).

    Answers 202 before anything is parsed, so the counts are null; with `wait` it answers once they are known, or
    when the time is over.
    """
    settings: FlakeGuardSettings = request.app.state.settings
    database: Database = request.app.state.resources.database
    key = await authenticate_key(database, request.headers.get("authorization"))
    key.require("ingest:write")
    await limiter_of(request).check("ingest", key.prefix, per_minute=settings.rate_limit_rpm)
    ingestion_id = await _receive_and_accept(request, settings, database, key)
    seconds = min(wait, settings.max_wait_seconds)
    state = await _wait_for(database, key.claims, ingestion_id, seconds)
    return success(request, _receipt(settings, state), status=202)


async def _receive_and_accept(
    request: Request, settings: FlakeGuardSettings, database: Database, key: ProjectKey
) -> UUID:
    limits = UploadLimits(settings.max_upload_files, settings.max_file_bytes, settings.max_upload_bytes)
    receiver = UploadReceiver.for_content_type(request.headers.get("content-type", ""), limits)
    try:
        async for chunk in request.stream():
            receiver.feed(chunk)
        received: Received = receiver.finish()
        meta = checked_meta(received, key)
        return await accept(database, key, meta, received, correlation_id=request_id(request))
    finally:
        receiver.close()


@router.get("/ingestions/{ingestion_id}")
async def get_ingestion(request: Request, ingestion_id: UUID, wait: Annotated[int, Query(ge=0)] = 0) -> Response:
    """State, counts and warnings of an upload; for the project's key, or a signed-in member."""
    settings: FlakeGuardSettings = request.app.state.settings
    database: Database = request.app.state.resources.database
    claims = await _reader(request, database)
    state = await _wait_for(database, claims, ingestion_id, min(wait, settings.max_wait_seconds))
    return success(request, _description(settings, state))


async def _reader(request: Request, database: Database) -> Claims:
    """Whose eyes: RLS shows a key its own project and a member the projects of their organisations.

    What looks like a key is taken for one; another bearer token is a person's, and refused when it is none of ours.
    """
    if carries_key(request):
        return (await authenticate_key(database, request.headers["authorization"])).claims
    user = await optional_user(request)
    if user is None:
        raise NotAuthenticatedError("sign in, or send the project's API key as `Authorization: Bearer …`")
    return user.claims


async def _wait_for(database: Database, claims: Claims, ingestion_id: UUID, seconds: float) -> IngestionState:
    """The ingestion's state, as soon as it is settled or the time is over."""
    loop = asyncio.get_running_loop()
    deadline, pause = loop.time() + seconds, _FIRST_LOOK_SECONDS
    while True:
        async with database.transaction(claims) as connection:
            state = await find(connection, ingestion_id, with_files=True)
        if state is None:
            raise NotFoundError("there is no such ingestion in a project you may see")
        if state.settled or loop.time() + pause > deadline:
            return state
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _SLOWEST_LOOK_SECONDS)


def _receipt(settings: FlakeGuardSettings, state: IngestionState) -> dict[str, Any]:
    base = (settings.public_url or f"http://{settings.host}:{settings.port}").rstrip("/")
    return {
        "ingestion_id": str(state.id),
        "stored": {"junit_files": state.junit_files, "test_results": state.test_results},
        "flake_events_created": state.flake_events_created,
        "state": state.state,
        "run_id": state.run_id,
        "verdicts": state.verdicts,
        "dashboard_url": state.run_id and f"{base}/projects/{state.project_id}/runs/{state.run_id}",
        "warnings": _warnings(state),
    }


def _description(settings: FlakeGuardSettings, state: IngestionState) -> dict[str, Any]:
    return _receipt(settings, state) | {
        "project_id": state.project_id,
        "meta": state.meta,
        "error": state.error,
        "created_at": state.created_at.isoformat(),
        "stored_at": state.stored_at and state.stored_at.isoformat(),
        "analyzed_at": state.analyzed_at and state.analyzed_at.isoformat(),
        "files": [
            {
                "filename": file.filename,
                "size_bytes": file.size_bytes,
                "format": file.format,
                "test_results": file.test_count,
                "warnings": list(file.warnings),
                "error": file.error,
            }
            for file in state.files
        ],
    }


def _warnings(state: IngestionState) -> list[str]:
    told = [f"{file.filename}: {warning}" for file in state.files for warning in file.warnings]
    return told + [f"{file.filename}: {file.error}" for file in state.files if file.error]
