"""Who may enter a channel, by its name.

`user:<id>` and `user:<id>:…` belong to that user, `private:…` to the members in `realtime.channel_members`, and
`internal:…` to this program. Every other channel is open to whoever is connected, the anonymous too. The service role
may enter all but the internal ones.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from fluxbase.auth.callers import Caller
from fluxbase.realtime.errors import ChannelRefusedError, InvalidMessageError

INTERNAL = "internal:"
PRIVATE = "private:"
_OWN = re.compile(r"user:([^:]+)(?::.*)?", re.DOTALL)
_NAME = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]{1,200}")


class Access(StrEnum):
    """What the name alone says."""

    OPEN = "open"
    MEMBERS = "members"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Membership:
    """A row of `realtime.channel_members`."""

    channel: str
    user_id: UUID
    may_send: bool


def access_to(channel: str, caller: Caller) -> Access:
    """Whether `caller` may enter, as far as the name decides it.

    Raises:
        InvalidMessageError: It is no name of a channel.
    """
    if not _NAME.fullmatch(channel):
        raise InvalidMessageError("A channel's name has 1 to 200 printable characters.")
    if channel.startswith(INTERNAL):
        return Access.REFUSED
    if caller.claims.role == "service_role":
        return Access.OPEN
    if channel.startswith(PRIVATE):
        return Access.MEMBERS if caller.user_id is not None else Access.REFUSED
    owner = _OWN.fullmatch(channel)
    if owner is not None:
        return Access.OPEN if caller.user_id is not None and owner[1] == str(caller.user_id) else Access.REFUSED
    return Access.OPEN


def refused(channel: str) -> ChannelRefusedError:
    """The error for a channel that the caller may not enter, or not send to."""
    return ChannelRefusedError(f"The channel {channel} is not open to you.")
