"""The job after a binding: see what the installation reaches today, then do what was kept until now."""

from collections.abc import Mapping
from typing import Any

import structlog

from flakeguard.github.installations import mapping, repository
from flakeguard.github.installations.client import AppClient
from flakeguard.github.webhooks.receiving import work_off
from flakeguard.github.webhooks.working import App
from flakeguard.worker.errors import InvalidJobError
from flakeguard.worker.outbox import settle
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)


async def adopt_installation(
    resources: Resources, app: App, client: AppClient | None, data: Mapping[str, Any], *, job_id: str
) -> int:
    """Keep and map what the installation reaches, then do the deliveries that waited; how many there were.

    Without a `client` GitHub is not asked, and what events told of repositories counts.

    Raises:
        InvalidJobError: `data` names no installation.
    """
    installation_id = data.get("installationId")
    if not isinstance(installation_id, int):
        raise InvalidJobError("adopt-installation needs data.installationId, a number")
    reached = None if client is None else await client.installation(installation_id).repositories()
    async with resources.database.transaction() as connection:
        installation = await repository.lock_installation(connection, installation_id)
        if installation is None or installation.organization_id is None or installation.deleted_at is not None:
            await settle(connection, job_id)  # unbound or removed meanwhile
            return 0
        for told in reached or ():
            await repository.put_repository(connection, installation_id, told, added=True)
        if reached is not None:
            await repository.keep_only(connection, installation_id, [one.id for one in reached], resources.now())
        await mapping.map_all(connection, installation.organization_id, installation_id)
    done = await work_off(resources.database, app, installation_id, resources.now)
    async with resources.database.transaction() as connection:
        await settle(connection, job_id)
    logger.info("installation adopted", installation_id=installation_id, deliveries=done)
    return done
