"""Codes of authenticators and recovery codes. Pure, but for the randomness of new ones."""

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from uuid import UUID

from pyotp.totp import TOTP
from pyotp.utils import build_uri

_SECRET_BYTES = 20  # as RFC 4226 recommends
_STEP_SECONDS = 30
# Clocks differ, and typing takes a moment: one step to either side.
_STEPS_ASIDE = (0, -1, 1)
RECOVERY_CODES = 10
_RECOVERY_BYTES, _GROUP = 10, 4


def new_secret() -> str:
    """A secret of 160 random bits, base32."""
    return base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


def address(secret: str, *, email: str, issuer: str) -> str:
    """The otpauth:// address that authenticators read."""
    return build_uri(secret, email, issuer=issuer)


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step that `code` belongs to; None when it is wrong."""
    typed = code.replace(" ", "").encode("utf-8", "surrogatepass")
    current, totp = int(now.timestamp()) // _STEP_SECONDS, TOTP(secret)
    found = None
    for step in (current + aside for aside in _STEPS_ASIDE):
        if hmac.compare_digest(totp.generate_otp(step).encode(), typed):
            found = step
    return found


def new_recovery_codes() -> list[str]:
    """Ten codes of 80 random bits, in groups of four letters."""
    return [_grouped(secrets.token_bytes(_RECOVERY_BYTES)) for _ in range(RECOVERY_CODES)]


def _grouped(raw: bytes) -> str:
    text = base64.b32encode(raw).decode("ascii").lower()
    return "-".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))


def recovery_digest(user_id: UUID, code: str) -> bytes:
    """What is stored of a recovery code: 80 random bits need no slow hash. Blanks, hyphens, capitals do not count."""
    bare = "".join(letter for letter in code.lower() if letter.isalnum())
    return hashlib.sha256(f"{user_id}:{bare}".encode("utf-8", "surrogatepass")).digest()
