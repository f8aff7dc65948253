"""`flakeguard upload` in a process of its own, against the real application and a real worker."""

import asyncio
import json
import os
import socket
import sys

import pytest
import uvicorn

from .reports_on_disk import FAIL, PASS, write_run

SHA = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
async def address(app):
    """The application on a real port, in this event loop."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await serving


@pytest.fixture
def upload(address, tenant, tmp_path):
    async def _upload(*arguments, key=tenant.token):
        environment = os.environ | {"FLAKEGUARD_URL": address, "FLAKEGUARD_API_KEY": key}
        command = ["upload", *arguments, "--project", tenant.project.slug, "--sha", SHA, "--branch", "main"]
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "flakeguard",
            *command,
            cwd=tmp_path,
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        stdout, stderr = await process.communicate()
        assert key not in (stdout + stderr).decode()
        return process.returncode, stdout.decode(), stderr.decode()

    return _upload


async def test_reports_become_verdicts_and_a_second_upload_changes_nothing(upload, worker, tmp_path):
    for number in range(25):
        tests = {f"t{number}": f"{FAIL} {PASS}" if number == 7 else PASS}
        write_run(tmp_path / "reports" / str(number), tests)
    code, stdout, stderr = await upload("reports/**/*.xml", "--wait", "30", "--json")
    assert code == 0, stderr
    first = json.loads(stdout)
    assert [item["state"] for item in first["ingestions"]] == ["analyzed", "analyzed"]
    assert sum(item["stored"]["test_results"] for item in first["ingestions"]) == 26
    assert len({item["run_id"] for item in first["ingestions"]}) == 1  # batches of one run
    code, stdout, stderr = await upload("reports/**/*.xml", "--wait", "30", "--json")
    assert code == 0, stderr
    again = json.loads(stdout)
    assert [item["ingestion_id"] for item in again["ingestions"]] == [
        item["ingestion_id"] for item in first["ingestions"]
    ]


async def test_a_wrong_key_is_refused_with_advice(upload, tmp_path):
    write_run(tmp_path / "reports", {"t": PASS})
    code, _, stderr = await upload("reports", key="fg_" + "x" * 40)
    assert code == 4
    assert "invalid_api_key" in stderr
    assert "settings page" in stderr
