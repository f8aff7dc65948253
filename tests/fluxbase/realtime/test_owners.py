"""Whom a policy's text lets us not ask: never somebody to whom PostgreSQL would show the row."""

import asyncio
import json
from uuid import UUID

import pytest

from fluxbase.db import Claims
from fluxbase.realtime.claims import Groups
from fluxbase.realtime.events import Version
from fluxbase.realtime.owners import as_user, owner_columns, owners_of
from fluxbase.realtime.tables import Tables
from fluxbase.realtime.visibility import RightsCache, Visibility

ONE, TWO = "00000000-0000-4000-8000-00000000000a", "00000000-0000-4000-8000-00000000000b"
TABLE = """
CREATE TABLE public.things (owner uuid, "Second "" OR (x" uuid, who text, open boolean, name text);
ALTER TABLE public.things ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON public.things TO authenticated;
"""
SECOND = 'Second " OR (x'
# Policies, each for one table: what they are, and the columns that name the owner.
POLICIES = [
    (["owner = auth.uid()"], {"owner"}),
    (["owner = (SELECT auth.uid())"], {"owner"}),
    (["(SELECT auth.uid()) = owner AND name <> 'x'"], {"owner"}),
    (["auth.uid()::text = who"], {"who"}),
    (["who = (SELECT auth.uid())::text"], {"who"}),
    (["who = (SELECT auth.uid()::text)"], {"who"}),
    (['"Second "" OR (x" = auth.uid() AND owner = auth.uid()'], {"owner", SECOND}),
    (["owner = auth.uid() AND open", "owner = auth.uid() AND name = 'y'"], {"owner"}),
    (["(owner = auth.uid() AND open) OR (owner = auth.uid() AND NOT open)"], {"owner"}),
    (["name = ' AND (owner = auth.uid())'"], set()),
    (["name = E'\\' OR (' AND owner = auth.uid()"], {"owner"}),
    (["name = E'\\\\' AND owner = auth.uid()"], {"owner"}),
    (["owner = auth.uid()", "open"], set()),
    (["owner = auth.uid() OR open"], set()),
    (["NOT (owner = auth.uid())"], set()),
    (["(owner = auth.uid()) IS NOT TRUE"], set()),
    (["owner IS NOT DISTINCT FROM auth.uid()"], set()),
    (["CASE WHEN open THEN true ELSE owner = auth.uid() END"], set()),
    (["coalesce(owner = auth.uid(), open)"], set()),
    (["open = (owner = auth.uid())"], set()),
    (["owner <> auth.uid()"], set()),
    (["auth.uid() IS NOT NULL"], set()),
    (["EXISTS (SELECT FROM (VALUES (owner)) AS v (o) WHERE o = auth.uid())"], set()),
    (["true"], set()),
]


@pytest.mark.parametrize(("policies", "columns"), POLICIES, ids=[str(number) for number in range(len(POLICIES))])
async def test_nobody_is_left_out_whom_postgres_shows_the_row(resources, owner, policies, columns):
    await owner.execute(TABLE)
    for number, policy in enumerate(policies):
        await owner.execute(f"CREATE POLICY p{number} ON public.things FOR SELECT TO authenticated USING ({policy})")
    table = await Tables(resources.database, ttl_seconds=60).find("authenticated", "public", "things")
    assert table.owner_columns == columns
    visibility = Visibility(resources.database, RightsCache(0, 0))
    groups = Groups()
    listeners = [
        groups.of(Claims("authenticated", extra=claims))
        for claims in ({"sub": ONE}, {"sub": TWO.upper()}, {}, {"sub": "nobody"}, {"sub": f"{{{TWO}}}"})
    ]
    rows = [
        Version(json.dumps({"owner": mine, SECOND: mine, "who": mine, "open": is_open, "name": name}))
        for mine in (ONE, TWO, None)
        for is_open in (True, False, None)
        for name in ("x", "y", "' OR (", "\\", None)
    ]
    seen = 0
    for group in listeners:
        for group_, row in await visibility.visible(table, "authenticated", [(group, row) for row in rows]):
            owners = owners_of(table.owner_columns, [row.values])
            assert owners is None or group_.user in owners, (group_.text, row.text)
            seen += 1
    assert seen or policies[0].startswith("name = ' AND")


