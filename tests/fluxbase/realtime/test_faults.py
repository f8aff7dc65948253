"""One row, one policy or one table that cannot be handled takes nothing else with it."""

import asyncio
import json

import pytest

from fluxbase.db import Claims
from fluxbase.realtime import reader as reader_module
from fluxbase.realtime.claims import Groups
from fluxbase.realtime.events import Version
from fluxbase.realtime.tables import Tables
from fluxbase.realtime.visibility import RightsCache, UnjudgedError, Visibility

INSERT = "INSERT INTO public.notes (text, public) VALUES ($1, true)"


async def test_a_row_that_cannot_be_read_takes_nothing_with_it(site, owner, monkeypatch):
    """JSON may hold integers longer than Python reads, and anything may be deeper than it can."""
    await owner.execute("""
        CREATE TABLE public.odd (data jsonb); GRANT SELECT ON public.odd TO service_role;
        SELECT realtime.set_events('public.odd', '{INSERT}');
    """)
    async with site.client(site.service_token) as service, site.client() as anonymous:
        await service.subscribe("odd", filter="data=neq.x")
        await service.subscribe("notes", filter="text=neq.x")
        await anonymous.subscribe("notes")
        async with owner.transaction():
            await owner.execute(INSERT, "before")
            await owner.execute("INSERT INTO public.odd VALUES ('{\"data\": 1e5000}')")
            await owner.execute(INSERT, "after")
        told = [await service.change() for _ in range(3)]
        assert [(one["table"], one["record"].get("text")) for one in told] == [
            ("notes", "before"), ("odd", None), ("notes", "after")]  # fmt: skip
        assert [(await anonymous.change())["record"]["text"] for _ in range(2)] == ["before", "after"]

        values = Version.values.func

        def read(version):
            if "deep" in version.text:
                raise RecursionError
            return values(version)

        monkeypatch.setattr(Version, "values", property(read))
        async with owner.transaction():
            await owner.execute("""INSERT INTO public.odd VALUES ('"deep"')""")
            await owner.execute(INSERT, "still")
        assert (await service.take("bulk"))["payload"] == {"schema": "public", "table": "odd", "reason": "gap"}
        assert (await service.change())["record"]["text"] == "still"
        assert (await anonymous.change())["record"]["text"] == "still"
        await service.nothing()
        await anonymous.nothing()


async def test_a_restart_amid_a_page_misses_nothing_and_pages_are_bounded(site, owner, monkeypatch):
    """Whoever is cancelled hands over to the end."""
    halfway, go_on = asyncio.Event(), asyncio.Event()
    hand_over = site.realtime.reader._dispatcher.hand_over

    async def slow(deliveries):
        halfway.set()
        await go_on.wait()
        await hand_over(deliveries)

    monkeypatch.setattr(site.realtime.reader._dispatcher, "hand_over", slow)
    async with site.client() as anonymous:
        await anonymous.subscribe("notes")
        await owner.execute("INSERT INTO public.notes (text, public) VALUES ('1', true), ('2', true)")
        await halfway.wait()
        restart = asyncio.create_task(site.realtime.restart())
        await asyncio.sleep(0.05)
        go_on.set()
        await restart
        assert [(await anonymous.change())["record"]["text"] for _ in range(2)] == ["1", "2"]
        await owner.execute(INSERT, "3")
        assert (await anonymous.change())["record"]["text"] == "3"
        await anonymous.nothing()
    monkeypatch.undo()

    sizes, judge = [], site.realtime.reader._dispatcher.judge

    async def spy(changes):
        sizes.append(len(changes))
        return await judge(changes)

    monkeypatch.setattr(reader_module, "PAGE_CHARACTERS", 100_000)
    monkeypatch.setattr(site.realtime.reader._dispatcher, "judge", spy)
    async with site.client() as anonymous:
        await anonymous.subscribe("notes")
        await owner.execute(
            "INSERT INTO public.notes (text, public) SELECT repeat(i::text, 30000), true FROM generate_series(1, 9) i"
        )
        assert [(await anonymous.change())["record"]["text"][0] for _ in range(9)] == list("123456789")
    assert sizes == [4, 4, 1]


