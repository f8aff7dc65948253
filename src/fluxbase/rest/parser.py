"""This dialect's front: a query string to the parts of an abstract query. Pure, and blind to the catalog.

`select=id,title,done:data->>done&status=eq.open&or=(a.gt.1,not.and(b.is.null,c.in.(1,2)))&order=id.desc&limit=20`
"""

import re
from typing import NamedTuple
from urllib.parse import parse_qsl

from fluxbase.rest.errors import InvalidQueryError
from fluxbase.rest.query import ALL_COLUMNS, NO_CONDITION, Condition, Field, Group, Operator, Order, Path, Selection

MAX_CONDITIONS, MAX_DEPTH, MAX_PARAMETERS = 200, 16, 100
_LARGEST, _LONGEST = 2**31 - 1, 10
_OPERATORS = {operator.value: operator for operator in Operator}
_POSITION = re.compile(r"-?[0-9]{1,9}", re.ASCII)
_FTS = re.compile(r"(fts|plfts|phfts|wfts)\(([^()]*)\)")
_NESTS = re.compile(r'["()]')
_IS = frozenset(("null", "not_null", "true", "false", "unknown"))
_TREES = {"or": (True, False), "and": (False, False), "not.or": (True, True), "not.and": (False, True)}


class Parameters(NamedTuple):
    """What a query string says, each part as the abstract query has it."""

    selection: Selection = ALL_COLUMNS
    where: Group = NO_CONDITION
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0
    total: bool = False
    on_conflict: tuple[str, ...] = ()
    named: frozenset[str] = frozenset()

    def allow(self, *names: str) -> None:
        """Refuse every parameter but `names` that is no filter.

        Raises:
            InvalidQueryError: 400: what would be ignored silently (a limit on DELETE) could do harm.
        """
        if wrong := self.named - {*names}:
            raise InvalidQueryError(f"{min(wrong)} has no meaning for this method.")


def pairs_of(query_string: bytes) -> list[tuple[str, str]]:
    """Names and values, decoded.

    Raises:
        InvalidQueryError: 400: not UTF-8, a NUL, or too many.
    """
    if not query_string:
        return []
    if query_string.count(b"&") >= MAX_PARAMETERS:
        raise InvalidQueryError(f"The query string has more than {MAX_PARAMETERS} parameters.")
    try:
        text = query_string.decode("ascii")
        if "%" not in text and "+" not in text:  # nothing to decode, as in most
            halves = [part.partition("=") for part in text.split("&") if part]
            return [(name, value) for name, _, value in halves]
        if "%00" in text:  # PostgreSQL has no such letter; `_split_members` has a use for it
            raise InvalidQueryError("The query string has a NUL character, which no text can hold.")
        return parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeError as error:
        raise InvalidQueryError("The query string is not percent-encoded UTF-8.") from error


def parse(query_string: bytes) -> Parameters:
    """Read a query string.

    Raises:
        InvalidQueryError: 400, and the text says what to write instead.
    """
    found: dict[str, str] = {}
    members: list[Condition | Group] = []
    for name, value in pairs_of(query_string):
        if name in _TREES:
            members.append(_tree_parameter(name, value))
        elif name not in _RESERVED:
            members.append(_condition(parse_path(name), value))
        elif name in found:
            raise InvalidQueryError(f"{name} is given twice.")
        else:
            found[name] = value
    where = Group(tuple(members))
    if members and _size(where) > MAX_CONDITIONS:
        raise InvalidQueryError(f"There are more than {MAX_CONDITIONS} conditions.")
    return Parameters(
        where=where,
        named=frozenset(found),
        **{_FIELDS.get(name, name): _RESERVED[name](value) for name, value in found.items()},  # pyright: ignore[reportArgumentType] -- each name has its own type
    )


def _size(node: Condition | Group) -> int:
    return 1 if isinstance(node, Condition) else sum(_size(member) for member in node.members)


# ── the small parameters ──────────────────────────────────────────────────────────────────────────────────────────


def natural(name: str, value: str) -> int:
    """A number of rows.

    Raises:
        InvalidQueryError: 400.
    """
    number = int(value) if value.isdecimal() and value.isascii() and len(value) <= _LONGEST else -1
    if not 0 <= number <= _LARGEST:
        raise InvalidQueryError(f"{name} is a number from 0 to {_LARGEST}.")
    return number


def _limit(value: str) -> int:
    return natural("limit", value)


