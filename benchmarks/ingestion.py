"""What an upload costs: from 202 to verdicts, storing beside a bare COPY, and with ten million attempts stored.

`python -m benchmarks.ingestion [--attempts 10000000] [--uploads 200]`; real embedded servers with durable settings, the
real application and worker in this process' children, in a folder that is deleted afterwards.
"""

import argparse
import asyncio
import io
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID
from zlib import crc32

import asyncpg
from prometheus_client import CollectorRegistry

from flakeguard.analysis.analyzing import analyze_ingestion
from flakeguard.analysis.config import DEFAULT_CONFIG
from flakeguard.analysis.window import pack
from flakeguard.ingestion.accepting import accept
from flakeguard.ingestion.batches import in_batches
from flakeguard.ingestion.meta import RunMeta
from flakeguard.ingestion.processing import process_upload
from flakeguard.ingestion.receiving import UploadLimits, UploadReceiver
from flakeguard.ingestion.repository import store_batch, upsert_run
from flakeguard.projects.model import Project, ProjectKey
from flakeguard.reports.junit import parse_junit
from flakeguard.reports.model import Outcome
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.metrics import WorkerMetrics
from flakeguard.worker.runner import running_worker
from fluxbase.db.migrate import migrate
from fluxbase.db.roles import ensure_runtime_role
from fluxbase.embedded import Home, join_servers
from fluxbase.monitoring import configure_logging
from fluxbase.resources import Addresses, Resources, open_resources
from fluxbase.serving import run

CASES = 10_000
SECRET = "a secret for the benchmark, of sufficient length"
COLUMNS = (
    "project_id", "test_case_id", "run_id", "report_key", "position", "outcome", "duration_ms", "failure_id",
    "executed_at", "created_at",
)  # fmt: skip


def report(number: int, cases: int = CASES) -> bytes:
    """Ten thousand cases of run `number`, of which a tenth ever fails, each in runs of its own.

    2 % are flaky and fail in a quarter of the runs, half of them passing on a retry; 8 % fail in one run of forty.
    """
    lines = ["<testsuites><testsuite name='shop'>"]
    for case in range(cases):
        place = f"classname='shop.Class{case // 20}' file='tests/test_{case // 200}.py'"
        head = f"<testcase {place} name='test_{case}' time='0.0{case % 89}'"
        draw = crc32(f"{case} in {number}".encode())
        if (case % 50 == 0 and draw % 4 == 0) or (case % 50 in (7, 19, 31, 43) and draw % 40 == 0):
            stack = f"at shop.py:{case}\nat run {number}"
            failure = f"<failure message='expected {number}' type='AssertionError'>{stack}</failure>"
            lines.append(f"{head}>{failure}</testcase>")
            if case % 100 == 0:
                lines.append(head + "/>")
        else:
            lines.append(head + "/>")
    document = "\n".join(lines) + "</testsuite></testsuites>"
    return document.replace("'", '"').encode()  # as every framework quotes


def meta(number: int, now: datetime) -> RunMeta:
    return RunMeta(sha=f"{number:040x}", branch="main", github_run_id=str(number), started_at=now)


async def deliver(resources: Resources, key: ProjectKey, number: int) -> UUID:
    part = b'--b\r\nContent-Disposition: form-data; name="junit"; filename="r.xml"\r\n\r\n'
    receiver = UploadReceiver(b"b", UploadLimits(20, 10**9, 10**9))
    try:
        receiver.feed(part + report(number) + b"\r\n--b--\r\n")
        return await accept(
            resources.database, key, meta(number, datetime.now(UTC)), receiver.finish(), correlation_id="bench"
        )
    finally:
        receiver.close()


