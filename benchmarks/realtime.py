"""Realtime: 2,000 sockets on one process, what an idle one costs, and what triggers cost those who write.

`python -m benchmarks.realtime [--sockets 2000] [--per-user 10] [--policy own|team] [--seconds 30]
[--changes-per-second 50]`; embedded servers with durable settings; server, clients and writer are processes of their
own. 200 users have ten sockets each. All of them listen to the whole table, without a filter: row-level security alone
decides that a change is for the ten sockets of one user. With `--policy team` it asks another table for the members of
a team, of whom there is one.
"""

import argparse
import asyncio
import gc
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import jwt
import psutil
import uvicorn
from websockets.asyncio.client import ClientConnection, connect

from fluxbase.app import create_app
from fluxbase.db.migrate import migrate
from fluxbase.db.roles import ensure_runtime_role
from fluxbase.embedded import EmbeddedServers, Home, join_servers
from fluxbase.embedded.ports import free_port
from fluxbase.monitoring import configure_logging
from fluxbase.resources import Addresses
from fluxbase.serving import run, server_config
from fluxbase.settings import Settings

SECRET = "a secret for the benchmark, of sufficient length"
COPIED_ROWS = 100_000
ROUNDS = 7
CONNECTING_AT_ONCE = 50
GOAL_P95_SECONDS = 0.1

SCHEMA = """
CREATE TABLE public.items (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner uuid NOT NULL, sent float8, name text
);
ALTER TABLE public.items ENABLE ROW LEVEL SECURITY;
CREATE TABLE public.members (team uuid, member uuid, PRIMARY KEY (team, member));
GRANT SELECT ON public.items, public.members TO authenticated;
CREATE TABLE public.loaded (id bigint PRIMARY KEY, owner uuid, sent float8, name text, note text);
"""
POLICIES = {
    "own": "owner = (SELECT auth.uid())",
    "team": "EXISTS (SELECT FROM public.members AS m WHERE m.team = items.owner AND m.member = (SELECT auth.uid()))",
}
ON, OFF = "'{INSERT,UPDATE,DELETE}'", "'{}'"


def main() -> int:
    """Parent, or one of its children."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=2000)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--changes-per-second", type=float, default=50)
    parser.add_argument("--per-user", type=int, default=10)
    parser.add_argument("--policy", choices=POLICIES, default="own")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--listen", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if arguments.serve:
        serve(json.loads(arguments.serve))
    elif arguments.listen:
        run(listen(json.loads(Path(arguments.listen).read_text())))
    else:
        with tempfile.TemporaryDirectory() as folder:
            Path(folder).chmod(0o755)
            with join_servers(Home(Path(folder) / "home"), "fluxbase") as servers:
                asyncio.run(measure(arguments, servers))
    return 0


def serve(told: dict) -> None:
    """The server's process."""
    configure_logging(level="warn")
    settings = Settings(
        _env_file=None,
        jwt_secret=SECRET,
        realtime_max_connections=100_000,
        realtime_max_connections_per_ip=100_000,
        realtime_max_connections_per_user=100_000,
    )
    app = create_app(settings, Addresses(None, told["runtime_dsn"], told["redis_url"], SECRET))
    run(uvicorn.Server(server_config(app, "127.0.0.1", told["port"])).serve())


