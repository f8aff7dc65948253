"""Failure texts: a digest for storing each once, and a fingerprint under which the same cause clusters.

The fingerprint masks what differs between two happenings of one cause: addresses, ids, dates, times, numbers
(as LUCI Analysis and Kubernetes Triage do).
"""

import hashlib
import re

_MASKS = (
    (re.compile(r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b"), "<uuid>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"), "<time>"),
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"), "<address>"),
    (re.compile(r"\b0x[0-9a-fA-F]+\b|@[0-9a-f]{5,16}\b"), "<address>"),
    (re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b"), "<hex>"),
    (re.compile(r"\b[A-Za-z0-9+/]{40,}={0,2}"), "<base64>"),
    (re.compile(r"\d+(?:[.,]\d+)*"), "<n>"),
)
_DETAIL_CHARACTERS = 4_000
_SIZE = 16


def mask(text: str) -> str:
    """The text with everything masked that differs from one happening to the next."""
    for pattern, replacement in _MASKS:
        text = pattern.sub(replacement, text)
    return text


def digest(kind: str | None, message: str | None, details: str | None) -> bytes:
    """Sixteen bytes that name exactly this text."""
    text = "\x1f".join((kind or "", message or "", details or ""))
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=_SIZE).digest()


def fingerprint(kind: str | None, message: str | None, details: str | None) -> bytes:
    """Sixteen bytes that name the cause: the masked message, or the masked start of the details without one."""
    masked = mask(message or (details or "")[:_DETAIL_CHARACTERS])
    return hashlib.blake2b(f"{kind or ''}\x1f{masked}".encode("utf-8", "replace"), digest_size=_SIZE).digest()
