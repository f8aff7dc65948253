"""Cut a list of files into requests that the server accepts."""

from collections.abc import Sequence

from flakeguard.uploading.files import ReportFile

DEFAULT_MAX_FILES = 20
"""Files in one request; the server's `FG_MAX_UPLOAD_FILES` has the same default."""
DEFAULT_MAX_BYTES = 64 * 1024 * 1024
"""Bytes on disk in one request. They are sent compressed, so that the server sees far fewer."""

type Batch = tuple[ReportFile, ...]


def cut(files: Sequence[ReportFile], *, max_files: int, max_bytes: int) -> list[Batch]:
    """Return batches in the order of `files`; a file larger than `max_bytes` goes alone.

    Args:
        files: what to send.
        max_files: files in one request, at least 1.
        max_bytes: bytes on disk in one request.
    """
    batches: list[Batch] = []
    current: list[ReportFile] = []
    size = 0
    for file in files:
        if current and (len(current) == max_files or size + file.size > max_bytes):
            batches.append(tuple(current))
            current, size = [], 0
        current.append(file)
        size += file.size
    return [*batches, tuple(current)] if current else batches


def halve(batch: Batch) -> tuple[Batch, Batch]:
    """Return the two halves of a batch that the server found too large (it has at least two files)."""
    middle = len(batch) // 2
    return batch[:middle], batch[middle:]