async def listen(told: dict) -> None:
    """The clients' process: says `ready`, and at the end of its input what it measured."""
    gate, clients = asyncio.Semaphore(CONNECTING_AT_ONCE), []

    async def open_one(token: str) -> None:
        async with gate:
            socket = await connect(
                f"ws://127.0.0.1:{told['port']}/realtime?token={token}",
                compression=None,
                proxy=None,
                ping_interval=None,
                open_timeout=60,
            )
        clients.append(socket)

    await asyncio.gather(*(open_one(token) for token in told["tokens"]))
    print("connected", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    for client in clients:
        await client.send(json.dumps({"type": "subscribe", "channel": "items", "config": {"table": "items"}}))
    for client in clients:
        while json.loads(await client.recv())["type"] != "ack":
            pass  # a heartbeat
    # Python's full collections take 0.3 to 0.5 s among so many clients, and would be told as the server's delay.
    gc.disable()
    print("ready", flush=True)
    delays: list[float] = []
    tasks = [asyncio.create_task(_hear(client, delays)) for client in clients]
    await asyncio.to_thread(sys.stdin.readline)
    for task in tasks:
        task.cancel()
    delays.sort()
    print(json.dumps({"count": len(delays), **{f"p{p}": delays[int(len(delays) * p / 100)] for p in (50, 95, 99)}}))


async def _hear(client: ClientConnection, delays: list[float]) -> None:
    with suppress(asyncio.CancelledError):
        async for text in client:
            now = time.time()
            message = json.loads(text)
            if message["type"] == "postgres_changes":
                delays.append(now - message["payload"]["record"]["sent"])


async def measure(arguments: argparse.Namespace, servers: EmbeddedServers) -> None:
    """Prepare, start the children, write, and print."""
    await asyncio.to_thread(migrate, servers.owner_dsn, "fluxbase")
    runtime = await ensure_runtime_role(servers.owner_dsn, SECRET)
    owner = await asyncpg.connect(servers.owner_dsn)
    await owner.execute(SCHEMA)
    policy = POLICIES[arguments.policy]
    await owner.execute(f"CREATE POLICY seen ON public.items FOR SELECT TO authenticated USING ({policy})")
    await owner.execute(f"SELECT realtime.set_events('public.items', {ON})")
    users = await _make_users(owner, arguments.sockets // arguments.per_user)
    await owner.executemany("INSERT INTO public.members VALUES ($1, $1)", [(user,) for user, _ in users])
    port = free_port()
    told = {"port": port, "runtime_dsn": runtime, "redis_url": servers.redis_url}
    server = _start("--serve", json.dumps(told))
    try:
        await _answers(port)
        await _deliver(arguments, owner, users, server, port)
    finally:
        server.terminate()
        server.wait()
    await _compare_copy(owner)
    await _compare_commits(owner, servers.owner_dsn)
    await owner.close()


def _start(kind: str, told: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "benchmarks.realtime", kind, told]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ)


async def _answers(port: int) -> None:
    for _ in range(300):
        with suppress(OSError):
            (await asyncio.open_connection("127.0.0.1", port))[1].close()
            return
        await asyncio.sleep(0.1)
    raise TimeoutError("the server did not start")


async def _make_users(owner: asyncpg.Connection, count: int) -> list[tuple[UUID, str]]:
    now, users = datetime.now(UTC), []
    for number in range(count):
        user = await owner.fetchval("INSERT INTO auth.users (email) VALUES ($1) RETURNING id", f"{number}@example.com")
        session = await owner.fetchval(
            "INSERT INTO auth.sessions (user_id, expires_at) VALUES ($1, $2) RETURNING id",
            user,
            now + timedelta(days=1),
        )
        claims = {
            "iss": "fluxbase", "aud": "authenticated", "exp": now + timedelta(hours=6), "role": "authenticated",
            "sub": str(user), "session_id": str(session), "email": f"{number}@example.com",
        }  # fmt: skip
        users.append((user, jwt.encode(claims, SECRET, "HS256")))
    return users


async def _deliver(
    arguments: argparse.Namespace, owner: asyncpg.Connection, users: list[tuple[UUID, str]], server: subprocess.Popen,
    port: int,
) -> None:  # fmt: skip
    process = psutil.Process(server.pid)
    before = process.memory_info().rss
    tokens = [token for _, token in users for _ in range(arguments.per_user)]
    started = time.monotonic()
    # Tokens are too many for an argument.
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({"port": port, "tokens": tokens}, file)
        file.flush()
        clients = _start("--listen", file.name)
        await _line(clients)
    seconds = time.monotonic() - started
    await asyncio.sleep(2)
    idle = (process.memory_info().rss - before) / len(tokens) / 1024
    print(f"{len(tokens):,} sockets opened in {seconds:.1f} s; an idle one costs {idle:.1f} KiB of the server's memory")
    await _tell(clients)
    await _line(clients)
    processes = {"server": process, "clients": psutil.Process(clients.pid), "writer": psutil.Process()}
    used, count = _cpu_seconds(processes), int(arguments.seconds * arguments.changes_per_second)
    started = time.monotonic()
    for number in range(count):
        await asyncio.sleep(max(0.0, started + number / arguments.changes_per_second - time.monotonic()))
        user, _ = users[number % len(users)]
        await owner.execute("INSERT INTO public.items (owner, sent, name) VALUES ($1, $2, 'x')", user, time.time())
    took = time.monotonic() - started
    after = _cpu_seconds(processes)
    await asyncio.sleep(2)
    await _tell(clients)
    found = json.loads(await _line(clients))
    clients.wait()
    expected = count * arguments.per_user
    spent = ", ".join(f"{name} {(after[name] - used[name]) / count * 1000:.1f}" for name in processes)
    goal = "met" if found["p95"] < GOAL_P95_SECONDS else "missed"
    print(
        f"{count:,} changes at {count / took:.0f}/s, each for {arguments.per_user} sockets: {found['count']:,} of"
        f" {expected:,} deliveries\n"
        f"  p50 {found['p50'] * 1000:.1f} ms   p95 {found['p95'] * 1000:.1f} ms   p99 {found['p99'] * 1000:.1f} ms"
        f"   ({goal}: p95 under {GOAL_P95_SECONDS * 1000:.0f} ms)\n"
        f"  ms of CPU for each change: {spent}; load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )


def _cpu_seconds(processes: dict[str, psutil.Process]) -> dict[str, float]:
    return {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}


async def _line(child: subprocess.Popen) -> str:
    text = await asyncio.to_thread(child.stdout.readline)
    if not text:
        raise RuntimeError("a child ended too early")
    return text


async def _tell(child: subprocess.Popen) -> None:
    child.stdin.write("\n")
    child.stdin.flush()


async def _compare_copy(owner: asyncpg.Connection) -> None:
    rows = [
        (n, UUID(int=n), n / 7, f"name {n}", "a note of some forty characters, as it were") for n in range(COPIED_ROWS)
    ]
    seconds: dict[str, list[float]] = {OFF: [], ON: []}
    for _ in range(ROUNDS):
        for events in (OFF, ON):
            await owner.execute(f"SELECT realtime.set_events('public.loaded', {OFF})")
            await owner.execute("TRUNCATE public.loaded")
            await owner.execute(f"SELECT realtime.set_events('public.loaded', {events})")
            await owner.execute("CHECKPOINT")
            started = time.perf_counter()
            await owner.copy_records_to_table("loaded", schema_name="public", records=rows)
            seconds[events].append(time.perf_counter() - started)
    without, with_ = (statistics.median(seconds[events]) for events in (OFF, ON))
    print(
        f"COPY of {COPIED_ROWS:,} rows, median of {ROUNDS} in turn: {without:.3f} s without, {with_:.3f} s with"
        f" triggers; ratio {with_ / without:.2f}"
    )


async def _compare_commits(owner: asyncpg.Connection, dsn: str) -> None:
    """Commits of one row each, by eight connections at once."""
    writers = [await asyncpg.connect(dsn) for _ in range(8)]
    rates: dict[str, list[float]] = {OFF: [], ON: []}
    number = COPIED_ROWS

    async def write(connection: asyncpg.Connection, until: float) -> int:
        nonlocal number
        done = 0
        while time.perf_counter() < until:
            number += 1
            await connection.execute("INSERT INTO public.loaded (id, name) VALUES ($1, 'x')", number)
            done += 1
        return done

    for _ in range(5):
        for events in (OFF, ON):
            await owner.execute(f"SELECT realtime.set_events('public.loaded', {events})")
            until = time.perf_counter() + 2
            rates[events].append(sum(await asyncio.gather(*(write(one, until) for one in writers))) / 2)
    for writer in writers:
        await writer.close()
    without, with_ = (statistics.median(rates[events]) for events in (OFF, ON))
    print(
        f"commits of one row by 8 connections, median of 5 in turn: {without:,.0f}/s without, {with_:,.0f}/s with"
        f" triggers; ratio {with_ / without:.2f}"
    )


if __name__ == "__main__":
    sys.exit(main())
