"""`flakeguard up` as a user starts it, in a folder of its own, to be hurt."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from fluxbase.embedded import Home
from fluxbase.embedded.ports import free_port

READY_SECONDS = 90


@dataclass
class Up:
    """A running installation."""

    home: Path
    port: int
    log: Path
    process: "subprocess.Popen[bytes]"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def child(self, *words: str) -> psutil.Process | None:
        """The role whose command line has these words."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            try:
                if all(word in child.cmdline() for word in words):
                    return child
            except psutil.Error:
                continue
        return None

    def kill(self, *words: str) -> bool:
        """kill -9 that role, if it runs now."""
        child = self.child(*words)
        if child is None:
            return False
        child.send_signal(signal.SIGKILL)
        return True


@contextmanager
def running(home: Path, port: int | None = None, *, moved_aside: bool = False) -> Iterator[Up]:
    """Start, wait until it answers, and stop with Ctrl-C. `moved_aside`: the port is busy, take the one it names."""
    port = port or free_port()
    log = home / "up.log"
    home.mkdir(parents=True, exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("FG_", "DATABASE", "REDIS"))}
    environment |= {"FLAKEGUARD_HOME": str(home), "FG_RATE_LIMIT_RPM": "100000", "FG_SIGNIN_PER_MINUTE": "100"}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "flakeguard", "up", "--port", str(port)],
            env=environment, stdout=output, stderr=output, start_new_session=True, cwd=home,
        )  # fmt: skip
    up = Up(home, port, log, process)
    try:
        if moved_aside:
            until(lambda: "is busy: using" in log.read_text(), READY_SECONDS, log.read_text)
            up.port = int(re.findall(r"is busy: using (\d+)", log.read_text())[-1])
        until(lambda: answers(up), READY_SECONDS, log.read_text)
        yield up
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(60)


def answers(up: Up) -> bool:
    if up.process.poll() is not None:
        raise AssertionError(f"it ended:\n{up.log.read_text()}")
    try:
        return httpx.get(f"{up.url}/health", timeout=2, trust_env=False).is_success
    except httpx.HTTPError:
        return False


def until(true: Callable[[], bool], seconds: float, told: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"not within {seconds} s\n{told()[-4000:]}"
        time.sleep(0.1)


@contextmanager
def temporary_home() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="flakeguard-up-"))
    try:
        yield folder / "home"
    finally:
        Home(folder / "home").remove_if_idle()
        shutil.rmtree(folder, ignore_errors=True)
