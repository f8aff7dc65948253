"""The form of keys. Pure but for randomness.

A key is `<kind>_<prefix>_<secret>`: kind and prefix name it in lists and logs, the secret is 238 random bits. Only
prefix and SHA-256 of the whole key are stored; a slow hash would guard nothing that can be guessed.
"""

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass

_PREFIX_LENGTH, _SECRET_LENGTH = 10, 40
_PREFIX_ALPHABET = string.ascii_lowercase + string.digits
_SECRET_ALPHABET = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key that was just made: `token` for its user, `prefix` and `digest` for the database."""

    token: str
    prefix: str
    digest: bytes


class KeyForm:
    """Keys of one kind: `fb` are Fluxbase's service keys, an application has a kind of its own."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._shape = re.compile(rf"({kind}_[a-z0-9]{{{_PREFIX_LENGTH}}})_[A-Za-z0-9]{{{_SECRET_LENGTH}}}")

    def generate(self) -> NewKey:
        """A new key."""
        prefix = f"{self._kind}_" + "".join(secrets.choice(_PREFIX_ALPHABET) for _ in range(_PREFIX_LENGTH))
        secret = "".join(secrets.choice(_SECRET_ALPHABET) for _ in range(_SECRET_LENGTH))
        token = f"{prefix}_{secret}"
        return NewKey(token, prefix, digest(token))

    def prefix_of(self, token: str) -> str | None:
        """The prefix of what has the form of a key; None for anything else."""
        found = self._shape.fullmatch(token)
        return found.group(1) if found else None


def digest(token: str) -> bytes:
    """What is stored of a key."""
    return hashlib.sha256(token.encode("ascii", "replace")).digest()


def is_same(token: str, stored: bytes) -> bool:
    """Whether `token` is the key that `stored` was made from, in constant time."""
    return hmac.compare_digest(digest(token), stored)


SERVICE_KEYS = KeyForm("fb")
