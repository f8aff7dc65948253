"""The worker that is measured: `flakeguard worker` in processes of its own, and the memory that it has."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from flakeguard.loadtest.model import Load
from fluxbase.resources import Addresses

_STOP_SECONDS = 40
_KIBIBYTE = 1024


@contextmanager
def worker(load: Load, addresses: Addresses, port: int, log: Path) -> Generator[int]:
    """A worker for the block; yields its process id. It writes its log to `log`."""
    environment = {
        **os.environ,
        "FG_DATABASE_DSN": addresses.runtime_dsn,
        "FG_DATABASE_OWNER_DSN": addresses.owner_dsn or "",
        "REDIS_URL": addresses.redis_url,
        "FG_JWT_SECRET": addresses.secret,
        "FG_ENV": "dev",
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
