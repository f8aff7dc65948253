"""`X-Hub-Signature-256`: an HMAC of the raw body under the secret that GitHub and we share. Pure."""

import hashlib
import hmac
import re

_HEADER = re.compile(r"sha256=([0-9a-fA-F]{64})")


class Signature:
    """What a request claims to be signed with; `feed` it the body's chunks, then ask whether it is `right`."""

    def __init__(self, claimed: str, secret: str) -> None:
        self._claimed = claimed
        self._mac = hmac.new(secret.encode(), digestmod=hashlib.sha256)

    @classmethod
    def claimed_by(cls, header: str | None, secret: str) -> "Signature | None":
        """The signature of a header; None when there is none, or it cannot be one."""
        found = _HEADER.fullmatch(header or "")
        return cls(found[1].lower(), secret) if found else None

    def feed(self, chunk: bytes) -> None:
        """Take the next chunk of the body."""
        self._mac.update(chunk)

    @property
    def right(self) -> bool:
        """Whether who sent it knows the secret; compared in constant time."""
        return hmac.compare_digest(self._mac.hexdigest(), self._claimed)
