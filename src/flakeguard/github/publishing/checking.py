"""The check run at GitHub: made once for a commit, kept up to date, sent only when something changed."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import batched
from typing import Any

from flakeguard.github.publishing.model import Annotation, CheckRun
from flakeguard.github.publishing.poster import Poster
from flakeguard.github.publishing.rendering import ANNOTATIONS_A_REQUEST, NAME
from flakeguard.github.publishing.repository import SQL, Target
from fluxbase.db import Connection

_DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True)
class _Known:
    """The check run that is there, and what was sent to it; no digest when that is not certain."""

    check_run_id: int | None
    digest: bytes | None
    annotations: frozenset[bytes]


async def post_check_run(
    connection: Connection, poster: Poster, target: Target, check_run: CheckRun, *, afresh: bool, now: datetime
) -> bool:
    """Bring GitHub's to `check_run`; whether anything was sent. The caller has the commit's turn.

    `afresh` distrusts what is recorded: a job before may have been killed between sending and recording.
    """
    known = await _known(connection, poster, target, afresh=afresh)
    digest = _digest(check_run)
    if known.check_run_id is not None and known.digest == digest:
        return False
    new = [one for one in check_run.annotations if annotation_digest(one) not in known.annotations]
    check_run_id, sent = await _send(poster, target, check_run, known, new)
    await connection.execute(
        SQL["save_check_run"], target.repository_id, target.sha, check_run_id, str(check_run.conclusion), digest,
        sorted(sent), now,
    )  # fmt: skip
    return True


async def _known(connection: Connection, poster: Poster, target: Target, *, afresh: bool) -> _Known:
    row = await connection.fetchrow(SQL["check_run"], target.repository_id, target.sha)
    there: int | None = None if row is None else row["check_run_id"]
    if row is not None and there is not None and not afresh:
        return _Known(there, row["digest"], frozenset(row["annotations"]))
    if there is None:
        there = await poster.find_check_run(target.sha, NAME, external_id(target))
    if there is None:
        return _Known(None, None, frozenset())
    return _Known(there, None, frozenset(map(annotation_digest, await poster.annotations(there))))


async def _send(
    poster: Poster, target: Target, check_run: CheckRun, known: _Known, new: Sequence[Annotation]
) -> tuple[int, frozenset[bytes]]:
    """The check run's id, and digests of all annotations that it has now."""
    batches = list(batched(new, ANNOTATIONS_A_REQUEST)) or [()]
    check_run_id, before = known.check_run_id, known.annotations
    if check_run_id is not None and not await poster.update_check_run(check_run_id, _body(check_run, batches[0])):
        check_run_id, before = None, frozenset[bytes]()  # gone at GitHub, and its annotations with it
        batches = list(batched(check_run.annotations, ANNOTATIONS_A_REQUEST)) or [()]
    if check_run_id is None:
        made = {"name": NAME, "head_sha": target.sha, "external_id": external_id(target)}
        check_run_id = await poster.create_check_run(made | _body(check_run, batches[0]))
    for batch in batches[1:]:
        await poster.update_check_run(check_run_id, _body(check_run, batch))
    return check_run_id, before | {annotation_digest(one) for batch in batches for one in batch}


def external_id(target: Target) -> str:
    """What our check run of a commit is found by, when its id was not recorded."""
    return f"flakeguard:{target.repository_id}:{target.sha}"


def annotation_digest(annotation: Annotation) -> bytes:
    """Tells whether it was sent before: other odds for the same answer are not worth a second remark on the line."""
    return _hashed([annotation.path, annotation.line, annotation.title])[: _DIGEST_BYTES // 2]


def _digest(check_run: CheckRun) -> bytes:
    return _hashed([_body(check_run, check_run.annotations)])


def _hashed(value: object) -> bytes:
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=_DIGEST_BYTES).digest()


def _body(check_run: CheckRun, annotations: Sequence[Annotation]) -> dict[str, Any]:
    output: dict[str, Any] = {"title": check_run.title, "summary": check_run.summary}
    if check_run.text:
        output["text"] = check_run.text
    if annotations:
        output["annotations"] = [one.as_json() for one in annotations]
    body: dict[str, Any] = {
        "status": "completed",
        "conclusion": str(check_run.conclusion),
        "output": output,
        "actions": [action.as_json() for action in check_run.actions],
    }
    return body | ({"details_url": check_run.details_url} if check_run.details_url else {})
