"""Every role × every action over HTTP; two tenants at each other's doors; and the database alone, without our code."""

import uuid

import asyncpg
import pytest

from flakeguard.projects.access import ALLOWED, Action, may, may_manage
from flakeguard.projects.model import Role
from fluxbase.db import ANONYMOUS

from .serving import ROLES, data, refusal

pytestmark = pytest.mark.pg16

READERS = frozenset(ROLES)
CHANGERS = frozenset(("OWNER", "ADMIN"))
OWNERS = frozenset(("OWNER",))


def actions(tenant) -> list[tuple[str, str, dict | None, frozenset[str], int]]:
    """Method, path, body, who may, and the status for who may. Those who may break nothing for the next."""
    org, project = f"/orgs/{tenant.slug}", f"/projects/{tenant.project.id}"
    nobody = uuid.uuid4()
    return [
        ("GET", org, None, READERS, 200),
        ("GET", f"/orgs/{tenant.id}", None, READERS, 200),
        ("GET", f"{org}/members", None, READERS, 200),
        ("GET", f"{org}/projects", None, READERS, 200),
        ("GET", f"{org}/audit", None, READERS, 200),
        ("GET", project, None, READERS, 200),
        ("GET", f"{org}/invites", None, CHANGERS, 200),
        ("GET", f"{project}/api-keys", None, CHANGERS, 200),
        ("PATCH", org, {"name": "Acme Inc"}, CHANGERS, 200),
        ("POST", f"{org}/projects", {"name": "", "slug": "x"}, CHANGERS | READERS, 400),
        ("POST", f"{org}/projects", {"name": "Shop", "slug": "shop"}, CHANGERS, 409),
        ("PATCH", project, {"default_branch": "trunk"}, CHANGERS, 200),
        ("PUT", f"{org}/members/{tenant.viewer.user.id}", {"role": "VIEWER"}, CHANGERS, 200),
        ("PUT", f"{org}/members/{nobody}", {"role": "VIEWER"}, CHANGERS, 404),
        ("POST", f"{org}/invites", {"email": "new@example.com", "role": "MEMBER"}, CHANGERS, 201),
        ("POST", f"{org}/invites", {"email": "boss@example.com", "role": "ADMIN"}, OWNERS, 201),
        ("DELETE", f"{org}/invites/999", None, CHANGERS, 404),
        ("POST", f"{project}/api-keys", {"name": "CI"}, CHANGERS, 201),
        ("DELETE", f"{project}/api-keys/999", None, CHANGERS, 404),
        ("POST", f"{project}/api-keys/999/rotate", None, CHANGERS, 404),
        ("DELETE", f"{project}?confirm=wrong", None, CHANGERS, 400),
        ("DELETE", f"{org}?confirm=wrong", None, OWNERS, 400),
    ]


async def test_every_role_and_every_action(tenant):
    acme = await tenant("acme")
    for method, path, body, allowed, expected in actions(acme):
        for role, someone in acme.by_role().items():
            answer = await someone.ask(method, path, json=body)
            wanted = expected if role in allowed else 403
            assert answer.status_code == wanted, f"{role} {method} {path}: {answer.text}"
            if wanted == 403:
                assert refusal(answer) == (403, "permission_denied")


async def test_strangers_and_nobody_find_nothing(tenant, app):
    from .serving import client_for

    acme, evil = await tenant("acme"), await tenant("evil")
    for method, path, body, _, expected in actions(acme):
        if expected == 400 and "projects" in path and body:
            continue  # a name that no project can have is refused before anybody is asked
        for stranger in evil.by_role().values():
            answer = await stranger.ask(method, path, json=body)
            assert refusal(answer) == (404, "not_found"), f"{method} {path}: {answer.text}"
        async with client_for(app) as nobody:
            answer = await nobody.request(method, f"/api/v1{path}", json=body)
            assert refusal(answer) == (401, "not_authenticated"), f"{method} {path}"
    assert [found["slug"] for found in data(await evil.owner.get("/orgs"))] == ["evil"]
    assert [found["organization_slug"] for found in data(await evil.owner.get("/projects"))] == ["evil"]


async def test_things_of_one_tenant_are_not_reached_through_another(tenant):
    """Ids that exist, but elsewhere: the nested path must not be a way around the check."""
    acme, evil = await tenant("acme"), await tenant("evil")
    key = data(await acme.owner.post(f"/projects/{acme.project.id}/api-keys", {"name": "CI"}), 201)
    invite = data(await acme.owner.post("/orgs/acme/invites", {"email": "x@example.com"}), 201)
    for method, path in (
        ("DELETE", f"/projects/{evil.project.id}/api-keys/{key['id']}"),
        ("POST", f"/projects/{evil.project.id}/api-keys/{key['id']}/rotate"),
        ("DELETE", f"/orgs/evil/invites/{invite['id']}"),
        ("DELETE", f"/orgs/evil/members/{acme.viewer.user.id}"),
    ):
        assert refusal(await evil.owner.ask(method, path)) == (404, "not_found"), path
    assert data(await acme.owner.get(f"/projects/{acme.project.id}/api-keys"))[0]["revoked_at"] is None


TABLES = (
    "organizations", "memberships", "invites", "projects", "api_keys", "audit_events", "test_runs", "ingestions",
    "junit_files", "run_reports", "outbox", "test_cases", "failures", "flake_events", "flake_stats", "verdict_changes",
)  # fmt: skip


