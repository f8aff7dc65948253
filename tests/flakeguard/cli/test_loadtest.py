"""`flakeguard loadtest`: a few jobs through a real worker on servers of its own."""

import asyncio
import json
from contextlib import nullcontext

import httpx
import pytest

from flakeguard.loadtest.github import standing_in


async def test_the_stand_in_takes_only_its_tokens_and_none_for_artifacts():
    async with (
        standing_in(cases=50, repositories=1) as github,
        httpx.AsyncClient(base_url=github.address, trust_env=False) as client,
    ):
        run = "/repos/load/repository-1/actions/runs/7"
        assert (await client.get(run)).status_code == 401
        made = await client.post("/app/installations/1/access_tokens", headers={"Authorization": "Bearer a.j.wt"})
        signed = {"Authorization": f"Bearer {made.json()['token']}"}
        assert (await client.get(run, headers=signed)).json()["id"] == 7
        moved = await client.get("/repos/load/repository-1/actions/artifacts/7/zip", headers=signed)
        assert moved.status_code == 302
        assert (await client.get(moved.headers["location"])).content.startswith(b"PK")
        assert (await client.get(moved.headers["location"], headers=signed)).status_code == 401
        assert (await client.get("/repos/load/repository-1/unknown", headers=signed)).status_code == 404


async def test_full_jobs_go_from_github_to_the_check_run(run, addresses, tmp_path, monkeypatch):
    """On the tests' servers: starting others takes longer than all the rest."""
    monkeypatch.setattr("flakeguard.cli.loadtest.own_servers", lambda: nullcontext((addresses, tmp_path)))
    command = ["loadtest", "--jobs=6", "--cases=60", "--repositories=2", "--json"]
    done = await asyncio.to_thread(run, command)
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert {name: told[name] for name in ("jobs", "succeeded", "failed", "success_percent")} == {
        "jobs": 6, "succeeded": 6, "failed": 0, "success_percent": 100.0,
    }  # fmt: skip
    assert told["stored"] >= 6 * 60  # failures are repeated
    assert sum(told["verdicts"].values()) == 2 * 60
    assert 0 < told["latency_seconds"]["p50"] <= told["latency_seconds"]["max"] <= told["seconds"] + 0.001
    assert told["analyzed_seconds"] <= told["seconds"]
    assert told["memory_bytes"] > 0
    assert min(told["cpu_ms_per_job"].values()) >= 0


def test_it_wants_to_be_told_twice_on_a_machine_in_production(run, monkeypatch):
    production = {
        "FG_ENV": "production", "FG_JWT_SECRET": "a secret that is long enough for production",
        "FG_DATABASE_DSN": "postgresql://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1",
        "FG_PUBLIC_URL": "https://flakeguard.example.com",
    }  # fmt: skip
    for name, value in production.items():
        monkeypatch.setenv(name, value)
    refused = run(["loadtest", "--jobs=1"])
    assert refused.exit_code != 0
    assert "--yes" in refused.output


@pytest.mark.parametrize("arguments", [["--scenario=nightmare"], ["--jobs=0"]])
def test_what_cannot_be_run_is_refused(run, arguments):
    assert run(["loadtest", *arguments]).exit_code == 2
