"""What `make setup` stands on: the pinned uv, and a clear word when there is no Python. Installs nothing."""

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]


def _pins(name: str) -> dict[str, list[str]]:
    """The packages that a lock file pins, with their hashes."""
    blocks = re.findall(r"^([a-z0-9._-]+==[^ ]+)((?:[^\n]*\\\n)+[^\n]*)", (ROOT / name).read_text(), re.MULTILINE)
    return {package: re.findall(r"sha256:\w+", block) for package, block in blocks}


def test_the_installer_is_locked_alone_and_as_in_the_whole_lock() -> None:
    """With `--require-hashes` pip refuses a file that holds a package without all that it needs."""
    (package,) = pins = _pins("requirements-uv.lock")
    assert package.startswith("uv==")
    assert pins[package] == _pins("requirements.lock")[package]


def _setup(tmp_path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of the script where only the tools it needs are on PATH."""
    checkout, tools = tmp_path / "checkout", tmp_path / "bin"
    (checkout / "scripts").mkdir(parents=True)
    tools.mkdir()
    shutil.copy(ROOT / "scripts" / "setup.sh", checkout / "scripts")
    for tool in ("sh", "cat", "cksum", "dirname"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    return subprocess.run(
        ["sh", "scripts/setup.sh"],
        cwd=checkout,
        env={"PATH": str(tools), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_without_any_python_setup_says_what_is_missing(tmp_path: Path) -> None:
    done = _setup(tmp_path, HOME=str(tmp_path))
    assert done.returncode != 0
    assert "needs Python 3.12 or newer" in done.stderr
    assert "pyenv install" in done.stderr
    assert "uv python install" in done.stderr
    assert not (tmp_path / "checkout" / ".venv").exists()


def test_without_a_home_setup_says_the_same(tmp_path: Path) -> None:
    assert "needs Python 3.12 or newer" in _setup(tmp_path, PYENV_ROOT="").stderr


def test_a_named_python_that_does_not_suit_is_refused(tmp_path: Path) -> None:
    done = _setup(tmp_path, HOME=str(tmp_path), PYTHON="/bin/false")
    assert done.returncode != 0
    assert "PYTHON=/bin/false" in done.stderr
