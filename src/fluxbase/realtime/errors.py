"""What realtime refuses, and how it says so."""

import json
from typing import Any

from fluxbase.errors import InvalidRequestError, NotFoundError, PermissionDeniedError, UnavailableError


class InvalidFilterError(InvalidRequestError):
    """A filter is `column=operator.value`, with a column that you may read."""

    code = "invalid_filter"


class InvalidMessageError(InvalidRequestError):
    """The message is not one of the protocol."""

    code = "invalid_message"


def as_json(value: Any) -> str:
    """`value` as JSON text, to be handed on.

    Raises:
        InvalidMessageError: There is a number in it that JSON has not (Python reads NaN and 1e999), or it
            is nested too deeply.
    """
    try:
        return json.dumps(value, allow_nan=False)
    except ValueError as error:
        raise InvalidMessageError("NaN and infinite numbers are no JSON.") from error
    except RecursionError as error:
        raise InvalidMessageError("The message is nested too deeply.") from error


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
