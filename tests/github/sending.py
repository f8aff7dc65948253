"""How an answer leaves, or goes wrong on its way."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from .faults import Fault
from .routes import Answer


def response(answer: Answer) -> Response:
    if answer.body is None:
        return Response(status_code=answer.status, headers=answer.headers)
    content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
    kind = "application/zip" if isinstance(answer.body, bytes) else "application/json; charset=utf-8"
    return Response(content, answer.status, answer.headers, kind)


async def failed(request: Request, fault: Fault, done: Answer | None) -> Response:
    """What is sent instead; `done` is what would have been."""
    if fault.delay:
        await _until_gone(request, fault.delay)
    if fault.cut:
        return _Cut()
    if fault.half:
        return _half(done)
    if fault.drip:
        return _dripping(done, fault.drip)
    if fault.unmeasured:
        return _unmeasured(done)
    headers = dict(fault.headers)
    if fault.reset_in is not None:
        headers["x-ratelimit-reset"] = str(int(time.time()) + fault.reset_in)
    if isinstance(fault.body, str):
        return Response(fault.body, fault.status, headers)
    return response(Answer(fault.status, fault.body or {"message": "scripted"}, headers))


def _half(done: Answer | None) -> Response:
    whole = bytes(response(done).body) if done is not None else b"{}"
    promised = max(len(whole), 2)
    headers = {**({} if done is None else done.headers), "content-length": str(promised)}
    return _BrokenOff(whole[: promised // 2], 200, headers, "application/zip")


def _dripping(done: Answer | None, seconds: float) -> Response:
    whole = response(done or Answer(body={}))

    async def bytes_of_it() -> AsyncIterator[bytes]:
        for byte in bytes(whole.body):
            yield bytes((byte,))
            await asyncio.sleep(seconds)

    return StreamingResponse(bytes_of_it(), whole.status_code, dict(whole.headers))


def _unmeasured(done: Answer | None) -> Response:
    whole = response(done or Answer(body={}))
    headers = {name: value for name, value in whole.headers.items() if name != "content-length"}
    return StreamingResponse(iter([bytes(whole.body)]), whole.status_code, headers)


async def _until_gone(request: Request, seconds: float) -> None:
    await request.body()
    try:
        async with asyncio.timeout(seconds):
            while (await request.receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        pass


class _Cut(Response):
    """No response: the connection is closed."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["fake.connection"].abort()
        await asyncio.sleep(0)  # until the server knows


class _BrokenOff(Response):
    """Its content, of which more was promised, and then the connection is closed."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        scope["fake.connection"].close()
        await asyncio.sleep(0)


class Connections:
    """Lets answers reach the connection that they would leave by: uvicorn's, from outside all middleware."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        scope["fake.connection"] = send.__self__.transport
        await self._app(scope, receive, send)
