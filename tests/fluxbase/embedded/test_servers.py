"""The embedded servers: joined, kept, stopped by the last; in private folders too."""

import asyncio
import multiprocessing
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

import asyncpg
import pytest
from redis import Redis
from redis.exceptions import BusyLoadingError, RedisError, ResponseError

from fluxbase.embedded import Home, join_servers
from fluxbase.embedded.ports import free_port, port_or_next
from fluxbase.embedded.postgres import EmbeddedPostgres, wheel_archive
from fluxbase.embedded.valkey import EmbeddedValkey, wheel_program
from fluxbase.errors import ConfigurationError
from fluxbase.resources import connect_redis


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    home = Home(private / "home")
    yield home
    shutil.rmtree(home.servers)


def value(dsn: str, sql: str) -> object:
    async def ask() -> object:
        connection = await asyncpg.connect(dsn)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(ask())


def set_key(url: str, key: str, text: str | None = None) -> str | None:
    async def ask() -> str | None:
        client = connect_redis(url)
        if text is not None:
            await client.set(key, text)
        found = await client.get(key)
        await client.aclose()
        return found

    return asyncio.run(ask())


def visit(path: Path, inside: Event, leave: Event) -> None:
    with join_servers(Home(path), "flakeguard"):
        inside.set()
        leave.wait(60)


def test_servers_are_joined_kept_and_stopped_by_the_last(home: Home) -> None:
    postgres, valkey = EmbeddedPostgres(home, wheel_archive()), EmbeddedValkey(home, wheel_program())
    context = multiprocessing.get_context("spawn")
    inside, leave = context.Event(), context.Event()
    with join_servers(home, "flakeguard") as servers:
        set_key(servers.redis_url, "kept", "42")
        other = context.Process(target=visit, args=(home.path, inside, leave))
        other.start()
        assert inside.wait(60)
    assert postgres.is_running(), "somebody else still uses it"
    assert valkey.is_running()
    leave.set()
    other.join(60)
    assert not postgres.is_running()
    assert not valkey.is_running()

    with join_servers(home, "flakeguard") as again:
        assert set_key(again.redis_url, "kept") == "42"
        assert value(again.owner_dsn, "SELECT current_database()") == "flakeguard"


