"""What is done to the worker's site, one thing after the other, for as long as it works."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

from redis import Redis

from ..github import faults
from .worker_site import Site

_AWAY_SECONDS = 1.5
_CALM_SECONDS = 2.0
_BAD_WEATHER_SECONDS = 6.0
_FAILING_SHARE = 0.25
_FAULTS = (
    faults.secondary_limit(), faults.limit_used_up(), faults.too_many(), faults.broken(500), faults.broken(503),
    faults.broken(502, after=True), faults.silent(3), faults.cut(),
)  # fmt: skip


class Troubles:
    """Draws from a seed what happens next; `happened` counts it."""

    def __init__(self, site: Site, seed: int) -> None:
        self._site = site
        self._random = random.Random(seed)
        self.happened: Counter[str] = Counter()
        self._what: dict[str, Callable[[], Awaitable[None]]] = {
            "kill -9 of a worker": self._kill_worker,
            "kill -9 of Redis": self._kill_redis,
            "FLUSHDB": self._flush,
            "crash of PostgreSQL": self._crash_postgresql,
            "GitHub fails": self._bad_weather,
        }

    async def go_on(self) -> None:
        """Until cancelled: every kind in turn, in an order that is drawn anew each time."""
        while True:
            for name in self._random.sample(list(self._what), len(self._what)):
                await self._what[name]()
                self.happened[name] += 1
                await asyncio.sleep(_CALM_SECONDS)

    @property
    def refused(self) -> dict[str, int]:
        """What GitHub did instead of answering."""
        return dict(self._site.organisation.fake.faults.happened)

    def clear_up(self) -> None:
        """The weather is good again."""
        self._site.organisation.fake.faults.clear()

    async def _kill_worker(self) -> None:
        for _ in range(2):
            victims = await asyncio.to_thread(self._site.workers)
            if victims:
                self._random.choice(victims).kill()
            await asyncio.sleep(_AWAY_SECONDS)

    async def _kill_redis(self) -> None:
        process = await asyncio.to_thread(self._site.valkey.process)
        process.kill()
        await asyncio.to_thread(process.wait, 10)
        await asyncio.sleep(_AWAY_SECONDS)
        await asyncio.to_thread(self._site.valkey.start)

    async def _flush(self) -> None:
        with Redis.from_url(self._site.valkey.url) as client:
            await asyncio.to_thread(client.flushdb)

    async def _crash_postgresql(self) -> None:
        await asyncio.to_thread(self._site.postgres.stop, "immediate")
        await asyncio.sleep(_AWAY_SECONDS)
        await asyncio.to_thread(self._site.postgres.start)

    async def _bad_weather(self) -> None:
        github = self._site.organisation.fake.faults
        github.at_rate(_FAILING_SHARE, _FAULTS, seed=self._random.randrange(1000))
        github.at_rate(_FAILING_SHARE, [faults.half(), faults.cut()], faults.STORED, seed=self._random.randrange(1000))
        await asyncio.sleep(_BAD_WEATHER_SECONDS)
        github.clear()
