"""Errors that Fluxbase raises on purpose. One table in `fluxbase.http.errors` maps them to statuses."""


class FluxbaseError(Exception):
    """Base of all: `code` is stable and for machines, the text says what happened and what to do."""

    code = "internal_error"

    def __init__(self, message: str = "", *, code: str | None = None) -> None:
        super().__init__(message or (self.__doc__ or "").strip().splitlines()[0])
        if code is not None:
            self.code = code


class ConfigurationError(FluxbaseError):
    """A setting is missing or cannot be used."""

    code = "configuration_error"


class InvalidRequestError(FluxbaseError):
    """The request cannot be understood."""

    code = "invalid_request"


class NotAuthenticatedError(FluxbaseError):
    """Sign in first."""

    code = "not_authenticated"


class SessionEndedError(NotAuthenticatedError):
    """The session has ended: sign in again."""

    code = "session_ended"


class PermissionDeniedError(FluxbaseError):
    """You may not do this."""

    code = "permission_denied"


class NotFoundError(FluxbaseError):
    """There is no such thing, or it is not yours to see."""

    code = "not_found"


class ConflictError(FluxbaseError):
    """It exists already, or has changed meanwhile."""

    code = "conflict"


class PayloadTooLargeError(FluxbaseError):
    """The request body is larger than this server takes."""

    code = "payload_too_large"


class PreconditionFailedError(FluxbaseError):
    """It is not as If-Match or If-None-Match wants it to be."""

    code = "precondition_failed"


class UnsupportedMediaTypeError(FluxbaseError):
    """Content of this type is not taken here."""

    code = "unsupported_media_type"


class RangeNotSatisfiableError(FluxbaseError):
    """The range begins behind the end."""

    code = "range_not_satisfiable"

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"The range begins behind the end: there are {size_bytes} bytes.")
        self.size_bytes = size_bytes


class RateLimitError(FluxbaseError):
    """Too many requests."""

    code = "rate_limit_exceeded"

    def __init__(self, message: str = "", *, retry_after_seconds: int) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class UnavailableError(FluxbaseError):
    """A server this one needs cannot be reached; try again shortly."""

    code = "service_unavailable"


class InsufficientStorageError(FluxbaseError):
    """There is no space left to store this; what is stored already is unharmed."""

    code = "insufficient_storage"


class AnswerTooLargeError(InvalidRequestError):
    """The answer is larger than one may be."""

    code = "answer_too_large"


class StatementTimeoutError(FluxbaseError):
    """The statement took longer than this server allows: narrow it by a filter, a limit or an index."""

    code = "statement_timeout"
