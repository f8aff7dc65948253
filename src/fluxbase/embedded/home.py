"""Where an installation's embedded servers keep what is theirs, and as whom they run.

PostgreSQL refuses to run as root, so under root it runs as another user, who must be able to reach its programs
and data even when the checkout or the home lies in a private folder.
"""

import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypedDict

_SYSTEM_HOME = Path("/var/lib/flakeguard")
_SERVER_USERS = ("flakeguard", "postgres", "nobody")


def default_home() -> Path:
    """`/var/lib/flakeguard` for root, else `flakeguard` in the user's data folder (XDG)."""
    if os.geteuid() == 0:
        return _SYSTEM_HOME
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "flakeguard"


@dataclass(frozen=True)
class ServerUser:
    """Whom the servers run as when this process is root."""

    name: str
    uid: int
    gid: int


def server_user() -> ServerUser | None:
    """Nobody in particular (`None`) unless root, then the first of flakeguard, postgres, nobody that exists."""
    if os.geteuid() != 0:
        return None
    for name in _SERVER_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(name, entry.pw_uid, entry.pw_gid)
    raise OSError("running as root needs a user named flakeguard, postgres or nobody to run the embedded servers as")


class Identity(TypedDict, total=False):
    """The subprocess arguments that make a child run as somebody else."""

    user: int
    group: int
    extra_groups: list[int]


@dataclass(frozen=True)
class Home:
    """FLAKEGUARD_HOME, made on first use."""

    path: Path

    @cached_property
    def user(self) -> ServerUser | None:
        """Whom the servers run as; `None` is this process's own user."""
        return server_user()

    @cached_property
    def servers(self) -> Path:
        """The servers' folder: in the home, or, where their user cannot reach it, in /var/lib with a link to it."""
        self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
        inside = self.path / "servers"
        if inside.exists() and self._reachable(inside):
            return inside.resolve()
        if self._reachable(self.path):
            inside.mkdir(mode=0o711, exist_ok=True)  # another process may be as quick
            return inside
        outside = _SYSTEM_HOME / f"for-{hashlib.sha256(os.fsencode(self.path.resolve())).hexdigest()[:12]}"
        outside.mkdir(mode=0o711, parents=True, exist_ok=True)
        if not inside.is_symlink():
            inside.symlink_to(outside)
        return outside

    def secret(self) -> str:
        """The installation's own secret, made once: signs and derives what must not be guessed."""
        file = self.path / "secret"
        self.path.mkdir(mode=0o711, parents=True, exist_ok=True)
        try:
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return file.read_text().strip()
        with os.fdopen(descriptor, "w") as stream:
            stream.write(secrets.token_urlsafe(48))
        return file.read_text().strip()

    def run(self, *command: str | Path, cwd: Path, keeps: Sequence[int] = ()) -> "subprocess.CompletedProcess[str]":
        """Run a server's program as the servers' user; output is captured. It inherits the descriptors `keeps`."""
        return subprocess.run(  # noqa: S603 -- our own programs
            command, cwd=cwd, capture_output=True, text=True, check=False, pass_fds=keeps, **self.identity()
        )

    def identity(self) -> Identity:
        """The subprocess arguments that make a child run as the servers' user."""
        user = self.user
        return {} if user is None else {"user": user.uid, "group": user.gid, "extra_groups": []}

    def own(self, folder: Path) -> Path:
        """Make `folder` private to the servers' user."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.user is not None:
            os.chown(folder, self.user.uid, self.user.gid)
        return folder

    def remove_if_idle(self) -> bool:
        """Delete everything, after tests and benchmarks; not while any process uses the servers."""
        lock = self.servers / "in-use.lock"
        if lock.exists():
            with lock.open() as in_use:
                try:
                    fcntl.flock(in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return False
        shutil.rmtree(self.servers, ignore_errors=True)
        shutil.rmtree(self.path, ignore_errors=True)
        return True

    def _reachable(self, folder: Path) -> bool:
        if self.user is None:
            return True
        return self.run("/usr/bin/test", "-x", folder, cwd=Path("/")).returncode == 0
