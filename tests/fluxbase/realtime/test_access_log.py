"""What `access.log` tells of sockets: who opened them and when they ended, and never a token."""

import asyncio
import io
import json

import pytest

from fluxbase.monitoring import configure_logging
from fluxbase.service_keys import Operator, ServiceKeys
from fluxbase.service_keys.repository import Wanted


@pytest.fixture
def written() -> io.StringIO:
    stream = io.StringIO()
    configure_logging(stream=stream)
    return stream


def lines_of(written: io.StringIO) -> list[dict]:
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    return [line for line in lines if line.get("path") == "/realtime"]


async def closing_line(written: io.StringIO) -> dict:
    async with asyncio.timeout(10):
        while not (found := [line for line in lines_of(written) if line["msg"] == "socket closed"]):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return found[0]


@pytest.mark.parametrize("carrier", ["X-Service-Key", "token"])
async def test_a_search_for_service_keys_finds_their_sockets(site, written, carrier):
    issued = await ServiceKeys(site.app.state.resources, Operator("test")).create(Wanted("t", ["realtime:read"]))
    used = {"headers": {carrier: issued.token}} if carrier == "X-Service-Key" else {"token": issued.token}
    shown = f"X-Service-Key {issued.key.key_prefix}" + (" (token)" if carrier == "token" else "")

    async with site.client(**used) as client:
        await client.join("room")
        (opened,) = lines_of(written)
    closed = await closing_line(written)

    for line, told in ((opened, {"msg": "request", "status": 101}), (closed, {"code": 1000})):
        expected = {"method": "GET", "client": "127.0.0.1", "credential": shown, **told}
        assert {name: line[name] for name in expected} == expected
    assert closed["durationMs"] >= opened["durationMs"]
    assert opened["requestId"] == closed["requestId"]
    assert issued.token.rpartition("_")[2] not in written.getvalue()


async def test_a_refused_one_is_there_too_and_its_token_is_not(site, written):
    async with site.client(token="made.up.credential") as client:
        await client.closed()
    closed = await closing_line(written)

    assert (closed["code"], closed["credential"]) == (4401, "token")
    assert "made.up" not in written.getvalue()
