"""Tokens of sessions, refreshing and mails: random, handed out once, stored only as a digest."""

import hashlib
import secrets

SESSION, REFRESH, ONE_TIME = "fbs", "fbr", "fbo"


def new_token(kind: str = SESSION) -> str:
    """A token of 256 random bits; `kind` is the prefix that says what it is."""
    return f"{kind}_{secrets.token_urlsafe(32)}"


def digest(token: str) -> bytes:
    """What is stored of a token. No salt and no slow hash: there is nothing to guess in 256 random bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
