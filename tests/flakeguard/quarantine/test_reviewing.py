"""Decisions in a real database: made once, ended in time, seen by their own tenant alone."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner

from flakeguard.analysis.config import AnalysisConfig
from flakeguard.cli import app
from flakeguard.quarantine import deciding, repository, sweeping
from flakeguard.quarantine.decisions import State
from flakeguard.quarantine.policy import DEFAULT_POLICY, QuarantinePolicy
from flakeguard.quarantine.repository import Decider, Draft, Ending
from flakeguard.quarantine.reviewing import Reviewed
from flakeguard.quarantine.sweeping import review_what_is_open
from fluxbase.db import Claims
from fluxbase.resources import Addresses, Resources

from ..conftest import Tenant
from .conftest import reviewed


async def states(resources: Resources) -> list[tuple[int, str]]:
    async with resources.database.transaction() as connection:
        rows = await connection.fetch("SELECT test_case_id, state FROM quarantine_decisions ORDER BY id")
    return [tuple(row) for row in rows]


async def swept(resources: Resources, days: int) -> Reviewed:
    later = replace(resources, now=lambda: resources.now() + timedelta(days=days))
    return await review_what_is_open(later, DEFAULT_POLICY, AnalysisConfig())


async def test_a_flake_is_proposed_once_and_expires_by_itself(
    resources: Resources, tenant: Tenant, tests: Mapping[str, int]
) -> None:
    assert await reviewed(resources, tenant, tests) == Reviewed(proposed=1)
    assert await reviewed(resources, tenant, tests) == Reviewed()
    assert await swept(resources, 29) == Reviewed()
    assert await swept(resources, 31) == Reviewed(expired=1)
    assert await swept(resources, 31) == Reviewed()
    assert await states(resources) == [(tests["adds"], "EXPIRED")]
    assert await reviewed(resources, tenant, tests) == Reviewed(proposed=1)  # it flakes on, and is asked about again
    assert await states(resources) == [(tests["adds"], "EXPIRED"), (tests["adds"], "PROPOSED")]
    async with resources.database.transaction() as connection:
        told: list[Any] = await connection.fetch(
            "SELECT metadata FROM audit_events WHERE action = 'quarantine.reviewed' AND project_id = $1 ORDER BY id",
            tenant.project.id,
        )
    assert [(one["metadata"]["proposed"], one["metadata"]["expired"]) for one in told] == [(1, 0), (0, 1), (1, 0)]


async def test_two_reviews_at_once_propose_once(resources: Resources, tenant: Tenant, tests: Mapping[str, int]) -> None:
    both = await asyncio.gather(*(reviewed(resources, tenant, tests) for _ in range(2)))
    assert sum(one.proposed for one in both) == 1
    assert await states(resources) == [(tests["adds"], "PROPOSED")]
    with pytest.raises(asyncpg.UniqueViolationError):
        async with resources.database.transaction() as connection:
            await connection.execute(
                "INSERT INTO quarantine_decisions"
                " (project_id, test_case_id, state, score, confidence, rationale, until, decided_at, decider)"
                " VALUES ($1, $2, 'ACTIVE', 0.5, 0.5, 'twice', now(), now(), 'ada')",
                tenant.project.id, tests["adds"],
            )  # fmt: skip


async def test_a_policy_that_may_quarantines_what_was_proposed(
    resources: Resources, tenant: Tenant, tests: Mapping[str, int]
) -> None:
    await reviewed(resources, tenant, tests)
    automatic = QuarantinePolicy(auto_quarantine_enabled=True, flaky_threshold=0.3, quarantine_duration_days=7)
    found = await reviewed(resources, tenant, tests, policy=automatic)
    assert found == Reviewed(activated=1)
    async with resources.database.transaction() as connection:
        row = await connection.fetchrow("SELECT state, decider, until - decided_at AS lasts FROM quarantine_decisions")
    assert row is not None
    assert tuple(row) == ("ACTIVE", "the policy", timedelta(days=7))


async def test_who_decides_before_the_hour_noticed_the_end_prolongs_it(
    resources: Resources, tenant: Tenant, tests: Mapping[str, int]
) -> None:
    def drafts() -> list[Draft]:
        return [Draft(tests["adds"], 0.5, 0.9, "it flakes")]

    async def pressed(days: int) -> list[int]:
        async with resources.database.transaction() as connection:
            return await deciding.quarantine(
                connection, tenant.project.id, drafts(), decider=Decider("@grace"), policy=DEFAULT_POLICY,
                now=resources.now() + timedelta(days=days),
            )  # fmt: skip

    assert await pressed(0) == [tests["adds"]]
    assert await pressed(10) == [], "it stays as it is"
    assert await pressed(31) == [tests["adds"]]
    assert await swept(resources, 32) == Reviewed()
    assert await states(resources) == [(tests["adds"], "ACTIVE")]
    assert await swept(resources, 62) == Reviewed(expired=1)


async def test_a_review_that_looked_before_it_was_prolonged_does_not_end_it(
    resources: Resources, tenant: Tenant, tests: Mapping[str, int]
) -> None:
    await reviewed(resources, tenant, tests)
    async with resources.database.transaction() as connection:
        (decision,) = await repository.decisions_of_test(connection, tenant.project.id, tests["adds"], 5)
        ending = Ending(decision.id, State.PROPOSED, State.EXPIRED, "Its time was over.")
        assert await repository.close(connection, tenant.project.id, [ending], now=resources.now()) == []
        after = resources.now() + timedelta(days=31)
        assert await repository.close(connection, tenant.project.id, [ending], now=after) == [State.EXPIRED]


async def test_a_project_that_fails_keeps_no_other_waiting(
    resources: Resources, tenant: Tenant, tests: Mapping[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    await reviewed(resources, tenant, tests)
    async with resources.database.transaction() as connection:  # a project whose number comes before
        first = await connection.fetchval(
            "INSERT INTO projects (id, organization_id, slug, name) OVERRIDING SYSTEM VALUE"
            " SELECT 0, organization_id, 'first', 'First' FROM projects WHERE id = $1 RETURNING id", tenant.project.id,
        )  # fmt: skip
    review_project = sweeping._review_project

    async def breaks(resources: Resources, project_id: int, *rest: Any) -> Reviewed:
        if project_id == first:
            raise asyncpg.DataError("broken")
        return await review_project(resources, project_id, *rest)

    monkeypatch.setattr(sweeping, "_review_project", breaks)
    every = {"projects_with_open": "SELECT id FROM projects ORDER BY id", "open_tests": sweeping.SQL["open_tests"]}
    monkeypatch.setattr(sweeping, "SQL", every)
    with pytest.raises(ExceptionGroup, match="of 1 projects"):
        await swept(resources, 31)
    assert await states(resources) == [(tests["adds"], "EXPIRED")]


async def test_many_decisions_are_reviewed_some_at_a_time(
    resources: Resources, tenant: Tenant, tests: Mapping[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transaction for all of a large project's would keep the worker's other jobs waiting, and undo all of it."""
    now = resources.now()
    drafts = [Draft(tests[name], 0.5, 0.9, "why") for name in ("adds", "pays")]
    async with resources.database.transaction() as connection:
        await repository.propose(connection, tenant.project.id, drafts, until=now + timedelta(days=30), now=now)
    review, last = sweeping.review, max(tests["adds"], tests["pays"])

    async def breaks(connection: Any, project_id: int, some: Any, **named: Any) -> Reviewed:
        if last in some:
            raise asyncpg.DataError("broken")
        return await review(connection, project_id, some, **named)

    monkeypatch.setattr(sweeping, "review", breaks)
    monkeypatch.setattr(sweeping, "_TESTS_AT_ONCE", 1)
    with pytest.raises(ExceptionGroup, match="of 1 projects"):
        await swept(resources, 31)
    assert sorted(state for _, state in await states(resources)) == ["EXPIRED", "PROPOSED"]


