"""Changes of tables over real sockets: who hears what."""

import asyncio
from datetime import timedelta

import asyncpg

from .serving import serving

INSERT = "INSERT INTO public.notes (owner, text, public, secret) VALUES ($1::text::uuid, $2, $3, 'hidden') RETURNING id"


async def test_each_hears_of_what_they_may_see(site, owner, ada, eve):
    async with (
        site.client(ada["access_token"]) as mine,
        site.client(eve["access_token"]) as hers,
        site.client() as anonymous,
        site.client(site.service_token) as service,
    ):
        for client in (mine, hers, anonymous, service):
            await client.subscribe("notes")
        number = await owner.fetchval(INSERT, ada["user"]["id"], "first", False)
        change = await mine.change()
        assert (change["type"], change["schema"], change["table"]) == ("INSERT", "public", "notes")
        note = {"id": number, "owner": ada["user"]["id"], "text": "first", "public": False}
        assert change["record"] == note
        assert change["old_record"] is None
        assert (await service.change())["record"]["secret"] == "hidden"
        await hers.nothing()
        await anonymous.nothing()

        # Into everybody's sight: those who could not see the old row do not get it.
        await owner.execute("UPDATE public.notes SET public = true")
        for client, old in ((mine, note), (hers, None), (anonymous, None)):
            change = await client.change()
            assert (change["type"], change["old_record"]) == ("UPDATE", old)
            assert change["record"] == note | {"public": True}

        # To another tenant, out of sight of the first and of the anonymous: gone for them, and not a word of the new.
        await owner.execute(
            "UPDATE public.notes SET public = false, owner = $1::text::uuid, text = 'eve''s'", eve["user"]["id"]
        )
        for client in (mine, anonymous):
            change = await client.change()
            assert (change["type"], change["record"]) == ("DELETE", None)
            assert change["old_record"] == note | {"public": True}
        change = await hers.change()
        assert (change["type"], change["record"]["text"]) == ("UPDATE", "eve's")
        assert change["old_record"] == note | {"public": True}

        await owner.execute("DELETE FROM public.notes")
        change = await hers.change()
        assert (change["type"], change["old_record"]["text"]) == ("DELETE", "eve's")
        await mine.nothing()
        await anonymous.nothing()


async def test_filters_and_events_choose(site, owner, ada, eve):
    async with site.client(site.service_token) as service:
        one = await service.subscribe("notes", event="INSERT", filter="text=eq.a")
        other = await service.subscribe("notes", event="INSERT,DELETE", filter="text=like.a*")
        for text in ("a", "ab", "b"):
            await owner.execute(INSERT, None, text, False)
        await owner.execute("UPDATE public.notes SET text = 'abc'")
        await owner.execute("DELETE FROM public.notes WHERE id = (SELECT min(id) FROM public.notes)")
        first, second, third = [await service.take("postgres_changes") for _ in range(3)]
        assert set(first["subscription_ids"]) == {one, other}
        assert second["subscription_ids"] == third["subscription_ids"] == [other]
        assert third["payload"]["type"] == "DELETE"
        await service.nothing()
        assert (await service.ask(type="unsubscribe", channel="changes", subscription_id=other))["type"] == "ack"
        await owner.execute(INSERT, None, "ab", False)
        await service.nothing()

    # Where a row went is nobody's to find out by a filter on the new owner.
    async with site.client(ada["access_token"]) as mine:
        await mine.subscribe("notes", filter=f"owner=eq.{eve['user']['id']}")
        await owner.execute(INSERT, ada["user"]["id"], "mine", False)
        await owner.execute("UPDATE public.notes SET owner = $1::text::uuid", eve["user"]["id"])
        await mine.nothing()
        answer = await mine.ask(type="subscribe", channel="x", config={"table": "notes", "filter": "secret=eq.hidden"})
        assert answer["payload"]["code"] == "invalid_filter"


async def test_large_statements_say_that_there_was_one(site, owner):
    async with site.client(site.service_token) as service, site.client() as anonymous:
        for client in (service, anonymous):
            await client.subscribe("notes")
        await owner.execute("INSERT INTO public.notes (text) SELECT i::text FROM generate_series(1, 1000) i")
        assert [(await service.change())["record"]["text"] for _ in range(1000)] == [str(i) for i in range(1, 1001)]
        await owner.execute("INSERT INTO public.notes (text) SELECT i::text FROM generate_series(1, 1001) i")
        for client in (service, anonymous):
            payload = (await client.take("bulk"))["payload"]
            assert payload == {"schema": "public", "table": "notes", "reason": "large_statement", "operation": "INSERT"}
        await owner.execute("TRUNCATE public.notes")
        assert (await service.take("bulk"))["payload"]["reason"] == "truncate"
        await owner.execute("INSERT INTO public.notes (text) SELECT 'none' WHERE false")
        await service.nothing()
        assert await owner.fetchval("SELECT count(*) FROM realtime.changes") == 1002