async def count(resources, claims, table: str) -> int | None:
    """How many rows these claims see; None when they may not even ask."""
    async with resources.database.transaction(claims) as connection:
        try:
            return await connection.fetchval(f"SELECT count(*) FROM {table}")
        except asyncpg.InsufficientPrivilegeError:
            return None


@pytest.fixture
async def evidence(tenant, owner):
    """A row of acme's in every table."""
    acme = await tenant("acme")
    await acme.owner.post(f"/projects/{acme.project.id}/api-keys", {"name": "CI"})
    await acme.owner.post("/orgs/acme/invites", {"email": "x@example.com"})
    await owner.execute(
        """
        DO $$
        DECLARE p bigint := (SELECT id FROM projects);
        DECLARE i uuid := gen_random_uuid();
        DECLARE r integer; c bigint;
        BEGIN
            INSERT INTO test_runs (project_id, key, sha, executed_at) VALUES (p, 'k', 's', now()) RETURNING id INTO r;
            INSERT INTO ingestions (id, project_id, idempotency_key, meta, junit_files) VALUES (i, p, 'k', '{}', 1);
            INSERT INTO junit_files (project_id, ingestion_id, filename, size_bytes, sha256, encoding)
                VALUES (p, i, 'f', 1, 's', 'gzip');
            INSERT INTO run_reports (run_id, digest, ingestion_id, report_key) VALUES (r, 'd', i, 1);
            INSERT INTO outbox (queue, name, job_id, data) VALUES ('q', 'n', 'j', '{}');
            INSERT INTO test_cases (project_id, identity_hash, suite, class_name, name)
                VALUES (p, 'h', 's', 'c', 'n') RETURNING id INTO c;
            INSERT INTO failures (project_id, digest, fingerprint) VALUES (p, 'd', 'f');
            INSERT INTO flake_events
                (project_id, test_case_id, run_id, report_key, position, outcome, executed_at, created_at)
                VALUES (p, c, r, 1, 1, 0, now(), now());
            INSERT INTO flake_stats (test_case_id, project_id, first_seen_at, last_seen_at) VALUES (c, p, now(), now());
            INSERT INTO verdict_changes (project_id, test_case_id, to_verdict, score) VALUES (p, c, 'flaky', 0.5);
        END $$
        """
    )
    for table in TABLES:
        assert await owner.fetchval(f"SELECT count(*) FROM {table}") > 0, table
    return acme


async def test_the_database_alone_keeps_tenants_apart(evidence, person, resources):
    """No code of ours between: the runtime's role, with one user's claims or another's."""
    stranger = await person("eve")
    closed = {"run_reports", "outbox"}
    managers_only = {"invites", "api_keys"}
    for table in TABLES:
        assert await count(resources, ANONYMOUS, table) is None, table
        assert not await count(resources, stranger.user.claims, table), table
        seen = {role: await count(resources, who.user.claims, table) for role, who in evidence.by_role().items()}
        if table in closed:
            assert set(seen.values()) == {None}, table
        else:
            assert seen["OWNER"] == seen["ADMIN"] > 0, table
            readers = {seen["MEMBER"], seen["VIEWER"]}
            assert readers == ({0} if table in managers_only else {seen["OWNER"]}), table


async def test_the_database_alone_lets_nobody_write(evidence, resources):
    """Not even an owner: writing goes through the services, which check, explain and leave an audit event."""
    for table in TABLES:
        for statement in (f"DELETE FROM {table}", f"INSERT INTO {table} DEFAULT VALUES"):
            for claims in (ANONYMOUS, evidence.owner.user.claims):
                async with resources.database.transaction(claims) as connection:
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await connection.execute(statement)
    async with resources.database.transaction(evidence.admin.user.claims) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("UPDATE memberships SET role = 'OWNER'")


async def test_the_audit_trail_is_never_rewritten(evidence, resources):
    """Not even by the services."""
    for statement in ("UPDATE audit_events SET action = 'nothing'", "DELETE FROM audit_events"):
        async with resources.database.transaction() as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)


@pytest.mark.parametrize("column", ["key_hash FROM api_keys", "token_hash FROM invites", "* FROM api_keys"])
async def test_hashes_are_for_nobody(evidence, resources, column):
    async with resources.database.transaction(evidence.owner.user.claims) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.fetch(f"SELECT {column}")


async def test_addresses_are_seen_by_fellow_members_only(evidence, person, resources):
    stranger = await person("eve")
    for claims, expected in ((stranger.user.claims, 0), (evidence.viewer.user.claims, 4)):
        async with resources.database.transaction(claims) as connection:
            assert await connection.fetchval("SELECT count(*) FROM flakeguard.visible_people()") == expected


def test_the_table_of_roles():
    assert ALLOWED[Action.READ] == set(Role)
    assert [role for role in Role if may(role, Action.DECIDE)] == [Role.OWNER, Role.ADMIN, Role.MEMBER]
    assert [role for role in Role if may(role, Action.ADMINISTER)] == [Role.OWNER, Role.ADMIN]
    assert [role for role in Role if may(role, Action.OWN)] == [Role.OWNER]
    managed = {manager: [other for other in Role if may_manage(manager, other)] for manager in Role}
    assert managed == {
        Role.OWNER: list(Role),
        Role.ADMIN: [Role.MEMBER, Role.VIEWER],
        Role.MEMBER: [],
        Role.VIEWER: [],
    }
