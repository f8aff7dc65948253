"""Tables and functions over HTTP, as plain ASGI: nothing between the server and the one statement but what is needed.

FastAPI's own routing, validation and serialisation would cost more than the rest of a request together.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

from starlette.requests import HTTPConnection
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from fluxbase.auth.callers import Caller, caller_of
from fluxbase.http.description import completed
from fluxbase.rest.errors import InvalidQueryError
from fluxbase.rest.executor import Answer, executor_of
from fluxbase.rest.introspection import catalog_of
from fluxbase.rest.openapi import describe
from fluxbase.rest.parser import Parameters, natural, pairs_of, parse
from fluxbase.rest.query import Call
from fluxbase.rest.requests import object_of, preferences_of, read_body
from fluxbase.rest.service import Functions, Tables
from fluxbase.settings import Settings

_DEFAULT_SCHEMA = "public"
_TABLES, _RPC = "/api/v1/tables", "/api/v1/rpc"
_MOST_SLASHES = 6  # what follows belongs to the id of a row
_BOUNDS = frozenset(("limit", "offset"))

type Headers = list[tuple[bytes, bytes]]
type Endpoint = Callable[[Scope, Receive, Send], Awaitable[None]]


def routes() -> list[Route]:
    """The routes of this room, for an application whose `state` has settings and resources."""
    collection, row = ["GET", "HEAD", "POST", "PATCH", "DELETE"], ["GET", "HEAD", "PATCH", "PUT", "DELETE"]
    return [
        _route(_TABLES, _description, ["GET"]),
        _route(f"{_TABLES}/{{table}}", _collection, collection),
        _route(f"{_TABLES}/{{schema}}/{{table}}", _collection, collection),
        _route(f"{_TABLES}/{{schema}}/{{table}}/{{id:path}}", _row, row),
        _route(f"{_RPC}/{{function}}", _function, ["GET", "HEAD", "POST"]),
        _route(f"{_RPC}/{{schema}}/{{function}}", _function, ["GET", "HEAD", "POST"]),
    ]


class Shortcut:
    """The paths of this room, found by their parts.

    Whatever is unusual about a request (another method, a trailing slash, no such route) is the router's as before.
    """

    def __init__(self) -> None:
        self._routes = {(path.count("/"), path.split("/")[3]): route for route in routes() for path in [route.path]}

    def find(self, scope: Scope) -> ASGIApp | None:
        """What answers a request; its `path_params` are set then."""
        path: str = scope["path"]
        if not path.startswith((f"{_TABLES}/", f"{_RPC}/")) or scope.get("root_path"):
            return None
        parts = path.split("/", _MOST_SLASHES)
        route = self._routes.get((len(parts) - 1, parts[3]))
        if route is None or scope["method"] not in (route.methods or ()) or not all(parts[4:]) or "\n" in path:
            return None
        scope["path_params"] = dict(zip(route.param_convertors, parts[4:], strict=True))
        return route.app


class _Asgi:
    """Starlette takes an object that is no function for an ASGI application."""

    def __init__(self, path: str, endpoint: Endpoint) -> None:
        self.path = path
        self._endpoint = endpoint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = self  # requests are counted by their route's path
        await self._endpoint(scope, receive, send)


def _route(path: str, endpoint: Endpoint, methods: list[str]) -> Route:
    return Route(path, _Asgi(path, endpoint), methods=methods, name=f"rest{endpoint.__name__}")


# ── tables ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _tables(scope: Scope) -> Tables:
    app, settings = scope["app"], _settings(scope)
    caller = await caller_of(HTTPConnection(scope))
    return Tables(catalog_of(app), executor_of(app), settings.rest_max_rows, caller)


async def _collection(scope: Scope, receive: Receive, send: Send) -> None:
    asked = parse(scope["query_string"])
    tables, name = await _tables(scope), _name(scope, "table")
    method = scope["method"]
    if method in ("GET", "HEAD"):
        answer = await tables.rows(name, asked)
        await _send(scope, send, 200, answer.body or b"[]", [(b"content-range", _range(answer, asked))])
        return
    prefer = preferences_of(_header(scope, b"prefer"))
    if method == "POST":
        answer = await tables.insert(name, await read_body(receive), asked, prefer)
        await _send_changed(scope, send, 201, answer, returning=prefer.returning)
    elif method == "PATCH":
        answer = await tables.update(name, await read_body(receive), asked, prefer)
        await _send_changed(scope, send, 200, answer, returning=prefer.returning)
    else:
        answer = await tables.delete(name, asked, prefer)
        await _send_changed(scope, send, 200, answer, returning=prefer.returning)


async def _row(scope: Scope, receive: Receive, send: Send) -> None:
    asked = parse(scope["query_string"])
    tables, name, identifier = await _tables(scope), _name(scope, "table"), scope["path_params"]["id"]
    method = scope["method"]
    if method in ("GET", "HEAD"):
        answer = await tables.get(name, identifier, asked)
        await _send(scope, send, 200, answer.body or b"null")
        return
    prefer = preferences_of(_header(scope, b"prefer"))
    if method == "DELETE":
        await tables.delete_one(name, identifier, asked)
        await _send(scope, send, 204)
        return
    change = tables.put if method == "PUT" else tables.update_one
    answer = await change(name, identifier, await read_body(receive), asked, prefer)
    await _send_changed(scope, send, 200, answer, returning=prefer.returning)


def _range(answer: Answer, asked: Parameters) -> bytes:
    """`0-19/57`: places of the rows in the whole, `*` for a total that was not asked for and for no rows."""
    rows = f"{asked.offset}-{asked.offset + answer.rows - 1}" if answer.rows else "*"
    return f"{rows}/{'*' if answer.total is None else answer.total}".encode()


# ── functions ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def _function(scope: Scope, receive: Receive, send: Send) -> None:
    caller = await caller_of(HTTPConnection(scope))
    reads = scope["method"] != "POST"
    call = _call_of_query(scope["query_string"]) if reads else await _call_of_body(receive)
    functions = Functions(catalog_of(scope["app"]), executor_of(scope["app"]), _settings(scope).rest_max_rows, caller)
    function, answer = await functions.call(_name(scope, "function"), call, read_only=reads)
    if function.returns_void:
        await _send(scope, send, 204)
    else:
        await _send(scope, send, 200, answer.body or (b"[]" if function.returns_set else b"null"))


def _call_of_query(query_string: bytes) -> Call:
    pairs = pairs_of(query_string)
    arguments = {name: value for name, value in pairs if name not in _BOUNDS}
    if len(arguments) < sum(name not in _BOUNDS for name, _ in pairs):
        raise InvalidQueryError("An argument is given twice.")
    bounds = {name: natural(name, value) for name, value in pairs if name in _BOUNDS}
    return Call(frozenset(arguments), json.dumps(arguments), bounds.get("limit"), bounds.get("offset", 0))


async def _call_of_body(receive: Receive) -> Call:
    raw = await read_body(receive)
    text, values = object_of(raw) if raw.strip() else ("{}", {})
    return Call(frozenset(values), text)


# ── the schema ────────────────────────────────────────────────────────────────────────────────────────────────────


async def _description(scope: Scope, _receive: Receive, send: Send) -> None:
    caller: Caller = await caller_of(HTTPConnection(scope))
    caller.require("tables:read")
    catalog = await catalog_of(scope["app"]).current()
    await _send(scope, send, 200, json.dumps(completed(describe(catalog, caller.claims.role))).encode())


# ── requests and responses ────────────────────────────────────────────────────────────────────────────────────────


def _settings(scope: Scope) -> Settings:
    return scope["app"].state.settings


def _name(scope: Scope, kind: str) -> tuple[str, str]:
    parameters: Mapping[str, str] = scope["path_params"]
    return parameters.get("schema", _DEFAULT_SCHEMA), parameters[kind]


def _header(scope: Scope, name: bytes) -> str:
    values: Headers = scope["headers"]
    return next((value.decode("latin-1") for key, value in values if key == name), "")


async def _send_changed(scope: Scope, send: Send, status: int, answer: Answer, *, returning: bool) -> None:
    if returning:
        # An insert that ignored every row has none to show.
        await _send(scope, send, status, answer.body or b"[]")
    else:
        await _send(scope, send, 204, headers=[(b"content-range", f"*/{answer.rows}".encode())])


async def _send(scope: Scope, send: Send, status: int, body: bytes = b"", headers: Headers | None = None) -> None:
    all_ = headers or []
    if status != HTTPStatus.NO_CONTENT:
        all_ += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": all_})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
