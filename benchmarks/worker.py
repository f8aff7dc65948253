"""The worker: the document's four loads, sustained full jobs of 50 and 1,000 cases, no-op jobs beside bare BullMQ.

`python -m benchmarks.worker [--short]`; everything of a figure (servers, worker, feeder) runs on this machine.
"""

import argparse

from flakeguard.loadtest.model import SCENARIOS, Load, Measured
from flakeguard.loadtest.noop import noop_jobs
from flakeguard.loadtest.running import full_jobs, own_servers
from fluxbase.monitoring import configure_logging
from fluxbase.serving import run

MEBIBYTE = 1024 * 1024


def full(load: Load) -> Measured:
    found = []
    with own_servers() as (addresses, folder):

        async def measure() -> None:
            found.append(await full_jobs(load, addresses, folder, lambda _ended: None))

        run(measure())
    return found[0]


def noop(load: Load, *, bare: bool) -> Measured:
    found = []
    with own_servers() as (addresses, _folder):

        async def measure() -> None:
            found.append(await noop_jobs(load, addresses, lambda _ended: None, bare=bare))

        run(measure())
    return found[0]


def line(name: str, measured: Measured) -> None:
    success = 100 * measured.succeeded / measured.jobs
    print(
        f"{name:<34} {measured.per_minute:>7,.0f}/min  success {success:.2f} %  p50 {measured.latency(0.5):.3f} s"
        f"  p99 {measured.latency(0.99):.3f} s  memory {measured.memory_bytes / MEBIBYTE:.0f} MiB",
        flush=True,
    )


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--short", action="store_true", help="a quarter of the jobs, to see that it runs")
    part = 4 if arguments.parse_args().short else 1
    configure_logging(level="error")
    for name, per_minute in SCENARIOS.items():
        line(f"{name}, {per_minute:,} a minute", full(Load(per_minute // part, 10, 50, 1, per_minute)))
    one = full(Load(2000 // part, 10, 50))
    line("sustained, 50 cases", one)
    two = full(Load(2000 // part, 10, 50, 2))
    line("sustained, 50 cases, 2 processes", two)
    print(f"  two processes do {two.per_minute / one.per_minute:.2f} times what one does (goal 1.6)")
    line("sustained, 1,000 cases", full(Load(400 // part, 10, 1000)))
    ours, bare = noop(Load(20_000 // part, 10, 0), bare=False), noop(Load(20_000 // part, 10, 0), bare=True)
    line("no-op jobs", ours)
    line("no-op jobs, bare BullMQ", bare)
    print(f"  ours are {ours.per_minute / bare.per_minute:.2f} of bare BullMQ's (goal 0.8)")


if __name__ == "__main__":
    main()
