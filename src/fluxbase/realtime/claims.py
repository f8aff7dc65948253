"""Listeners with equal claims are one group: the policies answer them all alike, so they are asked once."""

import json
from hashlib import blake2b
from weakref import WeakValueDictionary

from fluxbase.db import Claims
from fluxbase.realtime.owners import as_user

# What tells tokens apart and says nothing of rights.
_TECHNICAL = frozenset(("iss", "iat", "exp", "nbf", "jti"))


class Group:
    """Listeners whose role and claims are equal. Compared by identity: `group_of` hands out one per content."""

    __slots__ = ("__weakref__", "claims", "digest", "role", "text", "user")

    def __init__(self, role: str, text: str, claims: Claims) -> None:
        self.role = role
        self.text = text
        self.digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).digest()
        self.claims = claims
        self.user = as_user(claims.extra.get("sub"))


class Groups:
    """The groups in use."""

    def __init__(self) -> None:
        self._known: WeakValueDictionary[str, Group] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._known)

    def of(self, claims: Claims) -> Group:
        """The group of these claims: what is in a token beside its identity and its times."""
        content = {name: value for name, value in json.loads(claims.as_json()).items() if name not in _TECHNICAL}
        text = json.dumps(content, sort_keys=True, ensure_ascii=False)
        group = self._known.get(text)
        if group is None:
            # Whether a session lives is watched by its sockets, not by each check: no session_id here.
            group = self._known[text] = Group(claims.role, text, Claims(claims.role, extra=content))
        return group