async def make_project(resources: Resources, slug: str) -> ProjectKey:
    async with resources.database.transaction() as connection:
        organization = await connection.fetchval(
            "INSERT INTO organizations (name, slug) VALUES ($1, $1) RETURNING id", slug
        )
        row = await connection.fetchrow(
            "INSERT INTO projects (organization_id, name, slug) VALUES ($1, $2, $2) RETURNING id, created_at",
            organization,
            slug,
        )
        key = await connection.fetchval(
            "INSERT INTO api_keys (project_id, name, prefix, key_hash) VALUES ($1, 'k', $2, $3) RETURNING id",
            row["id"], f"fg_{slug}", slug.encode(),
        )  # fmt: skip
    project = Project(row["id"], organization, slug, slug, slug, "main", row["created_at"])
    return ProjectKey(key, "k", f"fg_{slug}", ("ingest:write",), project)


@asynccontextmanager
async def opened(addresses: Addresses) -> AsyncIterator[Resources]:
    async with open_resources(addresses, application_name="bench") as resources:
        yield resources


async def time_to_verdicts(resources: Resources, owner: "asyncpg.Connection", uploads: int) -> list[float]:
    """Seconds from the acceptance of an upload until its verdicts can be read, through queue and worker."""
    key = await make_project(resources, "latency")
    seconds = []
    settings = FlakeGuardSettings(_env_file=None)
    async with running_worker(resources, settings, WorkerMetrics(CollectorRegistry())):
        await asyncio.sleep(1)
        for number in range(uploads + 3):
            ingestion = await deliver(resources, key, number)
            started = time.perf_counter()
            while await state(owner, ingestion) != "analyzed":  # noqa: ASYNC110 -- the state is in the database
                await asyncio.sleep(0.02)  # asking costs the same processor that works
            if number >= 3:  # the first ones meet empty caches and new tests
                seconds.append(time.perf_counter() - started)
    return seconds


async def state(owner: "asyncpg.Connection", ingestion: UUID) -> str:
    return await owner.fetchval("SELECT state FROM ingestions WHERE id = $1", ingestion)


@dataclass
class Storing:
    rows: int
    ours: float
    copy: float


async def storing_beside_copy(resources: Resources, owner: "asyncpg.Connection", rounds: int) -> list[Storing]:
    """The rows of an upload stored by us (tests and failures looked up), and the same rows by a bare COPY."""
    key = await make_project(resources, "storing")
    now = datetime.now(UTC)
    results = []
    for number in range(rounds + 1):
        batches = list(in_batches(parse_junit(io.BytesIO(report(number))), ""))
        started = time.perf_counter()
        async with resources.database.transaction() as connection:
            run = await upsert_run(connection, key.project_id, number.to_bytes(16), meta(number, now), now)
            for batch in batches:
                await store_batch(connection, run, number, batch, now)
        ours = time.perf_counter() - started
        rows = await owner.fetch(f"SELECT {', '.join(COLUMNS)} FROM flake_events WHERE run_id = $1", run.id)
        records = [tuple(row) for row in rows]
        started = time.perf_counter()
        async with owner.transaction():
            await owner.copy_records_to_table("flake_events", records=records, columns=COLUMNS)
        copy = time.perf_counter() - started
        if number:
            results.append(Storing(len(records), ours, copy))
    return results


async def fill(owner: "asyncpg.Connection", project_id: int, runs: int) -> None:
    """A history of `runs` runs of ten thousand tests each, spread over the lookback, with full windows."""
    await owner.execute(
        "INSERT INTO test_runs (project_id, key, sha, branch, executed_at, tests)"
        " SELECT $1, int8send(n) || int8send(n), to_hex(n), 'main', now() - interval '29 days' * n / $2, 10000"
        " FROM generate_series(1::bigint, $2) n",
        project_id, runs,
    )  # fmt: skip
    ids = [
        row[0]
        for row in await owner.fetch(
            "SELECT id FROM test_runs WHERE project_id = $1 AND tests = 10000 ORDER BY executed_at DESC", project_id
        )
    ]
    for run_id in ids:
        await owner.execute(
            "INSERT INTO flake_events SELECT c.project_id, c.id, r.id, 1, 1, 0, 5.0, NULL, r.executed_at, now()"
            " FROM test_cases c, test_runs r WHERE c.project_id = $1 AND r.id = $2",
            project_id, run_id,
        )  # fmt: skip
    one_pass = pack([Outcome.PASSED]).to_bytes(2, "little")
    window = b"".join(run_id.to_bytes(4, "little") + one_pass for run_id in ids[:100])
    await owner.execute(
        "UPDATE flake_stats SET window_all = $2, runs = $3, verdict = 'stable', score = 0, failures = 0,"
        " findings = '{}' WHERE project_id = $1",
        project_id, window, len(ids[:100]),
    )  # fmt: skip
    await owner.execute("VACUUM ANALYZE flake_events")
    await owner.execute("VACUUM ANALYZE flake_stats")
    await owner.execute("CHECKPOINT")  # or the writing of what was filled in is measured, not the upload


