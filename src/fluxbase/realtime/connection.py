"""One client's connection, whatever protocol it speaks: who it is, what waits for it, and how it is closed."""

from collections.abc import Callable
from uuid import uuid4

from fluxbase.auth.callers import Caller
from fluxbase.realtime.claims import Group
from fluxbase.realtime.events import Event
from fluxbase.realtime.outbox import Outbox

SERVICE_RESTART = 1012
TRY_AGAIN_LATER = 1013
UNAUTHENTICATED = 4401
FORBIDDEN = 4403
SLOW = "slow client"

type Encode = Callable[[Event], str]
type Close = Callable[[int, str], None]


class Connection:
    """A listener that is a client. `close` starts closing and returns at once; closing twice is closing once."""

    def __init__(
        self, caller: Caller, group: Group, address: str, outbox: Outbox, *, encode: Encode, close: Close
    ) -> None:
        self.id = uuid4().hex
        self.caller = caller
        self.group = group
        self.address = address
        self.outbox = outbox
        self.channels: set[str] = set()
        self.sent = 0
        self.closing: str | None = None
        self._encode = encode
        self._close = close

    @property
    def user(self) -> str | None:
        """Whom to count for the limit per user."""
        return str(self.caller.user_id) if self.caller.user_id is not None else None

    @property
    def expires_at(self) -> float | None:
        """When the access token ends (Unix seconds); None for cookies and keys, which end otherwise."""
        expiry = self.caller.claims.extra.get("exp")
        return float(expiry) if isinstance(expiry, int | float) else None

    def deliver(self, event: Event) -> None:
        """Queue an event; a client without room for it is dropped."""
        self.send(self._encode(event))

    def send(self, message: str) -> None:
        """Queue a message."""
        if self.closing is not None:
            return
        self.sent += 1
        if not self.outbox.put(message):
            self.close(TRY_AGAIN_LATER, SLOW)

    def close(self, code: int, reason: str) -> None:
        """Begin to close, and say why."""
        if self.closing is None:
            self.closing = reason
            self._close(code, reason)
