"""Telling a report from something else by its first bytes."""

import re

from flakeguard.reports.encodings import detect_encoding
from flakeguard.reports.roots import ROOTS, local_name

_ARCHIVES = (b"\x1f\x8b", b"PK\x03\x04", b"PK\x05\x06")
_SKIPPED = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->", re.DOTALL)
_DOCTYPE = re.compile(r"<!DOCTYPE\b[^\[>]*(?:\[.*?\]\s*)?>", re.DOTALL)
_ROOT = re.compile(r"<([^\s<>/!?]+)(?=[\s/>])")
_REPORT_INSIDE = re.compile(r"<(?:\w+:)?(?:testsuites?|testrun)[\s>/]")


def can_be_report(head: bytes) -> bool | None:
    """Whether a file that begins so can be a report.

    Args:
        head: its first bytes; a few kilobytes tell most files apart.

    Returns:
        True when the root element is a report's, False when the file surely is none (empty, another root, no XML),
        None when these bytes do not tell: an archive, a long comment, damage before the report.
    """
    if head.startswith(_ARCHIVES):
        return None
    encoding = detect_encoding(head)
    text = encoding.decoder("replace").decode(head[encoding.mark_bytes :])
    if not text.strip("\0 \t\r\n"):
        return False
    position = _after_prolog(text)
    root = _ROOT.match(text, position)
    if root is not None:
        return local_name(root.group(1)) in ROOTS
    if _REPORT_INSIDE.search(text, position):
        return None  # log lines before it, or other damage that reading may survive
    return None if text.startswith("<", position) and ">" not in text[position:] else _unfinished(text, position)


def _after_prolog(text: str) -> int:
    """Where the declaration, comments and document type end."""
    position = 0
    while (match := _SKIPPED.match(text, position) or _DOCTYPE.match(text, position)) is not None:
        position = match.end()
    return position


def _unfinished(text: str, position: int) -> bool | None:
    """None when the bytes end inside the prolog, False when what follows is no XML."""
    return None if position >= len(text) or text.startswith(("<!", "<?"), position) else False
