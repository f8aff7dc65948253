"""FlakeGuard as several machines run it: API, worker of two processes, a PostgreSQL and a Valkey, and GitHub."""

import asyncio
import functools
import io
import json
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil

from fluxbase.embedded.ports import free_port

from ..fluxbase.failure.own_servers import OwnPostgres, OwnValkey, own_home, own_postgres, own_valkey
from ..github.state import APP_ID
from ..simulated_organisation.github import INSTALLATION, SECRET, Organisation, github_in_a_thread
from .installation import READY_SECONDS, Program, answers, start, stop, until

REPOSITORY = "acme/shop"
CASES = 5
PROCESSES = 2


@dataclass
class Site:
    """All of it, running."""

    postgres: OwnPostgres
    valkey: OwnValkey
    organisation: Organisation
    api: Program
    worker: Program
    url: str
    token: str = ""

    def workers(self) -> list[psutil.Process]:
        """The processes that take jobs."""
        return [one for one in psutil.Process(self.worker.process.pid).children() if one.is_running()]

    async def rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Ask the database itself."""
        connection = await asyncpg.connect(f"{self.postgres.dsn}/postgres")
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()


@contextmanager
def running_site() -> Iterator[Site]:
    """Started, with a project whose repository's installation is bound, and a key of it."""
    with ExitStack() as stack:
        home = stack.enter_context(own_home("worker-chaos"))
        postgres = stack.enter_context(own_postgres(home))
        valkey = stack.enter_context(own_valkey(home))
        fake = stack.enter_context(github_in_a_thread())
        organisation, folder = Organisation(fake, [REPOSITORY]), home.path / "flakeguard"
        folder.mkdir(parents=True)
        port, health = free_port(), free_port()
        settings = {
            "FLAKEGUARD_HOME": str(folder), "DATABASE_URL": f"{postgres.dsn}/postgres", "REDIS_URL": valkey.url,
            "JWT_SECRET": "a secret for tests only, long enough for HS256", "FG_RATE_LIMIT_RPM": "1000000",
            "GITHUB_APP_ID": str(APP_ID), "GITHUB_API_URL": fake.url, "GITHUB_PRIVATE_KEY": fake.private_key,
            "GITHUB_WEBHOOK_SECRET": SECRET, "HEALTH_CHECK_PORT": str(health), "METRICS_ENABLED": "false",
        }  # fmt: skip
        api = _started(
            ["flakeguard", "serve", "api", "--port", str(port)], settings, folder, stack, f"http://127.0.0.1:{port}"
        )
        worker = _started(
            ["flakeguard", "worker", "--processes", str(PROCESSES)],
            settings,
            folder,
            stack,
            f"http://127.0.0.1:{health}",
        )
        site = Site(postgres, valkey, organisation, api, worker, f"http://127.0.0.1:{port}")
        asyncio.run(_bind(site))
        yield site


def _started(command: list[str], settings: dict[str, str], folder: Path, stack: ExitStack, url: str) -> Program:
    log = folder / f"{command[1]}.log"
    program = Program(log, start(command, settings, folder, log))
    stack.callback(_end, program.process)
    until(lambda: answers(program, url), READY_SECONDS, log.read_text)
    return program


def _end(process: "subprocess.Popen[bytes]") -> None:
    stop(process)


async def _bind(site: Site) -> None:
    async with httpx.AsyncClient(base_url=site.url, trust_env=False, timeout=30) as client:
        account = {"email": "ada@example.com", "password": "correct horse battery"}
        signed_up = await client.post("/api/v1/auth/signup", json=account)
        client.cookies.clear()
        client.headers["Authorization"] = f"Bearer {signed_up.json()['access_token']}"
        await client.post("/api/v1/orgs", json={"name": "Acme", "slug": "acme"})
        made = await client.post("/api/v1/orgs/acme/projects", json={"name": "Shop", "slug": "shop"})
        project = made.json()["data"]["id"]
        key = await client.post(f"/api/v1/projects/{project}/api-keys", json={"name": "CI"})
        site.token = key.json()["data"]["token"]
    # The worker may have asked the fake where the App is installed, and know it already.
    await site.rows(
        "INSERT INTO github_installations (id, account_id, account_login, organization_id, bound_at)"
        " SELECT $1, $2, 'acme', id, now() FROM organizations"
        " ON CONFLICT (id) DO UPDATE SET organization_id = excluded.organization_id, bound_at = now()",
        INSTALLATION, 99,
    )  # fmt: skip
    (repository,) = site.organisation.repositories.values()
    await site.rows(
        "INSERT INTO github_repositories (id, installation_id, organization_id, full_name, default_branch, project_id)"
        " SELECT $1, $2, organization_id, $3, 'main', id FROM projects", repository.id, INSTALLATION, REPOSITORY,
    )  # fmt: skip


# ── what comes in ──


def report(number: int) -> bytes:
    """A report of five cases, one of which fails in every tenth run."""
    failure = "<failure message='no'/>" if number % 10 == 3 else ""
    cases = "".join(f"<testcase classname='C' name='t{case}'/>" for case in range(1, CASES))
    return f"<testsuite name='s'><testcase classname='C' name='t0'>{failure}</testcase>{cases}</testsuite>".encode()


def zipped(content: bytes) -> bytes:
    """An artifact."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("junit.xml", content)
    return packed.getvalue()


@functools.cache
def bomb() -> bytes:
    """An artifact whose report would unpack to a thousand times its size."""
    return zipped(b"<testsuite>" + b" " * 150_000_000)


def encrypted() -> bytes:
    """An artifact whose report needs a password: the flag is set in both of its headers."""
    packed = bytearray(zipped(report(0)))
    packed[6] |= 1
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    return bytes(packed)


BROKEN = {"encrypted": (encrypted, "encrypted"), "bomb": (bomb, "unpacks to more")}
"""What can never be read, and a word that the dead letter has to say of it."""


async def send_upload(client: httpx.AsyncClient, token: str, number: int) -> None:
    """Upload a report until it is accepted, as a client with retries does."""
    meta = json.dumps({"sha": f"{number:040x}", "branch": "main", "github_run_id": number, "job_name": "uploaded"})
    files = [("meta", (None, meta)), ("junit", ("r.xml", report(number)))]
    await insist(client, "/api/v1/ingest/junit", headers={"Authorization": f"Bearer {token}"}, files=files)


async def insist(client: httpx.AsyncClient, path: str, **sent: Any) -> None:
    """POST until it is answered with 202."""
    for _ in range(600):
        try:
            answer = await client.post(path, **sent)
        except httpx.HTTPError:
            await asyncio.sleep(0.2)
            continue
        if answer.status_code == 202:
            return
        assert answer.status_code >= 500, answer.text
        await asyncio.sleep(0.2)
    raise AssertionError(f"{path} never took it")
