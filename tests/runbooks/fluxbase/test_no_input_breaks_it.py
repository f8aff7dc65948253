"""Whatever the OpenAPI description allows, and much that it does not: the answer is never a 5xx."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from http.cookiejar import DefaultCookiePolicy

import asyncpg
import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.specs.openapi.schemas import OpenApiSchema

ENDLESS = ("/debug/pprof",)
ENDING = ("/signout", "/logout", "/sessions", "/auth/user")
"""What ends a user's session, who would be nobody from then on."""
EXAMPLES = 2


@pytest.fixture(autouse=True)
async def table(owner: asyncpg.Connection) -> None:
    """Something for the REST interface to describe."""
    await owner.execute(
        "CREATE TABLE notes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, text text NOT NULL,"
        " due date, tags text[], meta jsonb, owner uuid);"
        "SELECT rest.expose('notes', 'owner'); INSERT INTO storage.buckets (id, user_uploads) VALUES ('files', true)"
    )


class Asker:
    """Asks the same of a server as nobody, as a user and as the operator, and counts the statuses of each."""

    def __init__(self, url: str, operator: dict[str, str], user: dict[str, str]) -> None:
        self.url, self.operator, self.user = url, operator, user
        self.told_nobody: Counter[int] = Counter()
        self.told_operator: Counter[int] = Counter()
        self.told_user: Counter[int] = Counter()
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # nobody stays nobody

    def ask_all(self, path: str) -> None:
        """Every operation that the description at `path` names; a 5xx fails at once, with the request that got it."""
        schema = schemathesis.openapi.from_url(self.url + path, headers=self.operator)
        for operation in operations(schema):
            self._ask(operation)

    def _ask(self, operation) -> None:
        once = [({}, self.told_nobody)]  # who is refused nearly whatever it says
        if not (operation.path.endswith(ENDING) or (operation.method == "delete" and "/auth/" in operation.path)):
            once.append((self.user, self.told_user))

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,  # what fails today fails tomorrow
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
            deadline=None,
            database=None,
        )
        @given(case=operation.as_strategy())
        def ask(case: Case) -> None:
            for headers, told in (*once, (self.operator, self.told_operator)):
                answer = case.call(base_url=self.url, session=self._session, headers=headers, timeout=30)
                shown = f"{case.as_curl_command(headers)}\n{answer.status_code} {answer.text[:300]}"
                assert answer.status_code < 500, shown
                told[answer.status_code] += 1
            once.clear()

        ask()


def operations(schema: OpenApiSchema) -> Iterator:
    for result in schema.get_all_operations():
        operation = result.ok()
        if not operation.path.startswith(ENDLESS):
            yield operation


async def test_for_the_operator_a_user_and_nobody(running):
    async with httpx.AsyncClient(base_url=running.url, trust_env=False) as client:
        body = {"email": "ada@example.com", "password": "correct horse battery"}
        ada = (await client.post("/api/v1/auth/signup", json=body)).json()
    asker = Asker(running.url, running.operator, {"Authorization": f"Bearer {ada['access_token']}"})
    for path in ("/openapi.json", "/api/v1/tables"):
        await asyncio.to_thread(asker.ask_all, path)

    assert asker.told_operator.keys() & {200, 201, 204}, "some of it must come through"
    assert asker.told_user.keys() & {200, 201, 204}
    assert asker.told_user[401] < 20, "a user's session lasts to the end"
    assert asker.told_nobody[401] > 20
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{running.url}/health")).status_code == 200
