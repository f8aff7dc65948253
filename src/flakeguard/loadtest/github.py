"""A GitHub on this machine for the load test: one installation, whose runs are all alike and have an artifact each.

It answers what the worker asks, as GitHub does, for as little processor time as can be: it shares the machine with what
is measured. It takes the token that it gave, and no token at all where artifacts are kept.
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from flakeguard.loadtest.artifacts import artifact

APP_ID, INSTALLATION_ID = 1, 1
_TOKEN = "ghs_of_the_load_test"  # noqa: S105 -- for ourselves alone
_BEGAN: Final = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STATUS = {200: "OK", 201: "Created", 302: "Found", 401: "Unauthorized", 404: "Not Found"}

type Answer = tuple[int, Any]


def _new_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@dataclass(slots=True)
class StandIn:
    """What it holds is made when it is asked for; `check_runs` counts those made, `asked` all requests."""

    cases: int
    address: str = ""
    check_runs: int = 0
    asked: int = 0
    private_key: str = field(default_factory=_new_key, repr=False)

    def answer(self, method: str, path: str, token: str) -> Answer:
        """Status and body; a text is where a redirect leads."""
        self.asked += 1
        for wanted, pattern, found in _ROUTES:
            if wanted == method and (match := pattern.fullmatch(path)):
                if (pattern is _STORAGE) == bool(token) or (pattern is not _STORAGE and not self._knows(token)):
                    return 401, {"message": "Bad credentials"}
                return found(self, *match.groups())
        return 404, {"message": "Not Found"}

    def _knows(self, token: str) -> bool:
        return token == _TOKEN or token.count(".") == 2  # noqa: PLR2004 -- a JWT of the App


def sha_of(run: int) -> str:
    """The commit of a run; each has its own."""
    return f"{run:040x}"


def _at(seconds: int) -> str:
    return f"{_BEGAN + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def _token(_self: StandIn) -> Answer:
    return 201, {"token": _TOKEN, "expires_at": f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"}


def _run(_self: StandIn, repository: str, run: str) -> Answer:
    number = int(run)
    return 200, {
        "id": number, "run_attempt": 1, "head_sha": sha_of(number), "head_branch": "main", "event": "push",
        "head_repository": {"full_name": repository}, "repository": {"full_name": repository}, "pull_requests": [],
        "name": "CI", "run_number": number, "html_url": f"https://github.com/{repository}/actions/runs/{run}",
        "status": "completed", "conclusion": "success", "created_at": _at(number), "run_started_at": _at(number),
        "updated_at": _at(number + 60),
    }  # fmt: skip


def _artifacts(_self: StandIn, run: str) -> Answer:
    one = {
        "id": int(run), "name": "junit-results", "size_in_bytes": 1, "expired": False,
        "created_at": _at(int(run) + 50),
    }  # fmt: skip
    return 200, {"total_count": 1, "artifacts": [one]}


def _jobs(_self: StandIn, run: str) -> Answer:
    one = {
        "name": "test", "labels": ["ubuntu-latest"], "started_at": _at(int(run)), "completed_at": _at(int(run) + 60),
    }  # fmt: skip
    return 200, {"total_count": 1, "jobs": [one]}


def _zip(self: StandIn, run: str) -> Answer:
    return 302, f"{self.address}/storage/{run}"


def _stored(self: StandIn, run: str) -> Answer:
    return 200, artifact(int(run), self.cases)


def _no_check_runs(_self: StandIn) -> Answer:
    return 200, {"total_count": 0, "check_runs": []}


def _check_run(self: StandIn) -> Answer:
    self.check_runs += 1
    return 201, {"id": self.check_runs}


def _changed(_self: StandIn, number: str) -> Answer:
    return 200, {"id": int(number)}


def _no_pulls(_self: StandIn) -> Answer:
    return 200, []


_REPO = "/repos/[^/]+/[^/]+"
_STORAGE = re.compile(r"/storage/(\d+)")
_ROUTES: tuple[tuple[str, re.Pattern[str], Callable[..., Answer]], ...] = (
    ("GET", re.compile(r"/repos/([^/]+/[^/]+)/actions/runs/(\d+)"), _run),
    ("GET", re.compile(rf"{_REPO}/actions/runs/(\d+)/artifacts"), _artifacts),
    ("GET", re.compile(rf"{_REPO}/actions/runs/(\d+)/attempts/1/jobs"), _jobs),
    ("GET", re.compile(rf"{_REPO}/actions/artifacts/(\d+)/zip"), _zip),
    ("GET", _STORAGE, _stored),
    ("GET", re.compile(rf"{_REPO}/commits/[^/]+/check-runs"), _no_check_runs),
    ("GET", re.compile(rf"{_REPO}/commits/[^/]+/pulls"), _no_pulls),
    ("POST", re.compile(rf"{_REPO}/check-runs"), _check_run),
    ("PATCH", re.compile(rf"{_REPO}/check-runs/(\d+)"), _changed),
    ("POST", re.compile(rf"/app/installations/{INSTALLATION_ID}/access_tokens"), _token),
)


@asynccontextmanager
async def standing_in(cases: int) -> AsyncGenerator[StandIn]:
    """The stand-in, serving on loopback for the block."""
    github = StandIn(cases)
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