async def test_who_asks_for_a_table_at_once_asks_together(resources, owner):
    await owner.execute(TABLE)
    tables, before = Tables(resources.database, ttl_seconds=60), resources.database.transactions["authenticated"]
    found = await asyncio.gather(*(tables.find("authenticated", "public", "things") for _ in range(20)))
    assert len({id(table) for table in found}) == 1
    assert resources.database.transactions["authenticated"] == before + 1


async def test_restrictive_policies_name_the_owner_too(resources, owner):
    await owner.execute(TABLE)
    await owner.execute("CREATE POLICY p ON public.things FOR SELECT TO authenticated USING (open)")
    await owner.execute(
        "CREATE POLICY r ON public.things AS RESTRICTIVE FOR SELECT TO authenticated USING (owner = auth.uid())"
    )
    table = await Tables(resources.database, ttl_seconds=60).find("authenticated", "public", "things")
    assert table.owner_columns == {"owner"}


def test_what_cannot_be_read_leaves_nobody_out():
    for text in ("", "(", "((owner = auth.uid())", "owner = auth.uid() OR", "'", "owner = other.uid()", "(" * 1_999):
        assert owner_columns(text) == frozenset(), text
    assert owner_columns(f"((owner = auth.uid()) AND {'(x = 1) AND ' * 200}(y = 1))") == frozenset(), "too long"
    assert owners_of((), [{"owner": ONE}]) is None
    assert owners_of(("owner",), [{"id": 1}]) is None, "a column that was renamed just now"
    assert owners_of(("owner",), [{"owner": "somebody"}]) is None
    assert owners_of(("owner",), [{"owner": None}]) == frozenset()
    assert owners_of(("owner",), [{"owner": ONE}, {"owner": TWO}]) == {UUID(ONE), UUID(TWO)}
    assert as_user(TWO.upper()) == as_user(f"{{{TWO}}}") == UUID(TWO)
    assert as_user(None) is None


MINE = """
CREATE TABLE public.mine (id int PRIMARY KEY, owner uuid, name text);
ALTER TABLE public.mine ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON public.mine FOR SELECT TO authenticated USING (owner = (SELECT auth.uid()));
GRANT SELECT ON public.mine TO authenticated;
SELECT realtime.set_events('public.mine', '{INSERT,UPDATE,DELETE}');
"""


async def test_only_the_owner_is_asked_for_and_a_row_that_changes_hands_is_told_to_both(site, owner, ada, eve):
    await owner.execute(MINE)
    her, his = (who["user"]["id"] for who in (ada, eve))
    async with site.client(ada["access_token"]) as hers, site.client(eve["access_token"]) as evil:
        await hers.subscribe("mine")
        await evil.subscribe("mine", filter="name=eq.x")
        await owner.execute("INSERT INTO public.mine VALUES (1, $1::text::uuid, 'x')", her)
        assert (await hers.change())["type"] == "INSERT"
        assert len(site.realtime.cache) == 1, "eve's claims were not asked"
        await owner.execute("UPDATE public.mine SET owner = $1::text::uuid", his)
        told = await hers.change()
        assert (told["type"], told["record"], told["old_record"]["owner"]) == ("DELETE", None, her)
        told = await evil.change()
        assert (told["type"], told["record"]["owner"], told["old_record"]) == ("UPDATE", his, None)
        await owner.execute("DELETE FROM public.mine")
        assert (await evil.change())["type"] == "DELETE"
        # The policy is everybody's now: it holds once what is remembered of it is forgotten.
        await owner.execute("ALTER POLICY own ON public.mine USING (true)")
        await site.realtime.restart()
        await owner.execute("INSERT INTO public.mine VALUES (2, $1::text::uuid, 'x')", his)
        assert (await hers.change())["record"]["id"] == (await evil.change())["record"]["id"] == 2
        await hers.nothing()
        await evil.nothing()
