"""`flakeguard admin`: what a person decides, not a machine."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from flakeguard.cli.output import ExitCode, fail, plural, print_json, stdout
from flakeguard.cli.starting import reached, read_settings
from flakeguard.worker import dead_letters
from flakeguard.worker.operating import operators as operating
from flakeguard.worker.outbox import dead_jobs
from fluxbase.resources import Addresses, open_resources

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Look at jobs that were given up, and try them again."
)

Json = Annotated[bool, typer.Option("--json", help="For machines.")]


@app.command("failed")
def failed(*, json_: Json = False) -> None:
    """List jobs that were given up, and why."""
    with reached(read_settings(), quiet=True, asks=True) as addresses:
        jobs = asyncio.run(_failed(addresses))
    if json_:
        print_json([{**job, "dead_at": job["dead_at"].isoformat()} for job in jobs])
        return
    for job in jobs:
        stdout().print(
            f"{job['dead_at']:%Y-%m-%d %H:%M}  {job['queue']}  {job['job_id']}\n    {job['error']}", markup=False
        )
    stdout().print(f"{plural(len(jobs), 'job')} given up")


@app.command("retry")
def retry(
    job_id: Annotated[str | None, typer.Argument(help="One job; else all that were given up.")] = None,
    *,
    json_: Json = False,
) -> None:
    """Try jobs again that were given up."""
    with reached(read_settings(), quiet=True, asks=True) as addresses:
        revived = asyncio.run(_retry(addresses, job_id))
    if job_id is not None and not revived:
        fail(ExitCode.NOTHING_MATCHED, f"no job {job_id} was given up", hint="`flakeguard admin failed` lists them.")
    if json_:
        print_json({"retried": revived})
    else:
        stdout().print(f"{plural(len(revived), 'job')} will be tried again")


@app.command("operators")
def operators(
    add: Annotated[str | None, typer.Option(metavar="EMAIL", help="Let this account operate.")] = None,
    remove: Annotated[str | None, typer.Option(metavar="EMAIL", help="Let it operate no more.")] = None,
    *,
    json_: Json = False,
) -> None:
    """List who may see and steer the queues in the dashboard; with an option, change that first."""
    with reached(read_settings(), quiet=True, asks=True) as addresses:
        found, known = asyncio.run(_operators(addresses, add, remove))
    if not known:
        fail(ExitCode.NOTHING_MATCHED, f"there is no account {add or remove}", hint="It must be signed up first.")
    if json_:
        print_json({"operators": found})
        return
    for email in found:
        stdout().print(email, markup=False)
    stdout().print(plural(len(found), "operator"))


async def _operators(addresses: Addresses, add: str | None, remove: str | None) -> tuple[list[str], bool]:
    async with (
        open_resources(addresses, application_name="flakeguard-admin") as resources,
        resources.database.transaction() as connection,
    ):
        known = add is None or await operating.make_operator(connection, add.strip().lower())
        if remove is not None:
            known = await operating.unmake_operator(connection, remove.strip().lower()) and known
        return list(await operating.operators(connection)), known


async def _failed(addresses: Addresses) -> list[Mapping[str, Any]]:
    async with (
        open_resources(addresses, application_name="flakeguard-admin") as resources,
        resources.database.transaction() as connection,
    ):
        return await dead_jobs(connection)


async def _retry(addresses: Addresses, job_id: str | None) -> list[str]:
    async with (
        open_resources(addresses, application_name="flakeguard-admin") as resources,
        resources.database.transaction() as connection,
    ):
        return await dead_letters.retry(connection, None, job_id, actor="the command line")
