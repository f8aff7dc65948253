"""A request's headers as a dictionary: they are looked up some twenty times before any route sees them."""

from collections.abc import Mapping

from starlette.types import Scope

_STATE = "fluxbase_head"


def head_of(scope: Scope) -> Mapping[str, str]:
    """Headers by their names in small letters; of several with one name the first, as Starlette has it."""
    head: dict[str, str] | None = scope.get(_STATE)
    if head is None:
        raw: list[tuple[bytes, bytes]] = list(scope["headers"])
        head = scope[_STATE] = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(raw)}
    return head
