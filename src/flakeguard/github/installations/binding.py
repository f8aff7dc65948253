"""Whose an installation is: bound by somebody who manages the organisation here and the account at GitHub."""

import structlog

from flakeguard.github.facts import Account
from flakeguard.github.installations import leaving, mapping, repository, vouching
from flakeguard.github.installations.errors import (
    BindingNotConfiguredError,
    BoundElsewhereError,
    InstallationGoneError,
    InvalidBindingError,
    NotAdministratorError,
)
from flakeguard.github.installations.leaving import Wish
from flakeguard.projects import audit
from flakeguard.projects.access import Action, require_organization
from flakeguard.projects.model import Organization
from flakeguard.settings import FlakeGuardSettings
from flakeguard.worker.outbox import owe
from flakeguard.worker.queues import INGEST
from fluxbase.auth import User
from fluxbase.db import Connection
from fluxbase.derived_keys import derived_key
from fluxbase.errors import NotFoundError
from fluxbase.resources import Resources

logger = structlog.get_logger(__name__)

ADOPT = "adopt-installation"


class Binding:
    """The way to GitHub and back, on one process's resources."""

    def __init__(self, resources: Resources, settings: FlakeGuardSettings, *, callback: str) -> None:
        if not settings.github_client_id or settings.github_client_secret is None:
            raise BindingNotConfiguredError
        self._resources = resources
        self._api_url = settings.github_api_url
        self._client_id = settings.github_client_id
        self._client_secret = settings.github_client_secret.get_secret_value()
        self._callback = callback
        self._key = derived_key(resources.addresses.secret, "bindings of GitHub installations")

    def address(self, user: User, organization: str, installation_id: int) -> str:
        """Where `user` shows GitHub who they are, to bind the installation to the organisation (its slug)."""
        expires_at = int(self._resources.now().timestamp()) + leaving.LIFETIME_SECONDS
        state = leaving.seal(Wish(installation_id, organization, str(user.session_id), expires_at), self._key)
        return leaving.authorize_url(self._api_url, self._client_id, state, self._key, redirect_uri=self._callback)

    async def finish(self, user: User, *, code: str, state: str) -> Organization:
        """Bind what the state names, when GitHub says that `user` administers its account; the organisation.

        Raises:
            InvalidBindingError: 400, another session left with this state, or too long ago.
            CodeRefusedError, NotAdministratorError: 403.
            NotFoundError, PermissionDeniedError: The organisation is not theirs to manage.
            BoundElsewhereError: 409.
            GitHubAwayError: 503.
        """
        now = int(self._resources.now().timestamp())
        wish = leaving.unseal(state, self._key, session=str(user.session_id), now=now)
        if wish is None:
            raise InvalidBindingError
        account = await self._account(wish, code, state)
        async with self._resources.database.transaction() as connection:
            organization = await require_organization(connection, user, wish.organization, Action.ADMINISTER)
            await self._bind(connection, user, organization, wish.installation_id, account)
        return organization

    async def _account(self, wish: Wish, code: str, state: str) -> Account:
        exchange = {
            "client_id": self._client_id,
            "client_secret": self._client_secret,
            "code": code,
            "redirect_uri": self._callback,
            "code_verifier": leaving.verifier(state, self._key),
        }
        async with vouching.connected() as client:
            token = await vouching.token_for(client, self._api_url, exchange)
            return await vouching.administered(client, self._api_url, token, wish.installation_id)

    async def _bind(
        self, connection: Connection, user: User, organization: Organization, installation_id: int, account: Account
    ) -> None:
        found = await repository.hold_alone(connection, installation_id, account, api_url=self._api_url)
        if found is None or found.deleted_at is not None:
            raise InstallationGoneError
        if found.account_id != account.id:
            raise NotAdministratorError
        if found.organization_id not in (None, organization.id):
            raise BoundElsewhereError
        if found.organization_id is None:
            await repository.bind(connection, installation_id, organization.id, by=user.id, at=self._resources.now())
            await audit.record_by(
                connection, user, "github.bound", organization_id=organization.id, installation=installation_id,
                account=account.login,
            )  # fmt: skip
        await mapping.map_all(connection, organization.id, installation_id)
        await owe_adoption(connection, installation_id)
        logger.info("installation bound", installation_id=installation_id, organization_id=organization.id)


async def owe_adoption(connection: Connection, installation_id: int) -> None:
    """Owe the look at what an installation reaches, and the work on what was kept until it was bound."""
    job_id = f"adopt-{installation_id}"
    data = {"installationId": installation_id}
    await owe(connection, queue=INGEST, name=ADOPT, job_id=job_id, data=data, correlation_id=None)


async def unbind(resources: Resources, user: User, organization: str, installation_id: int) -> None:
    """Make an installation nobody's again; its deliveries are kept as unbound from then on.

    Raises:
        NotFoundError, PermissionDeniedError: As they say.
    """
    async with resources.database.transaction() as connection:
        found = await require_organization(connection, user, organization, Action.ADMINISTER)
        installation = await repository.lock_installation(connection, installation_id)
        if installation is None or installation.organization_id != found.id:
            raise NotFoundError("There is no such installation in this organization.")
        await repository.bind(connection, installation_id, None, by=None, at=None)
        await audit.record_by(
            connection, user, "github.unbound", organization_id=found.id, installation=installation_id,
            account=installation.account_login,
        )  # fmt: skip
