"""Commit and branch of the Git checkout around us, for uploads from outside CI."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

_TIMEOUT_SECONDS = 10


def commit_and_branch(folder: Path) -> tuple[str | None, str | None]:
    """Return commit and branch that Git names for `folder`; None for what it does not know."""
    branch = _git(folder, "rev-parse", "--abbrev-ref", "HEAD")
    return _git(folder, "rev-parse", "HEAD"), None if branch == "HEAD" else branch


def _git(folder: Path, *arguments: str) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    try:
        done = subprocess.run(  # noqa: S603 - fixed arguments, no shell
            [git, *arguments],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None
