"""How much is on the queues, in one question to Redis: the signal that autoscaling and health look at."""

from collections.abc import Mapping
from typing import Any, Final

from redis.asyncio import Redis

from flakeguard.worker.queues import PREFIX, QUEUES, bullmq_name

STATES: Final = ("waiting", "active", "delayed", "completed", "failed")


async def depths(redis: Redis) -> Mapping[str, Mapping[str, int]]:
    """Jobs of each queue by state; `waiting` holds those with a priority and those of a paused queue too.

    Raises:
        redis.exceptions.RedisError, OSError: Redis is away.
    """
    pipe: Any = redis.pipeline(transaction=False)  # redis-py types a pipeline as its plain client
    for queue in QUEUES:
        key = f"{PREFIX}:{bullmq_name(queue)}"
        pipe.llen(f"{key}:wait").llen(f"{key}:paused").zcard(f"{key}:prioritized")
        pipe.llen(f"{key}:active").zcard(f"{key}:delayed").zcard(f"{key}:completed").zcard(f"{key}:failed")
    answers: list[int] = await pipe.execute()
    found: dict[str, Mapping[str, int]] = {}
    for at, queue in enumerate(QUEUES):
        wait, paused, prioritized, *others = answers[at * 7 : at * 7 + 7]
        found[queue] = dict(zip(STATES, (wait + paused + prioritized, *others), strict=True))
    return found
