"""The real application, worker and servers in one loop, and one Chromium for the whole run."""

import asyncio
import importlib.util
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import uvicorn
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect
from prometheus_client import CollectorRegistry

from flakeguard.app import create_app
from flakeguard.projects import api_keys, organizations, projects
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.runner import running_worker
from fluxbase.auth import Client, User, accounts_of, passwords
from fluxbase.auth.signing_up import sign_up
from fluxbase.db.roles import ensure_runtime_role
from fluxbase.embedded import EmbeddedServers
from fluxbase.resources import Addresses, Resources

SECRET = "a secret for tests only, long enough for HS256"
PASSWORD = "correct horse battery"
CHROMIUM_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
)  # fmt: skip
expect.set_options(timeout=20_000)  # a busy machine is slow; nothing here is about speed

WIDTHS = {"wide": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}


def _load_seeding() -> Any:
    path = Path(__file__).parents[1] / "flakeguard" / "dashboard" / "seeding.py"
    spec = importlib.util.spec_from_file_location("dashboard_seeding", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Site:
    """A running FlakeGuard with a seeded project, its owner, and a key for uploads."""

    url: str
    resources: Resources
    owner: User
    session: str
    token: str
    project_id: int
    seeded: Any

    @property
    def base(self) -> str:
        return f"{self.url}/projects/{self.project_id}"

    def test_page(self, name: str) -> str:
        return f"{self.base}/flakes/{self.seeded.tests[name]}"


@pytest.fixture(scope="session")
async def site(servers: EmbeddedServers, worker_id: str) -> AsyncIterator[Site]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "ROUNDS", 4)
        name = f"e2e_{worker_id}"
        root = servers.owner_dsn.rpartition("/")[0]
        connection = await asyncpg.connect(servers.owner_dsn)
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE flakeguard_template STRATEGY FILE_COPY")
        await connection.close()
        runtime = await ensure_runtime_role(f"{root}/{name}", SECRET)
        # A Redis database of the site's own: two workers' sites must not take jobs off each other's queues.
        number = int(worker_id.removeprefix("gw")) if worker_id != "master" else 0
        redis_url = servers.redis_url.rpartition("/")[0] + f"/{15 - number % 8}"
        addresses = Addresses(owner_dsn=f"{root}/{name}", runtime_dsn=runtime, redis_url=redis_url, secret=SECRET)
        async with _serve(addresses) as (app, url, resources):
            yield await _populate(app, url, resources)