async def test_any_key_large_values_and_versions_as_they_were(site, owner, ada):
    await owner.execute("""
        CREATE TABLE public."odd ""Names" ("a b" text, n numeric, r int, topic text, PRIMARY KEY (r, n));
        CREATE TABLE public.keyless (data jsonb, big text);
        SELECT realtime.set_events('public."odd ""Names"', '{INSERT,UPDATE,DELETE}');
        SELECT realtime.set_events('public.keyless', '{INSERT,UPDATE,DELETE}');
        GRANT SELECT ON public."odd ""Names", public.keyless TO service_role;
    """)
    async with site.client(site.service_token) as service:
        await service.subscribe('odd "Names')
        await service.subscribe("keyless")
        await owner.execute("""INSERT INTO public."odd ""Names" VALUES ('x', 0.10, 1, 't'), ('y', 2, 2, NULL)""")
        assert [(await service.change())["record"]["r"] for _ in range(2)] == [1, 2]
        await owner.execute("""UPDATE public."odd ""Names" SET r = r + 10, n = n + 1""")  # no key to pair by
        pairs = [await service.change() for _ in range(2)]
        assert [(one["old_record"]["r"], one["record"]["r"]) for one in pairs] == [(1, 11), (2, 12)]
        await owner.execute("INSERT INTO public.keyless VALUES ('{\"a\": [1.50, null]}', repeat('x', 100000))")
        change = await service.change()
        assert change["record"]["data"] == {"a": [1.5, None]}
        assert len(change["record"]["big"]) == 100_000
        await owner.execute("DELETE FROM public.keyless")
        assert (await service.change())["type"] == "DELETE"

    # One transaction shows, hides and deletes: what the row is when it is read does not matter.
    async with site.client() as anonymous:
        await anonymous.subscribe("notes")
        async with owner.transaction():
            await owner.execute(INSERT, ada["user"]["id"], "hidden at first", False)
            await owner.execute("UPDATE public.notes SET public = true, text = 'shown'")
            await owner.execute("UPDATE public.notes SET public = false, text = 'hidden again'")
            await owner.execute("DELETE FROM public.notes")
        told = [await anonymous.change() for _ in range(2)]
        assert [(one["type"], (one["record"] or one["old_record"])["text"]) for one in told] == [
            ("UPDATE", "shown"),
            ("DELETE", "shown"),
        ]
        assert "hidden" not in str(told)
        await anonymous.nothing()


async def test_what_commits_late_is_not_skipped(site, owner, addresses):
    late = await asyncpg.connect(addresses.owner_dsn)
    async with site.client(site.service_token) as service:
        await service.subscribe("notes")
        slow = late.transaction()
        await slow.start()
        await late.execute(INSERT, None, "began first", False)
        await owner.execute(INSERT, None, "committed first", False)
        assert (await service.change())["record"]["text"] == "committed first"
        await slow.commit()
        assert (await service.change())["record"]["text"] == "began first"
        async with late.transaction():
            await late.execute(INSERT, None, "kept", False)
            lost = late.transaction()
            await lost.start()
            await late.execute(INSERT, None, "rolled back", False)
            await lost.rollback()
        assert (await service.change())["record"]["text"] == "kept"
        await service.nothing()
    await late.close()


async def test_equal_claims_are_asked_for_once(site, owner, ada, eve):
    listeners = [site.client(ada["access_token"]) for _ in range(5)]
    clients = [await one.__aenter__() for one in listeners]
    for client in clients:
        await client.subscribe("notes")
    before = site.realtime.visibility.queries
    for text in "abc":
        await owner.execute(INSERT, ada["user"]["id"], text, False)
        assert [(await client.change())["record"]["text"] for client in clients] == [text] * 5
    assert site.realtime.visibility.queries - before == 1  # the same owner: nothing new to ask
    for one in listeners:
        await one.__aexit__(None, None, None)

    # A policy that fails shows nothing and stops nobody.
    site.realtime.tables.forget()
    await owner.execute("""
        CREATE POLICY odd ON public.notes FOR SELECT TO authenticated USING (1 / (length(text) - 3) > 0)
    """)
    async with site.client(ada["access_token"]) as mine:
        await mine.subscribe("notes")
        async with owner.transaction():
            for text in ("1234", "abc", "4321"):  # 'abc' divides by zero
                await owner.execute(INSERT, eve["user"]["id"], text, False)
        assert [(await mine.change())["record"]["text"] for _ in range(2)] == ["1234", "4321"]
        await mine.nothing()


async def test_a_change_of_rights_holds_when_the_answers_have_aged(settings, addresses, notes, owner):
    settings = settings.model_copy(update={"realtime_rls_cache_ttl": timedelta(milliseconds=50)})
    async with serving(settings, addresses) as site, site.client() as anonymous:
        await anonymous.subscribe("notes")
        await owner.execute(INSERT, None, "one", True)
        assert (await anonymous.change())["record"]["text"] == "one"
        await owner.execute("DROP POLICY open ON public.notes")
        await asyncio.sleep(0.06)
        await owner.execute(INSERT, None, "two", True)
        await anonymous.nothing()
