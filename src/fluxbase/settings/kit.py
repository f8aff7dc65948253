"""What the settings of every room are made with."""

from typing import Any
from urllib.parse import urlsplit

from pydantic import AliasChoices


def names(*variables: str) -> Any:
    """A field read from the first of `variables` that is set."""
    return AliasChoices(*variables)


def split(value: Any) -> Any:
    """`a, b` as a tuple; lists (of a YAML file) become one too."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] -- whatever the file holds; pydantic checks it


def is_web_address(text: str) -> bool:
    """Whether `text` says scheme and host: `https://example.com`, and not `example.com`."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme.lower() in ("http", "https") and bool(parts.netloc)