def _offset(value: str) -> int:
    return natural("offset", value)


def _count(value: str) -> bool:
    if value != "exact":
        raise InvalidQueryError("count is exact, or left away.")
    return True


def _on_conflict(value: str) -> tuple[str, ...]:
    return tuple(unquoted(part) for part in split_list(value))


def _selection(value: str) -> Selection:
    parts = split_list(value)
    if "*" in parts:
        if set(parts) != {"*"}:
            raise InvalidQueryError("select is * or a list of columns, not both.")
        return Selection()
    fields = tuple([Field(Path(part)) if part.isidentifier() else _field(part) for part in parts])  # most are a name
    names = [field.name for field in fields]
    if len({*names}) < len(names):
        twice = {name for name in names if names.count(name) > 1}
        raise InvalidQueryError(
            f"select names {min(twice)} twice: give one of them another name, as in other:{min(twice)}"
        )
    return Selection(fields)


def _field(text: str) -> Field:
    if "(" in text:
        raise InvalidQueryError("select takes columns; related tables cannot be embedded here.")
    if ":" not in text:
        return Field(parse_path(text))
    rest, _, cast = text.partition("::")
    alias, colon, path = _partition(rest, ":")
    if "::" in text and not re.fullmatch(r"\w+", cast, re.ASCII):
        raise InvalidQueryError(f"{text}: after :: stands the name of a type.")
    if colon and not alias:
        raise InvalidQueryError(f"{text}: before : stands a name.")
    return Field(parse_path(path if colon else rest), cast or None, unquoted(alias) if colon else None)


def _order(value: str) -> tuple[Order, ...]:
    return tuple(_order_key(part) for part in split_list(value))


def _order_key(text: str) -> Order:
    path, _, rest = _partition(text, ".")
    words = rest.split(".") if rest else []
    descending = nulls_first = None
    for word in words:
        if word in ("asc", "desc") and descending is None and nulls_first is None:
            descending = word == "desc"
        elif word in ("nullsfirst", "nullslast") and nulls_first is None:
            nulls_first = word == "nullsfirst"
        else:
            raise InvalidQueryError(f"order={text}: write column.asc or column.desc, then .nullsfirst or .nullslast.")
    return Order(parse_path(path), bool(descending), nulls_first)


_RESERVED = {
    "select": _selection,
    "order": _order,
    "limit": _limit,
    "offset": _offset,
    "count": _count,
    "on_conflict": _on_conflict,
}
_FIELDS = {"select": "selection", "count": "total"}


# ── paths and quoting ─────────────────────────────────────────────────────────────────────────────────────────────


def parse_path(text: str) -> Path:
    """`column`, or `column->key->0->>key`; names with dots, commas, arrows or brackets stand in double quotes.

    Raises:
        InvalidQueryError: 400.
    """
    if "->" not in text and '"' not in text:
        if not text:
            raise InvalidQueryError("The name of a column is missing.")
        return Path(text)
    column, arrow, rest = _partition(text, "->")
    steps: list[str | int] = []
    as_text = False
    while arrow:
        if as_text:
            raise InvalidQueryError(f"{text}: ->> gives text, and nothing is inside that; it stands last.")
        as_text = rest.startswith(">")
        step, arrow, rest = _partition(rest.removeprefix(">"), "->")
        if not step:
            raise InvalidQueryError(f"{text}: after an arrow stands a key or a position.")
        steps.append(int(step) if _POSITION.fullmatch(step) else unquoted(step))
    return Path(unquoted(column), tuple(steps), as_text)


def _partition(text: str, separator: str) -> tuple[str, str, str]:
    """Like str.partition, but separators inside double quotes do not count."""
    if '"' not in text:
        return text.partition(separator)
    position = 0
    while position < len(text):
        if text[position] == '"':
            position = _end_of_quoted(text, position)
        elif text.startswith(separator, position):
            return text[:position], separator, text[position + len(separator) :]
        else:
            position += 1
    return text, "", ""


def _end_of_quoted(text: str, start: int) -> int:
    position = start + 1
    while position < len(text) and text[position] != '"':
        position += 2 if text[position] == "\\" else 1
    if position >= len(text):
        raise InvalidQueryError(f"A double quote is not closed in {text[start : start + 40]}")
    return position + 1


