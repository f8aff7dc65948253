"""Slots for urgent jobs (`critical` and `high`) beside those for all: such a job begins though all of those are taken.

BullMQ's script hands out the first job of a queue, whatever its priority. Here the same script looks first, within the
same step of Redis, so no other worker can come between; what is not urgent stays, or goes where its priority belongs.
"""

import asyncio
from typing import Any, Final

from flakeguard.worker.bull import Worker
from flakeguard.worker.queues import PRIORITIES

_LOOK_SECONDS: Final = 0.25
_HIGH: Final = PRIORITIES["high"] or 0
_TAKES: Final = 'local jobId = rcall("RPOPLPUSH", waitKey, activeKey)\n'  # after what is delayed was looked through
# Jobs without a priority are in a list of their own; the others' score is their priority, and the order they came in.
# What a dead worker had in hand is put there too, whatever its priority: it goes back, before others of its own.
_LOOKS: Final = f"""
local last = rcall("LINDEX", waitKey, -1)
while last do
  local priority = tonumber(rcall("HGET", ARGV[1] .. last, "priority")) or 0
  if priority <= {_HIGH} then break end
  rcall("RPOP", waitKey)
  rcall("ZADD", KEYS[3], priority * 0x100000000, last)
  last = rcall("LINDEX", waitKey, -1)
end
if not last then
  local first = rcall("ZRANGE", KEYS[3], 0, 0, "WITHSCORES")
  if not first[2] or tonumber(first[2]) >= {_HIGH + 1} * 0x100000000 then return {{0, 0, 0, 0}} end
end
"""


class UrgentWorker(Worker):
    """Takes only urgent jobs of the queue of `beside`, and only while that has no slot free."""

    takes_next = False  # the end of a job would bring the next one, whatever its priority

    def __init__(self, beside: Any, slots: int) -> None:
        super().__init__(beside.name, beside.processor, {**beside.opts, "concurrency": slots})
        self._beside = beside
        self._one_looks = asyncio.Lock()
        take = self.scripts.commands["moveToActive"]
        before, found, after = take.script.partition(_TAKES)
        if not found:
            raise RuntimeError("BullMQ takes jobs in another way than the version that this was written for")
        looks = take.registered_client.register_script(before + _LOOKS + found + after)
        self.scripts.commands = {**self.scripts.commands, "moveToActive": looks}

    async def getNextJob(self, token: str) -> Any:  # noqa: N802 -- BullMQ's name
        """The next urgent job, once there is one that would have to wait; None when the worker closes."""
        async with self._one_looks:
            while not self.closing:
                if self._others_are_taken() and (job := await self.moveToActive(token)):
                    self.emit("active", job, "waiting")
                    return await self._kept(job, token)
                await asyncio.sleep(_LOOK_SECONDS)
        return None

    def _others_are_taken(self) -> bool:
        return len(self._beside.jobs) >= self._beside.opts["concurrency"]
