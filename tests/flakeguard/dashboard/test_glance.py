"""Projects at a glance: what is said of each, in which order, and at what cost."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import count

import asyncpg
import pytest

from flakeguard.dashboard.glance import ProjectFilter, glance
from flakeguard.projects import projects

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
_numbers = count(1)


class Workshop:
    """Makes projects of Ada's, as rows."""

    def __init__(self, resources, people, owner) -> None:
        self.resources, self.people, self.owner = resources, people, owner

    async def project(self, name: str) -> int:
        made = await projects.create(self.resources.database, self.people["ada"].user, "ada-inc", name=name)
        return made.id

    async def run(self, project: int, hours_ago: float = 1, **columns: object) -> int:
        values = {"sha": "a" * 40, "branch": "main", "job": "unit", "tests": 10} | columns
        values |= {"project_id": project, "executed_at": NOW - timedelta(hours=hours_ago)}
        values["key"] = next(_numbers).to_bytes(16)
        places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
        return await self.owner.fetchval(
            f"INSERT INTO test_runs ({', '.join(values)}) VALUES ({places}) RETURNING id", *values.values()
        )

    async def tests(self, project: int, *verdicts: str) -> None:
        for verdict in verdicts:
            case = await self.owner.fetchval(
                "INSERT INTO test_cases (project_id, identity_hash, suite, class_name, name)"
                " VALUES ($1, $2, '', '', 'x') RETURNING id", project, next(_numbers).to_bytes(16),
            )  # fmt: skip
            await self.owner.execute(
                "INSERT INTO flake_stats (test_case_id, project_id, verdict, first_seen_at, last_seen_at)"
                " VALUES ($1, $2, $3, now(), now())", case, project, verdict,
            )  # fmt: skip

    async def look(self, person: str = "ada", **query: str):
        organizations = await self.owner.fetch("SELECT id FROM organizations")
        async with self.resources.database.transaction(self.people[person].user.claims) as connection:
            wanted = ProjectFilter.read(query)
            return await glance(connection, [row["id"] for row in organizations], wanted, NOW)

    async def only(self):
        (project,) = (await self.look()).projects
        return project


@pytest.fixture
def workshop(resources, people, owner: "asyncpg.Connection[asyncpg.Record]") -> Workshop:
    return Workshop(resources, people, owner)


async def test_the_default_branch_stands_as_each_jobs_newest_run_says(workshop) -> None:
    shop = await workshop.project("Shop")
    await workshop.run(shop, 1, branch="feature", sha="f" * 40, failed=9)
    await workshop.run(shop, 5, job="unit", failed=2)
    await workshop.run(shop, 4, job="unit")
    failing = await workshop.run(shop, 6, job="e2e", failed=1)
    await workshop.run(shop, 3, job="lint")
    await workshop.run(shop, 30, sha="b" * 40, failed=10, outage=True)
    await workshop.run(shop, 50, sha="c" * 40, flaked=1)
    await workshop.run(shop, 60, sha="d" * 40)
    project = await workshop.only()
    assert [commit.status for commit in project.commits] == ["failed", "outage", "flaky", "passed"]
    head = project.head
    assert (head.sha, head.run_id, head.at) == ("a" * 40, failing, NOW - timedelta(hours=3))
    assert (head.jobs, head.failed, head.flaked, head.outages) == (3, 1, 1, 0), "unit passed when it was run again"
    assert project.last_result_at == NOW - timedelta(hours=1), "of any branch"


