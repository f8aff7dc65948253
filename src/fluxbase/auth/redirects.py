"""Where links of mails and providers may lead back to: our own pages, and addresses that the operator named. Pure."""

import re
from collections.abc import Sequence
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

_SLASH = re.compile(r"[/\\]")
_ODD = re.compile(r"[\x00-\x20\\\x7f]")


def is_allowed(target: str, public_url: str | None, others: Sequence[str]) -> bool:
    """Whether `target` is a path of ours, an address under the public one, or under one of `others`.

    An address is under another when scheme, host and port are the same, and its path is that path or goes on below it.
    """
    parts = _parsed(target)
    if parts is None:
        return False
    if not parts.scheme and not parts.netloc:
        return target.startswith("/") and not target.startswith("//")
    return any(_is_under(parts, base) for base in (public_url, *others) if base)


def is_own(target: str, public_url: str | None) -> bool:
    """Whether `target` is a page of ours, where the session's cookie is worth something."""
    parts = _parsed(target)
    return parts is not None and (not parts.netloc or (public_url is not None and _is_under(parts, public_url)))


def _parsed(target: str) -> SplitResult | None:
    if _ODD.search(target):  # browsers drop or turn them, and end up elsewhere than we thought
        return None
    try:
        parts = urlsplit(target)
        parts.port  # noqa: B018 -- raises when it is none
    except ValueError:
        return None
    return None if "@" in parts.netloc else parts


def _is_under(parts: SplitResult, base: str) -> bool:
    above = urlsplit(base)
    if (parts.scheme.lower(), parts.netloc.lower()) != (above.scheme.lower(), above.netloc.lower()):
        return False
    folder = above.path.rstrip("/")
    inside = not folder or parts.path == folder or parts.path.startswith(f"{folder}/")
    # Browsers take %2e for a dot here; other readers of an address, %2f and a backslash for a slash.
    return inside and ".." not in _SLASH.split(unquote(parts.path))


def with_query(target: str, **parameters: str) -> str:
    """`target` with more parameters in its query."""
    parts = urlsplit(target)
    query = [*parse_qsl(parts.query, keep_blank_values=True), *parameters.items()]
    return urlunsplit(parts._replace(query=urlencode(query)))
