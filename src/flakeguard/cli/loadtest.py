"""`flakeguard loadtest`: what the worker does in a minute on this machine."""

from typing import Annotated

import typer

from flakeguard.cli.output import ExitCode, fail, human_bytes, print_json, progress, stderr, stdout
from flakeguard.loadtest.model import SCENARIOS, Load, Measured
from flakeguard.loadtest.noop import noop_jobs
from flakeguard.loadtest.running import StuckError, full_jobs, own_servers
from flakeguard.settings import FlakeGuardSettings
from fluxbase.monitoring import configure_logging
from fluxbase.serving import run
from fluxbase.settings.reading import read_settings


def loadtest(
    jobs: Annotated[int | None, typer.Option(min=1, help="Runs; 1000, or a minute's of the scenario.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Jobs at once, of each queue and process.")] = 10,
    cases: Annotated[int, typer.Option(min=1, help="Test cases of each run.")] = 50,
    processes: Annotated[int, typer.Option(min=1, max=64, help="Processes of the worker.")] = 1,
    repositories: Annotated[int, typer.Option(min=1, max=1000, help="Repositories that the runs are of.")] = 10,
    scenario: Annotated[str | None, typer.Option(help=f"Jobs evenly spread: {', '.join(SCENARIOS)}.")] = None,
    *,
    noop: Annotated[bool, typer.Option("--noop", help="Jobs that do nothing: the cost of the queue alone.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Also on a machine in production.")] = False,
    json_: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> None:
    """Run jobs through a worker on servers of its own, which are deleted after, and say how it went.

    A full job is a run whose artifact is fetched from a stand-in for GitHub on this machine, parsed, stored and judged,
    and whose check run is made there. Leaves with 1 when a job failed.
    """
    if scenario is not None and scenario not in SCENARIOS:
        fail(ExitCode.USAGE, f"there is no scenario {scenario}", hint=f"There are {', '.join(SCENARIOS)}.")
    if read_settings(FlakeGuardSettings).is_production and not yes:
        hint = "It is on servers of its own, but takes the processors of this machine. Give --yes if you mean it."
        fail(ExitCode.USAGE, "this is a machine in production", hint=hint)
    per_minute = SCENARIOS[scenario] if scenario else None
    load = Load(jobs or per_minute or 1000, concurrency, cases, processes, per_minute, repositories)
    measured = _measure(load, noop=noop, quiet=json_)
    if json_:
        print_json(measured.as_json())
    else:
        _print(measured, noop=noop)
    if measured.succeeded < measured.jobs:
        raise typer.Exit(ExitCode.FINDINGS)


def _measure(load: Load, *, noop: bool, quiet: bool) -> Measured:
    configure_logging(level="error")
    found: list[Measured] = []
    with own_servers() as (addresses, folder), progress("jobs", load.jobs, quiet=quiet) as (bar, task):

        async def measure() -> None:
            def tell(ended: int) -> None:
                bar.update(task, completed=ended)

            if noop:
                found.append(await noop_jobs(load, addresses, tell))
            else:
                found.append(await full_jobs(load, addresses, folder, tell))

        try:
            run(measure())
        except StuckError as error:
            fail(ExitCode.UNREACHABLE, str(error))
    return found[0]


def _print(measured: Measured, *, noop: bool) -> None:
    kind = "no-op jobs" if noop else "full jobs"
    out = stdout()
    out.print(f"{measured.succeeded:,} of {measured.jobs:,} {kind} in {measured.seconds:.1f} s")
    to_verdicts = "" if noop else f", {measured.analyzed_per_minute:,.0f} a minute to their verdicts"
    out.print(f"throughput  {measured.per_minute:,.0f} a minute{to_verdicts}")
    out.print(f"success     {measured.success_percent:.2f} %, {measured.failed:,} failed")
    shares = ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
    latencies = "  ".join(f"{name} {measured.latency(share):.3f} s" for share, name in shares)
    out.print(f"latency     {latencies}  max {max(measured.latencies, default=0):.3f} s")
    out.print(f"memory      {human_bytes(measured.memory_bytes)} ({'this process' if noop else 'the whole worker'})")
    if measured.cpu_seconds:
        spent = "  ".join(f"{part} {measured.cpu_ms(part):.1f}" for part in measured.cpu_seconds)
        out.print(f"CPU         {spent}  (ms for each job)")
        verdicts = ", ".join(f"{tests:,} {verdict}" for verdict, tests in measured.verdicts.items())
        out.print(f"stored      {measured.stored:,} test results; tests: {verdicts}")
    if not measured.latencies:
        stderr().print("no job was done")
