import os
import socket
from functools import partial

import pytest
from typer.testing import CliRunner

from flakeguard.cli import app
from flakeguard.uploading.client import RetryPolicy

from .fake_server import serve

PASSING = '<testsuite name="s"><testcase classname="c" name="t" time="0.1"/></testsuite>'
SECRET = "fg_live_0123456789abcdefSECRET"
SHA = "0123456789abcdef0123456789abcdef01234567"
UPLOADED_RUN = ["--project", "shop", "--sha", SHA, "--branch", "main", "--job", "test"]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    """No CI, no key, no address, and an empty folder to work in."""
    for name in list(os.environ):
        if name.startswith(("GITHUB_", "RUNNER_", "CI_", "GITLAB_", "CIRCLE", "BUILDKITE", "FLAKEGUARD_", "FG_")):
            monkeypatch.delenv(name)
    for name in ("CI", "TF_BUILD", "JENKINS_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server():
    yield from serve()


@pytest.fixture
def waits(monkeypatch):
    """Retries without waiting; gives the seconds that would have been waited."""
    seconds: list[float] = []
    monkeypatch.setattr("flakeguard.cli.upload.RetryPolicy", partial(RetryPolicy, sleep=seconds.append))
    return seconds


@pytest.fixture
def write(tmp_path):
    def _write(name, content=PASSING):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    return _write


@pytest.fixture
def run():
    """Run the command line in this process."""
    return partial(CliRunner().invoke, app)


@pytest.fixture
def upload(run, server, waits, monkeypatch):
    """Run `flakeguard upload` on the fake server with a key, and check that the key is never shown."""
    monkeypatch.setenv("FLAKEGUARD_URL", server.url)
    monkeypatch.setenv("FLAKEGUARD_API_KEY", SECRET)

    def _upload(*arguments, run_options=UPLOADED_RUN, env=None):
        for name, value in (env or {}).items():
            monkeypatch.setenv(name, value)
        result = run(["upload", *arguments, *run_options])
        assert SECRET not in result.output
        assert not result.exception or isinstance(result.exception, SystemExit), result.exception
        return result

    return _upload


@pytest.fixture
def unused_port():
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
