"""Where this machine's FlakeGuard listens: `flakeguard up` writes it into FLAKEGUARD_HOME, other commands read it.

Who announces holds a lock on the file, which ends with its life: what a kill -9 left behind is nobody's address.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where uploads come from and servers do not run
    fcntl = None

_FILE = "address"


@contextmanager
def announced(home: Path, address: str) -> Generator[None]:
    """Let other commands of this machine find the address that people open, while the block runs; the last counts."""
    file, mine = home / _FILE, home / f"{_FILE}.{os.getpid()}"
    with mine.open("w", encoding="utf-8") as stream:
        if fcntl is not None:
            fcntl.flock(stream, fcntl.LOCK_EX)
        stream.write(address)
        stream.flush()
        mine.replace(file)  # it is locked before anybody sees it
        try:
            yield
        finally:
            if _is_same(file, stream.fileno()):
                file.unlink(missing_ok=True)


def announced_address(home: Path) -> str | None:
    """Return the address that somebody announces now; None when nobody does, whatever was left behind."""
    try:
        with (home / _FILE).open(encoding="utf-8") as stream:
            address = stream.read().strip() if _is_held(stream.fileno()) else ""
    except (OSError, ValueError):
        return None
    return address.replace("//0.0.0.0:", "//127.0.0.1:") or None  # who listens everywhere is asked here


def _is_same(file: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _is_held(descriptor: int) -> bool:
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
