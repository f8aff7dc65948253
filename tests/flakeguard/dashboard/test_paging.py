"""An address that asks for more pages than there are: it gets the last one, and no wrong statement."""

import re

import pytest

LISTS = {
    "tests": "/projects/{project}?verdict=any",
    "runs": "/projects/{project}/runs",
    "uploads": "/projects/{project}/uploads",
    "ended decisions": "/projects/{project}/quarantine",
    "audit log": "/orgs/ada-inc/audit",
    "deliveries": "/orgs/ada-inc/github",
    "projects": "/?all",
    "projects of an organization": "/orgs/ada-inc",
}

ROWS = """
    INSERT INTO ingestions (id, project_id, idempotency_key, meta, state, junit_files)
    SELECT gen_random_uuid(), {project}, number::text::bytea, '{{}}', 'analyzed', 1 FROM generate_series(1, 30) number;
    INSERT INTO quarantine_decisions (project_id, test_case_id, state, score, confidence, rationale, until, decided_at,
                                      decider, ended_at, end_reason)
    SELECT {project}, {test}, 'RESOLVED', 0.4, 0.9, 'why', now(), now(), 'ada', now(), 'Over.'
    FROM generate_series(1, 30);
    INSERT INTO github_installations (id, account_id, account_login, organization_id)
    SELECT 1, 1, 'acme', organization_id FROM projects WHERE id = {project};
    INSERT INTO github_deliveries (guid, event, installation_id, body, state)
    SELECT number::text, 'ping', 1, '', 'done' FROM generate_series(1, 30) number
"""


@pytest.fixture
async def filled(seeded, owner) -> int:
    await owner.execute(ROWS.format(project=seeded.project_id, test=next(iter(seeded.tests.values()))))
    return seeded.project_id


async def test_a_page_past_the_end_is_the_last_one(ada, filled: int) -> None:
    for name, address in LISTS.items():
        asked = f"{address.format(project=filled)}{'&' if '?' in address else '?'}page="
        first = foot((await ada.get(f"{asked}1")).text)
        assert " of " in first, name
        pages = re.search(r"Page 1 of (\d+)", first)
        last = foot((await ada.get(f"{asked}{pages[1]}")).text) if pages else first
        assert foot((await ada.get(f"{asked}99")).text) == last, name


def foot(page: str) -> str:
    """What a list says of its pages."""
    return page.partition('<nav class="table-foot"')[2].partition("</nav>")[0]


async def test_the_api_counts_what_there_is_also_past_the_end(ada, seeded) -> None:
    path = f"/api/v1/projects/{seeded.project_id}/flakes"
    here, beyond = (await ada.get(path)).json()["data"], (await ada.get(f"{path}?offset=400")).json()["data"]
    assert beyond["flakes"] == []
    assert beyond["total"] == here["total"] > 0
