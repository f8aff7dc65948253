"""Packages of npm that tests read as data: what GitHub publishes about itself."""

import functools
import subprocess
from pathlib import Path

_SCRIPT = Path(__file__).parents[2] / "scripts" / "npm-package.sh"


class NoPackageError(Exception):
    """There is no npm, or it did not give the package; its text is the reason of a skipped test."""


@functools.cache
def package(name: str, version: str) -> Path:
    """The folder of its files. Fetched once, and kept.

    Raises:
        NoPackageError: It is not kept, and npm does not give it.
    """
    made = subprocess.run([_SCRIPT, name, version], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise NoPackageError(f"npm did not give {name} {version}: {made.stderr.strip()[-200:]}")
    return Path(made.stdout.strip())