def test_servers_that_are_killed_come_back_where_they_were(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fluxbase.embedded.guard._LOOK_SECONDS", 0.05)
    with join_servers(home, "flakeguard") as servers:
        value(servers.owner_dsn, "CREATE TABLE kept AS SELECT 42 AS number")
        set_key(servers.redis_url, "kept", "42")
        killed = [
            value(servers.owner_dsn, "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)"),
            asyncio.run(server_pid(servers.redis_url)),
        ]
        for pid in killed:
            os.kill(int(str(pid)), signal.SIGKILL)
        assert until_answered(lambda: value(servers.owner_dsn, "SELECT number FROM kept")) == 42
        assert until_answered(lambda: set_key(servers.redis_url, "kept")) == "42"
    postgres, valkey = EmbeddedPostgres(home, wheel_archive()), EmbeddedValkey(home, wheel_program())
    assert not postgres.is_running(), "whoever leaves last stops those that came back, too"
    assert not valkey.is_running()
    with join_servers(home, "flakeguard") as again:
        assert again == servers, "and the next start is at the same address, when nobody has taken it"


async def server_pid(url: str) -> int:
    client = connect_redis(url)
    info = await client.info("server")
    await client.aclose()
    return info["process_id"]


def until_answered(ask: Callable[[], object]) -> object:
    deadline = time.monotonic() + 60
    while True:
        try:
            return ask()
        except (OSError, asyncpg.PostgresError, RedisError):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_secret_is_made_once_and_private(home: Home) -> None:
    assert home.secret() == home.secret()
    assert (home.path / "secret").stat().st_mode & 0o077 == 0


def test_a_busy_port_moves_aside() -> None:
    import socket

    with socket.socket() as busy:
        busy.bind(("127.0.0.1", free_port()))
        busy.listen()
        port = busy.getsockname()[1]
        assert port_or_next("127.0.0.1", port) != port


def test_a_pid_file_of_a_server_that_died_names_somebody_else(home: Home) -> None:
    """The machine was switched off, and the number belongs to another server's process of the same user since."""
    postgres = EmbeddedPostgres(home, wheel_archive())
    with join_servers(home, "flakeguard"):
        left_behind = postgres.data.joinpath("postmaster.pid").read_text().splitlines()
    other = subprocess.Popen(["postgres", "600"], executable=shutil.which("sleep"), **home.identity())
    try:
        left_behind[0] = str(other.pid)
        postgres.data.joinpath("postmaster.pid").write_text("\n".join(left_behind) + "\n")
        with join_servers(home, "flakeguard") as servers:
            assert value(servers.owner_dsn, "SELECT 1") == 1
        assert other.poll() is None, "the other process was left alone"
    finally:
        other.kill()
        other.wait()


@pytest.mark.parametrize("content", ["", "nonsense"])
def test_files_that_a_full_disk_spoilt_are_made_anew(home: Home, content: str) -> None:
    postgres, valkey = EmbeddedPostgres(home, wheel_archive()), EmbeddedValkey(home, wheel_program())
    with join_servers(home, "flakeguard") as servers:
        value(servers.owner_dsn, "CREATE TABLE kept AS SELECT 42 AS number")
        set_key(servers.redis_url, "kept", "42")
    for file in (postgres.data / "postmaster.pid", postgres.data.parent / "port", valkey.data / "address"):
        file.write_text(content)
    with join_servers(home, "flakeguard") as servers:
        assert value(servers.owner_dsn, "SELECT number FROM kept") == 42
        assert set_key(servers.redis_url, "kept") == "42"


def test_a_valkey_that_does_not_answer_gets_no_second_one_beside_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two would write into each other's files. One that is reading a large file of its own is as silent."""
    valkey = EmbeddedValkey(home, wheel_program())
    monkeypatch.setattr("fluxbase.embedded.valkey._connect", lambda url: Redis.from_url(url, socket_timeout=0.2))
    with join_servers(home, "flakeguard") as servers:
        pid = asyncio.run(server_pid(servers.redis_url))
        os.kill(pid, signal.SIGSTOP)
        try:
            with monkeypatch.context() as hurried:
                hurried.setattr("fluxbase.embedded.valkey._START_SECONDS", 0.1)
                with pytest.raises(ConfigurationError, match="does not answer"):
                    valkey.ensure_running()
        finally:
            os.kill(pid, signal.SIGCONT)
        assert valkey.ensure_running() == servers.redis_url
        os.kill(pid, signal.SIGKILL)
        assert valkey.ensure_running() == servers.redis_url, "and nothing is left of the lock of one that was killed"
        assert asyncio.run(server_pid(servers.redis_url)) != pid


def test_a_valkey_that_lacks_room_on_its_disk_answers(home: Home) -> None:
    """It says so to every command, PING too, and to whoever joins it soon enough."""
    valkey = EmbeddedValkey(home, wheel_program())
    with join_servers(home, "flakeguard") as servers, Redis.from_url(servers.redis_url) as client:
        client.config_set("save", "3600 1")
        valkey.data.chmod(0o500)  # nothing can be written any more
        try:
            client.bgsave()
            while client.info("persistence")["rdb_last_bgsave_status"] == "ok":
                time.sleep(0.01)
            with pytest.raises(ResponseError, match="MISCONF"):
                client.ping()
            assert valkey.is_running()
            assert valkey.ensure_running() == servers.redis_url
        finally:
            valkey.data.chmod(0o700)


def test_a_stop_waits_for_no_valkey_that_reads_its_file(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fluxbase.embedded.guard._LOOK_SECONDS", 0.05)
    reads = threading.Event()

    def is_reading(_url: str) -> bool:
        reads.set()
        raise BusyLoadingError

    def use() -> None:
        with join_servers(home, "flakeguard") as servers:
            pid = asyncio.run(server_pid(servers.redis_url))
            monkeypatch.setattr(EmbeddedValkey, "_answers", staticmethod(is_reading))
            os.kill(pid, signal.SIGKILL)
            reads.wait(60)

    user = threading.Thread(target=use)
    user.start()
    assert reads.wait(60)
    user.join(30)
    hung = user.is_alive()
    monkeypatch.undo()  # one that hangs goes on
    user.join()
    assert not hung
    assert not EmbeddedValkey(home, wheel_program()).is_running(), "though it had only begun"


def test_a_start_that_was_cut_off_half_way_is_begun_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while it initialised PostgreSQL, and while Valkey was just up: no half folder, no second Valkey."""
    postgres, valkey = EmbeddedPostgres(home, wheel_archive()), EmbeddedValkey(home, wheel_program())

    def dies(*_arguments: object, **_named: object) -> str:
        raise KeyboardInterrupt

    really_open = Path.open

    def dies_at_configuration(path: Path, *arguments, **named):
        return dies() if path.name == "postgresql.conf" else really_open(path, *arguments, **named)

    programs = postgres._programs()
    with monkeypatch.context() as killed:
        killed.setattr(Path, "open", dies_at_configuration)  # initdb is done, its configuration is not
        with pytest.raises(KeyboardInterrupt):
            postgres._initialise(programs)
    with monkeypatch.context() as killed:
        killed.setattr(EmbeddedValkey, "_answers", staticmethod(dies))
        with pytest.raises(KeyboardInterrupt):
            valkey.ensure_running()
    first = (valkey.data / "address").read_text()
    with join_servers(home, "flakeguard") as servers:
        assert value(servers.owner_dsn, "SELECT 1") == 1
        assert servers.redis_url == first
