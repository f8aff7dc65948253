"""The worker's pool."""

from flakeguard.cli.working import max_connections
from flakeguard.settings import FlakeGuardSettings


def test_every_job_under_way_has_a_connection_and_some_are_left(settings: FlakeGuardSettings) -> None:
    settings = settings.model_copy(
        update={"worker_concurrency": 20, "high_priority_concurrency": 3, "database_max_connections": 10}
    )
    assert max_connections(settings) == 102
    assert max_connections(settings.model_copy(update={"database_max_connections": 110})) == 110
