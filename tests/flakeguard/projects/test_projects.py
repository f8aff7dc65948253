"""Projects, and that a deleted one leaves nothing behind."""

import pytest

from flakeguard.projects import api_keys, deletion
from flakeguard.projects.errors import InvalidApiKeyError

from .serving import data, refusal


async def test_a_project_has_a_slug_of_its_own_in_its_organisation(tenant):
    acme, other = await tenant("acme"), await tenant("other")
    made = data(await acme.admin.post("/orgs/acme/projects", {"name": "Web Front-End", "default_branch": "trunk"}), 201)
    assert (made["slug"], made["default_branch"], made["organization_slug"]) == ("web-front-end", "trunk", "acme")
    assert data(await acme.viewer.get(f"/projects/{made['id']}")) == made | {"role": "VIEWER"}
    assert [found["slug"] for found in data(await acme.viewer.get("/orgs/acme/projects"))] == ["shop", "web-front-end"]
    again = await acme.admin.post("/orgs/acme/projects", {"name": "x", "slug": "web-front-end"})
    assert refusal(again) == (409, "slug_taken")
    elsewhere = await other.owner.post("/orgs/other/projects", {"name": "x", "slug": "web-front-end"})
    assert elsewhere.status_code == 201
    for slug in ("ab", "Abc", "abc-", "a b c", "a" * 65):
        refused = await acme.admin.post("/orgs/acme/projects", {"name": "x", "slug": slug})
        assert refusal(refused) == (400, "invalid_slug"), slug
    for branch in ("", "a b", "a..b", "/a", "a/", "a.lock", "a~1", "a:b", "x" * 251, "a\0b"):
        refused = await acme.admin.post("/orgs/acme/projects", {"name": "Branches", "default_branch": branch})
        assert refusal(refused) == (400, "invalid_branch"), branch
    for branch in ("main", "release/1.x", "feature/ä-#7"):
        answer = await acme.admin.ask("PATCH", f"/projects/{made['id']}", json={"default_branch": branch})
        assert data(answer)["default_branch"] == branch


async def test_changing_a_project(tenant):
    acme = await tenant("acme")
    await acme.owner.post("/orgs/acme/projects", {"name": "Taken"})
    path = f"/projects/{acme.project.id}"
    changed = data(await acme.admin.ask("PATCH", path, json={"name": "New", "slug": "new"}))
    assert (changed["name"], changed["slug"], changed["default_branch"]) == ("New", "new", "main")
    assert refusal(await acme.admin.ask("PATCH", path, json={"slug": "taken"})) == (409, "slug_taken")
    assert data(await acme.admin.get(path)) == changed


async def store_runs(owner, project_id: int, runs: int) -> None:
    """Runs of two attempts of one test."""
    await owner.execute(
        """
        WITH one AS (
            INSERT INTO test_cases (project_id, identity_hash, suite, class_name, name)
            VALUES ($1, 'h', 's', 'c', 'n') RETURNING id),
        several AS (
            INSERT INTO test_runs (project_id, key, sha, executed_at)
            SELECT $1, n::text::bytea, 's', now() FROM generate_series(1, $2) n RETURNING id)
        INSERT INTO flake_events
            (project_id, test_case_id, run_id, report_key, position, outcome, executed_at, created_at)
        SELECT $1, one.id, several.id, 1, position, 0, now(), now() FROM one, several, generate_series(1, 2) position
        """,
        project_id,
        runs,
    )


async def test_a_deleted_project_leaves_nothing_behind(tenant, owner, monkeypatch):
    monkeypatch.setattr(deletion, "RUNS_A_BATCH", 3)
    acme, other = await tenant("acme"), await tenant("other")
    key = data(await acme.owner.post(f"/projects/{acme.project.id}/api-keys", {"name": "CI"}), 201)
    await store_runs(owner, acme.project.id, 7)
    await store_runs(owner, other.project.id, 2)
    path = f"/projects/{acme.project.id}"
    assert refusal(await acme.admin.ask("DELETE", path)) == (400, "confirmation_required")
    assert data(await acme.admin.ask("DELETE", path, params={"confirm": "shop"}))["id"] == acme.project.id
    for table in ("flake_events", "test_runs", "test_cases"):
        left = await owner.fetch(f"SELECT DISTINCT project_id FROM {table}")
        assert [row["project_id"] for row in left] == [other.project.id], table
    assert refusal(await acme.admin.get(path)) == (404, "not_found")
    last = data(await acme.owner.get("/orgs/acme/audit"))["events"][0]
    assert (last["action"], last["metadata"]["slug"]) == ("project.deleted", "shop")

    with pytest.raises(InvalidApiKeyError):
        await api_keys.authenticate_key(acme.owner.app.state.resources.database, f"Bearer {key['token']}")
