"""Policies that show a row to its owner alone: then the others need not be asked about it.

PostgreSQL stays the judge. What is found here only spares questions whose answer must be no: where `owner = auth.uid()`
has to be true, the claims of everybody but the owner are left out. What cannot be read for certain leaves nobody out.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

_LONGEST = 2_000
"""Characters; of longer conditions nothing is said."""
_NAME = r'(?P<name>[a-z_][a-z0-9_$]*|"(?:[^"]|"")+")'
_COLUMN = rf"(?:{_NAME}|\({_NAME.replace('<name>', '<cast>')}\)::text)"
_USER = r"(?:auth\.uid\(\)|\( ?SELECT auth\.uid\(\) AS uid\))"
_USER_OR_TEXT = rf"(?:{_USER}|\({_USER}\)::text|\( ?SELECT \(auth\.uid\(\)\)::text AS uid\))"
_OWNED = tuple(re.compile(shape) for shape in (rf"{_COLUMN} = {_USER_OR_TEXT}", rf"{_USER_OR_TEXT} = {_COLUMN}"))


def owner_columns(condition: str) -> frozenset[str]:
    """The columns that must equal `auth.uid()` for `condition` to be true, as far as that can be read.

    `condition` is as pg_get_expr writes it with an empty search path: each AND, OR and operator has its parentheses.
    """
    if len(condition) > _LONGEST:
        return frozenset()
    inner = _unwrapped(condition)
    if len(parts := _split(inner, " OR ")) > 1:
        return frozenset[str].intersection(*(owner_columns(part) for part in parts))
    if len(parts := _split(inner, " AND ")) > 1:
        return frozenset[str].union(*(owner_columns(part) for part in parts))
    for shape in _OWNED:
        if (found := shape.fullmatch(inner)) is not None:
            return frozenset((_plain(found["name"] or found["cast"]),))
    return frozenset()


def owners_of(columns: Iterable[str], versions: Iterable[Mapping[str, Any]]) -> frozenset[UUID] | None:
    """The users who alone may see some of `versions` of a row; None when it may be anybody."""
    column = min(columns, default=None)
    if column is None:
        return None
    found = set[UUID]()
    for values in versions:
        if column not in values:
            return None
        if values[column] is not None:
            owner = as_user(values[column])
            if owner is None:
                return None
            found.add(owner)
    return frozenset(found)


def as_user(value: object) -> UUID | None:
    """A user's id from claims or a row; everything that PostgreSQL reads as one is one here."""
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name


def _unwrapped(text: str) -> str:
    while text.startswith("(") and _end(text, 0) == len(text):
        text = text[1:-1]
    return text


def _split(text: str, word: str) -> list[str]:
    """The parts between `word` where no parenthesis and no quotes are open."""
    parts, start, at = list[str](), 0, 0
    while at < len(text):
        if text.startswith(word, at):
            parts.append(text[start:at])
            start = at = at + len(word)
        else:
            at = _end(text, at)
    return [*parts, text[start:]]


def _end(text: str, at: int) -> int:
    """Where what begins at `at` ends: a text in quotes, a pair of parentheses, or one character."""
    if text[at] in "'\"":
        return _end_of_quotes(text, at)
    if text[at] != "(":
        return at + 1
    depth, at = 1, at + 1
    while depth and at < len(text):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        at = _end_of_quotes(text, at) if text[at] in "'\"" else at + 1
    return at


def _end_of_quotes(text: str, at: int) -> int:
    # A quote within is doubled: two texts side by side, for us. Backslashes are escapes in E'' alone.
    quote, escapes = text[at], at > 0 and text[at] == "'" and text[at - 1] == "E"
    at += 1
    while at < len(text) and text[at] != quote:
        at += 2 if escapes and text[at] == "\\" else 1
    return at + 1
