"""Plans that are kept for the policies' questions answer each claims for itself."""

import json

import pytest

from fluxbase.db import Claims
from fluxbase.realtime.claims import Groups
from fluxbase.realtime.events import Version
from fluxbase.realtime.tables import Tables
from fluxbase.realtime.visibility import RightsCache, Visibility

# FlakeGuard's policies, which the template database has too, call functions: with them no plan would be kept.
TEAMS = """
DROP SCHEMA flakeguard CASCADE;
CREATE TABLE public.members (team int, member text);
CREATE TABLE public.chats (id int, team int);
ALTER TABLE public.members ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.chats ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.members FOR SELECT TO authenticated USING (member = auth.jwt() ->> 'sub');
CREATE POLICY team ON public.chats FOR SELECT TO authenticated USING (team IN (SELECT m.team FROM public.members AS m));
GRANT SELECT ON public.members, public.chats TO authenticated;
INSERT INTO public.members VALUES (1, 'a'), (2, 'a'), (2, 'b');
CREATE FUNCTION public.me() RETURNS text LANGUAGE sql IMMUTABLE AS
$$ SELECT current_setting('request.jwt.claims')::json ->> 'sub' $$;
"""


async def _chats(resources, visibility=None):
    """Who of three sees which of three teams' rows, and the description of the table."""
    table = await Tables(resources.database, ttl_seconds=60).find("authenticated", "public", "chats")
    groups = Groups()
    asked = [
        (groups.of(Claims("authenticated", extra={"sub": sub})), Version(json.dumps({"id": 1, "team": team})))
        for sub in "abc"
        for team in (1, 2, 3)
    ]
    visibility = visibility or Visibility(resources.database, RightsCache(0, 0))
    allowed = await visibility.visible(table, "authenticated", asked)
    return sorted((json.loads(group.text)["sub"], version.values["team"]) for group, version in allowed), table


async def _plans(resources):
    async with resources.database.transaction() as connection:
        return await connection.fetchval("SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'realtime_%'")


SEEN = [("a", 1), ("a", 2), ("b", 2)]


async def test_a_kept_plan_serves_all_claims_and_follows_what_changes(resources, owner):
    await owner.execute(TEAMS)
    for _ in range(3):
        seen, table = await _chats(resources)
        assert (seen, table.plan_keeps) == (SEEN, True)
    assert await _plans(resources) == 1
    await owner.execute("ALTER POLICY team ON public.chats USING (team = 3)")
    assert (await _chats(resources))[0] == [("a", 3), ("b", 3), ("c", 3)]
    await owner.execute("ALTER POLICY team ON public.chats USING (team IN (SELECT m.team FROM public.members AS m))")
    await owner.execute("ALTER POLICY own ON public.members USING (team = 2)")
    assert (await _chats(resources))[0] == [("a", 2), ("b", 2), ("c", 2)]
    # As many as there may be: then all are dropped, and it goes on.
    for number in range(60):
        await owner.execute(f"ALTER POLICY team ON public.chats USING (team <> {number + 10})")
        await _chats(resources)
    assert await _plans(resources) <= 50


MINE = "team IN (SELECT m.team FROM public.members AS m WHERE m.member = public.me())"


@pytest.mark.parametrize("where", ["team ON public.chats USING (" + MINE + ")",
                                   "own ON public.members USING (member = public.me())"])  # fmt: skip
async def test_a_function_that_lies_of_being_immutable_answers_nobody_for_another(resources, owner, where):
    """PostgreSQL computes it when it plans: so no plan is kept where one may be, in the other table's policy too."""
    await owner.execute(TEAMS)
    await owner.execute(f"ALTER POLICY {where}")
    for _ in range(2):
        seen, table = await _chats(resources)
        assert (seen, table.plan_keeps) == (SEEN, False)
    assert not await _plans(resources)


async def test_many_rows_are_asked_without_a_plan(resources, owner):
    await owner.execute(TEAMS)
    table = (await _chats(resources))[1]
    groups, visibility = Groups(), Visibility(resources.database, RightsCache(0, 0))
    group = groups.of(Claims("authenticated", extra={"sub": "b"}))
    rows = [Version(json.dumps({"id": 1, "team": team})) for team in range(400)]
    allowed = await visibility.visible(table, "authenticated", [(group, row) for row in rows])
    assert [row.values["team"] for _, row in allowed] == [2]
