"""Every statement, command and setting of docs/fluxbase/runbook.md, done as it stands there."""

import asyncio
import gzip
import json
import os
import re
import subprocess
import time
from pathlib import Path

import asyncpg
import httpx
import pytest
import yaml

from fluxbase.settings import Settings
from fluxbase.settings.yaml_file import CONFIG_VARIABLE

PAGE = (Path(__file__).parents[3] / "docs" / "fluxbase" / "runbook.md").read_text(encoding="utf-8")
PASSWORD = "correct horse battery"
JQ = """#!/usr/bin/env python3
import functools, json, sys
path = sys.argv[1].strip(".").split(".")
print(json.dumps(functools.reduce(lambda value, name: value[name], path, json.load(sys.stdin))))
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def statements() -> list[str]:
    return [piece.strip() for block in blocks("sql") for piece in block.split(";") if piece.strip()]


def statement(beginning: str) -> str:
    (found,) = {one for one in statements() if one.startswith(beginning)}
    return found


def commands() -> list[str]:
    joined = (block.replace("\\\n", " ") for block in blocks("sh"))
    return [line for block in joined for line in block.splitlines() if not line.startswith("ADMIN_TOKEN=")]


@pytest.fixture
async def client(running):
    async with httpx.AsyncClient(base_url=running.url, trust_env=False) as opened:
        yield opened


@pytest.fixture
async def eve(client) -> dict:
    """A person who signed up, with their tokens."""
    answer = await client.post("/api/v1/auth/signup", json={"email": "eve@example.com", "password": PASSWORD})
    assert answer.status_code == 201, answer.text
    client.cookies.clear()
    return answer.json() | {"headers": {"Authorization": f"Bearer {answer.json()['access_token']}"}}


async def test_every_statement(owner: asyncpg.Connection):
    """On a database with a table, a person, a bucket and a job, one after the other, none of them in a transaction."""
    await owner.execute("CREATE TABLE your_table (id int PRIMARY KEY)")
    user = await owner.fetchval("INSERT INTO auth.users (email) VALUES ('a@example.com') RETURNING id")
    database = await owner.fetchval("SELECT current_database()")
    assert len(statements()) > 30
    for one in statements():
        sql = one.replace("'fluxbase'", f"'{database}'").replace("DATABASE fluxbase", f"DATABASE {database}")
        sql = re.sub(r"'(affected-user|job)-uuid'", f"'{user}'", sql)
        try:
            await owner.execute(sql)
        except asyncpg.PostgresError as error:
            pytest.fail(f"{type(error).__name__}: {error}\n{sql}")


async def test_the_statements_of_the_first_runbook_that_postgresql_refuses_are_still_refused(owner):
    """When they are not any more, our page should give them back as they were."""
    for sql in (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE duration > interval '5 minutes'",
        "SELECT schemaname, tablename, indexname, idx_scan FROM pg_stat_user_indexes WHERE idx_scan = 0",
    ):
        with pytest.raises(asyncpg.UndefinedColumnError):
            await owner.fetch(sql)


async def test_an_account_in_wrong_hands(client, eve, owner):
    def told(beginning: str) -> str:
        return statement(beginning).replace("affected-user-uuid", eve["user"]["id"])

    async def signs_in(password: str) -> int:
        body = {"email": "eve@example.com", "password": password}
        answer = await client.post("/api/v1/auth/signin", json=body)
        client.cookies.clear()
        return answer.status_code

    assert (await client.get("/api/v1/auth/user", headers=eve["headers"])).status_code == 200
    await owner.execute(told("DELETE FROM auth.sessions"))
    assert (await client.get("/api/v1/auth/user", headers=eve["headers"])).status_code == 401
    await owner.execute(told("UPDATE auth.users"))
    assert [await signs_in(PASSWORD), await signs_in("temporary-password")] == [401, 200]
    actions = [row["action"] for row in await owner.fetch(told("SELECT * FROM auth.audit_log_entries"))]
    assert actions[-1] == "user.signup"
    assert {"auth.login", "auth.login_failed"} <= set(actions)


def _shell(line: str, folder: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    command = ["/bin/bash", "-o", "pipefail", "-c", line]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False)


async def test_every_command(running, client, tmp_path, owner):
    """As a person types them, in a shell; what they print is what the page says."""

    async def made(name: str) -> dict:
        body = {"name": name, "scopes": ["monitoring:read"]}
        return (await client.post("/api/v1/admin/service-keys", headers=running.operator, json=body)).json()

    stolen, other = await made("stolen"), await made("other")
    used = await client.get("/api/v1/monitoring/health", headers={"X-Service-Key": stolen["key"]})
    assert used.status_code in (200, 503)
    await client.post("/api/v1/storage/buckets", headers=running.operator, json={"id": "reports"})
    stored = await client.post("/api/v1/storage/reports/a.txt", headers=running.operator, files={"file": b"a" * 9})
    assert stored.status_code == 201, stored.text
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "jq").write_text(JQ)
    (tools / "jq").chmod(0o755)
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", "ADMIN_TOKEN": running.token}
    printed: dict[str, str] = {}
    for command in commands():
        line = command.replace("http://localhost:8080", running.url).replace("/var/log/fluxbase", str(running.logs))
        line = line.replace("/var/fluxbase/storage", str(running.logs.parent / "storage"))
        line = line.replace("{key-id}", stolen["id"]).replace("{other-id}", other["id"])
        line = line.replace("seconds=30", "seconds=0.5").replace("heap >", "heap?seconds=0.5 >")
        done = await asyncio.to_thread(_shell, line, tmp_path, environment)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        printed[command] = done.stdout

    def answer(part: str) -> str:
        (found,) = [text for command, text in printed.items() if part in command]
        return found

    assert "-m fluxbase serve" in answer("ps aux")
    assert "fluxbase serve" in answer("top -b")
    assert "/storage/reports" in answer("du -sh")
    assert "fluxbase_db_requests_total{" in answer("(http|db)_requests_total")
    assert "fluxbase_db_query_duration_seconds_bucket" in answer("duration.*bucket")
    assert "fluxbase_realtime_connections" in answer("fluxbase_realtime'")
    assert "slow_clients" in json.loads(answer("'.realtime'"))
    assert json.loads(answer("'.jobs.workers'"))[0]["status"] == "active"
    assert json.loads(answer("/revoke"))["revoked_at"]
    assert json.loads(answer("/rotate"))["replaces"]["id"] == other["id"]
    assert {key["id"] for key in json.loads(answer("-s http://localhost:8080/api/v1/admin/service-keys -H"))} >= {
        stolen["id"], other["id"],
    }  # fmt: skip
    for name in ("cpu.prof", "heap.prof"):
        assert gzip.decompress((tmp_path / name).read_bytes())
    found = answer('grep "X-Service-Key"')
    assert stolen["key_prefix"] in found
    assert stolen["key"] not in found
    assert (await client.get("/health", headers={"X-Service-Key": stolen["key"]})).status_code == 200
    again = await client.get("/api/v1/admin/service-keys", headers={"X-Service-Key": stolen["key"]})
    assert (again.status_code, again.json()["error"]) == (401, "service_key_revoked")


async def test_connections_that_an_operator_kills_are_replaced(client, eve, owner):
    database = await owner.fetchval("SELECT current_database()")
    for _ in range(3):
        killed = await owner.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid != pg_backend_pid()",
            database,
        )
        assert killed
        answers = [await client.get("/api/v1/auth/user", headers=eve["headers"]) for _ in range(5)]
        assert {answer.status_code for answer in answers} <= {200, 503}
        assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 503)
        assert answers[-1].status_code == 200


def _holds(file: Path, text: str) -> bool:
    """Whether the file holds the text soon: a line is written when the answer is on its way already."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if file.exists() and text in file.read_text():
            return True
        time.sleep(0.01)
    return False


