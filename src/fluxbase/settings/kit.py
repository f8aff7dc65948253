"""What the settings of every room are made with."""

from typing import Any

from pydantic import AliasChoices


def names(*variables: str) -> Any:
    """A field read from the first of `variables` that is set."""
    return AliasChoices(*variables)


def split(value: Any) -> Any:
    """`a, b` as a tuple; lists (of a YAML file) become one too."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] -- whatever the file holds; pydantic checks it
