"""What a service key may be limited to. Pure."""

from collections.abc import Iterable

from fluxbase.service_keys.errors import InvalidScopeError

EVERYTHING = "*"
# Only what some route asks for: a scope that opens nothing would be a promise.
_ACTIONS = {
    "tables": ("read", "write"),
    "rpc": ("execute",),
    "storage": ("read", "write"),
    "realtime": ("read", "write"),
    "jobs": ("read", "write"),
    "monitoring": ("read",),
}
SCOPES: tuple[str, ...] = (
    EVERYTHING,
    *(f"{area}:{action}" for area, actions in _ACTIONS.items() for action in (*actions, "*")),
)


def checked(scopes: Iterable[str]) -> list[str]:
    """The scopes without doubles, in the order of the list.

    Raises:
        InvalidScopeError: 400, one of them does not exist, or there is none.
    """
    wanted = set(scopes)
    unknown = wanted.difference(SCOPES)
    if unknown:
        raise InvalidScopeError(f"There is no scope {', '.join(sorted(unknown))}. There are: {', '.join(SCOPES)}.")
    if not wanted:
        raise InvalidScopeError(f"A key needs a scope. There are: {', '.join(SCOPES)}.")
    return [scope for scope in SCOPES if scope in wanted]
