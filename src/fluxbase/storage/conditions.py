"""Preconditions of RFC 9110, section 13, on entity tags. Pure. All our tags are strong."""

import re
from dataclasses import dataclass

from fluxbase.errors import PreconditionFailedError

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_ANY = "*"


@dataclass(frozen=True, slots=True)
class Conditions:
    """The headers If-Match, If-None-Match and If-Range of a request, as they came."""

    if_match: str | None = None
    if_none_match: str | None = None
    if_range: str | None = None


def check_match(conditions: Conditions, etag: str | None) -> None:
    """Hold the current etag (None: there is no object) against If-Match.

    Raises:
        PreconditionFailedError: 412.
    """
    wanted = conditions.if_match
    if wanted is not None and (etag is None or not _names(wanted, etag, weak=False)):
        raise PreconditionFailedError("If-Match names another version than the one that is stored now.")


def check_before_write(conditions: Conditions, etag: str | None) -> None:
    """What a write must fulfil, on what is stored now (None: nothing).

    Raises:
        PreconditionFailedError: 412.
    """
    check_match(conditions, etag)
    if conditions.if_none_match is not None and etag is not None and _names(conditions.if_none_match, etag, weak=True):
        raise PreconditionFailedError("If-None-Match names the version that is stored now.")


def is_unchanged(conditions: Conditions, etag: str) -> bool:
    """Whether a read is answered with 304: If-None-Match names what is stored."""
    return conditions.if_none_match is not None and _names(conditions.if_none_match, etag, weak=True)


def range_applies(conditions: Conditions, etag: str) -> bool:
    """Whether a Range header counts: without If-Range, or when that is exactly this strong etag.

    A date in If-Range never counts: it cannot tell two versions of a second apart. The client then gets everything.
    """
    return conditions.if_range is None or conditions.if_range.strip() == f'"{etag}"'


def _names(header: str, etag: str, *, weak: bool) -> bool:
    if header.strip() == _ANY:
        return True
    return any(tag == etag and (weak or not is_weak) for is_weak, tag in _TAG.findall(header))
