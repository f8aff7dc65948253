"""Our programs as a user starts them, in a folder of their own, to be hurt; `flakeguard up` among them."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
import psutil

from fluxbase.embedded import Home
from fluxbase.embedded.ports import free_port

READY_SECONDS = 90


@dataclass
class Program:
    """One of our programs, started as a user starts it, with children perhaps."""

    log: Path
    process: "subprocess.Popen[bytes]"

    def children(self, *words: str) -> list[psutil.Process]:
        """Those whose command lines have these words."""
        found = []
        for child in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.Error):  # it may end while it is looked at
                if all(word in child.cmdline() for word in words):
                    found.append(child)
        return found

    def child(self, *words: str) -> psutil.Process | None:
        """The role whose command line has these words."""
        return next(iter(self.children(*words)), None)

    def kill(self, *words: str) -> bool:
        """kill -9 that role, if it runs now."""
        child = self.child(*words)
        if child is None:
            return False
        child.send_signal(signal.SIGKILL)
        return True


def listening_children(pid: int, port: int) -> list[psutil.Process]:
    """The children of `pid` that accept connections on `port`."""
    found = []
    for child in psutil.Process(pid).children():
        with suppress(psutil.Error):  # it may end while it is looked at
            sockets = child.net_connections("tcp")
            if any(one.laddr.port == port and one.status == psutil.CONN_LISTEN for one in sockets):
                found.append(child)
    return found


@dataclass
class Up(Program):
    """A running installation."""

    home: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


_OURS = ("FG_", "FLUXBASE_", "DATABASE", "REDIS", "GITHUB_")


def start(command: list[str], settings: Mapping[str, str], folder: Path, log: Path) -> "subprocess.Popen[bytes]":
    """Run a module of ours in `folder`, with `settings` and none of the machine's; output goes to the end of `log`."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        env=environment | dict(settings), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        cwd=folder,
    )  # fmt: skip
    # By way of us: a limit on the size of files, which is one of the things that hurt, must not be one on logs.
    threading.Thread(target=_keep, args=(process.stdout, log), daemon=True).start()
    return process


def _keep(output: IO[bytes], log: Path) -> None:
    with output, log.open("ab", buffering=0) as file:
        for line in output:
            file.write(line)


def stop(process: "subprocess.Popen[bytes]") -> None:
    """As Ctrl-C does."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    process.wait(60)


@contextmanager
def running(
    home: Path, port: int | None = None, *, moved_aside: bool = False, settings: Mapping[str, str] | None = None
) -> Iterator[Up]:
    """Start, wait until it answers, and stop with Ctrl-C. `moved_aside`: the port is busy, take the one it names."""
    port = port or free_port()
    log = home / "up.log"
    home.mkdir(parents=True, exist_ok=True)
    ours = {"FLAKEGUARD_HOME": str(home), "FG_RATE_LIMIT_RPM": "100000", "FG_SIGNIN_PER_MINUTE": "100"}
    ours |= settings or {}
    up = Up(log, start(["flakeguard", "up", "--port", str(port)], ours, home, log), home, port)
    try:
        if moved_aside:
            until(lambda: "is busy: using" in log.read_text(), READY_SECONDS, log.read_text)
            up.port = int(re.findall(r"is busy: using (\d+)", log.read_text())[-1])
        until(lambda: answers(up, up.url), READY_SECONDS, log.read_text)
        yield up
    finally:
        stop(up.process)


def answers(program: Program, url: str) -> bool:
    if program.process.poll() is not None:
        raise AssertionError(f"it ended:\n{program.log.read_text()}")
    try:
        return httpx.get(f"{url}/health", timeout=2, trust_env=False).is_success
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
