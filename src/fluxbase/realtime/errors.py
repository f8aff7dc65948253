"""What realtime refuses, and how it says so."""

from fluxbase.errors import InvalidRequestError, NotFoundError, PermissionDeniedError, UnavailableError


class InvalidFilterError(InvalidRequestError):
    """A filter is `column=operator.value`, with a column that you may read."""

    code = "invalid_filter"


class InvalidMessageError(InvalidRequestError):
    """The message is not one of the protocol."""

    code = "invalid_message"


class TableNotLiveError(NotFoundError):
    """The table does not exist, is not yours to read, or does not go live."""

    code = "table_not_live"


class ChannelRefusedError(PermissionDeniedError):
    """The channel is private, and you are no member."""

    code = "channel_refused"


class NotJoinedError(InvalidRequestError):
    """Subscribe to the channel first."""

    code = "not_subscribed"


class TooManySubscriptionsError(PermissionDeniedError):
    """This connection has as many subscriptions as one may have."""

    code = "too_many_subscriptions"


class BusDownError(UnavailableError):
    """Redis cannot be reached: the message got to the clients of this server process alone."""

    code = "other_processes_not_reached"
