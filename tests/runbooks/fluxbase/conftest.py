"""A running `fluxbase serve`, in a process of its own, on the test's own database."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from fluxbase.auth.access_tokens import issue_for_role
from fluxbase.resources import Addresses

YAML = """
server:
  port: {port}
  rate_limit: {{requests_per_second: 10000, burst: 10000}}
log:
  folder: {logs}
debug:
  pprof: true
storage:
  local_path: {storage}
"""


@dataclass(frozen=True)
class Running:
    """Where it listens, where it logs, and the operator's token."""

    url: str
    logs: Path
    token: str

    @property
    def operator(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}


@pytest.fixture
def running(addresses: Addresses, tmp_path: Path) -> Iterator[Running]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    logs = tmp_path / "logs"
    (tmp_path / "fluxbase.yaml").write_text(YAML.format(port=port, logs=logs, storage=tmp_path / "storage"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("FG_", "FLUXBASE_"))}
    environment |= {
        "FLUXBASE_DATABASE_URL": addresses.owner_dsn,
        "FLUXBASE_REDIS_URL": addresses.redis_url,
        "FLUXBASE_AUTH_JWT_SECRET": addresses.secret,
        "FLAKEGUARD_HOME": str(tmp_path),
    }
    process = subprocess.Popen([sys.executable, "-m", "fluxbase", "serve"], cwd=tmp_path, env=environment)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process)
        token = issue_for_role(addresses.secret, "service_role", now=datetime.now(UTC), lifetime=timedelta(hours=1))
        yield Running(url, logs, token)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, "told to stop, it ends by itself and well"


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/health", trust_env=False).json()["status"] == "healthy":
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    pytest.fail("fluxbase serve does not answer")
