"""What can be wrong with a request to a table or function."""

from fluxbase.errors import InvalidRequestError, NotFoundError, PermissionDeniedError


class InvalidQueryError(InvalidRequestError):
    """The query cannot be understood."""

    code = "invalid_query"


class UnknownColumnError(InvalidQueryError):
    """The table has no such column."""

    code = "unknown_column"


class FilterRequiredError(InvalidQueryError):
    """PATCH and DELETE over a collection need a filter."""

    code = "filter_required"


class InvalidBodyError(InvalidRequestError):
    """The body is not the JSON that this takes."""

    code = "invalid_json"


class UnknownTableError(NotFoundError):
    """There is no such table or view."""

    code = "unknown_table"


class UnknownFunctionError(NotFoundError):
    """There is no such function."""

    code = "unknown_function"


class RowNotFoundError(NotFoundError):
    """There is no such row, or it is not yours to see."""

    code = "row_not_found"


class TableClosedError(PermissionDeniedError):
    """The table has no policy, so it is closed to everybody but the service role."""

    code = "table_closed"
