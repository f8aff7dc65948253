"""`flakeguard worker`: process jobs in the foreground."""

from typing import Annotated

import typer

from flakeguard.cli.output import stderr
from flakeguard.cli.starting import reached, read_settings
from flakeguard.cli.working import work
from fluxbase.embedded.ports import port_or_next


def worker(
    concurrency: Annotated[int | None, typer.Option(help="Jobs at once (WORKER_CONCURRENCY).")] = None,
    port: Annotated[int | None, typer.Option(help="Health and metrics (HEALTH_CHECK_PORT).")] = None,
) -> None:
    """Parse uploads and judge tests until SIGTERM; health and metrics on HEALTH_CHECK_PORT."""
    settings = read_settings(worker_concurrency=concurrency, health_check_port=port)
    if not settings.is_production:
        free = port_or_next(settings.host, settings.health_check_port)
        settings = settings.model_copy(update={"health_check_port": free})
    with reached(settings) as addresses:
        stderr().print(f"worker: health on http://{settings.host}:{settings.health_check_port}/health")
        work(settings, addresses)
