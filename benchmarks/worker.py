"""The worker against its goals: full jobs of 50 and 1,000 cases, one process beside two, no-op jobs, the four loads.

`python -m benchmarks.worker [--short] [--part full|processes|noop|loads]`. Servers, worker, the stand-in for GitHub and
what feeds it run on this machine. Every part is some minutes at most; `--short` is a quarter of the jobs.
"""

import argparse
import os

from flakeguard.loadtest.model import SCENARIOS, Load, Measured
from flakeguard.loadtest.noop import noop_jobs
from flakeguard.loadtest.running import full_jobs, own_servers
from fluxbase.monitoring import configure_logging
from fluxbase.serving import run

MEBIBYTE = 1024 * 1024
GOAL_50, GOAL_1000, GOAL_NOOP, GOAL_TWO, MOST_MEBIBYTE = 2_000, 600, 0.8, 1.6, 512


def full(load: Load) -> Measured:
    found: list[Measured] = []
    with own_servers() as (addresses, folder):

        async def measure() -> None:
            found.append(await full_jobs(load, addresses, folder, lambda _ended: None))

        run(measure())
    return found[0]


def noop(load: Load, *, bare: bool) -> Measured:
    found: list[Measured] = []
    with own_servers() as (addresses, _folder):

        async def measure() -> None:
            found.append(await noop_jobs(load, addresses, lambda _ended: None, bare=bare))

        run(measure())
    return found[0]


def line(name: str, measured: Measured) -> None:
    print(
        f"{name:<32} {measured.analyzed_per_minute or measured.per_minute:>7,.0f}/min"
        f"  success {measured.success_percent:.2f} %  p50 {measured.latency(0.5):.2f} s"
        f"  p99 {measured.latency(0.99):.2f} s  {measured.memory_bytes / MEBIBYTE:.0f} MiB",
        flush=True,
    )
    if measured.cpu_seconds:
        spent = "  ".join(f"{part} {measured.cpu_ms(part):.1f}" for part in measured.cpu_seconds)
        whole = sum(measured.cpu_ms(part) for part in measured.cpu_seconds)
        most = 2 * 60_000 / whole if whole else 0
        print(f"    ms of CPU a job: {spent}; {whole:.1f} in all, so two whole cores could do {most:,.0f} a minute")


def goal(name: str, value: float, at_least: float) -> None:
    print(f"  {'met' if value >= at_least else 'MISSED'}: {name} {value:,.4g} (goal {at_least:,.4g})", flush=True)


def limit(name: str, value: float, at_most: float) -> None:
    print(f"  {'met' if value <= at_most else 'MISSED'}: {name} {value:,.4g} (at most {at_most:,.4g})", flush=True)


def sustained(part: int) -> None:
    for cases, jobs, wanted in ((50, 2_000, GOAL_50), (1_000, 400, GOAL_1000)):
        measured = full(Load(jobs // part, 10, cases, 2))
        line(f"sustained, {cases:,} cases, 2 processes", measured)
        goal("a minute to their verdicts", measured.analyzed_per_minute, wanted)
        limit("most MiB of memory", measured.memory_bytes / MEBIBYTE, MOST_MEBIBYTE)


def processes(part: int) -> None:
    one, two = (full(Load(1_000 // part, 10, 50, processes)) for processes in (1, 2))
    line("sustained, 50 cases, 1 process", one)
    line("sustained, 50 cases, 2 processes", two)
    goal("two processes to one", two.analyzed_per_minute / one.analyzed_per_minute, GOAL_TWO)
    beside = 1 - one.cpu_seconds["worker"] / sum(one.cpu_seconds.values())
    print(f"    {100 * beside:.0f} % of the CPU is servers and stand-in, which share the cores with the worker")


def nothing(part: int) -> None:
    ours, bare = noop(Load(20_000 // part, 10, 0), bare=False), noop(Load(20_000 // part, 10, 0), bare=True)
    line("no-op jobs", ours)
    line("no-op jobs, bare BullMQ", bare)
    goal("ours to bare BullMQ's", ours.per_minute / bare.per_minute, GOAL_NOOP)


def loads(part: int) -> None:
    for name, per_minute in SCENARIOS.items():
        measured = full(Load(per_minute // part, 10, 50, 2, per_minute))
        line(f"{name}, {per_minute:,} a minute", measured)
        goal("% success", measured.success_percent, 100)


def main() -> None:
    parts = {"full": sustained, "processes": processes, "noop": nothing, "loads": loads}
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--short", action="store_true", help="a quarter of the jobs, to see that it runs")
    arguments.add_argument("--part", choices=parts, action="append", help="only this; may be given again")
    chosen = arguments.parse_args()
    configure_logging(level="error")
    for name in chosen.part or parts:
        print(f"{name}, at a load of {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores", flush=True)
        parts[name](4 if chosen.short else 1)


if __name__ == "__main__":
    main()
