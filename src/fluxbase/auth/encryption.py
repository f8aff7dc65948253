"""Secrets that are stored or handed out sealed (authenticators, sign-ins that left for a provider, signed addresses).

Fernet, under keys derived from the installation's secret.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken

from fluxbase.derived_keys import derived_key
from fluxbase.errors import ConfigurationError


class UnreadableSecretError(ConfigurationError):
    """A stored secret was sealed with a key that this installation no longer has; enter it again."""

    code = "unreadable_secret"


class SecretBox:
    """Seals and opens texts. `purpose` separates boxes: what one sealed, another of the same secret cannot open."""

    def __init__(self, secret: str, *, purpose: str) -> None:
        if not secret:
            raise ConfigurationError("what is sealed needs a secret")
        self._fernet = Fernet(base64.urlsafe_b64encode(derived_key(secret, purpose)))

    def seal(self, text: str) -> str:
        """`text`, encrypted and authenticated; printable ASCII."""
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def open(self, sealed: str) -> str:
        """The text of what this box sealed.

        Raises:
            UnreadableSecretError: Another one did, or it was changed since.
        """
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise UnreadableSecretError from error
