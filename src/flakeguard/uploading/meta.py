"""The `meta` document of an upload: what the user said, then what CI says, then what the checkout says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from flakeguard.uploading.ci_environment import CiContext, stable_run_id
from flakeguard.uploading.files import ReportFile

_CHUNK_BYTES = 1024 * 1024

# Our word → the word of the HTTP contract, which was born on GitHub.
_FIELDS = {
    "provider": "provider",
    "repo_full_name": "repo_full_name",
    "workflow_name": "workflow_name",
    "workflow_ref": "workflow_ref",
    "run_id": "github_run_id",
    "run_attempt": "github_run_attempt",
    "run_number": "github_run_number",
    "run_url": "run_url",
    "sha": "sha",
    "branch": "branch",
    "event": "event",
    "pr_number": "pr_number",
    "job_name": "job_name",
    "job_variant": "job_variant",
    "started_at": "started_at",
}


@dataclass(frozen=True, slots=True)
class Stated:
    """What the user stated on the command line; None where CI is to be asked."""

    sha: str | None = None
    branch: str | None = None
    repo_full_name: str | None = None
    workflow_name: str | None = None
    run_id: int | None = None
    run_attempt: int | None = None
    run_url: str | None = None
    pr_number: int | None = None
    job_name: str | None = None
    job_variant: str | None = None
    started_at: str | None = None


def build(project: str, stated: Stated, context: CiContext | None, files: Iterable[ReportFile]) -> dict[str, Any]:
    """Return the `meta` document: facts that nobody knows are left out.

    The times are those of the report files where nothing better is known, so that sending the same files
    again gives the same document. A run outside CI gets a run id made from commit, branch, job and content,
    so that all batches of one upload belong to one run, and a repeated upload to the same.

    Args:
        project: the project's slug.
        stated: the command line's options.
        context: what CI says.
        files: all files of all batches; their content is read when a run id must be made.
    """
    files = list(files)
    known = {key: value for key, value in asdict(context or CiContext("cli")).items() if value is not None}
    known |= {key: value for key, value in asdict(stated).items() if value is not None}
    if "run_id" not in known:
        known["run_id"] = _run_id_of(known, files)
    known.setdefault("run_attempt", 1)
    written = sorted(file.modified_at for file in files)
    known.setdefault("started_at", _rfc3339(written[0]))
    meta: dict[str, Any] = {"project_slug": project}
    meta |= {name: known[key] for key, name in _FIELDS.items() if key in known}
    meta["completed_at"] = max(_rfc3339(written[-1]), meta["started_at"], key=_moment)
    return meta


def _run_id_of(known: Mapping[str, Any], files: Iterable[ReportFile]) -> int:
    contents = sorted(_digest(file) for file in files)
    parts = (str(known.get(key, "")) for key in ("sha", "branch", "job_name", "job_variant"))
    return stable_run_id(*parts, *contents)


def _digest(file: ReportFile) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with file.path.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(text: str) -> datetime:
    """Read a time; one that cannot be read sorts first and is left for the server to judge."""
    return parse_time(text) or datetime.min.replace(tzinfo=UTC)


def parse_time(text: str | None) -> datetime | None:
    """Read an RFC 3339 time; None when it is none or has no zone."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None
