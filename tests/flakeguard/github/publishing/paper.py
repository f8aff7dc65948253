"""A GitHub on paper: keeps what is posted as GitHub would, and fails when it is told to."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flakeguard.github.publishing.model import Annotation


class Killed(BaseException):
    """The process ends here."""


@dataclass
class Paper:
    """Of one repository. `die_after` names a method that does its work and is killed before it is heard of."""

    check_runs: dict[int, dict[str, Any]] = field(default_factory=dict)
    comments: dict[int, tuple[int, str]] = field(default_factory=dict)
    pulls: dict[str, list[int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    die_after: str | None = None
    pause: asyncio.Event | None = None
    paused: asyncio.Event = field(default_factory=asyncio.Event)

    def _done(self, name: str) -> None:
        self.asked.append(name)
        if self.die_after == name:
            self.die_after = None
            raise Killed(name)

    async def find_check_run(self, sha: str, name: str, external_id: str) -> int | None:
        self._done("find_check_run")
        wanted = (sha, name, external_id)
        return next(
            (
                number
                for number, run in self.check_runs.items()
                if (run["head_sha"], run["name"], run["external_id"]) == wanted
            ),
            None,
        )

    async def create_check_run(self, body: Mapping[str, Any]) -> int:
        number = len(self.check_runs) + 1
        self.check_runs[number] = {"annotations": [], "head_sha": body["head_sha"]}
        self._put(number, body)
        self._done("create_check_run")
        return number

    async def update_check_run(self, check_run_id: int, body: Mapping[str, Any]) -> bool:
        if (hold := self.pause) is not None:  # the first one only
            self.pause = None
            self.paused.set()
            await hold.wait()
        if check_run_id not in self.check_runs:
            self._done("update_check_run")
            return False
        self._put(check_run_id, body)
        self._done("update_check_run")
        return True

    def _put(self, number: int, body: Mapping[str, Any]) -> None:
        new = body["output"].get("annotations", [])
        assert len(new) <= 50
        assert len(body["actions"]) <= 3
        self.check_runs[number] |= {name: value for name, value in body.items() if name != "annotations"}
        self.check_runs[number]["annotations"] += new

    async def annotations(self, check_run_id: int) -> Sequence[Annotation]:
        self._done("annotations")
        there = self.check_runs[check_run_id]["annotations"]
        return [
            Annotation(one["path"], one["start_line"], one["annotation_level"], one["title"], one["message"])
            for one in there
        ]

    async def find_comment(self, pr_number: int, marker: str) -> int | None:
        self._done("find_comment")
        return next((key for key, (pr, body) in self.comments.items() if pr == pr_number and marker in body), None)

    async def create_comment(self, pr_number: int, body: str) -> int:
        number = 100 + len(self.asked)
        self.comments[number] = (pr_number, body)
        self._done("create_comment")
        return number

    async def update_comment(self, comment_id: int, body: str) -> bool:
        there = self.comments.get(comment_id)
        if there is not None:
            self.comments[comment_id] = (there[0], body)
        self._done("update_comment")
        return there is not None

    async def open_pulls(self, sha: str) -> Sequence[int]:
        self._done("open_pulls")
        return self.pulls.get(sha, [])