def unquoted(text: str) -> str:
    """A name or value without its double quotes, in which a backslash escapes.

    Raises:
        InvalidQueryError: 400: nothing stands there, or more than a quoted name.
    """
    if text.startswith('"'):
        if _end_of_quoted(text, 0) != len(text):
            raise InvalidQueryError(f"Something stands after the closing quote in {text[:40]}")
        text = re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    if not text:
        raise InvalidQueryError("A name is empty.")
    return text


def split_list(text: str) -> list[str]:
    """Split at commas outside of double quotes and brackets.

    Raises:
        InvalidQueryError: 400: a quote or bracket is not closed, or an element is empty.
    """
    parts = text.split(",") if not _NESTS.search(text) else _split_nested(text)
    if not all(parts):
        raise InvalidQueryError(f"An element is empty in {text[:40]!r}; an empty text is written as two double quotes.")
    return parts


def _split_nested(text: str) -> list[str]:
    parts: list[str] = []
    depth = start = position = 0
    while position < len(text):
        letter = text[position]
        if letter == '"':
            position = _end_of_quoted(text, position)
            continue
        depth += (letter == "(") - (letter == ")")
        if letter == "," and depth == 0:
            parts.append(text[start:position])
            start = position + 1
        if depth < 0:
            break
        position += 1
    if depth:
        raise InvalidQueryError(f"Brackets do not match in {text[:40]}")
    return [*parts, text[start:]]


# ── filters ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _condition(path: Path, text: str, *, nested: bool = False) -> Condition:
    """`eq.5`, `not.in.(1,2)`, `fts(english).cat`; nested ones may quote their value, because commas end it there."""
    negated = text.startswith("not.")
    word, dot, value = text[4 if negated else 0 :].partition(".")
    language = None
    if (found := _FTS.fullmatch(word)) is not None:
        word, language = found.groups()
    operator = _OPERATORS.get(word)
    if operator is None or not dot:
        raise InvalidQueryError(
            f"{path.column}={text[:40]}: a filter is written operator.value, with one of {', '.join(_OPERATORS)}."
        )
    if nested and operator is not Operator.IN and value.startswith('"'):
        value = _unquoted_value(value)
    return Condition(path, operator, _value(path, operator, value), negated, language)


def _value(path: Path, operator: Operator, value: str) -> str | tuple[str, ...]:
    if operator is Operator.IN:
        if not (value.startswith("(") and value.endswith(")")):
            raise InvalidQueryError(f"{path.column}=in: write in.(1,2,3); values with commas or brackets in quotes.")
        inside = value[1:-1]
        return tuple(_unquoted_value(part) for part in split_list(inside)) if inside else ()
    if operator is Operator.IS and value.lower() not in _IS:
        raise InvalidQueryError(f"{path.column}=is: one of {', '.join(sorted(_IS))}.")
    return value.lower() if operator is Operator.IS else value


def _unquoted_value(text: str) -> str:
    return "" if text == '""' else unquoted(text)


def _tree_parameter(name: str, value: str) -> Group:
    any_, negated = _TREES[name]
    if not (value.startswith("(") and value.endswith(")")):
        raise InvalidQueryError(f"{name}: write {name}=(a.eq.1,b.gt.2).")
    return Group(_members(value[1:-1], 1), any_, negated)


def _members(inside: str, depth: int) -> tuple[Condition | Group, ...]:
    if depth > MAX_DEPTH:
        raise InvalidQueryError(f"Conditions are nested more than {MAX_DEPTH} deep.")
    return tuple(_member(part, depth) for part in _split_members(inside))


def _member(text: str, depth: int) -> Condition | Group:
    word, bracket, inside = text.partition("(")
    if bracket and word in _TREES and text.endswith(")"):
        any_, negated = _TREES[word]
        return Group(_members(inside[:-1], depth + 1), any_, negated)
    path, dot, rest = _partition(text, ".")
    if not dot:
        raise InvalidQueryError(f"{text[:40]}: a condition is written column.operator.value.")
    if path == "not":  # not.column.eq.1 reads as column.not.eq.1
        path, dot, rest = _partition(rest, ".")
        rest = f"not.{rest}"
    return _condition(parse_path(path), rest, nested=True)


def _split_members(text: str) -> list[str]:
    """Like split_list; braces of array literals hold commas too."""
    if "{" not in text:
        return split_list(text)
    shielded = re.sub(r"\{[^{}()]*\}", lambda found: found.group().replace(",", "\0"), text)
    return [part.replace("\0", ",") for part in split_list(shielded)]
