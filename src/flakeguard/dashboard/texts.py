"""Failure texts as pages show them. Pure."""

import re

from flakeguard.dashboard.model import FailureText

# CSI and OSC sequences, single escapes, and what else a terminal would swallow.
_ANSI = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-_]|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
)
# What is left where the escape character itself was not legal in XML and got lost: `[31m`, `[0;1m`.
_ORPHANED = re.compile(r"(?:\N{REPLACEMENT CHARACTER}|\\u001b|&#27;|#x1B;?)\[[0-9;]*m|\[\d{1,3}(?:;\d{1,3})*m")


def plain(text: str | None) -> str | None:
    """`text` without ANSI escapes and control characters; None stays None, nothing left becomes None."""
    if text is None:
        return None
    return _ORPHANED.sub("", _ANSI.sub("", text)).strip("\r\n") or None


def failure_text(failure_type: str | None, message: str | None, details: str | None) -> FailureText | None:
    """The texts of a failure, cleaned; None when all are missing. A message that the details repeat stays once."""
    kind, short, long = plain(failure_type), plain(message), plain(details)
    if kind is None and short is None and long is None:
        return None
    if short is not None and long is not None and long.strip() == short.strip():
        long = None
    return FailureText(kind, short, long)
