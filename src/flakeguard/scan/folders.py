"""What the path of a report says: which run, which commit, which job. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from flakeguard.uploading.files import ReportFile

_TOLD_SHA = re.compile(r"(?:^|[-_.])(?:sha|commit)[-_=]([0-9a-f]{7,40})(?![0-9a-z])", re.IGNORECASE)
_BARE_SHA = re.compile(r"[0-9a-f]{7,40}")
_FULL_SHA_LENGTH = 40
_SHA_PROPERTIES = frozenset(
    {
        "sha",
        "gitsha",
        "commit",
        "commitsha",
        "commitid",
        "gitcommit",
        "gitcommitid",
        "gitcommitsha",
        "revision",
        "gitrevision",
        "vcsrevision",
        "headsha",
        "githubsha",
        "cicommitsha",
        "circlesha1",
        "buildkitecommit",
        "buildsourceversion",
    }
)
_BRANCH_PROPERTIES = frozenset(
    {
        "branch",
        "branchname",
        "gitbranch",
        "githubrefname",
        "cicommitrefname",
        "cicommitbranch",
        "circlebranch",
        "buildkitebranch",
    }
)
# A path component that only counts: `3`, `run-3`, `attempt_2`, `2026-01-02T03:04:05Z`.
_COUNTER = re.compile(
    r"(?:(?:test)?runs?|attempt|try|retry|rerun|build|job|iteration|iter|shard|part|round|execution|exec|no|nr|[rn#])?"
    r"[-_.# ]?\d+(?:[-_.:tT ]\d+)*z?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The reports of one run.

    Attributes:
        name: its folder below the working directory, or the file itself when each file is a run.
        files: its reports, in natural order.
        parts: the components of its path.
        shared: how many of them, from the first, all runs share.
        is_ours: it lies below the working directory, so that no component is the machine's.
    """

    name: str
    files: tuple[ReportFile, ...]
    parts: tuple[str, ...]
    shared: int
    is_ours: bool


@dataclass(frozen=True, slots=True)
class Place:
    """What a path says of a run: its commit, or None, and its job (`""` when it says none)."""

    commit: str | None
    job: str


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Return a sort key by which `run-10` comes after `run-9`."""
    pieces = re.split(r"(\d+)", text)
    return tuple((1, int(piece), "") if piece.isdecimal() else (0, 0, piece) for piece in pieces if piece)


def group(files: Iterable[ReportFile], *, file_is_run: bool = False) -> list[RunFolder]:
    """Return the runs in natural order of their names.

    The folder that holds a file is its run. Folders below a run (one for each module, say) make runs of their own; that
    does no harm, because their tests are different ones, while taking two runs for one would look like retries.

    Args:
        files: the reports.
        file_is_run: take every file for a run.
    """
    members: dict[str, list[ReportFile]] = {}
    for file in files:
        folder = file.shown if file_is_run else PurePosixPath(file.shown).parent.as_posix()
        members.setdefault(folder, []).append(file)
    names = sorted(members, key=natural_key)
    shared = _shared_length([_parts(name) for name in names])
    return [
        RunFolder(
            name=name,
            files=tuple(sorted(members[name], key=lambda file: natural_key(file.name))),
            parts=_parts(name),
            shared=shared,
            is_ours=not PurePosixPath(name).is_absolute() and ".." not in _parts(name),
        )
        for name in names
    ]


def _parts(name: str) -> tuple[str, ...]:
    return PurePosixPath(name.lstrip("/")).parts


def _shared_length(paths: Sequence[tuple[str, ...]]) -> int:
    if len(paths) == 1:
        return 0
    length = 0
    for column in zip(*paths, strict=False):
        if len(set(column)) > 1:
            break
        length += 1
    return length


def places(folders: Sequence[RunFolder]) -> list[Place]:
    """Return what the paths say, in the order of `folders`.

    A component such as `sha-1a2b3c4` or `commit_1a2b3c4` names a commit. A bare one of 7 to 40 hex digits does when it
    has a letter and a digit (a date has no letter, `defaced` no digit), or when another one in the same place of the
    paths does. Outside of the working directory, of the components that all runs share only the last may be a bare one:
    those before it belong to the machine. What is left and is no counter (`run-3`, `2`) is the job, so that Linux is
    not taken for Windows.
    """
    sure = {
        depth
        for folder in folders
        for depth, part in enumerate(folder.parts)
        if _told_sha(part) or _is_surely_sha(part)
    }
    return [_place(folder, sure) for folder in folders]


def _place(folder: RunFolder, sure: set[int]) -> Place:
    found = {
        depth: commit
        for depth, part in enumerate(folder.parts)
        if (commit := _told_sha(part) or (_bare_sha(part) if _may_be_bare(folder, depth, sure) else None))
    }
    # What tells the runs apart goes before what they share, where a folder of a build may look like a commit.
    at = min(found, key=lambda depth: (not _told_sha(folder.parts[depth]), depth < folder.shared, depth), default=None)
    job = [
        part
        for depth, part in enumerate(folder.parts)
        if depth >= folder.shared and depth != at and not _COUNTER.fullmatch(part)
    ]
    return Place(None if at is None else found[at], "/".join(job))


def _may_be_bare(folder: RunFolder, depth: int, sure: set[int]) -> bool:
    return depth in sure and (folder.is_ours or depth >= folder.shared - 1)


def _bare_sha(part: str) -> str | None:
    return part.lower() if _BARE_SHA.fullmatch(part.lower()) else None


def _told_sha(part: str) -> str | None:
    found = _TOLD_SHA.search(part)
    return found[1].lower() if found else None


def _is_surely_sha(part: str) -> bool:
    text = part.lower()
    if not _BARE_SHA.fullmatch(text):
        return False
    has_both = any(char.isdigit() for char in text) and any(char.isalpha() for char in text)
    return has_both or len(text) == _FULL_SHA_LENGTH


def commit_of(properties: Mapping[str, str]) -> str | None:
    """Return the commit that a report's properties name (`sha`, `git.commit`, `GITHUB_SHA` …), or None."""
    value = _property(properties, _SHA_PROPERTIES)
    return value.lower() if value and _BARE_SHA.fullmatch(value.lower()) else None


def branch_of(properties: Mapping[str, str]) -> str | None:
    """Return the branch that a report's properties name, or None."""
    return _property(properties, _BRANCH_PROPERTIES)


def _property(properties: Mapping[str, str], names: frozenset[str]) -> str | None:
    for name, value in properties.items():
        if re.sub(r"[^a-z0-9]", "", name.lower()) in names and value.strip():
            return value.strip()
    return None
