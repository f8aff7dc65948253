"""The App: made once a process, closed at its end."""

from collections.abc import Callable
from datetime import datetime
from typing import Self

import httpx
from redis.asyncio import Redis

from flakeguard.github.api.budgets import Budgets
from flakeguard.github.api.calling import Caller
from flakeguard.github.api.installation import Installation
from flakeguard.github.api.posting import RepositoryPoster
from flakeguard.github.api.tokens import AppKey, Tokens
from flakeguard.github.publishing.repository import Target
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.metrics import GitHubMetrics
from fluxbase.resources import Resources

_PATIENCE = httpx.Timeout(20.0, connect=5.0)


class GitHub:
    """Our App at one GitHub (github.com, or an Enterprise)."""

    def __init__(
        self,
        key: AppKey,
        api_url: str,
        metrics: GitHubMetrics,
        now: Callable[[], datetime],
        patience: httpx.Timeout = _PATIENCE,
        *,
        redis: Redis | None = None,
        name: str = "",
    ) -> None:
        """`redis` is what budgets are shared by, and `name` keeps apart those that share it too."""
        self._app_id = key.app_id
        self.budgets = Budgets(redis, name, now, metrics)
        self._caller = Caller(api_url, metrics, self.budgets, patience)
        self._tokens = Tokens(self._caller, key, now)
        self._metrics = metrics

    @classmethod
    def of(cls, settings: FlakeGuardSettings, metrics: GitHubMetrics, resources: Resources) -> Self | None:
        """The App that the settings name; None when they name none, or have no key of it.

        Raises:
            ConfigurationError: GITHUB_PRIVATE_KEY is no key.
        """
        if settings.github_app_id is None or settings.github_private_key is None:
            return None
        key = AppKey(settings.github_app_id, settings.github_private_key.get_secret_value())
        return cls(
            key, settings.github_api_url, metrics, resources.now,
            redis=resources.redis, name=resources.addresses.installation,
        )  # fmt: skip

    def installation(self, installation_id: int) -> Installation:
        """One of its installations. Nothing is asked yet."""
        return self._installation(installation_id, can_wait=False)

    def installation_for_what_can_wait(self, installation_id: int) -> Installation:
        """The same, for what leaves the budget's reserve to others."""
        return self._installation(installation_id, can_wait=True)

    def _installation(self, installation_id: int, *, can_wait: bool) -> Installation:
        return Installation(installation_id, self._app_id, self._caller, self._tokens, self._metrics, can_wait=can_wait)

    def poster_for(self, target: Target) -> RepositoryPoster:
        """What publishes on a commit's repository."""
        return RepositoryPoster(self.installation(target.installation_id), *target.owner_and_name)

    async def aclose(self) -> None:
        """Close its connections."""
        await self._caller.aclose()
