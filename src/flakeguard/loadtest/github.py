"""A GitHub on this machine for the load test: one installation, whose runs are all alike and have an artifact each.

It answers what the worker asks, as GitHub does, for as little processor time as can be: it shares the machine with what
is measured. It takes the token that it gave, and no token at all where artifacts are kept.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from flakeguard.loadtest import answers
from flakeguard.loadtest.answers import TOKEN, Answer
from flakeguard.loadtest.artifacts import artifact

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STORAGE = re.compile(r"/storage/(\d+)")
_STATUS = {200: "OK", 201: "Created", 302: "Found", 401: "Unauthorized", 404: "Not Found"}


def _new_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@dataclass(slots=True)
class StandIn:
    """What it holds is made when it is asked for; `check_runs` counts those made, `asked` all requests."""

    cases: int
    repositories: int
    address: str = ""
    check_runs: int = 0
    asked: int = 0
    private_key: str = field(default_factory=_new_key, repr=False)

    def answer(self, method: str, path: str, token: str) -> Answer:
        """Status and body; a text is where a redirect leads, and bytes are an artifact."""
        self.asked += 1
        stored = _STORAGE.fullmatch(path)
        if bool(stored) == bool(token) or not (stored or _is_ours(token)):
            return 401, {"message": "Bad credentials", "documentation_url": "https://docs.github.com/rest"}
        return (200, artifact(int(stored[1]), self.cases)) if stored else answers.answer(self, method, path)


def _is_ours(token: str) -> bool:
    return token == TOKEN or token.count(".") == 2  # noqa: PLR2004 -- a JWT of the App


@asynccontextmanager
async def standing_in(cases: int, repositories: int) -> AsyncGenerator[StandIn]:
    """The stand-in, serving on loopback for the block."""
    github = StandIn(cases, repositories)
    open_ones: dict[asyncio.StreamWriter, asyncio.Task[None] | None] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones[writer] = asyncio.current_task()
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if length := _LENGTH.search(head):
                    await reader.readexactly(int(length[1]))
                writer.write(_response(*_answered(github, head)))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client has what it wanted, or the load test is ended: streams would report that as an error
        finally:
            writer.close()
            del open_ones[writer]

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    github.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield github
    finally:
        server.close()
        ending = [task for task in open_ones.values() if task is not None]
        for writer in open_ones:
            writer.close()
        await asyncio.gather(*ending)


def _answered(github: StandIn, head: bytes) -> Answer:
    first, *headers = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    tokens = [header.rpartition(" ")[2] for header in headers if header.lower().startswith("authorization:")]
    return github.answer(method, target.partition("?")[0], tokens[0] if tokens else "")


def _response(status: int, body: Any) -> bytes:
    kind, more = "application/json", ""
    if isinstance(body, bytes):
        kind, content = "application/zip", body
    elif isinstance(body, str):
        content, more = b"", f"Location: {body}\r\n"
    else:
        content = json.dumps(body).encode()
    head = (
        f"HTTP/1.1 {status} {_STATUS[status]}\r\nContent-Type: {kind}\r\n{more}Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content
