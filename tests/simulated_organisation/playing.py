"""The play: `flakeguard up`, an organisation that installs the App, and three weeks of its runs in minutes."""

import html
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from heapq import merge
from typing import Any

import asyncpg
import httpx

from flakeguard.analysis.wording import ANSWER_LABELS
from fluxbase.embedded.ports import free_port

from ..chaos.installation import Up, running, temporary_home, until
from ..github.state import APP_ID
from .github import INSTALLATION, SECRET, Organisation, github_in_a_thread
from .history import Attempt, attempts_of

ACCOUNT = "acme"
PASSWORD = "correct horse battery"
QUIET_SECONDS = 300


@dataclass(frozen=True)
class Stage:
    """Everything that runs, somebody signed in, and what happened at GitHub."""

    up: Up
    organisation: Organisation
    client: httpx.Client
    attempts: tuple[Attempt, ...]
    queues: str
    """The worker's own address, with the queue API."""

    def rows(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Ask the database itself."""
        return _rows(self.up, query, *arguments)


@contextmanager
def played(repositories: int, pushes: int, tell: Callable[[str], None], *, polling: bool) -> Iterator[Stage]:
    """The organisation after everything has happened and nothing is owed any more. `polling`: by the clock."""
    names = [f"{ACCOUNT}/{name}" for name in (f"service-{number:02}" for number in range(1, repositories + 1))]
    now = datetime.now(UTC).replace(microsecond=0)
    histories = [attempts_of(name, number, now, pushes) for number, name in enumerate(names)]
    attempts, last = _with_the_pulls_last(list(merge(*histories, key=lambda one: one.completed_at)))
    with github_in_a_thread() as fake, temporary_home() as home:
        organisation = Organisation(fake, names)
        settings = {
            "GITHUB_APP_ID": str(APP_ID), "GITHUB_API_URL": fake.url, "GITHUB_PRIVATE_KEY": fake.private_key,
            "GITHUB_WEBHOOK_SECRET": SECRET, "GITHUB_CLIENT_ID": "Iv1.client", "GITHUB_CLIENT_SECRET": "a secret",
            "GITHUB_APP_SLUG": "flakeguard", "POLLING_ENABLED": str(polling).lower(), "POLLING_INTERVAL_MINUTES": "1",
            "HEALTH_CHECK_PORT": str(queues := free_port()),
        }  # fmt: skip
        with (
            running(home, settings=settings) as up,
            httpx.Client(base_url=up.url, timeout=30, trust_env=False) as client,
        ):
            _sign_up(client)
            organisation.install(client)
            _bind(client)
            tell(f"{repositories} repositories of {ACCOUNT} are bound; {up.url}")
            deliveries, began = 0, time.monotonic()
            for attempt in attempts:
                organisation.happen(attempt)
                deliveries += organisation.tell(client, attempt)
            tell(
                f"{len(attempts)} attempts happened; {deliveries} deliveries taken in {time.monotonic() - began:.0f} s"
            )
            address = f"http://127.0.0.1:{queues}/queues"
            _settle(Stage(up, organisation, client, attempts, address), polling=polling)
            for attempt in last:
                organisation.happen(attempt)
                organisation.tell(client, attempt)
            stage = Stage(up, organisation, client, attempts + last, address)
            _settle(stage, polling=polling)
            tell(f"nothing is owed any more after {time.monotonic() - began:.0f} s")
            yield stage


def _with_the_pulls_last(attempts: list[Attempt]) -> tuple[tuple[Attempt, ...], tuple[Attempt, ...]]:
    """The newest of each repository's pull requests apart: it is told of when all else is known.

    A page says what is known now, and a comment what was known when the commit's results came.
    """
    newest = {one.repository: one for one in attempts if one.pr_number}
    last = tuple(replace(one, told=max(one.told, 1)) for one in newest.values())
    return tuple(one for one in attempts if one not in newest.values()), last


def _sign_up(client: httpx.Client) -> None:
    answer = client.post("/api/v1/auth/signup", json={"email": "ada@example.com", "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
    made = client.post("/api/v1/orgs", json={"name": ACCOUNT.title(), "slug": ACCOUNT})
    assert made.is_success, made.text


def _bind(client: httpx.Client) -> None:
    """As a browser does it that comes from installing the App: to GitHub, and back with a code."""
    page = client.get("/github/setup", params={"installation_id": INSTALLATION}, headers={"Accept": "text/html"})
    leaving = httpx.URL(html.unescape(re.findall(r'href="([^"]*/login/oauth/authorize[^"]*)"', page.text)[0]))
    bound = client.get("/github/callback", params={"code": "good", "state": leaving.params["state"]})
    assert bound.headers.get("location", "").endswith("github?notice=github-bound"), bound.text


def _settle(stage: Stage, *, polling: bool) -> None:
    wanted = {_key(attempt) for attempt in stage.attempts}
    asked = 0.0

    def done() -> bool:
        nonlocal asked
        if not polling and time.monotonic() - asked > 1:
            asked = time.monotonic()  # nobody waits a minute for the clock: an operator asks for the look
            look = {"name": "discover", "data": {}}
            httpx.post(f"{stage.queues}/polling/jobs", json=look, trust_env=False).raise_for_status()
        stored = {
            (row["full_name"], row["workflow_run_id"], row["run_attempt"])
            for row in stage.rows(
                "SELECT r.full_name, workflow_run_id, run_attempt FROM github_runs"
                " JOIN github_repositories r ON r.id = repository_id WHERE state = 'stored'"
            )
        }
        if not wanted <= stored:
            return False
        (owed,) = stage.rows("SELECT count(*) FROM outbox WHERE dead_at IS NULL AND queue <> 'polling'")
        return owed["count"] == 0

    until(done, QUIET_SECONDS + len(stage.attempts), stage.up.log.read_text)


def _key(attempt: Attempt) -> tuple[str, int, int]:
    return attempt.repository, attempt.run_id, attempt.number


def stored(stage: Stage) -> Counter[tuple[str, str, int]]:
    """Runs of jobs that are stored, by repository, run and attempt."""
    found = stage.rows("SELECT repository, external_run_id, run_attempt FROM test_runs")
    return Counter((row["repository"], row["external_run_id"], row["run_attempt"]) for row in found)


def expected(stage: Stage) -> Counter[tuple[str, str, int]]:
    """What of it there has to be."""
    return Counter({(one.repository, str(one.run_id), one.number): len(one.jobs) for one in stage.attempts})


@dataclass(frozen=True)
class Said:
    """What is said of the newest pull request of a repository, here and at GitHub: answers by name of the test."""

    repository: str
    page: dict[str, str]
    comment: dict[str, str]
    check_run: dict[str, str]


def said_of_pulls(stage: Stage) -> list[Said]:
    """By repository, what the pages of the newest pull request's runs say, and what GitHub was told."""
    found = list[Said]()
    for name, repository in stage.organisation.repositories.items():
        last = max((one for one in stage.attempts if one.repository == name and one.pr_number), key=_ended)
        page: dict[str, str] = {}
        for row in stage.rows(
            "SELECT project_id, id FROM test_runs WHERE repository = $1 AND external_run_id = $2 ORDER BY executed_at",
            name, str(last.run_id),
        ):  # fmt: skip
            address = f"/api/v1/projects/{row['project_id']}/runs/{row['id']}/explanation"
            for failure in stage.client.get(address).json()["data"]["failures"]:
                page[failure["name"]] = failure["answer"]
        (comment,) = (one for one in repository.comments.values() if one["issue"] == last.pr_number)
        (check_run,) = (one for one in repository.check_runs.values() if one["head_sha"] == last.sha)
        found.append(Said(name, page, _answers(comment["body"]), _answers(check_run["output"]["summary"])))
    return found


_ROW = re.compile(r"^\| \S+ \*\*\[?(?P<answer>[A-Z][a-z ]+).*?<code>(?P<name>.*?)</code>", re.MULTILINE)


def _answers(markdown: str) -> dict[str, str]:
    """The table's answers by name of the test, spelt as the API does."""
    spelt = {label: answer for answer, label in ANSWER_LABELS.items()}
    return {
        html.unescape(row["name"].replace("<wbr>", "")): str(spelt[row["answer"].strip()])
        for row in _ROW.finditer(markdown)
    }


def _ended(attempt: Attempt) -> datetime:
    return attempt.completed_at


def _rows(up: Up, query: str, *arguments: Any) -> list[asyncpg.Record]:
    import asyncio

    async def ask() -> list[asyncpg.Record]:
        connection = await asyncpg.connect(_owner(up))
        try:
            return await connection.fetch(query, *arguments)
        finally:
            await connection.close()

    return asyncio.run(ask())


_owners: dict[str, str] = {}


def _owner(up: Up) -> str:
    """The owner's address of its database."""
    known = _owners.get(str(up.home))
    if known is None:
        command = [sys.executable, "-m", "flakeguard", "db", "url"]
        told = subprocess.run(
            command, env={"FLAKEGUARD_HOME": str(up.home), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
            check=True,
        )  # fmt: skip
        known = _owners[str(up.home)] = told.stdout.strip()
    return known
