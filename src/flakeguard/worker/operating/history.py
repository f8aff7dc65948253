"""The last hour of the queues by the minute, for the operators' page. Kept in Redis alone: a picture may be lost."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.exceptions import RedisError

from flakeguard.worker.metrics import Throughput
from flakeguard.worker.operating.inspecting import queue_counts
from flakeguard.worker.queues import PREFIX
from fluxbase.resources import Resources

MINUTES = 60
_KEY = f"{PREFIX}:flakeguard:history"
_SAMPLE_SECONDS = 10
_FORGET_SECONDS = 2 * 3600


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute: when it began (seconds since 1970), jobs that waited at its end, jobs that ended in it."""

    at: int
    waiting: int
    ended: int


async def sample_for_ever(resources: Resources, throughput: Throughput) -> None:
    """Write what this worker ended, and what waits, every few seconds until cancelled."""
    while True:
        await asyncio.sleep(_SAMPLE_SECONDS)
        try:
            await sample(resources, throughput)
        except (RedisError, OSError):
            continue  # what was counted is written with the next sample


async def sample(resources: Resources, throughput: Throughput) -> None:
    """Write one sample; jobs counted before a failure are written with the next."""
    waiting = sum(queue["waiting"] for queue in await queue_counts(resources.redis))
    minute = int(resources.now().timestamp()) // 60
    ended = throughput.ended
    pipe: Any = resources.redis.pipeline(transaction=False)  # redis-py types a pipeline as its plain client
    pipe.hincrby(_KEY, f"{minute}:ended", ended)
    pipe.hset(_KEY, f"{minute}:waiting", waiting)
    old = range(minute - MINUTES - 10, minute - MINUTES)
    pipe.hdel(_KEY, *(f"{one}:{field}" for one in old for field in ("ended", "waiting")))
    pipe.expire(_KEY, _FORGET_SECONDS)
    await pipe.execute()
    throughput.ended -= ended


async def last_hour(resources: Resources) -> list[Minute]:
    """The last hour, oldest minute first; minutes in which no worker ran have zeros."""
    client: Any = resources.redis
    told: Mapping[str, str] = await client.hgetall(_KEY)
    now = int(resources.now().timestamp()) // 60
    return [
        Minute(60 * at, int(told.get(f"{at}:waiting", 0)), int(told.get(f"{at}:ended", 0)))
        for at in range(now - MINUTES + 1, now + 1)
    ]
