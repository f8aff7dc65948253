"""Clients that use every room without a pause, and remember what they were told is done."""

import asyncio
import hashlib
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count

import httpx

from .backend import BUCKET
from .record import BROKEN, HUNG, Record

PASSWORD = "correct horse battery"
_ANSWER_SECONDS = 15.0
_AGAIN_SECONDS = 0.05
_PAGE = 1000


class Client:
    """HTTP, recorded."""

    def __init__(self, record: Record, url: str) -> None:
        self._record = record
        self._http = httpx.AsyncClient(base_url=url, timeout=_ANSWER_SECONDS, trust_env=False)

    async def ask(
        self, kind: str, method: str, path: str, token: str | None = None, **request
    ) -> httpx.Response | None:
        """The answer of a request that succeeded; None, after a moment, for one that did not."""
        began = time.monotonic()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        try:
            answer = await self._http.request(method, path, headers=headers, **request)
        except httpx.TimeoutException:
            self._record.add(kind, HUNG, began)
        except httpx.TransportError:
            self._record.add(kind, BROKEN, began)
        else:
            self._http.cookies.clear()
            self._record.add(kind, answer.status_code, began)
            if answer.is_success:
                return answer
            self._record.check(answer)
        await asyncio.sleep(_AGAIN_SECONDS)
        return None

    async def insist(self, kind: str, method: str, path: str, token: str | None = None, **request) -> httpx.Response:
        """Ask until it succeeds."""
        while (answer := await self.ask(kind, method, path, token, **request)) is None:
            pass
        return answer

    async def close(self) -> None:
        await self._http.aclose()


@dataclass
class Account:
    """Somebody, and what they know is stored: notes with the time of the answer, checksums of objects, jobs."""

    id: str
    email: str
    token: str
    refresh_token: str
    notes: dict[str, float] = field(default_factory=dict)
    objects: dict[str, str] = field(default_factory=dict)
    jobs: set[str] = field(default_factory=set)


async def sign_up(client: Client, number: int) -> Account:
    email = f"user{number}@example.com"
    answer = await client.insist("sign-up", "POST", "/api/v1/auth/signup", json={"email": email, "password": PASSWORD})
    body = answer.json()
    return Account(body["user"]["id"], email, body["access_token"], body["refresh_token"])


class Load:
    """What one account does at once, until `stopped`."""

    def __init__(self, account: Account, client: Client, record: Record) -> None:
        self.account = account
        self.stopped = False
        self._client = client
        self._record = record
        self._numbers = count()
        self._draw = random.Random(account.email)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._repeat(self._insert, pause=0.05))
            group.create_task(self._repeat(self._insert, pause=0.05))
            group.create_task(self._repeat(self._read, pause=0.05))
            group.create_task(self._repeat(self._upload, pause=0.3))
            group.create_task(self._repeat(self._download, pause=0.3))
            group.create_task(self._repeat(self._submit, pause=0.2))
            group.create_task(self._repeat(self._refresh, pause=0.7))
            group.create_task(self._repeat(self._sign_in, pause=2.0))

    async def _repeat(self, step: Callable[[], Awaitable[None]], *, pause: float) -> None:
        while not self.stopped:
            await step()
            await asyncio.sleep(pause)

    def _name(self) -> str:
        return f"{self.account.id}-{next(self._numbers)}"

    async def _ask(self, kind: str, method: str, path: str, **request) -> httpx.Response | None:
        return await self._client.ask(kind, method, path, self.account.token, **request)

    async def _insert(self) -> None:
        tag = self._name()
        if await self._ask("insert", "POST", "/api/v1/tables/notes", json={"tag": tag}) is not None:
            self.account.notes[tag] = time.monotonic()

    async def _read(self) -> None:
        if not self.account.notes:
            return
        tag = self._draw.choice(list(self.account.notes))
        answer = await self._ask("read", "GET", f"/api/v1/tables/notes?select=tag&tag=eq.{tag}")
        if answer is not None and answer.json() != [{"tag": tag}]:
            self._record.wrong.append(f"read of {tag}: {answer.text}")

    async def _upload(self) -> None:
        name, content = self._name(), self._draw.randbytes(self._draw.randint(8_000, 32_000))
        answer = await self._ask("upload", "POST", f"/api/v1/storage/{BUCKET}/{name}", content=content)
        if answer is not None:
            self.account.objects[name] = hashlib.sha256(content).hexdigest()

    async def _download(self) -> None:
        if self.account.objects:
            await self.download(self._draw.choice(list(self.account.objects)))

    async def download(self, name: str) -> bool:
        """Whether it came; what came must be what was sent."""
        answer = await self._ask("download", "GET", f"/api/v1/storage/{BUCKET}/{name}")
        if answer is not None and hashlib.sha256(answer.content).hexdigest() != self.account.objects[name]:
            self._record.wrong.append(f"download of {name}: other content than was uploaded")
        return answer is not None

    async def _submit(self) -> None:
        """The same job until it is accepted, as its key allows."""
        job = {"name": "leave_a_trace", "idempotency_key": self._name()}
        answer = await self._client.insist("submit", "POST", "/api/v1/jobs/submit", self.account.token, json=job)
        self.account.jobs.add(answer.json()["id"])

    async def _refresh(self) -> None:
        body = {"refresh_token": self.account.refresh_token}
        answer = await self._client.ask("refresh", "POST", "/api/v1/auth/refresh", json=body)
        if answer is not None:
            self.account.token, self.account.refresh_token = (
                answer.json()["access_token"], answer.json()["refresh_token"]
            )  # fmt: skip

    async def _sign_in(self) -> None:
        body = {"email": self.account.email, "password": PASSWORD}
        await self._client.ask("sign-in", "POST", "/api/v1/auth/signin", json=body)

    async def read_anew(self) -> set[str]:
        """The tags of all notes that the account may see, page by page."""
        tags, last = set(), 0
        while True:
            path = f"/api/v1/tables/notes?select=id,tag&order=id.asc&limit={_PAGE}&id=gt.{last}"
            rows = (await self._client.insist("read", "GET", path, self.account.token)).json()
            tags |= {row["tag"] for row in rows}
            if len(rows) < _PAGE:
                return tags
            last = rows[-1]["id"]
