"""Secrets never reach a log, by the name of their field and by what they look like."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from structlog.types import EventDict

MASK = "[redacted]"

_SECRET_NAMES = re.compile(
    r"pass(word|wd|phrase)|secret|authorization|cookie|credentials?$|api_?key$|private_?key|webhook_?url"
    r"|(^|_)(token|dsn)$|[a-z]Token$",
    re.IGNORECASE,
)
_NAMED_SAFELY = frozenset(("credential", "key_prefix"))  # the access log's, which hold a header's name and a prefix

# What secrets look like: our keys and others', bearer tokens, passwords in addresses, Slack hooks, JWTs, `password=…`.
# Only known kinds of key: names of tests look much the same (test_login_with_expired_password).
_LOOKS_SECRET = re.compile(
    r"(?P<key>\b(?:fg|fb)_[A-Za-z0-9]{4,16})_[A-Za-z0-9_-]{16,}"
    r"|(?P<kind>\b(?:fbs|fgi|gh[pousr]|github_pat|xox[abeprs]|sk)[_-])[A-Za-z0-9_-]{16,}"
    r"|(?P<bearer>\b(?:Bearer|Basic|ServiceKey)\s+)[A-Za-z0-9._~+/=-]{8,}"
    r"|(?P<url>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)[^\s@/]+(?=@)"
    r"|(?P<slack>https://hooks\.slack\.com/services/)[A-Za-z0-9/]+"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"
    r"|(?P<pair>\b(?:password|secret|token)=)[^\s&'\"]+",
    re.IGNORECASE,
)


def redact(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """The structlog processor: a copy of `event` without secrets in names, values, messages and stacks."""
    return {name: _clean(name, value) for name, value in event.items()}


def redact_text(text: str) -> str:
    """`text` with what looks like a secret masked; a key keeps its prefix, which identifies it."""
    return _LOOKS_SECRET.sub(_mask, text)


def _mask(found: re.Match[str]) -> str:
    kept = found.group(found.lastgroup) if found.lastgroup else ""
    return f"{kept}_{MASK}" if found.lastgroup == "key" else f"{kept}{MASK}"


@lru_cache(maxsize=1024)
def _names_a_secret(name: str) -> bool:
    return name not in _NAMED_SAFELY and _SECRET_NAMES.search(name) is not None


def _clean(name: str, value: Any) -> Any:
    if value is not None and _names_a_secret(name):
        return MASK
    match value:
        case str():
            return redact_text(value)
        case Mapping():
            return {str(key): _clean(str(key), item) for key, item in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] -- whatever was logged
        case list() | tuple():
            return [_clean("", item) for item in value]  # pyright: ignore[reportUnknownVariableType] -- whatever was logged
        case _:
            return value
