"""The queues: public names as the worker document writes them, and what BullMQ calls them.

Node's BullMQ refuses ':' in a queue name, so the queue behind `runs:ingest` is `runs-ingest`; people may type either.
"""

from collections.abc import Mapping
from typing import Final

INGEST: Final = "runs:ingest"
ANALYZE: Final = "runs:analyze"
TESTS_RECOMPUTE: Final = "tests:recompute"
POLLING: Final = "polling"
QUEUES: Final = (INGEST, ANALYZE, TESTS_RECOMPUTE, POLLING)
PREFIX: Final = "{bull}"  # one hash slot, so that a cluster keeps a queue's keys together

PRIORITIES: Final[Mapping[str, int | None]] = {"critical": None, "high": 1, "normal": 10, "low": 100}
"""BullMQ's numbers: the smaller comes first; jobs without one come before all."""
DEFAULT_PRIORITY: Final = "normal"

MAX_DELIVERIES: Final = 10  # also counts workers that died with the job
REMOVE_ON_COMPLETE: Final = 100
REMOVE_ON_FAIL: Final = 50
STALLED_JOB_TIMEOUT_MS: Final = 30_000
STALLED_CHECK_MS: Final = 5_000
"""How often is looked for jobs whose worker let their lock run out; all workers together look once in that time."""


def bullmq_name(queue: str) -> str:
    """What BullMQ calls the queue of that public name."""
    return queue.replace(":", "-")


def public_name(typed: str) -> str | None:
    """The public name of a queue in either spelling; None when there is no such queue."""
    return next((queue for queue in QUEUES if typed in (queue, bullmq_name(queue))), None)
