"""Session tokens: random, handed out once, stored only as a digest."""

import hashlib
import secrets

_PREFIX = "fbs"


def new_token() -> str:
    """A token of 256 random bits."""
    return f"{_PREFIX}_{secrets.token_urlsafe(32)}"


def digest(token: str) -> bytes:
    """What is stored of a token. No salt and no slow hash: there is nothing to guess in 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
