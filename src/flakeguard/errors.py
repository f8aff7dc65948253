"""Errors that FlakeGuard raises on purpose, on top of Fluxbase's."""

from fluxbase.errors import InvalidRequestError, PayloadTooLargeError


class InvalidMetaError(InvalidRequestError):
    """The upload's `meta` part is missing or not what it should be."""

    code = "invalid_meta"


class InvalidReportsError(InvalidRequestError):
    """No file of the upload can be a test report."""

    code = "invalid_junit_xml"


class TooManyFilesError(InvalidRequestError):
    """The upload holds more files than this server takes in one request."""

    code = "too_many_files"


class UploadTooLargeError(PayloadTooLargeError):
    """The upload, or one of its files, is larger than this server takes."""
