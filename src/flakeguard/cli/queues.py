"""`flakeguard worker queues`: depths, jobs and failures, and what a person does about them."""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

import typer
from rich.table import Table

from flakeguard.cli.output import ExitCode, fail, plural, print_json, print_whole, stdout
from flakeguard.cli.starting import reached, read_settings
from flakeguard.worker.operating import commanding, inspecting
from flakeguard.worker.operating.accepted import accepted
from flakeguard.worker.operating.inspecting import queue_named
from flakeguard.worker.operating.model import STATES
from fluxbase.errors import FluxbaseError, NotFoundError
from fluxbase.resources import Resources, open_resources

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Look at the queues, and act on their jobs.")

Json = Annotated[bool, typer.Option("--json", help="For machines.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
QueueName = Annotated[str, typer.Argument(help="runs:ingest, runs:analyze, tests:recompute or polling; - for : too.")]
JobId = Annotated[str, typer.Argument(help="The job's id.")]


def _do[T](action: Callable[[Resources], Awaitable[T]]) -> T:
    """Run `action` on open resources; what it cannot find or take ends the command with what to do."""

    async def opened(addresses: Any) -> T:
        async with open_resources(addresses, application_name="flakeguard-queues") as resources:
            return await action(resources)

    with reached(read_settings(), quiet=True, asks=True) as addresses:
        try:
            return asyncio.run(opened(addresses))
        except NotFoundError as error:
            fail(ExitCode.NOTHING_MATCHED, str(error))
        except FluxbaseError as error:
            fail(ExitCode.USAGE, str(error))


@app.command()
def stats(
    queue: Annotated[str | None, typer.Argument(help="One queue; else all.")] = None, *, json_: Json = False
) -> None:
    """Say how much is in the queues."""

    async def look(resources: Resources) -> list[inspecting.QueueStats]:
        if queue is None:
            return await inspecting.all_stats(resources)
        return [await inspecting.queue_stats(resources, queue_named(queue))]

    found = _do(look)
    if json_:
        print_json([one.as_json() for one in found])
        return
    table = Table("queue", box=None)
    columns = ("waiting", "active", "delayed", "completed", "failed", "dead_letters")
    for column in columns:
        table.add_column(column.replace("_", " "), justify="right")
    for one in found:
        name = f"{one.name} (paused)" if one.paused else one.name
        table.add_row(name, *(f"{getattr(one, column):,}" for column in columns))
    print_whole(stdout(), table)


@app.command("list")
def list_(
    queue: QueueName,
    state: Annotated[str | None, typer.Option(help=f"Only these: {', '.join(STATES)}.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=inspecting.MOST, help="At most so many.")] = 50,
    *,
    json_: Json = False,
) -> None:
    """List jobs, newest first; with `--state failed` also dead letters, with their cause."""

    async def look(resources: Resources) -> list[Any]:
        name = queue_named(queue)
        if state == "failed":
            return await inspecting.failures(resources, name, limit=limit)
        return await inspecting.jobs(resources.redis, name, state=state, limit=limit)

    found = _do(look)
    if json_:
        print_json([one.as_json() for one in found])
        return
    for one in found:
        stdout().print(f"{getattr(one, 'state', 'failed'):<12} {one.name:<18} {one.id}", markup=False)
        if one.error:
            stdout().print(f"    {one.error.splitlines()[0]}", markup=False)
    stdout().print(plural(len(found), "job"))


@app.command()
def show(queue: QueueName, job_id: JobId) -> None:
    """Show one job, as JSON: its data, its state, its error or result."""
    print_json(_do(lambda resources: inspecting.job(resources, queue_named(queue), job_id)).as_json())


@app.command()
def retry(queue: QueueName, job_id: JobId, *, json_: Json = False) -> None:
    """Try a failed job again."""
    _do(lambda resources: commanding.retry(resources, queue_named(queue), job_id, actor="the command line"))
    _tell({"retried": 1}, f"{job_id} will be tried again", json_=json_)


@app.command("retry-all")
def retry_all(queue: QueueName, *, json_: Json = False) -> None:
    """Try every failed job of a queue again."""
    retried = _do(lambda resources: commanding.retry_failed(resources, queue_named(queue), actor="the command line"))
    _tell({"retried": retried}, f"{plural(retried, 'job')} will be tried again", json_=json_)


@app.command()
def discard(queue: QueueName, job_id: JobId, *, yes: Yes = False, json_: Json = False) -> None:
    """Give a failed job up for good."""
    if not yes:
        _confirm(f"Discard {job_id}? What it was to do is then never done.")
    _do(lambda resources: commanding.discard(resources, queue_named(queue), job_id, actor="the command line"))
    _tell({"discarded": 1}, f"{job_id} is discarded", json_=json_)


@app.command()
def pause(queue: QueueName, *, json_: Json = False) -> None:
    """Let no worker begin with a job of the queue; jobs under way are finished, new ones wait."""
    _do(lambda resources: commanding.pause(resources, queue_named(queue)))
    _tell({"paused": True}, f"{queue} is paused", json_=json_)


@app.command()
def resume(queue: QueueName, *, json_: Json = False) -> None:
    """Let workers begin with jobs of the queue again."""
    _do(lambda resources: commanding.resume(resources, queue_named(queue)))
    _tell({"paused": False}, f"{queue} goes on", json_=json_)


@app.command()
def enqueue(
    queue: QueueName,
    name: Annotated[str, typer.Argument(help="The job's name, such as process-run.")],
    data: Annotated[str, typer.Argument(help="Its data as JSON; - reads them from standard input.")],
    *,
    json_: Json = False,
) -> None:
    """Enqueue a job; it is kept in PostgreSQL until it is done."""
    told = _parsed(sys.stdin.read() if data == "-" else data)

    async def add(resources: Resources) -> str:
        public = queue_named(queue)
        return await commanding.enqueue(resources, public, name, accepted(public, name, told), correlation_id=None)

    job_id = _do(add)
    _tell({"id": job_id}, job_id, json_=json_)


def _tell(told: Mapping[str, object], sentence: str, *, json_: bool) -> None:
    if json_:
        print_json(told)
    else:
        stdout().print(sentence, markup=False)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        fail(ExitCode.USAGE, f"the data are not JSON: {error}")


def _confirm(question: str) -> None:
    if not sys.stdin.isatty():
        fail(ExitCode.USAGE, "this destroys something and nobody can be asked", hint="Give --yes if you mean it.")
    typer.confirm(question, abort=True, err=True)
