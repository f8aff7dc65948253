"""What a process holds open suits what it is used for."""

from bullmq import Worker

from fluxbase.resources import connect_redis


async def test_redis_is_given_longer_to_answer_than_a_worker_waits_for_a_job():
    client = connect_redis("redis://127.0.0.1:1/0")

    async def nothing(_job, _token):
        return None

    worker = Worker("nothing", nothing, {"connection": client, "autorun": False})
    patience_seconds = client.connection_pool.connection_kwargs["socket_timeout"]

    assert patience_seconds > worker.maximumBlockTimeout
    assert patience_seconds > worker.opts["drainDelay"]
