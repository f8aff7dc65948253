"""Policies of many shapes: what row-level security shows by SELECT is what a listener is told."""

import json

import pytest

from fluxbase.db import SERVICE, Claims
from fluxbase.realtime.claims import Groups
from fluxbase.realtime.events import Version
from fluxbase.realtime.tables import Tables
from fluxbase.realtime.visibility import RightsCache, Visibility

TENANTS = """
CREATE TABLE public.members (person text, project int);
ALTER TABLE public.members ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.members TO authenticated USING (person = auth.jwt() ->> 'sub');
GRANT SELECT ON public.members TO authenticated, anon;
INSERT INTO public.members VALUES ('a', 1), ('a', 2), ('b', 2), ('c', 3);
CREATE TYPE public.mood AS ENUM ('good', 'bad');
CREATE TABLE public.things (
    id int, project int, person text, price numeric, at timestamptz, data jsonb, mood public.mood, tags text[],
    "odd Name" text, topic text, members int
);
ALTER TABLE public.things ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON public.things TO authenticated, anon;
INSERT INTO public.things
SELECT i, 1 + i % 4, chr(96 + 1 + i % 3), i / 8.0, '2026-01-01'::timestamptz + i * interval '7 hours',
       jsonb_build_object('level', i % 3, 'who', chr(97 + i % 3)), (ARRAY['good', 'bad'])[1 + i % 2]::public.mood,
       ARRAY[chr(97 + i % 3)], CASE WHEN i % 5 > 0 THEN chr(97 + i % 3) END, 't', i % 4
FROM generate_series(1, 40) i;
CREATE FUNCTION public.in_project(p int) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER AS
$$ SELECT EXISTS (SELECT FROM public.members WHERE person = auth.jwt() ->> 'sub' AND project = p) $$;
"""
POLICIES = {
    "owner": ["USING (person = (SELECT auth.jwt() ->> 'sub'))"],
    "membership": ["USING (project IN (SELECT m.project FROM public.members m))"],
    "correlated": ["USING (EXISTS (SELECT FROM public.members m WHERE m.project = things.project))"],
    "function": ["USING (public.in_project(project))"],
    "two of them": ["USING (person = auth.jwt() ->> 'sub')", "USING (mood = 'bad' AND price > 2.5)"],
    "restrictive": ["USING (true)", "AS RESTRICTIVE FOR SELECT USING (project = 2 OR 'a' = ANY (tags))"],
    "only restrictive": ["AS RESTRICTIVE USING (true)"],
    "json": ["USING (data ->> 'who' = auth.jwt() ->> 'sub' AND (data -> 'level') = '1'::jsonb)"],
    "odd names": ["USING (\"odd Name\" = auth.jwt() ->> 'sub' AND topic IS NOT NULL AND members < 3)"],
    "numeric": ["USING (price = 0.125 OR price > 4)"],
    "time": ["USING (at > '2026-01-05 12:00+01')"],
    "whole row": ["USING (things.* IS NOT NULL)"],
    "its own table": ["USING (id > 20)"],
    "not for SELECT": ["FOR UPDATE USING (true)", "FOR INSERT WITH CHECK (true)"],
    "another role": ["TO service_role USING (true)"],
    "anon's": ["TO anon USING (project = 1)"],
    "none": [],
}


async def test_the_same_rows_as_by_select(resources, owner):
    await owner.execute(TENANTS)
    versions = [Version(row[0]) for row in await owner.fetch("SELECT to_jsonb(t.*)::text FROM public.things t")]
    for name, policies in POLICIES.items():
        for number, policy in enumerate(policies):
            await owner.execute(f"CREATE POLICY p{number} ON public.things {policy}")
        shown = [await compare(resources, versions, role, name) for role in ("authenticated", "anon")]
        assert any(shown) == (name not in ("only restrictive", "not for SELECT", "another role", "none")), name
        for number, _ in enumerate(policies):
            await owner.execute(f"DROP POLICY p{number} ON public.things")


async def compare(resources, versions, role, name) -> int:
    """Both answers for everybody of a role; how many rows they were shown."""
    groups, shown = Groups(), 0
    people = [Claims(role, sub, {"exp": 1}) for sub in "abcd"] if role == "authenticated" else [Claims(role)]
    visibility = Visibility(resources.database, RightsCache(1000, 60))
    table = await Tables(resources.database, ttl_seconds=60).find(role, "public", "things")
    asked = [(groups.of(person), version) for person in people for version in versions]
    allowed = await visibility.visible(table, role, asked)
    for person in people:
        async with resources.database.transaction(person) as connection:
            expected = {row["id"] for row in await connection.fetch("SELECT id FROM public.things")}
        group = groups.of(person)
        assert {version.values["id"] for one, version in allowed if one is group} == expected, (name, person)
        shown += len(expected)
    queries = visibility.queries
    assert queries <= 1, f"{name}: one query for all people and rows"
    assert await visibility.visible(table, role, asked) == allowed
    assert visibility.queries == queries, f"{name}: what was asked once is known"
    return shown


async def test_answers_that_rest_on_other_tables_age(resources, owner):
    await owner.execute(TENANTS + f"CREATE POLICY p ON public.things {POLICIES['membership'][0]}")
    now = [100.0]
    visibility = Visibility(resources.database, RightsCache(10, 60, lambda: now[0]))
    table = await Tables(resources.database, ttl_seconds=60).find("authenticated", "public", "things")
    row = await owner.fetchval("SELECT to_jsonb(t.*)::text FROM public.things t WHERE project = 2 LIMIT 1")
    asked = [(Groups().of(Claims("authenticated", "a")), Version(row))]
    assert await visibility.visible(table, "authenticated", asked) == set(asked)
    await owner.execute("DELETE FROM public.members")
    now[0] += 59
    assert await visibility.visible(table, "authenticated", asked) == set(asked), "an answer that is known"
    now[0] += 1
    assert await visibility.visible(table, "authenticated", asked) == set()


def test_the_cache_keeps_to_its_size_and_what_was_asked_last():
    cache = RightsCache(2, 60)
    cache.put(("a",), visible=True)
    cache.put(("b",), visible=False)
    assert cache.get(("a",)) is True
    cache.put(("c",), visible=True)
    assert [cache.get((name,)) for name in "abc"] == [True, None, True]
    none = RightsCache(0, 60)
    none.put(("a",), visible=True)
    assert none.get(("a",)) is None


async def test_only_the_server_asks_under_claims(resources, owner):
    await owner.execute(TENANTS + "CREATE POLICY p ON public.things USING (true)")
    requests = json.dumps([{"claims": "{}", "records": [0]}])
    from asyncpg import InsufficientPrivilegeError

    for claims in (SERVICE, Claims("anon")):
        with pytest.raises(InsufficientPrivilegeError):
            async with resources.database.transaction(claims) as connection:
                await connection.fetch(
                    "SELECT * FROM realtime.visible_records('public.things', '[{}]', $1::text::jsonb, true)", requests
                )

    # Managed servers grant no BYPASSRLS: the policies of our tables let the service role in.
    rows = await owner.fetch(
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'realtime'::regnamespace AND c.relkind = 'r'"
        " AND (NOT c.relrowsecurity"
        "      OR NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid AND polname = 'service'))"
    )
    assert rows == []