async def test_the_command_reviews_every_test(
    resources: Resources, tenant: Tenant, tests: Mapping[str, int], addresses: Addresses
) -> None:
    environment = {
        "FG_DATABASE_DSN": addresses.runtime_dsn, "FG_DATABASE_OWNER_DSN": addresses.owner_dsn,
        "FG_JWT_SECRET": addresses.secret, "REDIS_URL": addresses.redis_url,
    }  # fmt: skip

    async def analyze(*options: str) -> str:
        arguments = ["analyze", "--project", str(tenant.project.id), *options]
        result = await asyncio.to_thread(CliRunner().invoke, app, arguments, env=environment)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert await analyze("--recompute") == "ada-shop: 3 tests judged\n"
    assert await states(resources) == []
    told = json.loads(await analyze("--update-quarantine", "--json"))
    assert told["quarantine"] == {"ada-shop": asdict(Reviewed(proposed=1))}
    assert await analyze("--update-quarantine") == (
        "ada-shop: 3 tests judged; quarantine: 0 proposed, 0 activated, 0 expired, 0 resolved\n"
    )
    assert await states(resources) == [(tests["adds"], "PROPOSED")]


async def test_what_is_stable_by_now_is_resolved(
    resources: Resources, tenant: Tenant, tests: Mapping[str, int]
) -> None:
    await reviewed(resources, tenant, tests)
    async with resources.database.transaction() as connection:
        await connection.execute("UPDATE flake_stats SET verdict = 'stable' WHERE test_case_id = $1", tests["adds"])
    assert await swept(resources, 0) == Reviewed(resolved=1)


async def test_tenants_see_their_own_decisions_and_write_none(
    resources: Resources, tenant: Tenant, stranger: Tenant, tests: Mapping[str, int]
) -> None:
    assert await reviewed(resources, stranger, tests) == Reviewed()  # the tests are another project's
    assert await reviewed(resources, tenant, tests) == Reviewed(proposed=1)
    for person, expected in ((tenant, 1), (stranger, 0)):
        async with resources.database.transaction(Claims("authenticated", str(person.user.id))) as connection:
            assert await connection.fetchval("SELECT count(*) FROM quarantine_decisions") == expected
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with resources.database.transaction(Claims("authenticated", str(tenant.user.id))) as connection:
            await connection.execute("UPDATE quarantine_decisions SET state = 'RESOLVED', ended_at = now()")
