"""Find the report files that the user named, and look at them before they are sent."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

REPORT_SUFFIXES = (".xml", ".xml.gz", ".zip")
"""What is taken of a folder; a pattern may name anything."""
HEAD_BYTES = 4096
"""How much of a file is read to tell a report from something else."""

START_TOLERANCE = timedelta(hours=1)
"""Reports may be this much older than the job: clocks differ, and artifacts come from earlier jobs of the
run."""
AGE_WITHOUT_START = timedelta(hours=24)
"""Where the job's start is not known, reports older than this are said to be old."""


@dataclass(frozen=True, slots=True)
class ReportFile:
    """A file to send.

    Attributes:
        path: where it is.
        name: what the server is told: the path below the working directory, with forward slashes.
        size: bytes on disk.
        modified_at: when it was last written (UTC).
    """

    path: Path
    name: str
    size: int
    modified_at: datetime

    @property
    def shown(self) -> str:
        """What its user calls it: the name, or the whole path where the name is an absolute path without its root."""
        path = self.path.as_posix()
        return path if path == f"/{self.name}" else self.name


def match(patterns: Sequence[str], folder: Path) -> list[ReportFile]:
    """Return the files that match, each once, sorted by path.

    Args:
        patterns: files, folders (all reports below them) or globs, where `**` spans folders. Hidden folders
            count: some tools write to `.reports`.
        folder: what relative patterns are relative to.
    """
    found = {path.resolve(): path for pattern in patterns for path in _expand(pattern, folder)}
    return [_describe(path, folder) for path in sorted(found.values())]


def _expand(pattern: str, folder: Path) -> Iterator[Path]:
    anchored = folder / pattern
    if anchored.is_dir():
        yield from (path for path in anchored.rglob("*") if path.is_file() and _is_named_as_report(path))
    elif anchored.is_file():  # the shell's own expansion, and names that hold brackets
        yield anchored
    else:
        # Path.glob knows no absolute patterns.
        names = glob.iglob(str(anchored), recursive=True, include_hidden=True)  # noqa: PTH207
        yield from (path for path in map(Path, names) if path.is_file())


def _is_named_as_report(path: Path) -> bool:
    return path.name.lower().endswith(REPORT_SUFFIXES)


def _describe(path: Path, folder: Path) -> ReportFile:
    status = path.stat()
    inside = path.is_relative_to(folder)
    name = path.relative_to(folder).as_posix() if inside else path.as_posix().lstrip("/")
    return ReportFile(path, name, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def divide(
    files: Iterable[ReportFile], can_be_report: Callable[[bytes], bool | None]
) -> tuple[list[ReportFile], list[ReportFile]]:
    """Divide files into those that may be reports and those that surely are none.

    Args:
        files: what matched.
        can_be_report: judges the first bytes: True, False, or None when they do not tell (then the file is
            kept).

    Raises:
        OSError: a file cannot be read.
    """
    kept: list[ReportFile] = []
    refused: list[ReportFile] = []
    for file in files:
        with file.path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
        (refused if can_be_report(head) is False else kept).append(file)
    return kept, refused


def stale(files: Iterable[ReportFile], *, started_at: datetime | None, now: datetime) -> list[ReportFile]:
    """Return the files that look like left-overs of an earlier run.

    Args:
        files: what would be sent.
        started_at: when the job started, when that is known.
        now: the time.
    """
    limit = started_at - START_TOLERANCE if started_at else now - AGE_WITHOUT_START
    return [file for file in files if file.modified_at < limit]


def nearby(folder: Path, limit: int = 3) -> list[str]:
    """Return a few XML files below `folder`, to suggest when a pattern matched nothing."""
    names: list[str] = []
    for path in folder.rglob("*.xml"):
        if any(part in {"node_modules", ".git", ".venv"} for part in path.parts):
            continue
        names.append(path.relative_to(folder).as_posix())
        if len(names) == limit:
            break
    return names