async def test_trouble_comes_first(workshop) -> None:
    quiet, _, stale, outage, broken, flaky, failing, suspected, flakier = [
        await workshop.project(name)
        for name in ("Quiet", "Empty", "Stale", "Outage", "Broken", "Flaky", "Failing", "Suspected", "Very flaky")
    ]
    for project in (quiet, broken, flaky, suspected, flakier):
        await workshop.run(project)
    await workshop.run(failing, failed=1)
    await workshop.run(outage, failed=10, outage=True)
    await workshop.run(stale, 24 * 40, failed=3)
    await workshop.tests(quiet, "stable", "unproven", "recovering")
    await workshop.tests(broken, "broken")
    await workshop.tests(flaky, "flaky")
    await workshop.tests(flakier, "flaky", "flaky", "suspected")
    await workshop.tests(suspected, "suspected", "suspected")
    found = await workshop.look()
    names = [project.name for project in found.projects]
    assert names == ["Failing", "Broken", "Outage", "Very flaky", "Flaky", "Suspected", "Quiet", "Stale", "Empty"]
    assert (found.page.total, found.troubled) == (9, 6)
    counts = {project.name: (project.broken, project.flaky, project.suspected) for project in found.projects}
    assert counts["Very flaky"] == (0, 2, 1)
    assert counts["Quiet"] == (0, 0, 0)
    by_name = await workshop.look(sort="name")
    assert [project.name for project in by_name.projects] == sorted(names)
    assert (await workshop.look(sort="flaky")).projects[0].name == "Very flaky"
    assert [project.name for project in (await workshop.look(q="flak")).projects] == ["Very flaky", "Flaky"]


async def test_a_stranger_sees_none_of_it(workshop) -> None:
    await workshop.run(await workshop.project("Shop"))
    assert (await workshop.look("mallory")).projects == ()


async def test_a_project_without_results_says_what_is_next(workshop, ada, owner) -> None:
    new, sent, unreadable, connected, elsewhere = [
        await workshop.project(name) for name in ("New", "Sent", "Unreadable", "Connected", "Elsewhere")
    ]
    for project, state in ((sent, "accepted"), (unreadable, "failed")):
        await owner.execute(
            "INSERT INTO ingestions (project_id, idempotency_key, state, meta, junit_files)"
            " VALUES ($1, 'x', $2, '{}', 1)",
            project, state,
        )  # fmt: skip
    await owner.execute(
        "INSERT INTO github_installations (id, account_id, account_login, organization_id)"
        " SELECT 1, 1, 'ada', organization_id FROM projects WHERE id = $1", connected,
    )  # fmt: skip
    await owner.execute(
        "INSERT INTO github_repositories (id, installation_id, full_name, project_id) VALUES (1, 1, 'ada/tool', $1)",
        connected,
    )
    await workshop.run(elsewhere, branch="trunk")
    page = (await ada.get("/")).text
    text = {
        number: page.split(f'id="project-{number}"')[1].split("</tr>")[0]
        for number in (new, sent, unreadable, connected, elsewhere)
    }
    assert f'href="/projects/{new}/setup"' in text[new]
    assert "being analysed" in text[sent]
    assert f'href="/projects/{unreadable}/uploads"' in text[unreadable]
    assert "next run of ada/tool" in text[connected]
    assert "Nothing ran on main" in text[elsewhere]


async def test_a_page_costs_the_same_statements_for_one_project_and_for_many(workshop, ada, resources) -> None:
    async def statements(path: str) -> int:
        seen: list[str] = []
        fetch, asking = asyncpg.Connection.fetch, asyncio.current_task()

        async def noted(self, query: str, *arguments: object, **options: object):
            if asyncio.current_task() is asking:  # and not what runs by the clock
                seen.append(query)
            return await fetch(self, query, *arguments, **options)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(asyncpg.Connection, "fetch", noted)
            assert (await ada.get(path)).status_code == 200
        return len(seen)

    await workshop.run(await workshop.project("First"))
    few = [await statements(path) for path in ("/?all", "/orgs/ada-inc")]
    for number in range(12):
        project = await workshop.project(f"Service {number}")
        await workshop.run(project, failed=number % 2)
        await workshop.tests(project, "flaky")
    assert min(few) > 0
    assert [await statements(path) for path in ("/?all", "/orgs/ada-inc")] == few
    assert 'type="search"' in (await ada.get("/")).text, "many projects can be searched"


async def test_who_may_not_make_a_project_is_not_sent_to_its_form(client, people, owner) -> None:
    client.cookies.update(people["mallory"].cookies)
    client.headers["accept"] = "text/html"
    assert (await client.get("/")).headers["location"] == "/orgs/mallory-inc/projects/new"
    await owner.execute("UPDATE memberships SET role = 'VIEWER' WHERE user_id = $1", people["mallory"].user.id)
    assert (await client.get("/")).headers["location"] == "/orgs/mallory-inc"
    page = await client.get("/orgs/mallory-inc")
    assert "An owner or administrator of mallory inc makes it" in page.text
