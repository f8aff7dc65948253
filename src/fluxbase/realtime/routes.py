"""The socket, and what is asked of realtime by HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

from fluxbase.auth.callers import Caller, caller_of
from fluxbase.db import SERVICE, Database
from fluxbase.errors import NotAuthenticatedError
from fluxbase.realtime.errors import TableNotLiveError, as_json
from fluxbase.realtime.service import Realtime, realtime_of
from fluxbase.realtime.socket import realtime_socket
from fluxbase.realtime.tables import EVENTS, EnabledTable, enabled_tables, list_enabled, set_events

router = APIRouter(tags=["realtime"])
router.add_api_websocket_route("/realtime", realtime_socket)


async def operator(request: Request) -> Caller:
    """The operator, or a refusal."""
    caller = await caller_of(request)
    caller.require_admin()
    return caller


async def somebody(request: Request) -> Caller:
    """Whoever is signed in, or holds a key."""
    caller = await caller_of(request)
    if caller.claims.role == "anon":
        raise NotAuthenticatedError
    return caller


Operator = Annotated[Caller, Depends(operator)]
Somebody = Annotated[Caller, Depends(somebody)]


class Message(BaseModel):
    """What is sent to a channel."""

    channel: str = Field(min_length=1, max_length=200)
    event: str = Field(min_length=1, max_length=200)
    payload: Any = None


class Events(BaseModel):
    """Which changes of a table go live."""

    events: list[str] = Field(default=list(EVENTS), min_length=1)


class NewTable(Events):
    """A table that is to go live."""

    schema_: str = Field(default="public", alias="schema")
    table: str


@router.get("/api/v1/realtime/stats")
async def stats(request: Request, caller: Somebody) -> dict[str, Any]:
    """Connections, channels and subscriptions of the process that answers."""
    caller.require("realtime:read")
    return realtime_of(request).stats()


@router.post("/api/v1/realtime/broadcast", status_code=202)
async def broadcast(request: Request, caller: Somebody, message: Annotated[Message, Body()]) -> dict[str, str]:
    """Send to a channel, in every process; needs no socket."""
    caller.require("realtime:write")
    realtime = realtime_of(request)
    await realtime.assure(caller)
    await realtime.subscribing.check(caller, message.channel, to_send=True)
    await realtime.broadcast(message.channel, message.event, as_json(message.payload))
    return {"status": "accepted"}


@router.get("/api/v1/admin/realtime/tables")
async def list_tables(request: Request, _: Operator) -> list[dict[str, Any]]:
    """The tables that are live."""
    return [table.as_json() for table in await list_enabled(_database(request))]


@router.post("/api/v1/admin/realtime/tables", status_code=201)
async def enable(request: Request, _: Operator, new: NewTable) -> dict[str, Any]:
    """Let a table go live; once more changes its events."""
    return (await _set(request, new.schema_, new.table, new.events)).as_json()


@router.get("/api/v1/admin/realtime/tables/{schema}/{table}")
async def show(request: Request, _: Operator, schema: str, table: str) -> dict[str, Any]:
    """One table that is live."""
    return (await _find(request, schema, table)).as_json()


@router.put("/api/v1/admin/realtime/tables/{schema}/{table}")
@router.patch("/api/v1/admin/realtime/tables/{schema}/{table}")
async def change(request: Request, _: Operator, schema: str, table: str, events: Events) -> dict[str, Any]:
    """Choose other events for a table that is live."""
    await _find(request, schema, table)
    return (await _set(request, schema, table, events.events)).as_json()


@router.delete("/api/v1/admin/realtime/tables/{schema}/{table}", status_code=204)
async def disable(request: Request, _: Operator, schema: str, table: str) -> Response:
    """Take a table's triggers away; subscriptions to it stay, and hear nothing."""
    await _find(request, schema, table)
    await _set(request, schema, table, [])
    return Response(status_code=204)


@router.post("/api/v1/admin/realtime/restart")
async def restart(request: Request, _: Operator) -> dict[str, str]:
    """Listen to the database on a new connection and ask for rights anew; sockets stay open, nothing is missed."""
    await realtime_of(request).restart()
    return {"status": "restarted"}


def _database(request: Request) -> Database:
    return request.app.state.resources.database


async def _find(request: Request, schema: str, table: str) -> EnabledTable:
    async with _database(request).transaction(SERVICE) as connection:
        found = await enabled_tables(connection, schema, table)
    if not found:
        raise TableNotLiveError(f"The table {schema}.{table} is not live.")
    return found[0]


async def _set(request: Request, schema: str, table: str, events: list[str]) -> EnabledTable:
    wanted = [event.upper() for event in events]
    async with _database(request).transaction(SERVICE) as connection:
        await set_events(connection, schema, table, wanted)
    realtime: Realtime = realtime_of(request)
    realtime.tables.forget()
    return EnabledTable(schema, table, tuple(event for event in EVENTS if event in wanted))
