"""Wait until the server has analysed what was sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from flakeguard.uploading.client import IngestClient

FINAL_STATES = frozenset({"analyzed", "failed"})
"""States of an ingestion that will not change any more."""

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 2.0


def wait_for(
    client: IngestClient,
    ingestions: list[dict[str, Any]],
    *,
    seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Ask for each ingestion until it is analysed or the time is up, and update the list in place.

    Args:
        client: asks the server.
        ingestions: `data` of the 202 answers; they hold `ingestion_id`.
        seconds: how long to wait for all of them together; 0 asks nothing.
        clock: monotonic seconds.
        sleep: waits that many seconds.

    Raises:
        UploadError: the server refused or cannot be reached any more.
    """
    deadline = clock() + seconds
    pause = _FIRST_PAUSE_SECONDS
    while seconds and (pending := [item for item in ingestions if item.get("state") not in FINAL_STATES]):
        for item in pending:
            remaining = max(0.0, deadline - clock())
            item.update(client.ingestion(str(item["ingestion_id"]), wait_seconds=remaining))
        if all(item.get("state") in FINAL_STATES for item in pending):
            return
        remaining = deadline - clock()
        if remaining <= 0:
            return
        sleep(min(pause, remaining))
        pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