@asynccontextmanager
async def _serve(addresses: Addresses) -> AsyncIterator[Any]:
    settings = FlakeGuardSettings(
        _env_file=None,
        jwt_secret=SECRET,
        signin_attempts_per_minute=1000,
        github_client_id="Iv1.client",
        github_client_secret="a secret of the App",
        github_app_slug="flakeguard",
    )
    app = create_app(settings, addresses)
    config = uvicorn.Config(app, port=0, log_config=None, access_log=False, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # the signals are pytest's
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 -- uvicorn tells by a flag alone
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    resources: Resources = app.state.resources
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        yield app, f"http://localhost:{port}", resources
        app.state.live.close()
    server.should_exit = True
    await serving


# An installation of each state, repositories with long names and without a project, a delivery of each state.
GITHUB = """
    INSERT INTO github_installations (id, account_id, account_login, organization_id, suspended_at, deleted_at)
    VALUES (1, 1, 'acme', {organization}, NULL, NULL), (2, 2, 'acme-labs', {organization}, now(), NULL),
           (3, 3, 'acme-old', {organization}, NULL, now());
    INSERT INTO github_repositories (id, installation_id, full_name, project_id, removed_at)
    VALUES (1, 1, 'acme/web-shop', {project}, NULL), (2, 3, 'acme-old/gone', NULL, now()),
           (3, 1, 'acme/a-repository-whose-name-is-as-long-as-theirs-can-be', NULL, NULL);
    INSERT INTO github_deliveries (guid, event, action, installation_id, repository_id, body, state, error)
    SELECT state, 'workflow_run', 'completed', 1, 1, '', state, CASE state WHEN 'failed' THEN repeat('why ', 40) END
    FROM unnest(ARRAY['received', 'done', 'ignored', 'failed', 'unbound']) state
"""


# A decision of each state, about tests with long names, for long reasons, and about one that is broken.
QUARANTINE = """
    INSERT INTO quarantine_decisions (project_id, test_case_id, state, score, confidence, rationale, until, proposed_at,
                                      decided_at, decider, ended_at, end_reason)
    SELECT {project}, c.id, d.state, 0.42, 0.97, d.why, now() + interval '12 days',
           CASE WHEN d.state <> 'RESOLVED' THEN now() - interval '3 days' END,
           CASE WHEN d.state NOT IN ('PROPOSED', 'EXPIRED') THEN now() - interval '2 days' END,
           CASE WHEN d.state NOT IN ('PROPOSED', 'EXPIRED') THEN '@grace-of-a-long-login' END,
           CASE WHEN d.state NOT IN ('PROPOSED', 'ACTIVE') THEN now() - interval '1 day' END,
           CASE WHEN d.state NOT IN ('PROPOSED', 'ACTIVE') THEN 'Its time was over.' END
    FROM (VALUES ('never_oversells[8 workers]', 'EXPIRED', 'Proven flaky: 3 of 9 runs failed within 7 days.'),
                 ('never_oversells[8 workers]', 'PROPOSED', 'Proven flaky: 4 of 20 runs failed within 7 days.'),
                 ('retries_declined_card', 'ACTIVE', 'https://tracker.example/' || repeat('very-long-address', 12)),
                 ('weight_limits', 'ACTIVE', 'The sandbox of the carrier is away'),
                 ('signs_in', 'DISMISSED', 'Proven flaky: 2 of 9 runs failed within 7 days.'),
                 ('domestic', 'RESOLVED', 'SHOP-12')) d (name, state, why)
    JOIN test_cases c ON c.project_id = {project} AND c.name = 'test_' || d.name
"""


async def _populate(app: Any, url: str, resources: Resources) -> Site:
    class Request:
        """As much of a request as the accounts need."""

    request: Any = Request()
    request.app = app
    signed_in = await sign_up(accounts_of(request), email="ada@example.com", password=PASSWORD, client=Client())
    organization = await organizations.create(resources.database, signed_in.user, name="Acme")
    project = await projects.create(resources.database, signed_in.user, organization.slug, name="Web shop")
    await projects.create(resources.database, signed_in.user, organization.slug, name="Empty one")
    _, token = await api_keys.create(resources.database, signed_in.user, project.id, name="GitHub Actions")
    seeding = _load_seeding()
    seeded = await seeding.seed_project(resources.database, project.id, seeding.fixed_now(), days=5, runs_a_day=4)
    async with resources.database.transaction() as connection:
        await connection.execute(GITHUB.format(organization=organization.id, project=project.id))
        await connection.execute(QUARANTINE.format(project=project.id))
    return Site(url, resources, signed_in.user, signed_in.token, token, project.id, seeded)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "these tests need Chromium on PATH (Debian: apt install chromium)"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=list(CHROMIUM_FLAGS))
        yield browser
        await browser.close()


type OpenContext = Callable[..., Awaitable[BrowserContext]]


class Complaints(list[str]):
    """What a page complained of: console errors, exceptions, failed requests; a test says which it expects."""

    def watch(self, page: Page) -> None:
        page.on("console", lambda message: self._hear(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.append(str(error)))

    def _hear(self, text: str) -> None:
        # A click that takes the place of a refresh under way aborts it, which htmx calls an error.
        if not text.startswith(("htmx:sendAbort", "htmx:afterRequest")):
            self.append(text)


@pytest.fixture
async def complaints() -> AsyncIterator[Complaints]:
    """Fails the test when a page complained."""
    found = Complaints()
    yield found
    assert not found


@pytest.fixture
async def open_context(browser: Browser, site: Site, complaints: Complaints) -> AsyncIterator[OpenContext]:
    opened: list[BrowserContext] = []

    async def open_one(*, width: str = "wide", theme: str = "light", signed_in: bool = True) -> BrowserContext:
        context = await browser.new_context(
            viewport=WIDTHS[width], color_scheme=theme, base_url=site.url, reduced_motion="reduce"
        )  # type: ignore[arg-type]
        context.set_default_timeout(30_000)
        context.on("page", complaints.watch)
        if signed_in:
            await context.add_cookies([{"name": "fluxbase_session", "value": site.session, "url": site.url}])
        opened.append(context)
        return context

    yield open_one
    for context in opened:
        await context.close()


@pytest.fixture
async def page(open_context: OpenContext) -> Page:
    """A tab of the seeded project's owner."""
    return await (await open_context()).new_page()