CODES = ("P0002", "P0003", "AB123", "54001", "XX000", "22012", "42501")
RAISING = """
CREATE FUNCTION public.judge(what text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF what = 'slow' THEN PERFORM pg_sleep(5); END IF;
    IF what ~ '^[0-9A-Z]{5}$' THEN RAISE EXCEPTION USING ERRCODE = what; END IF;
    RETURN true;
END $$;
CREATE TABLE public.judged (what text);
ALTER TABLE public.judged ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON public.judged FOR SELECT USING (public.judge(what));
GRANT SELECT ON public.judged TO anon;
SELECT realtime.set_events('public.judged', '{INSERT}');
CREATE DOMAIN public.needed AS text NOT NULL;
CREATE TABLE public.strict (who text, needed public.needed, hidden text);
ALTER TABLE public.strict ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON public.strict FOR SELECT USING (who = 'me');
GRANT SELECT (who, needed, hidden) ON public.strict TO anon;
SELECT realtime.set_events('public.strict', '{INSERT}');
"""


async def test_what_a_policy_raises_is_its_own_fault(resources, owner):
    await owner.execute(RAISING)
    now = [0.0]
    cache = RightsCache(100, 60)
    visibility = Visibility(resources.database, cache, patience="50ms", clock=lambda: now[0])
    table = await Tables(resources.database, ttl_seconds=60).find("anon", "public", "judged")
    group = Groups().of(Claims("anon"))

    async def judge(*texts):
        asked = [(group, Version(json.dumps({"what": text}))) for text in texts]
        return [version.values["what"] for _, version in asked if (_, version) in allowed] if (
            allowed := await visibility.visible(table, "anon", asked)) else []  # fmt: skip

    for code in CODES:
        assert await judge("before", code, "after") == ["before", "after"], code
    assert len(cache) == 2, "an answer after a fault is not remembered"

    # Time is not a row's fault: no search for it, and the table rests.
    before = visibility.queries
    with pytest.raises(UnjudgedError):
        await judge("slow", *"abcdef")
    assert visibility.queries - before == 2
    with pytest.raises(UnjudgedError):
        await judge("a")
    assert visibility.queries - before == 2
    now[0] += 31
    assert await judge("a") == ["a"]

    # Nor is a search endless.
    before = visibility.queries
    with pytest.raises(UnjudgedError):
        await judge(*(f"{number:05}" for number in range(10_000, 10_500)))
    assert visibility.queries - before < 150


async def test_faults_stay_with_their_table(site, owner):
    await owner.execute(RAISING)
    site.realtime.visibility._patience = "50ms"
    async with site.client() as anonymous:
        for table in ("judged", "strict", "notes"):
            await anonymous.subscribe(table)
        async with owner.transaction():
            await owner.execute(INSERT, "first")
            for what in ("P0002", "slow", "fine"):
                await owner.execute("INSERT INTO public.judged VALUES ($1)", what)
            # The policy reads one column, and the type of another refuses to be left out.
            await owner.execute("INSERT INTO public.strict VALUES ('me', 'x', 'y'), ('other', 'x', 'y')")
            # A column that is new is not among the granted, whatever is remembered of the table.
            await owner.execute("ALTER TABLE public.strict ADD COLUMN secret text DEFAULT 'hush'")
            await owner.execute("INSERT INTO public.strict VALUES ('me', 'x2', 'y', 'hush')")
        assert (await anonymous.change())["record"]["text"] == "first"
        shown = [(await anonymous.change())["record"] for _ in range(2)]
        assert shown == [{"who": "me", "needed": needed, "hidden": "y"} for needed in ("x", "x2")]
        assert (await anonymous.take("bulk"))["payload"] == {"schema": "public", "table": "judged", "reason": "gap"}
        await anonymous.nothing()


async def test_a_server_that_went_back_in_time_is_a_gap(site, owner):
    """A restored backup, or a standby that had not heard everything: numbers of transactions are given out again."""
    async with site.client(site.service_token) as client:
        await client.subscribe("notes")
        reader = site.realtime.reader
        async with reader._reading:
            xmin, xmax, running = reader._snapshot.split(":")
            reader._snapshot = f"{int(xmin) + 1000}:{int(xmax) + 1000}:{running}"
            await owner.execute(INSERT, "not to be told")
        assert (await client.take("bulk", "postgres_changes"))["payload"]["reason"] == "gap"
        await owner.execute(INSERT, "told")
        assert (await client.change())["record"]["text"] == "told"
