"""kill -9 of any process at any point: every accepted upload is stored once and analysed."""

import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from .installation import Up, running, temporary_home, until

UPLOADS = 60
TESTS = 40


@contextmanager
def signed_up(up: Up) -> Iterator[tuple[httpx.Client, str, int]]:
    """An account with a project; a client signed in as it, the project's key and number."""
    with httpx.Client(base_url=up.url, timeout=30, trust_env=False) as client:
        answer = client.post(
            "/api/v1/auth/signup", json={"email": "ada@example.com", "password": "correct horse battery"}
        )
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        client.cookies.clear()
        organization = client.post("/api/v1/orgs", json={"name": "Chaos"}).json()["data"]
        project = client.post(
            f"/api/v1/orgs/{organization['slug']}/projects", json={"name": "Shop", "slug": "shop"}
        ).json()["data"]
        key = client.post(f"/api/v1/projects/{project['id']}/api-keys", json={"name": "CI"}).json()["data"]
        yield client, key["token"], project["id"]


def send(up: Up, token: str, number: int) -> str | None:
    """Upload until it is accepted, as a client with retries does; the ingestion's id."""
    cases = "".join(f"<testcase classname='C' name='t{case}'/>" for case in range(TESTS))
    xml = f"<testsuite name='s' timestamp='2026-01-01T00:00:{number % 60:02}Z'>{cases}</testsuite>"
    meta = json.dumps({"sha": f"{number:040x}", "branch": "main", "github_run_id": number})
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            answer = httpx.post(
                f"{up.url}/api/v1/ingest/junit", headers={"Authorization": f"Bearer {token}"},
                timeout=10, trust_env=False, files=[("meta", (None, meta)), ("junit", ("r.xml", xml))],
            )  # fmt: skip
        except httpx.HTTPError:
            time.sleep(0.2)
            continue
        if answer.status_code == 202:
            return answer.json()["data"]["ingestion_id"]
        assert answer.status_code >= 500, answer.text
        time.sleep(0.2)
    raise AssertionError(f"upload {number} was never accepted")


def test_killing_api_and_worker_loses_nothing() -> None:
    draw = random.Random(7)
    with temporary_home() as home, running(home) as up, signed_up(up) as (client, token, project):
        accepted = set()
        for number in range(UPLOADS):
            accepted.add(send(up, token, number))
            if number % 9 == 4:
                up.kill("worker")
            if number % 17 == 8:
                up.kill("serve", "api")
            time.sleep(draw.uniform(0, 0.15))

        def settled() -> bool:
            try:
                states = [
                    client.get(f"/api/v1/ingestions/{one}", timeout=5).json()["data"]["state"] for one in accepted
                ]
            except (httpx.HTTPError, KeyError):
                return False
            return set(states) == {"analyzed"}

        # A job that a killed worker held is taken over after the stall timeout of 30 s, or owed again after 60 s.
        until(settled, 180, up.log.read_text)
        stored = [client.get(f"/api/v1/ingestions/{one}").json()["data"]["stored"]["test_results"] for one in accepted]
        assert len(accepted) == UPLOADS
        assert stored == [TESTS] * UPLOADS
        assert client.get(f"/api/v1/projects/{project}/flakes").json()["data"]["total"] == 0


def test_killing_the_supervisor_leaves_servers_to_join_and_nothing_is_lost() -> None:
    with temporary_home() as home:
        with running(home) as up, signed_up(up) as (client, token, _project):
            session = client.headers["Authorization"]
            first = send(up, token, 1)
            api = up.child("serve", "api")
            up.process.kill()
            up.process.wait(10)
            assert api is not None
            api.wait(30)  # its roles notice and end
        with (
            running(home) as again,
            httpx.Client(base_url=again.url, headers={"Authorization": session}, trust_env=False) as client,
        ):
            until(lambda: client.get(f"/api/v1/ingestions/{first}").json()["data"]["state"] == "analyzed", 120)
