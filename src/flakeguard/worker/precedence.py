"""Jobs that others add with a priority in their data alone, as the worker document's example does.

BullMQ orders by an option of its own, and does jobs without one before all others: a `low` job would be the first.
"""

import time
from typing import Any

from flakeguard.worker.bull import DelayedError
from flakeguard.worker.queues import PRIORITIES


async def take_turn(bull_job: Any, token: str) -> None:
    """Put a job that came too early back to where its priority belongs, at no cost of a try.

    Raises:
        DelayedError: It was put back; BullMQ then leaves it alone.
    """
    told: object = bull_job.data.get("priority") if hasattr(bull_job.data, "get") else None  # JSON of others: anything
    number = PRIORITIES.get(told) if isinstance(told, str) and not bull_job.priority else None
    if number is None:
        return
    await bull_job.changePriority({"priority": number})
    await bull_job.moveToDelayed(round(time.time() * 1000), token)
    raise DelayedError
