"""`flakeguard github`: what the App is, where it is installed, and what GitHub could not hand over."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from prometheus_client import CollectorRegistry
from rich.table import Table

from flakeguard.cli.output import ExitCode, fail, plural, print_json, print_whole, stdout
from flakeguard.cli.starting import reached, read_settings
from flakeguard.github.api import GitHub
from flakeguard.github.api.allowance import Allowance
from flakeguard.github.errors import GitHubAwayError, GitHubRefusedError, GoneError, RateLimitedError
from flakeguard.github.facts import AppInstallation, HookDelivery
from flakeguard.github.installations.repository import Installation, find_installation
from flakeguard.github.redelivering.pace import REDELIVERABLE
from flakeguard.github.redelivering.redelivering import Fate, fates
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.metrics import GitHubMetrics
from fluxbase.errors import ConfigurationError, NotFoundError
from fluxbase.resources import Resources, open_resources

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Look at the GitHub App, and what was missed.")

Json = Annotated[bool, typer.Option("--json", help="For machines.")]

_NEEDED = ("GITHUB_APP_ID", "GITHUB_PRIVATE_KEY")
_PURPOSES: Mapping[str, str] = {
    "GITHUB_APP_ID": "asking GitHub",
    "GITHUB_PRIVATE_KEY": "asking GitHub",
    "GITHUB_WEBHOOK_SECRET": "taking webhooks",
    "GITHUB_CLIENT_ID": "binding installations",
    "GITHUB_CLIENT_SECRET": "binding installations",
    "GITHUB_APP_SLUG": "the link that installs the App",
}


def _missing(settings: FlakeGuardSettings) -> list[str]:
    return [name for name in _PURPOSES if getattr(settings, name.lower()) is None]


def _do[T](settings: FlakeGuardSettings, action: Callable[[Resources, GitHub], Awaitable[T]]) -> T:
    """Run `action` on open resources and the App; what GitHub or the settings refuse ends the command."""
    absent = [name for name in _missing(settings) if name in _NEEDED]
    if absent:
        fail(
            ExitCode.USAGE,
            f"no GitHub App is configured: {' and '.join(absent)} {'is' if len(absent) == 1 else 'are'} not set",
            hint="docs/github.md says how the App is made, docs/configuration.md what each setting is.",
        )

    async def opened(addresses: Any) -> T:
        async with open_resources(addresses, application_name="flakeguard-github") as resources:
            github = GitHub.of(settings, GitHubMetrics(CollectorRegistry()), resources)
            assert github is not None  # noqa: S101 -- its settings are there
            try:
                return await action(resources, github)
            finally:
                await github.aclose()

    with reached(settings, quiet=True, asks=True) as addresses:
        try:
            return asyncio.run(opened(addresses))
        except (GitHubRefusedError, GoneError) as error:
            fail(ExitCode.REFUSED, str(error))
        except NotFoundError as error:
            fail(ExitCode.NOTHING_MATCHED, str(error))
        except (GitHubAwayError, RateLimitedError) as error:
            fail(ExitCode.UNREACHABLE, str(error))
        except ConfigurationError as error:
            fail(ExitCode.USAGE, str(error))


@app.command()
def status(*, json_: Json = False) -> None:
    """Say which App this is, what of its settings is missing, and what is left of its calls."""
    settings = read_settings()
    missing = _missing(settings)
    document: dict[str, Any] = {"configured": not set(_NEEDED) & set(missing), "missing": missing}
    if document["configured"]:
        document |= _do(settings, _status)
    if json_:
        print_json(document)
    else:
        _show_status(document, settings)
    if not document["configured"]:
        raise typer.Exit(int(ExitCode.USAGE))


async def _status(resources: Resources, github: GitHub) -> dict[str, Any]:
    told, listed = await github.facts(), await github.installations()
    failed = await _failed(resources, github, timedelta(days=1))
    budgets = {str(one.id): await github.budgets.known(one.id) for one in listed}
    return {
        "app": {"id": told.id, "name": told.name, "slug": told.slug, "events": list(told.events)},
        "installations": len(listed),
        "missedToday": len({one.guid for one, fate in failed if fate is None or fate.state == "missed"}),
        "budgets": {
            name: _budget(known)
            for name, known in ({"app": await github.budgets.known("app")} | budgets).items()
            if known != Allowance()
        },
    }


def _budget(known: Allowance) -> dict[str, Any]:
    return {
        "remaining": known.remaining, "limit": known.limit, "reset": _iso(known.reset),
        "waitUntil": _iso(known.wait_until),
    }  # fmt: skip


def _iso(seconds: float) -> str | None:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds") if seconds else None


def _show_status(document: Mapping[str, Any], settings: FlakeGuardSettings) -> None:
    out = stdout()
    if document["configured"]:
        told = document["app"]
        out.print(f"App           {told['name']} ({told['id']}) at {settings.github_api_url}", markup=False)
        out.print(f"Events        {', '.join(told['events']) or 'none'}", markup=False)
        out.print(f"Installations {document['installations']}", markup=False)
        out.print(f"Missed today  {document['missedToday']}", markup=False)
        for name, known in document["budgets"].items():
            until = known["waitUntil"] or known["reset"]
            out.print(f"Calls of {name}: {known['remaining']} of {known['limit']} left until {until}", markup=False)
    else:
        out.print("No GitHub App is configured.")
    for name in document["missing"]:
        out.print(f"not set: {name}, for {_PURPOSES[name]}", markup=False)


@app.command()
def installations(*, json_: Json = False) -> None:
    """List where GitHub says that the App is installed, and whose each of them is here."""
    found = _do(read_settings(), _installations)
    if json_:
        print_json([_installation(told, here) for told, here in found])
        return
    table = Table("id", "account", "state", "organization", box=None)
    for told, here in found:
        one = _installation(told, here)
        table.add_row(str(told.id), told.account.login, one["state"], str(one["organizationId"] or "nobody's"))
    print_whole(stdout(), table)


async def _installations(resources: Resources, github: GitHub) -> Sequence[tuple[AppInstallation, Installation | None]]:
    listed = await github.installations()
    async with resources.database.transaction() as connection:
        return [(one, await find_installation(connection, one.id)) for one in listed]


def _installation(told: AppInstallation, here: Installation | None) -> dict[str, Any]:
    state = "suspended" if told.suspended_at else ("not known here yet" if here is None else "active")
    return {
        "id": told.id, "account": told.account.login, "type": told.account.type, "state": state,
        "organizationId": here.organization_id if here else None,
    }  # fmt: skip


@app.command()
def deliveries(
    days: Annotated[float, typer.Option(min=0.01, max=3, help="How far back; GitHub repeats three days.")] = 1,
    *,
    json_: Json = False,
) -> None:
    """List attempts that GitHub says failed, newest first, and what is known here of each delivery."""

    async def look(resources: Resources, github: GitHub) -> list[tuple[HookDelivery, Fate | None]]:
        return await _failed(resources, github, timedelta(days=days))

    found = [_delivery(one, fate) for one, fate in _do(read_settings(), look)]
    if json_:
        print_json(found)
        return
    table = Table("delivered", "guid", "id", "event", "status", "here", box=None)
    for one in found:
        here = f"missed, asked for {plural(one['asks'], 'time')}" if one["here"] == "missed" else one["here"]
        table.add_row(one["deliveredAt"], one["guid"], str(one["id"]), one["event"], one["status"], here)
    print_whole(stdout(), table)


async def _failed(resources: Resources, github: GitHub, back: timedelta) -> list[tuple[HookDelivery, Fate | None]]:
    failed = await github.failed_deliveries(resources.now() - back)
    async with resources.database.transaction() as connection:
        known = await fates(connection, [one.guid for one in failed])
    return [(one, known.get(one.guid)) for one in failed]


def _delivery(one: HookDelivery, fate: Fate | None) -> dict[str, Any]:
    return {
        "id": one.id, "guid": one.guid, "deliveredAt": one.delivered_at.isoformat(), "event": one.event,
        "action": one.action, "installationId": one.installation_id, "status": one.status,
        "statusCode": one.status_code, "here": fate.state if fate else "missed", "asks": fate.asks if fate else 0,
        "error": fate.error if fate else None,
    }  # fmt: skip


@app.command()
def redeliver(
    deliveries: Annotated[list[str], typer.Argument(help="Ids or guids, as `deliveries` lists them.")],
    *,
    json_: Json = False,
) -> None:
    """Ask GitHub to hand deliveries over again; one that is here already changes nothing."""
    asked = _do(read_settings(), lambda resources, github: _redeliver(resources, github, deliveries))
    if json_:
        print_json({"askedFor": asked})
    else:
        stdout().print(f"GitHub was asked to repeat {plural(len(asked), 'webhook')}", markup=False)


async def _redeliver(resources: Resources, github: GitHub, wanted: Sequence[str]) -> list[int]:
    ids = {one: int(one) for one in wanted if one.isdecimal()}
    if len(ids) < len(wanted):
        listed = await github.failed_deliveries(resources.now() - REDELIVERABLE)
        ids |= {one.guid: one.id for one in reversed(listed)}
    if unknown := [one for one in wanted if one not in ids]:
        raise NotFoundError(f"no delivery of the last three days has failed that is named {', '.join(unknown)}")
    for one in wanted:
        await github.redeliver(ids[one])
    return [ids[one] for one in wanted]
