"""Passwords: bcrypt, as pgcrypto's crypt() writes it too, so that the runbook's UPDATE sets one that signs in.

That is why a password is not hashed before bcrypt sees it, and why bcrypt's limit of 72 bytes is the limit here:
a longer one is refused when it is set, instead of being cut in silence.
"""

import asyncio
import unicodedata

import bcrypt

from fluxbase.auth.errors import WeakPasswordError

ROUNDS = 12
LONGEST_BYTES = 72

_dummies: dict[int, bytes] = {}


def check_strength(password: str, *, shortest: int, email: str = "") -> None:
    """Refuse what cannot be, or should not be, a password.

    Raises:
        WeakPasswordError: Too short, too long for bcrypt, the address itself, or one character over and over.
    """
    if len(password) < shortest:
        raise WeakPasswordError(f"The password needs at least {shortest} characters.")
    if len(normalised(password)) > LONGEST_BYTES:
        raise WeakPasswordError(
            f"The password is longer than {LONGEST_BYTES} bytes (letters outside ASCII count two to four)."
        )
    if "\0" in password:
        raise WeakPasswordError("The password contains a character that cannot be used.")
    if password.lower() == email.lower() or len(set(password)) == 1:
        raise WeakPasswordError("The password is too easy to guess.")


def normalised(password: str) -> bytes:
    """The bytes to hash. Keyboards differ in how they compose letters; what looks the same is the same (NFC)."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")


async def hashed(password: str) -> str:
    """A bcrypt hash, made in a thread: it takes a quarter of a second on purpose."""
    digest = await asyncio.to_thread(bcrypt.hashpw, normalised(password), bcrypt.gensalt(ROUNDS))
    return digest.decode("ascii")


async def matches(password: str, stored: str | None) -> bool:
    """Whether `password` is the one `stored` was made from; a wrong one takes as long whatever is stored."""
    return await asyncio.to_thread(_matches, normalised(password), stored)


def _matches(candidate: bytes, stored: str | None) -> bool:
    usable = stored is not None and len(candidate) <= LONGEST_BYTES and b"\0" not in candidate
    try:
        if usable and stored is not None:
            if bcrypt.checkpw(candidate, stored.encode("utf-8")):
                return True
            usable = not needs_rehash(stored)
    except ValueError:  # not a bcrypt hash: somebody wrote something else into the column
        usable = False
    if not usable:  # nobody's password, or one that pgcrypto hashed with less work, takes as long as any other
        bcrypt.checkpw(b"so that an unknown address takes as long", _dummy())
    return False


def _dummy() -> bytes:
    if ROUNDS not in _dummies:
        _dummies[ROUNDS] = bcrypt.hashpw(b"nobody's password", bcrypt.gensalt(ROUNDS))
    return _dummies[ROUNDS]


def needs_rehash(stored: str | None) -> bool:
    """Whether `stored` was made with less work than today's (pgcrypto's default is 6 rounds)."""
    try:
        return stored is None or int(stored.split("$")[2]) < ROUNDS
    except (IndexError, ValueError):
        return True