async def cost_of_an_upload(resources: Resources, key: ProjectKey, first: int, rounds: int) -> list[float]:
    """Seconds to process and analyse one upload of ten thousand cases, without queues."""
    seconds = []
    for number in range(first, first + rounds):
        ingestion = await deliver(resources, key, number)
        started = time.perf_counter()
        await process_upload(resources.database, ingestion, job_id=f"upload-{ingestion}", now=resources.now)
        await analyze_ingestion(
            resources.database, ingestion, job_id=f"analyze-{ingestion}", config=DEFAULT_CONFIG, now=resources.now
        )
        seconds.append(time.perf_counter() - started)
    return seconds


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def measure(addresses: Addresses, attempts: int, uploads: int) -> None:
    async with opened(addresses) as resources:
        owner = await asyncpg.connect(addresses.owner_dsn, timeout=60, command_timeout=600)
        latencies = await time_to_verdicts(resources, owner, uploads)
        print(f"202 to verdicts readable, upload of {CASES:,} cases, {len(latencies)} uploads:")
        middle, late = statistics.median(latencies), percentile(latencies, 0.99)
        print(f"  p50 {middle:.3f} s   p99 {late:.3f} s   max {max(latencies):.3f} s\n")
        stored = await storing_beside_copy(resources, owner, 10)
        ours, copy = (statistics.median([getattr(one, name) for one in stored]) for name in ("ours", "copy"))
        rows = stored[0].rows
        print(f"storing {rows:,} rows: ours {rows / ours:,.0f} rows/s, COPY of the same rows {rows / copy:,.0f} rows/s")
        print(f"  ratio {statistics.median([one.copy / one.ours for one in stored]):.2f} (goal 0.40)\n")
        small, large = await make_project(resources, "small"), await make_project(resources, "large")
        for key in (small, large):  # names the tests
            await cost_of_an_upload(resources, key, 0, 1)
        await fill(owner, small.project_id, 10)
        before = await cost_of_an_upload(resources, small, 1, 8)
        print(
            f"an upload of {CASES:,} cases with 100,000 attempts stored: {statistics.median(before):.3f} s", flush=True
        )
        started = time.perf_counter()
        await fill(owner, large.project_id, attempts // CASES)
        print(f"  ({attempts:,} attempts stored in {time.perf_counter() - started:.0f} s)", flush=True)
        after = await cost_of_an_upload(resources, large, 1, 8)
        print(f"with {attempts:,} attempts stored: {statistics.median(after):.3f} s")
        print(f"  ratio {statistics.median(after) / statistics.median(before):.2f} (goal at most 1.25)")
        await owner.close()


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--attempts", type=int, default=10_000_000)
    arguments.add_argument("--uploads", type=int, default=200)
    chosen = arguments.parse_args()
    configure_logging(level="error")
    with tempfile.TemporaryDirectory(prefix="flakeguard-bench-") as folder:
        Path(folder).chmod(0o711)
        home = Home(Path(folder) / "home")
        with join_servers(home, "flakeguard") as servers:
            migrate(servers.owner_dsn)
            runtime = asyncio.run(ensure_runtime_role(servers.owner_dsn, SECRET))
            addresses = Addresses(servers.owner_dsn, runtime, servers.redis_url, SECRET)
            run(measure(addresses, chosen.attempts, chosen.uploads))  # as the worker does
        home.remove_if_idle()


if __name__ == "__main__":
    main()
