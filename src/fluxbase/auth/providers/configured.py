"""The providers that the operator configured, and no other: no request of ours goes to an address that a user chose."""

from fluxbase.auth.providers.errors import UnknownProviderError
from fluxbase.auth.providers.model import Endpoints, Provider
from fluxbase.settings import OAuthProvider, Settings

GITHUB = "github"
GITHUB_ENDPOINTS = Endpoints(
    authorize="https://github.com/login/oauth/authorize",
    token="https://github.com/login/oauth/access_token",  # noqa: S106 -- an address
    user="https://api.github.com/user",
)
_ISSUERS = {"google": "https://accounts.google.com"}
_SCOPES = {GITHUB: "read:user user:email"}
_OPENID_SCOPE = "openid email profile"


def find(settings: Settings, name: str) -> Provider:
    """The provider of that name.

    Raises:
        UnknownProviderError: 404.
    """
    configured = settings.oauth_providers.get(name)
    if configured is None:
        raise UnknownProviderError
    return _provider(name, configured)


def every(settings: Settings) -> list[Provider]:
    """All of them, in the order of the configuration."""
    return [_provider(name, configured) for name, configured in settings.oauth_providers.items()]


def _provider(name: str, configured: OAuthProvider) -> Provider:
    return Provider(
        name=name,
        client_id=configured.client_id,
        client_secret=configured.client_secret.get_secret_value(),
        scope=configured.scopes or _SCOPES.get(name, _OPENID_SCOPE),
        issuer=configured.issuer or _ISSUERS.get(name),
    )
