"""A Redis that is away is waited for; an address that will not do is refused."""

import asyncio
import socketserver
import threading
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from flakeguard.settings import FlakeGuardSettings
from fluxbase.errors import ConfigurationError
from fluxbase.resources import Addresses
from fluxbase.servers import reach_servers

from ..conftest import SECRET


async def reached(addresses: Addresses, redis_url: str) -> str:
    settings = FlakeGuardSettings(
        _env_file=None, database_url=addresses.runtime_dsn, database_owner_url=addresses.owner_dsn,
        jwt_secret=SECRET, redis_url=redis_url,
    )  # fmt: skip

    def reach() -> str:
        with reach_servers(settings, "flakeguard") as found:
            return found.redis_url

    return await asyncio.to_thread(reach)


@contextmanager
def answering(**answers: str) -> Generator[str]:
    """The host and port of a Redis that answers these commands so, and OK to every other."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while count := self.rfile.readline()[1:]:
                words = [self.rfile.read(int(self.rfile.readline()[1:]) + 2).strip() for _ in range(int(count))]
                self.wfile.write(answers.get(words[0].decode(), "+OK").encode() + b"\r\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@pytest.mark.parametrize("scheme", ["redis", "redis+cluster"])
async def test_nobody_at_the_address_is_waited_for(addresses: Addresses, unused_tcp_port: int, scheme: str) -> None:
    url = f"{scheme}://127.0.0.1:{unused_tcp_port}"
    assert await reached(addresses, url) == url


@pytest.mark.parametrize(
    "told",
    [
        "-MISCONF Errors writing to the AOF file: No space left on device",
        "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
        "-LOADING Redis is loading the dataset in memory",
    ],
)
async def test_a_redis_that_takes_no_commands_now_is_waited_for(addresses: Addresses, told: str) -> None:
    with answering(PING=told) as host:
        assert await reached(addresses, f"redis://{host}") == f"redis://{host}"


async def test_a_command_that_the_user_may_not_give_is_refused(addresses: Addresses) -> None:
    told = "-NOPERM this user has no permissions to run the 'ping' command"
    with answering(PING=told) as host, pytest.raises(ConfigurationError, match="no permissions"):
        await reached(addresses, f"redis://{host}")


@pytest.mark.parametrize(
    ("scheme", "password", "path", "told"),
    [
        ("redis", "wrong", "0", "AuthenticationError"),
        ("redis+cluster", "wrong", "", "invalid username-password pair"),
        ("redis", None, "4711", "DB index"),
        ("redis+cluster", None, "", "Cluster mode is not enabled"),
    ],
)
async def test_an_address_that_will_not_do_is_refused(
    addresses: Addresses, scheme: str, password: str | None, path: str, told: str
) -> None:
    credentials, _, host = addresses.redis_url.partition("://")[2].partition("/")[0].rpartition("@")
    given = f":{password}" if password else credentials
    with pytest.raises(ConfigurationError, match=told):
        await reached(addresses, f"{scheme}://{given}@{host}/{path}")
