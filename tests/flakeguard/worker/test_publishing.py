"""A job that is owed gets onto its queue, whatever BullMQ remembers of it."""

import asyncio

from bullmq import Queue, Worker

from flakeguard.worker.publishing import Publisher
from flakeguard.worker.queues import INGEST, PREFIX, bullmq_name
from fluxbase.resources import Resources


async def failed_in_bullmq(resources: Resources, job_id: str) -> None:
    """Leave a job of that id among BullMQ's failed ones, as a worker does whose give_up() failed too."""
    options = {"connection": resources.redis, "prefix": PREFIX}
    await Queue(bullmq_name(INGEST), options).add("process-upload", {}, {"jobId": job_id, "attempts": 1})
    ended = asyncio.Event()

    async def fail(_job, _token):
        raise OSError("PostgreSQL is away")

    worker = Worker(bullmq_name(INGEST), fail, {**options, "autorun": False})
    worker.on("failed", lambda *_: ended.set())
    running = asyncio.create_task(worker.run())
    async with asyncio.timeout(20):
        await ended.wait()
    await worker.close(force=True)
    await running


async def test_a_job_that_bullmq_gave_up_is_queued_again_while_it_is_owed(resources: Resources):
    await failed_in_bullmq(resources, "upload-1")

    await Publisher(resources.redis).publish(INGEST, "process-upload", {}, job_id="upload-1")

    assert await resources.redis.zrange(f"{PREFIX}:{bullmq_name(INGEST)}:prioritized", 0, -1) == ["upload-1"]
    assert await resources.redis.zcard(f"{PREFIX}:{bullmq_name(INGEST)}:failed") == 0


async def test_a_job_that_waits_is_not_queued_twice(resources: Resources):
    publisher = Publisher(resources.redis)

    for _ in range(2):
        await publisher.publish(INGEST, "process-upload", {}, job_id="upload-1")

    assert await resources.redis.zrange(f"{PREFIX}:{bullmq_name(INGEST)}:prioritized", 0, -1) == ["upload-1"]
