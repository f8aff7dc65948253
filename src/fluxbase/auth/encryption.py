"""Secrets at rest (Slack addresses, OAuth secrets): Fernet under keys derived from the installation's secrets.

Keys rotate by putting a new secret first: it seals from then on, the others still open what they sealed, and
`reseal` moves a value to the newest.
"""

import base64
from collections.abc import Sequence

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from fluxbase.derived_keys import derived_key
from fluxbase.errors import ConfigurationError


class UnreadableSecretError(ConfigurationError):
    """A stored secret was sealed with a key that this installation no longer has; enter it again."""

    code = "unreadable_secret"


class SecretBox:
    """Seals and opens texts. `purpose` separates boxes: what one sealed, another of the same secret cannot open."""

    def __init__(self, secrets: Sequence[str], *, purpose: str = "secrets at rest") -> None:
        if not secrets or not all(secrets):
            raise ConfigurationError("a secret box needs at least one secret, and none may be empty")
        self._fernet = MultiFernet(
            [Fernet(base64.urlsafe_b64encode(derived_key(secret, purpose))) for secret in secrets]
        )

    def seal(self, text: str) -> str:
        """`text`, encrypted and authenticated with the newest key; printable ASCII."""
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def open(self, sealed: str) -> str:
        """The text of what any of the keys sealed.

        Raises:
            UnreadableSecretError: None of them did, or it was changed since.
        """
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken as error:
            raise UnreadableSecretError from error

    def reseal(self, sealed: str) -> str:
        """The same text under the newest key.

        Raises:
            UnreadableSecretError: None of the keys opens it.
        """
        try:
            return self._fernet.rotate(sealed.encode()).decode("ascii")
        except InvalidToken as error:
            raise UnreadableSecretError from error