async def test_logs_go_on_after_a_rotation(running, client):
    access = running.logs / "access.log"
    await client.get("/api/v1/before", headers={"X-Service-Key": "fb_aaaaaaaaaa_" + "b" * 40})
    assert await asyncio.to_thread(_holds, access, "/api/v1/before")
    access.rename(running.logs / "access.log.1")
    await client.get("/api/v1/after")
    assert await asyncio.to_thread(_holds, access, "/api/v1/after")
    assert "/api/v1/after" not in (running.logs / "access.log.1").read_text()
    assert "Application startup complete" in (running.logs / "fluxbase.log").read_text()


@pytest.mark.parametrize("block", blocks("yaml"))
def test_every_setting(block, tmp_path, monkeypatch):
    """A name that is none would be an error; what is set is what is read."""
    for name in [name for name in os.environ if name.startswith(("FG_", "FLUXBASE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv(CONFIG_VARIABLE, str(tmp_path / "fluxbase.yaml"))
    (tmp_path / "fluxbase.yaml").write_text(block)
    changed = Settings(_env_file=None)
    (tmp_path / "fluxbase.yaml").write_text("")
    default = Settings(_env_file=None)

    def leaves(section: dict) -> int:
        return sum(leaves(value) if isinstance(value, dict) else 1 for value in section.values())

    differing = [name for name, value in changed.model_dump().items() if value != getattr(default, name)]
    same = {"storage_provider"} if "provider: local" in block else set()  # the default, said aloud
    assert len(differing) + len(same) == leaves(yaml.safe_load(block))
