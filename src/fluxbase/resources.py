"""What a process holds open: the pool, Redis, a clock. Made at the entry point, passed down."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException

from fluxbase.db import Database
from fluxbase.derived_keys import derived_key


def utc_now() -> datetime:
    """The wall clock, always with a zone."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the servers are, resolved: the owner's and the runtime's database, Redis, and the installation's secret.

    The owner's is None where a runtime's address alone was given.
    """

    owner_dsn: str | None
    runtime_dsn: str
    redis_url: str
    secret: str

    @property
    def installation(self) -> str:
        """A short name for what is kept beside other installations', as in Redis: one for each secret and database."""
        database = urlsplit(self.runtime_dsn).path.lstrip("/")
        return derived_key(self.secret, f"names in Redis for {database}").hex()[:16]


@dataclass(frozen=True, slots=True)
class Resources:
    """Open connections of one process."""

    addresses: Addresses
    database: Database
    redis: Redis
    now: Callable[[], datetime] = utc_now


# BullMQ waits for jobs in blocking commands of up to 10 s. redis-py's default of 5 s cuts them off; the worker takes
# that for a lost connection and pauses for 15 s, while jobs wait.
_REDIS_ANSWER_SECONDS = 20


CLUSTER_SCHEMES = ("redis+cluster", "rediss+cluster")
_CONNECTIONS_A_NODE = 200


def connect_redis(url: str) -> Redis:
    """A client whose answers are text (BullMQ measured 2-3 times faster so). Connects on first use.

    `redis+cluster://[user:password@]host:port,host:port` (`rediss+cluster` with TLS) is a cluster: its client has the
    same commands, and finds each key's server by itself.
    """
    if url.startswith(tuple(f"{scheme}://" for scheme in CLUSTER_SCHEMES)):
        return cast("Redis", _connect_cluster(url))
    return Redis.from_url(url, decode_responses=True, socket_timeout=_REDIS_ANSWER_SECONDS)  # pyright: ignore[reportUnknownMemberType] -- **kwargs untyped


class _Cluster(RedisCluster):
    """A cluster that is away is told like a server that is: redis-py's own error for it is no RedisError."""

    async def initialize(self, *arguments: Any, **named: Any) -> RedisCluster:
        """Find the nodes.

        Raises:
            redis.exceptions.ConnectionError: None answers as one of a whole cluster.
        """
        try:
            return await super().initialize(*arguments, **named)
        except RedisClusterException as error:
            raise RedisConnectionError(str(error)) from error


def _connect_cluster(url: str) -> RedisCluster:
    scheme, _, rest = url.partition("://")
    credentials, _, nodes = rest.rstrip("/").rpartition("@")
    user, _, password = credentials.partition(":")
    return _Cluster(
        startup_nodes=[
            ClusterNode(host, int(port or 6379))
            for host, _, port in (node.strip().partition(":") for node in nodes.split(","))
        ],
        username=unquote(user) or None,
        password=unquote(password) or None,
        ssl=scheme.startswith("rediss"),
        decode_responses=True,
        socket_timeout=_REDIS_ANSWER_SECONDS,
        max_connections=_CONNECTIONS_A_NODE,
    )


@asynccontextmanager
async def open_resources(
    addresses: Addresses, *, application_name: str, max_connections: int = 10
) -> AsyncGenerator[Resources]:
    """Open everything, close it in reverse order.

    Raises:
        OSError, asyncpg.PostgresError: PostgreSQL cannot be reached.
    """
    async with AsyncExitStack() as stack:
        database = await Database.open(
            addresses.runtime_dsn, max_connections=max_connections, application_name=application_name
        )
        stack.push_async_callback(database.close)
        redis = connect_redis(addresses.redis_url)
        stack.push_async_callback(redis.aclose)
        yield Resources(addresses=addresses, database=database, redis=redis)
