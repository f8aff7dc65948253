"""The App: made once a process, closed at its end."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

import httpx
from redis.asyncio import Redis

from flakeguard.github.api.budgets import Budgets
from flakeguard.github.api.calling import A_PAGE, MOST_PAGES, Caller, entries_of, json_of, next_page
from flakeguard.github.api.installation import Installation
from flakeguard.github.api.posting import RepositoryPoster
from flakeguard.github.api.reading import app_installation_of, app_of, hook_delivery_of
from flakeguard.github.api.tokens import AppKey, Tokens
from flakeguard.github.facts import App, AppInstallation, HookDelivery
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
        self.app_id = key.app_id
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
        return Installation(installation_id, self.app_id, self._caller, self._tokens, self._metrics, can_wait=can_wait)

    async def facts(self) -> App:
        """What GitHub says of the App itself. Raises as every call of `Installation`; so do the following."""
        answer = await self._call("GET /app")
        return app_of(json_of(answer, "GET /app"))

    async def installations(self) -> Sequence[AppInstallation]:
        """Where it is installed, the first 10,000."""
        return [app_installation_of(told) async for told in self._listed("GET /app/installations", {})]

    async def failed_deliveries(self, since: datetime) -> Sequence[HookDelivery]:
        """Attempts to hand over a delivery that failed since, newest first; at most the newest 10,000.

        A delivery may have arrived by a later attempt nevertheless.
        """
        found: list[HookDelivery] = []
        async for told in self._listed("GET /app/hook/deliveries", {"status": "failure"}):
            delivery = hook_delivery_of(told)
            if delivery.delivered_at < since:
                break
            if delivery.failed:  # an older Enterprise does not know `status`, and lists all
                found.append(delivery)
        return found

    async def redeliver(self, delivery_id: int) -> None:
        """Ask GitHub to hand over a delivery of the last three days again, by the id of any of its attempts."""
        await self._call("POST /app/hook/deliveries/{delivery_id}/attempts", {"delivery_id": delivery_id})

    async def _call(
        self,
        endpoint: str,
        path: Mapping[str, object] | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> httpx.Response:
        return await self._caller.call(endpoint, token=self._tokens.of_app(), budget="app", path=path, query=query)

    async def _listed(self, endpoint: str, query: Mapping[str, str | int]) -> AsyncIterator[Mapping[str, Any]]:
        wanted: Mapping[str, str | int] | None = {**query, "per_page": A_PAGE}
        for _ in range(MOST_PAGES):
            answer = await self._call(endpoint, query=wanted)
            for one in entries_of(answer, endpoint, None):
                yield one
            wanted = next_page(answer)
            if wanted is None:
                return

    def poster_for(self, target: Target) -> RepositoryPoster:
        """What publishes on a commit's repository."""
        return RepositoryPoster(self.installation(target.installation_id), *target.owner_and_name)

    async def aclose(self) -> None:
        """Close its connections."""
        await self._caller.aclose()
