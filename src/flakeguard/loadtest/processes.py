"""The worker that is measured: `flakeguard worker` in processes of its own, and the memory that it has."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from flakeguard.loadtest.answers import APP_ID
from flakeguard.loadtest.github import StandIn
from flakeguard.loadtest.model import Load
from fluxbase.resources import Addresses

_STOP_SECONDS = 40
_KIBIBYTE = 1024
# What others set is not what is measured
_CONFIGURES = ("FG_", "GITHUB_", "WORKER_", "HIGH_PRIORITY_", "POLLING_", "REDIS_", "ARTIFACT")
_TICKS = os.sysconf("SC_CLK_TCK")
_USER, _SYSTEM, _OF_CHILDREN = 11, 12, (13, 14)  # fields of /proc/PID/stat after the name


@contextmanager
def worker(load: Load, addresses: Addresses, github: StandIn, port: int, log: Path) -> Generator[int]:
    """A worker for the block; yields its process id. It writes its log to `log`."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(_CONFIGURES)},
        "FG_DATABASE_DSN": addresses.runtime_dsn,
        "FG_DATABASE_OWNER_DSN": addresses.owner_dsn or "",
        "REDIS_URL": addresses.redis_url,
        "FG_JWT_SECRET": addresses.secret,
        "FG_ENV": "dev",
        "GITHUB_API_URL": github.address,
        "GITHUB_APP_ID": str(APP_ID),
        "GITHUB_PRIVATE_KEY": github.private_key,
        "NO_PROXY": "127.0.0.1",
        "WORKER_SHUTDOWN_SECONDS": "2",  # who ends the load test midway ends its GitHub too: jobs wait in vain
    }
    environment.pop("NODE_ENV", None)
    told = {
        "--concurrency": load.concurrency,
        "--processes": load.processes,
        "--port": port,
        "--metrics-port": port + 1,
    }
    options = [f"{option}={value}" for option, value in told.items()]
    with log.open("w") as out:
        process = subprocess.Popen(  # noqa: S603 -- ourselves
            [sys.executable, "-m", "flakeguard", "worker", *options],
            env=environment, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
        try:
            yield process.pid
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def memory_of(pid: int) -> int:
    """Bytes that a process and its children have; pages they share are counted for each. 0 without /proc."""
    return sum(_resident(one) for one in _family(pid))


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in _family(int(child)))]


def _resident(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * _KIBIBYTE for line in lines if line.startswith("VmRSS:"))


def cpu_of(pid: int) -> float:
    """Seconds of processor time that a process, its children and those that have ended took. 0 without /proc."""
    return sum(_spent(one) for one in _family(pid))


def parent_of(pid: int) -> int:
    """The process that started it; 0 without /proc."""
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _spent(pid: int) -> float:
    fields = _stat(pid)
    return sum(int(fields[place]) for place in (_USER, _SYSTEM, *_OF_CHILDREN)) / _TICKS if fields else 0.0


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []
