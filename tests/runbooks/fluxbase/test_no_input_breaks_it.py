"""Whatever the OpenAPI description allows, and much that it does not: the answer is never a 5xx."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import asyncpg
import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.specs.openapi.schemas import OpenApiSchema

ENDLESS = ("/debug/pprof",)


@pytest.fixture(autouse=True)
async def table(owner: asyncpg.Connection) -> None:
    """Something for the REST interface to describe."""
    await owner.execute(
        "CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text NOT NULL,"
        " due date, tags text[], meta jsonb)"
    )


def operations(schema: OpenApiSchema) -> Iterator:
    for result in schema.get_all_operations():
        operation = result.ok()
        if not operation.path.startswith(ENDLESS):
            yield operation


def statuses(url: str, path: str, headers: dict[str, str], *, examples: int) -> Counter[int]:
    """How often each status was the answer; a 5xx fails at once, with the request that got it."""
    schema = schemathesis.openapi.from_url(url + path, headers=headers)
    found: Counter[int] = Counter()
    with httpx.Client(trust_env=False) as client:
        for operation in operations(schema):

            @settings(
                max_examples=examples,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
                deadline=None,
                database=None,
            )
            @given(case=operation.as_strategy())
            def ask(case: Case) -> None:
                case.headers = {**(case.headers or {}), **headers}
                answer = case.call(base_url=url, timeout=30)
                assert answer.status_code < 500, f"{case.as_curl_command()}\n{answer.status_code} {answer.text[:300]}"
                found[answer.status_code] += 1

            ask()
        assert client.get(f"{url}/health").status_code == 200
    return found


@pytest.mark.parametrize("path", ["/openapi.json", "/api/v1/tables"])
async def test_for_the_operator(running, path):
    found = await asyncio.to_thread(statuses, running.url, path, running.operator, examples=3)
    assert found.keys() & {200, 201, 204}, "some of it must come through"


async def test_for_nobody(running):
    found = await asyncio.to_thread(statuses, running.url, "/openapi.json", {}, examples=1)
    assert found[401] > 20
