"""`flakeguard demo`: a project filled with a believable history, to look around in."""

import asyncio
import time
from dataclasses import dataclass
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.markup import escape

from flakeguard.analysis.settings import analysis_config
from flakeguard.cli import demo_filling as filling
from flakeguard.cli.announcing import announced_address
from flakeguard.cli.output import ExitCode, fail, plural, print_json, progress, stdout
from flakeguard.cli.starting import reached, read_settings
from flakeguard.demo.history import DEFAULT_SEED, History, generate
from flakeguard.demo.pushes import OPEN_BRANCH, OPEN_PULL_REQUEST
from flakeguard.projects.model import Project
from flakeguard.settings import FlakeGuardSettings
from fluxbase.errors import FluxbaseError
from fluxbase.resources import Addresses, Resources, open_resources
from fluxbase.servers import home_of

DEFAULT_PROJECT = "web-shop"
_TOUR = ("flaky-often", "broken", "recovering", "difference")
"""Plants that the last lines name, beside the open pull request."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the command did and what it has to tell."""

    account: filling.Account
    project: Project
    links: filling.Links
    history: History
    api_key: str | None = None
    attempts: int = 0
    seconds: float = 0.0

    @property
    def filled(self) -> bool:
        """Whether it filled the project just now."""
        return self.api_key is not None


def demo(
    project: Annotated[str, typer.Option(help="Slug of the project in the organisation Demo.")] = DEFAULT_PROJECT,
    email: Annotated[
        str | None, typer.Option(help="Account that becomes an owner; made with a password of its own when new.")
    ] = None,
    *,
    again: Annotated[bool, typer.Option("--again", help="Delete the project and fill it anew.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before deleting.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Fill a project with three weeks of a web shop's tests: flaky, broken, healing, outages, a pull request."""
    settings = read_settings(log_level="warn")
    if settings.is_production and email is None:
        fail(ExitCode.USAGE, "Whose demonstration is it?", hint="In production, name an account: --email.")
    if again and not yes:
        typer.confirm(f"Delete the project {project} of the organisation Demo, and fill it anew?", abort=True, err=True)
    with reached(settings, quiet=json_) as addresses:
        outcome = asyncio.run(_demo(settings, addresses, project, email, again=again, quiet=json_))
        _tell(outcome, settings, json_=json_)


async def _demo(
    settings: FlakeGuardSettings, addresses: Addresses, slug: str, email: str | None, *, again: bool, quiet: bool
) -> Outcome:
    async with open_resources(addresses, application_name="flakeguard-demo") as resources:
        try:
            account = await filling.account_for(resources.database, email)
            project = await filling.project_for(resources.database, account.user, slug)
            if await filling.runs_in(resources.database, project):
                if not again:
                    return await _as_it_is(resources, account, project)
                project = await filling.emptied(resources.database, account.user, project)
            return await _fill(settings, resources, account, project, quiet=quiet)
        except filling.SeveralAccountsError:
            fail(ExitCode.USAGE, "There are several accounts.", hint="Say who is to own the demonstration: --email.")
        except FluxbaseError as error:
            fail(ExitCode.USAGE, str(error))


async def _as_it_is(resources: Resources, account: filling.Account, project: Project) -> Outcome:
    history = generate(resources.now(), DEFAULT_SEED)
    links = await filling.links(resources.database, project, OPEN_BRANCH, history.plants)
    return Outcome(account, project, links, history)


async def _fill(
    settings: FlakeGuardSettings, resources: Resources, account: filling.Account, project: Project, *, quiet: bool
) -> Outcome:
    started = time.monotonic()
    history = generate(resources.now(), DEFAULT_SEED)
    key, token = await filling.new_key(resources.database, account.user, project)
    with progress(f"filling {project.slug}", len(history.runs), quiet=quiet) as (bar, task):
        attempts = await filling.fill(
            resources, analysis_config(settings), key, history.runs, lambda: bar.advance(task)
        )
    links = await filling.links(resources.database, project, OPEN_BRANCH, history.plants)
    return Outcome(account, project, links, history, token, attempts, time.monotonic() - started)


def _tell(outcome: Outcome, settings: FlakeGuardSettings, *, json_: bool) -> None:
    server = (
        settings.public_url or announced_address(home_of(settings).path) or f"http://{settings.host}:{settings.port}"
    )
    server = server.rstrip("/")
    home = f"{server}/projects/{outcome.project.id}"
    if json_:
        print_json(_document(outcome, home))
        return
    console = stdout()
    _tell_what_was_done(console, outcome)
    console.print(f"\nOpen [bold]{home}[/]  [dim]as {escape(outcome.account.user.email)}[/]", soft_wrap=True)
    if not _answers(server):
        console.print("  [yellow]nothing answers there yet:[/] run `flakeguard up`, and open the address it prints")
    console.print("\nWhat to look at:")
    for address, shows in _tour(outcome, home):
        console.print(f"  {address}  [dim]{escape(shows)}[/]", soft_wrap=True)
    if outcome.api_key:
        console.print("\nThe same answers in a terminal, with a key of this project (shown once):")
        console.print(f"  export FLAKEGUARD_API_KEY={outcome.api_key}", soft_wrap=True)
        console.print(f"  flakeguard explain --branch {OPEN_BRANCH}")


def _tell_what_was_done(console: Console, outcome: Outcome) -> None:
    slug = escape(outcome.project.slug)
    if outcome.filled:
        runs, attempts = plural(len(outcome.history.runs), "run"), plural(outcome.attempts, "attempt")
        console.print(f"[green bold]✓[/] {slug} is filled: {runs}, {attempts}, in {outcome.seconds:.0f} s")
    else:
        console.print(f"{slug} is filled already; nothing was changed. `flakeguard demo --again` fills it anew.")
    if outcome.account.password:
        console.print(f"  New account [bold]{escape(outcome.account.user.email)}[/], password (shown once):")
        console.print(f"  [bold]{escape(outcome.account.password)}[/]")


def _tour(outcome: Outcome, home: str) -> list[tuple[str, str]]:
    """Addresses, and what is to be seen there."""
    shows = {plant.key: f"{plant.verdict}: {plant.shows}" for plant in outcome.history.plants}
    question = f"pull request #{OPEN_PULL_REQUEST}: is it my change? One failure of each kind"
    tests = [(f"{home}/flakes/{outcome.links.tests[key]}", shows[key]) for key in _TOUR if key in outcome.links.tests]
    return [(f"{home}/runs/{outcome.links.open_run}", question), *tests]


def _document(outcome: Outcome, home: str) -> dict[str, Any]:
    tests = outcome.links.tests
    return {
        "filled": outcome.filled,
        "organization": outcome.project.organization_slug,
        "project": outcome.project.slug,
        "project_id": outcome.project.id,
        "address": home,
        "email": outcome.account.user.email,
        "password": outcome.account.password,
        "api_key": outcome.api_key,
        "runs": len(outcome.history.runs) if outcome.filled else None,
        "attempts": outcome.attempts if outcome.filled else None,
        "seconds": round(outcome.seconds, 1) if outcome.filled else None,
        "open_pull_request": {"run_id": outcome.links.open_run, "address": f"{home}/runs/{outcome.links.open_run}"},
        "planted": [
            {
                "key": plant.key,
                "test_case_id": tests[plant.key],
                "verdict": str(plant.verdict),
                "shows": plant.shows,
                "address": f"{home}/flakes/{tests[plant.key]}",
            }
            for plant in outcome.history.plants
            if plant.key in tests
        ],
    }


def _answers(server: str) -> bool:
    try:
        return httpx.get(f"{server}/health", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False
