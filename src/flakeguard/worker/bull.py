"""BullMQ for Python is not typed: it is named here, once, and what it gives is `Any`."""

from typing import Any

import bullmq  # pyright: ignore[reportMissingTypeStubs] -- see above
from bullmq.custom_errors import (  # pyright: ignore[reportMissingTypeStubs] -- see above
    DelayedError,
    UnrecoverableError,
    WaitingChildrenError,
)

Queue: Any = bullmq.Queue
Worker: Any = bullmq.Worker

__all__ = ["DelayedError", "Queue", "UnrecoverableError", "WaitingChildrenError", "Worker"]
