"""Keys of the installation's secret, one for each purpose: what one of them signs tells nothing of the others."""

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_BYTES = 32


def derived_key(secret: str, purpose: str) -> bytes:
    """32 bytes for `purpose`, the same for the same secret; the secret cannot be had from them."""
    kdf = HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=f"fluxbase: {purpose}".encode())
    return kdf.derive(secret.encode())
