"""What FlakeGuard does by the clock, as functions and schedules of Fluxbase's jobs. The four queues are BullMQ's."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

import structlog

from flakeguard.analysis.ageing import age_what_is_due
from flakeguard.analysis.settings import analysis_config
from flakeguard.github.api import GitHub
from flakeguard.github.installations.reconciling import reconcile
from flakeguard.github.redelivering.redelivering import ask_again
from flakeguard.github.webhooks.cleaning import clean_deliveries
from flakeguard.quarantine.policy import DEFAULT_POLICY
from flakeguard.quarantine.sweeping import review_what_is_open
from flakeguard.retention.cleaning import clean, retention_of
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.dead_letters import retry
from flakeguard.worker.jobs import DISCOVER
from flakeguard.worker.outbox import owe
from flakeguard.worker.queues import POLLING
from fluxbase.db import load
from fluxbase.jobs import Backoff, Functions, Job

logger = structlog.get_logger(__name__)
_SQL = load(__package__)

AGEING = "flakeguard.ageing"
PARTITIONS = "flakeguard.partitions"
QUARANTINE = "flakeguard.quarantine"
RETENTION = "flakeguard.retention"
DELIVERIES = "flakeguard.github_deliveries"
POLLING_DUE = "flakeguard.polling"
MISSED = "flakeguard.github_missed_deliveries"
INSTALLATIONS = "flakeguard.github_installations"

_DAILY_AGEING = "0 4 * * *"
_DAILY_PARTITIONS = "30 2 * * *"
_DAILY_RETENTION = "0 3 * * *"
_DAILY_DELIVERIES = "15 3 * * *"
_EVERY_MINUTE = "* * * * *"
_EVERY_FIVE_MINUTES = "*/5 * * * *"
_HOURLY = "7 * * * *"
_HOURLY_QUARANTINE = "37 * * * *"
_UNHURRIED = Backoff(first_seconds=30)


def scheduled_functions(settings: FlakeGuardSettings, github: GitHub | None = None) -> Functions:
    """Ageing, quarantine, partitions, retention, old deliveries; and what asks GitHub, where there is an App's key.

    Times are UTC; in development retention runs every minute.
    """
    functions = Functions()
    _add_ageing(functions, settings)
    _add_quarantine(functions, settings)
    _add_partitions(functions)
    _add_retention(functions, settings)
    _add_deliveries(functions, settings)
    if github is not None:
        _add_missed(functions, github)
        _add_installations(functions, github, settings.github_api_url)
    if settings.polling_enabled:
        if github is None:
            logger.warning("polling is on, and nobody can be asked", missing="GITHUB_APP_ID or GITHUB_PRIVATE_KEY")
        else:
            _add_polling(functions)
    return functions


def _add_polling(functions: Functions) -> None:
    @functions.function(POLLING_DUE, max_attempts=1)
    async def owe_discovery(job: Job) -> None:
        async with job.resources.database.transaction() as connection:
            await retry(connection, POLLING, DISCOVER, actor="the schedule of polling")
            await owe(
                connection, queue=POLLING, name=DISCOVER, job_id=DISCOVER, data={}, correlation_id=None, priority="low"
            )

    functions.schedule(POLLING_DUE, function=POLLING_DUE, cron=_EVERY_MINUTE, at_once=True)


def _add_missed(functions: Functions, github: GitHub) -> None:
    @functions.function(MISSED, max_attempts=1)
    async def look(job: Job) -> dict[str, Any]:
        return (await ask_again(job.resources, github)).as_json()

    functions.schedule(MISSED, function=MISSED, cron=_EVERY_FIVE_MINUTES, at_once=True)


def _add_installations(functions: Functions, github: GitHub, api_url: str) -> None:
    @functions.function(INSTALLATIONS, max_attempts=1, timeout_seconds=3000)
    async def agree(job: Job) -> dict[str, Any]:
        return (await reconcile(job.resources, github, api_url=api_url)).as_json()

    functions.schedule(INSTALLATIONS, function=INSTALLATIONS, cron=_HOURLY, at_once=True)


def _add_deliveries(functions: Functions, settings: FlakeGuardSettings) -> None:
    kept = timedelta(days=settings.retention_deliveries_days)

    @functions.function(DELIVERIES, max_attempts=5, timeout_seconds=None, backoff=_UNHURRIED)
    async def forget(job: Job) -> dict[str, int]:
        return {"deleted": await clean_deliveries(job.resources.database, job.resources.now() - kept)}

    functions.schedule(DELIVERIES, function=DELIVERIES, cron=_DAILY_DELIVERIES)


def _add_ageing(functions: Functions, settings: FlakeGuardSettings) -> None:
    config = analysis_config(settings)

    @functions.function(AGEING, timeout_seconds=None, backoff=_UNHURRIED)
    async def age(job: Job) -> dict[str, int]:
        return {"projects": await age_what_is_due(job.resources, config)}

    functions.schedule(AGEING, function=AGEING, cron=_DAILY_AGEING, at_once=True)


def _add_quarantine(functions: Functions, settings: FlakeGuardSettings) -> None:
    config = analysis_config(settings)

    @functions.function(QUARANTINE, max_attempts=5, backoff=_UNHURRIED)
    async def review(job: Job) -> dict[str, int]:
        return asdict(await review_what_is_open(job.resources, DEFAULT_POLICY, config))

    functions.schedule(QUARANTINE, function=QUARANTINE, cron=_HOURLY_QUARANTINE, at_once=True)


def _add_partitions(functions: Functions) -> None:
    @functions.function(PARTITIONS, max_attempts=10, backoff=_UNHURRIED)
    async def ensure_partitions(job: Job) -> None:
        async with job.resources.database.transaction() as connection:
            await connection.execute(_SQL["ensure_partitions"])

    functions.schedule(PARTITIONS, function=PARTITIONS, cron=_DAILY_PARTITIONS, at_once=True)


def _add_retention(functions: Functions, settings: FlakeGuardSettings) -> None:
    retention = retention_of(settings)

    @functions.function(RETENTION, max_attempts=5, timeout_seconds=None, backoff=_UNHURRIED)
    async def retain(job: Job) -> dict[str, Any]:
        cleaned = await clean(job.resources.database, retention, now=job.resources.now(), tell=job.progress)
        if cleaned is None:
            return {"skipped": "another run is at it"}
        return {
            "junit_content_cleared": cleaned.junit_content,
            "events_deleted": cleaned.events,
            "months_dropped": cleaned.months,
        }

    cron = _DAILY_RETENTION if settings.is_production else _EVERY_MINUTE
    functions.schedule(RETENTION, function=RETENTION, cron=cron)
